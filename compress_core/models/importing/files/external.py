"""Data of a model that lies in other files: only in a fresh folder of the model's own."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from compress_core.models.importing.files.errors import refuse
from compress_core.shown import shown_name

ONE_FILE = "save it with its weights inside: onnx.save(onnx.load(path), 'one_file.onnx')"


def check_external(
    entries: Mapping[str, str], needed: int, beside: Path | None, shown: str
) -> None:
    """Raise UnsafeFileError unless `needed` bytes lie where `entries` (location, offset, length)
    say, in a plain file below `beside`. `shown` is the tensor in words."""
    location = entries.get("location", "")
    name = f"{shown} lies in another file, '{shown_name(location)}'"
    if beside is None:
        raise refuse(f"{name}, which was not given", ONE_FILE)
    if _leads_out(location):
        raise refuse(f"{name}, outside the model's own folder", ONE_FILE)
    file = beside / location
    if _has_link(file, beside) or not file.is_file():
        raise refuse(f"{name}, which is no plain file in the model's folder", ONE_FILE)
    offset, length = _number(entries, "offset", shown), _number(entries, "length", shown)
    length = needed if length is None else length
    if length < needed or (offset or 0) + length > file.stat().st_size:
        raise refuse(
            f"{name}, and needs {needed:,} bytes from byte {offset or 0:,}; there are fewer",
            ONE_FILE,
        )


def _leads_out(location: str) -> bool:
    windows = PureWindowsPath(location)
    odd = not location or "\0" in location or "\\" in location or ".." in windows.parts
    return odd or bool(windows.drive) or PurePosixPath(location).is_absolute()


def _has_link(file: Path, beside: Path) -> bool:
    parts = [file, *file.parents]
    return any(part.is_symlink() for part in parts[: parts.index(beside)])


def _number(entries: Mapping[str, str], key: str, shown: str) -> int | None:
    text = entries.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise refuse(f"{shown} has the {key} '{shown_name(text)}', which is no number", ONE_FILE)
    return int(text)
