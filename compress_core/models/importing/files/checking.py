"""Which checks a model's file of each kind passes before a parser sees it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from compress_core.models.importing.files.errors import refuse
from compress_core.models.importing.files.kinds import Kind, kind_of
from compress_core.models.importing.files.onnx_file import check_onnx
from compress_core.models.importing.files.pickles import AT_HOME
from compress_core.models.importing.files.safetensors_header import read_header
from compress_core.models.importing.files.torch_file import read_legacy_torch, read_torch_zip

FORMATS = "ONNX, safetensors and state dicts of torch open here"
EXPORT = "torch.onnx.export(model, (example,), 'model.onnx')"
UPLOAD_AGAIN = "upload it again"
NO_MODEL = ("there is no model in it", FORMATS)
# Kinds that no check can make safe, or that nobody here reads: why, and what to do at home.
REFUSED: Mapping[Kind, tuple[str, str]] = {
    Kind.EMPTY: ("there is nothing in it", UPLOAD_AGAIN),
    Kind.TORCHSCRIPT: (
        "it is a program, and reading it is running parts of it",
        f"{AT_HOME}, or run {EXPORT}",
    ),
    Kind.EXPORTED: (
        "reading it falls back to a pickle, which can run anything",
        f"at home, run {EXPORT}, or torch.save(program.state_dict, 'weights.pt')",
    ),
    Kind.PICKLE: ("a pickle runs whatever it wants when it is opened", AT_HOME),
    Kind.ZIP: ("it holds neither tensors nor images", FORMATS),
    Kind.DAMAGED_ZIP: ("its directory cannot be read", UPLOAD_AGAIN),
    Kind.GIT_LFS: (
        "its content lies elsewhere",
        "fetch the file itself with Git LFS, and upload that",
    ),
    Kind.HTML: ("there is no model in it", "download the file itself"),
    Kind.HDF5: (
        "it is not read here",
        "at home, convert it with tf2onnx: python -m tf2onnx.convert --keras model.h5 --output "
        "model.onnx",
    ),
    Kind.GGUF: ("it is not read here", "give the safetensors that it was made from"),
    Kind.TFLITE: (
        "it is not read here",
        "at home, convert it with tf2onnx: python -m tf2onnx.convert --tflite model.tflite "
        "--output model.onnx",
    ),
    Kind.UNKNOWN: ("its content is that of no format read here", FORMATS),
}


def check_file(path: Path) -> Kind:
    """The kind of a file of a model that passed the checks of its kind.

    Raises UnsafeFileError with the reason and a remedy; there is no way around.
    """
    kind = check_kind(path)
    CHECKS[kind](path)
    return kind


def check_kind(path: Path) -> Kind:
    """The kind of a file, once it is one of a model that is read here at all."""
    if path.is_symlink() or not path.is_file():
        raise refuse("this is no plain file", "give the file itself, not a folder or a link")
    kind = kind_of(path)
    if kind not in CHECKS:
        reason, remedy = REFUSED.get(kind, NO_MODEL)
        raise refuse(f"this is {kind.value}: {reason}", remedy)
    return kind


CHECKS: Mapping[Kind, Callable[[Path], Any]] = {
    Kind.ONNX: check_onnx,
    Kind.SAFETENSORS: read_header,
    Kind.STATE_DICT: read_torch_zip,
    Kind.LEGACY_TORCH: read_legacy_torch,
}
