"""safetensors files that claim, overlap, hide, or never end."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.hostile.row import Hostile, cut

BIDI = "safe\u202egnp.exe"


def write(path: Path, header: object, data: bytes = b"", length: int | None = None) -> None:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    claimed = len(raw) if length is None else length
    path.write_bytes(claimed.to_bytes(8, "little") + raw + data)


def entry(shape: object, begin: int, end: int, dtype: object = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def write_one(path: Path, one: object, data: bytes = bytes(8), name: str = "w") -> None:
    write(path, {name: one}, data)


def plain(path: Path) -> None:
    data = np.arange(12, dtype="<f4").tobytes()
    write(path, {"fc.weight": entry([3, 2], 0, 24), "fc.bias": entry([6], 24, 48)}, data)


def write_empty_tensors(path: Path, count: int = 900_000) -> None:
    one = b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    write(path, b"{" + b",".join(one % number for number in range(count)) + b"}")


def write_values(path: Path, dtype: str, values: Any) -> None:
    raw = np.asarray(values).tobytes()
    write_one(path, entry([1, len(values)], 0, len(raw), dtype), raw)


CUTS = {
    "in the length": (5, "this is nothing that is known|ends after 5 bytes"),
    "after the length": (8, "this is nothing that is known|ends after 8 bytes"),
    "in the header": (40, r"header takes \d+ bytes, but the file has 40: it is cut off"),
    "after the header": (-48, "ends at byte .* it is cut off"),
    "in the tensors": (-25, "ends at byte .* it is cut off"),
    "before the last byte": (-1, "'fc.bias' ends at byte .* it is cut off"),
}
ONES: dict[str, tuple[object, str]] = {
    "range beyond the file": (entry([4000], 0, 16000), r"ends at byte 16,\d+, but the file has"),
    "offsets backwards": (entry([2], 8, 0), r"'w' has -8 bytes, but its shape 2 and type F32 take"),
    "negative offset": (entry([2], -8, 0), "data_offsets that are no two places in the file"),
    "offsets of 2^64": (entry([0], 2**64, 2**64), "data_offsets that are no two places"),
    "hole": (entry([1], 4, 8), "4 bytes before tensor 'w' belong to no tensor"),
    "bytes after the end": (entry([1], 0, 4), "the last 4 bytes belong to no tensor"),
    "huge shape": (entry([2**62, 2**62], 0, 8), "has 8 bytes, but its shape 4,611,"),
    "shape that overflows to 8": (entry([2**62, 8], 0, 8), "has 8 bytes, but its shape 4,611,"),
    "negative size": (entry([-2], 0, 8), "shape that is no list of sizes of at least 0"),
    "size that is a fraction": (entry([2.0], 0, 8), "shape that is no list of sizes"),
    "10,000 dimensions": (entry([1] * 10_000, 0, 4), "shape that is no list of sizes"),
    "unknown type": (entry([2], 0, 8, "F7"), "'w' has the type F7; known are BOOL, U8"),
    "type that is a list": (entry([2], 0, 8, []), r"'w' has the type \[\]; known are"),
    "entry that is a text": ("F32", "must have dtype, shape and data_offsets, and no more"),
}
NAMES = {
    "name with HTML": ("<img src=x onerror=alert(1)>", ""),
    "name with line ends": ("fc.weight\n\r\n2026 [INFO] all is well", ""),
    "name with marks of direction": (BIDI, ""),
    "name with a terminal's codes": ("\x1b[31mred\x1b]0;title\x07", ""),
    "name that is a path": ("../../../etc/passwd", "cannot have this name beside .*: rename it"),
}

SAFETENSORS = [
    *(
        Hostile(f"safetensors, cut {where}", cut(plain, end), says)
        for where, (end, says) in CUTS.items()
    ),
    *(
        Hostile(f"safetensors, {name}", partial(write_one, one=one), says)
        for name, (one, says) in ONES.items()
    ),
    *(
        Hostile(
            f"safetensors, {name}", partial(write_one, one=entry([1, 2], 0, 8), name=text), says
        )
        for name, (text, says) in NAMES.items()
    ),
    Hostile(
        "safetensors, header of 2^63 bytes",
        partial(write, header={}, length=1 << 63),
        "header takes 9,223,372,036,854,775,808 bytes; at most 1,000,000 are read",
    ),
    Hostile(
        "safetensors, header of 2 MB",
        partial(write, header=b"{" + b" " * 2_000_000 + b"}"),
        "header takes 2,000,002 bytes; at most 1,000,000 are read; leave out tensors",
    ),
    Hostile(
        "safetensors, 900,000 empty tensors",
        write_empty_tensors,
        r"header takes [\d,]+ bytes; at most 1,000,000",
    ),
    Hostile(
        "safetensors, overlapping tensors",
        partial(write, header={"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, data=bytes(12)),
        "tensor 'b' overlaps another; each needs bytes of its own",
    ),
    Hostile(
        "safetensors, two tensors in one place",
        partial(write, header={"a": entry([2], 0, 8), "b": entry([2], 0, 8)}, data=bytes(8)),
        "tensor 'b' overlaps another",
    ),
    Hostile(
        "safetensors, a name twice",
        partial(write, header=b'{"a":{"dtype":"U8","dtype":"F32"}}'),
        "names a tensor or a field twice",
    ),
    Hostile(
        "safetensors, header that is no JSON",
        partial(write, header=b"{'a': __import__('os').system('true')}"),
        "its header is no JSON",
    ),
    Hostile(
        "safetensors, 300,000 brackets",
        partial(write, header=b'{"a":' + b"[" * 300_000),
        "its header is no JSON",
    ),
    Hostile(
        "safetensors, number of 100,000 digits",
        partial(write, header=b'{"a":' + b"9" * 100_000 + b"}"),
        "its header is no JSON",
    ),
    Hostile(
        "safetensors, name of 10 MB",
        partial(write_one, one=entry([2], 0, 8), name="n" * 10_000_000),
        "header takes 10,000,0.. bytes; at most 1,000,000",
    ),
    Hostile(
        "safetensors, name of 100,000 characters",
        partial(write_one, one=entry([2], 0, 8), name="n" * 100_000),
        "a name of 100,000 characters; at most 500 are read",
    ),
    Hostile(
        "safetensors, infinite and NaN",
        partial(write_values, dtype="F32", values=np.array([np.nan, np.inf, 1, 2], "<f4")),
        "w holds 1 NaN and 1 infinite|w holds .*; .* must be finite: load a checkpoint",
    ),
    Hostile(
        "safetensors, NaN in 8 bits",
        partial(write_values, dtype="F8_E4M3", values=np.array([0x7F, 0xFF, 0x3C], "u1")),
        r"w is torch.float8.*model\.float\(\)",
    ),
]
