"""Files of torch that run code, claim what is not there, or are no files of tensors at all."""

import io
import pickle
import stat
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tests.hostile.row import Hostile, Runs, canary_maker, canary_of, cut

CALLS = r"it wants to call '.*{}' when it is opened; only tensors are read; at home, run torch.save"


def save(path: Path, value: object, **options: Any) -> None:
    torch.save(value, path, **options)


def plain(path: Path) -> None:
    save(path, torch.nn.Linear(20, 20).state_dict())


def legacy(path: Path, value: object | None = None) -> None:
    value = torch.nn.Linear(20, 20).state_dict() if value is None else value
    torch.save(value, path, _use_new_zipfile_serialization=False)


def save_running(path: Path, function: str, protocol: int = 2) -> None:
    """A state dict that calls a function; each of them would make the canary."""
    canary = str(canary_of(path))
    calls: dict[str, Runs] = {
        "system": Runs(__import__("os").system, f"touch '{canary}'"),
        "eval": canary_maker(path),
        "exec": Runs(exec, f"open({canary!r}, 'w')"),
        "open": Runs(io.open, canary, "w"),
        "import": Runs(__import__, "antigravity"),
        "getattr": Runs(getattr, "", "join"),
        "torch.save": Runs(torch.save, 1, canary),
        "torch.hub": Runs(torch.hub.load, "nobody/nothing", "model"),
    }
    torch.save({"w": torch.zeros(2), "x": calls[function]}, path, pickle_protocol=protocol)


def pickle_running(path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps({"w": canary_maker(path)}, protocol))


def legacy_running(path: Path) -> None:
    legacy(path, {"w": canary_maker(path)})


def rewrite(path: Path, change: Callable[[zipfile.ZipFile, str, bytes], None]) -> None:
    """A file of torch whose members are written anew by `change(archive, name, raw)`."""
    plain(path)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in members:
            change(archive, name, raw)


def write_deflated(archive: zipfile.ZipFile, name: str, raw: bytes) -> None:
    raw = bytes(40_000_000) if name.endswith("data/0") else raw
    archive.writestr(name, raw, zipfile.ZIP_DEFLATED)


def write_also(archive: zipfile.ZipFile, name: str, raw: bytes, also: str) -> None:
    archive.writestr(name, raw)
    if name.endswith("data.pkl"):
        archive.writestr(also, b"x")


def write_link(archive: zipfile.ZipFile, name: str, raw: bytes) -> None:
    info = zipfile.ZipInfo(name)
    if name.endswith("data/0"):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        raw = b"/etc/passwd"
    archive.writestr(info, raw)


def write_big_endian(archive: zipfile.ZipFile, name: str, raw: bytes) -> None:
    archive.writestr(name, b"big" if name.endswith("byteorder") else raw)


def write_pickle(path: Path, raw: bytes) -> None:
    """A file of torch with a pickle of ours."""
    rewrite(
        path,
        lambda archive, name, old: archive.writestr(
            name, raw if name.endswith("data.pkl") else old
        ),
    )


def write_twice(path: Path) -> None:
    plain(path)
    with zipfile.ZipFile(path, "a") as archive:
        first = archive.namelist()[0]
    raw = path.read_bytes()
    twice = raw.replace(b"/data/1", b"/data/0")
    assert first
    path.write_bytes(twice)


def write_overlap(path: Path) -> None:
    """The directory's second entry points to where the first one lies."""
    plain(path)
    raw = bytearray(path.read_bytes())
    first = raw.index(b"PK\x01\x02")
    second = raw.index(b"PK\x01\x02", first + 4)
    raw[second + 42 : second + 46] = raw[first + 42 : first + 46]
    path.write_bytes(raw)


def change_bytes(
    path: Path, old: bytes, new: bytes, make: Callable[[Path], object] = plain
) -> None:
    """A file in which some bytes were replaced."""
    make(path)
    raw = path.read_bytes()
    assert old in raw
    path.write_bytes(raw.replace(old, new))


def write_version(path: Path) -> None:
    """A directory whose first entry needs a version of zip that never was."""
    plain(path)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 6] = 246
    path.write_bytes(raw)


def write_directory_bomb(path: Path) -> None:
    """An end record that speaks of 65,000 files in a directory of 2 GB."""
    plain(path)
    raw = bytearray(path.read_bytes())
    end = raw.rindex(b"PK\x05\x06")
    raw[end + 8 : end + 16] = struct.pack("<HHI", 65_000, 65_000, 2_000_000_000)
    path.write_bytes(raw)


def write_empty_members(path: Path, count: int = 25_000) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
        for number in range(count):
            archive.writestr(f"archive/data/{number}", b"")


def export(path: Path) -> None:
    """A .pt2 as torch lays it out, without the seconds that exporting takes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/models/model.json", "{}")
        archive.writestr("model/data/weights/model_weights_config.json", "{}")


def script(path: Path) -> None:
    """A TorchScript archive as torch lays it out."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")
        archive.writestr("model/code/__torch__.py", "def forward(self): ...")
        archive.writestr("model/constants.pkl", b"\x80\x02).")


def reduce_of(*parts: bytes) -> bytes:
    return b"\x80\x02" + b"".join(parts) + b"."


def aliases() -> dict[str, torch.Tensor]:
    """A thousand names for the same megabyte."""
    shared = torch.zeros(250_000)
    return {f"w{number}": shared for number in range(1000)}


def strided_beyond() -> bytes:
    """A tensor of 2 values with a stride of 10⁹, over a storage of 400."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    storage += b"X\x03\x00\x00\x00cpuM\x90\x01tQ"
    sizes = b"K\x02\x85" + b"J" + struct.pack("<i", 10**9) + b"\x85"
    call = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + sizes + b"\x89}tR"
    return reduce_of(b"}X\x01\x00\x00\x00w", call, b"s")


CUTS = {
    "after 10 bytes": 10,
    "after 100 bytes": 100,
    "in the middle": None,
    "in the directory": -100,
    "before the last byte": -1,
}
NEW_ZIP = "save it anew with torch.save"

TORCH = [
    *(
        Hostile(f"torch, cut {where}", cut(plain, end), "this is a zip that is damaged or cut off")
        for where, end in CUTS.items()
    ),
    *(
        Hostile(f"torch before 1.6, cut {where}", cut(legacy, end), says)
        for where, end, says in (
            ("after 8 bytes", 8, "this is a Python pickle|damaged or cut off"),
            ("after 100 bytes", 100, "its pickle is damaged or cut off; upload"),
            ("before the last byte", -1, "the values end at byte .* it is cut off"),
        )
    ),
    *(
        Hostile(f"torch, calls {name}", partial(save_running, function=name), CALLS.format(called))
        for name, called in {
            "system": "system",
            "eval": "eval",
            "exec": "exec",
            "open": "open",
            "import": "__import__",
            "getattr": "getattr",
            "torch.save": r"torch\.serialization\.save",
            "torch.hub": r"torch\.hub\.load",
        }.items()
    ),
    Hostile(
        "torch, calls eval in protocol 4",
        partial(save_running, function="eval", protocol=4),
        "its pickle has the step .*, which torch.save does not write|it wants to call",
    ),
    Hostile("torch before 1.6, calls eval", legacy_running, CALLS.format("eval")),
    Hostile(
        "pickle that runs code",
        partial(pickle_running, protocol=4),
        "this is a Python pickle: a pickle runs whatever it wants when it is opened; at home",
    ),
    Hostile(
        "pickle in text that runs code",
        partial(pickle_running, protocol=0),
        "this is (text: there is no model in it|nothing that is known)",
    ),
    Hostile(
        "torch, a stride of 0 claims 160 GB",
        lambda path: save(path, {"w": torch.zeros(1).expand(4_000_000, 10_000)}),
        "claims 4,000,000 × 10,000 values, 160,000,000,000 bytes, but 4 are in the file; save it",
    ),
    Hostile(
        "torch, a stride beyond the values",
        partial(write_pickle, raw=strided_beyond()),
        "tensor 'w' reaches beyond its values in the file",
    ),
    Hostile(
        "torch, 1,000 names for one megabyte",
        lambda path: save(path, aliases()),
        "take 1,000,000,000 bytes together, more than 10 times the file's",
    ),
    Hostile(
        "torch, deflated 40 MB",
        partial(rewrite, change=write_deflated),
        f"in the zip is compressed; torch stores its files as they are; {NEW_ZIP}",
    ),
    Hostile(
        "torch, a member that leads out",
        partial(rewrite, change=partial(write_also, also="weights/../../evil")),
        "leads out of its folder; names may not contain '..'",
    ),
    Hostile(
        "torch, a member with an absolute path",
        partial(rewrite, change=partial(write_also, also="/tmp/evil")),
        "is an absolute path or one of Windows",
    ),
    Hostile(
        "torch, a member with a path of Windows",
        partial(rewrite, change=partial(write_also, also="C:evil")),
        "is an absolute path or one of Windows",
    ),
    Hostile("torch, a member twice", write_twice, "is there twice; every name may be there once"),
    Hostile(
        "torch, a member that is a link", partial(rewrite, change=write_link), "is a link; only"
    ),
    Hostile("torch, overlapping members", write_overlap, "does not lie where the zip says"),
    Hostile("torch, a directory of 2 GB", write_directory_bomb, "a zip that is damaged or cut off"),
    Hostile(
        "torch, 25,000 empty members", write_empty_members, "a zip that is damaged|lists 25,001"
    ),
    # These three were found by fuzzing.
    Hostile(
        "torch, a pickle with another checksum",
        partial(change_bytes, old=b"OrderedDict", new=b"ordereddict"),
        f"the zip is damaged or cut off; upload it again, or {NEW_ZIP}",
    ),
    Hostile("torch, a zip of version 24.6", write_version, "a zip that is damaged or cut off"),
    Hostile(
        "torch, a member with half a letter",
        partial(
            change_bytes,
            old="é".encode(),
            new=b"\xc3\x28",
            make=partial(rewrite, change=partial(write_also, also="weights/é")),
        ),
        "this is a zip that is damaged or cut off",
    ),
    Hostile(
        "torch, big-endian", partial(rewrite, change=write_big_endian), "numbers are big-endian"
    ),
    Hostile(
        "torch, lists inside each other 200,000 times",
        partial(write_pickle, raw=reduce_of(b"]" * 200_000, b"a" * 199_999)),
        "there is no tensor in the file",
    ),
    Hostile(
        "torch, tuples inside each other as a key",
        partial(write_pickle, raw=reduce_of(b"}", b")" + b"\x85" * 200_000, b"K\x01s")),
        "there is no tensor in the file",
    ),
    Hostile(
        "torch, a dict that holds itself",
        partial(write_pickle, raw=reduce_of(b"}q\x00X\x01\x00\x00\x00wh\x00s")),
        "there is no tensor in the file",
    ),
    Hostile(
        "torch, a text of 4 GB",
        partial(write_pickle, raw=b"\x80\x02X\xff\xff\xff\xffabc."),
        "its pickle is damaged or cut off",
    ),
    Hostile("torch, an empty pickle", partial(write_pickle, raw=b""), "its pickle is damaged"),
    Hostile(
        "torch, marks alone",
        partial(write_pickle, raw=b"\x80\x02((t."),
        "pickle is damaged|no tensor",
    ),
    Hostile(
        "torch, whole pickled module",
        lambda path: save(path, torch.nn.Linear(2, 2)),
        r"this is a whole pickled module \(torch.nn.modules.linear.Linear\), which runs code",
    ),
    Hostile(
        "TorchScript", script, "this is a TorchScript program: it is a program, and reading it"
    ),
    Hostile(
        "torch, exported program",
        export,
        r"an exported program of torch \(.pt2\): reading it falls",
    ),
    Hostile(
        "torch, no tensor", lambda path: save(path, {"lr": 0.1}), "there is no tensor in the file"
    ),
    Hostile(
        "torch, a sparse tensor",
        lambda path: save(path, {"w": torch.eye(3).to_sparse()}),
        r"it wants to call 'torch._utils._rebuild_sparse_tensor'",
    ),
    Hostile(
        "torch, infinite and NaN",
        lambda path: save(path, {"w": torch.tensor([[float("nan"), float("inf")]])}),
        "w holds 1 NaN and 1 infinite|w holds .*finite",
    ),
    Hostile(
        "torch, name with HTML",
        lambda path: save(path, {"<script>\n\u202e": torch.zeros(2), "w": torch.ones(2, 2)}),
        "",
    ),
    Hostile(
        "torch, name of 10 MB",
        lambda path: save(path, {"n" * 10_000_000: torch.zeros(2), "w": torch.ones(2, 2)}),
        "",
    ),
]
