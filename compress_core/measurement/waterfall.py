"""The waterfall: what each stage of a recipe takes off the file, to the byte.

fold → structured → factorize → prune → quantize | share → … → encode. Before
`encode`, every weight is stored at a fixed width: float32, or k bits where weights have codes. So
a zero takes as many bytes as any other weight until `encode`.
"""

from dataclasses import dataclass

from compress_core.compressed import Compressed, compress
from compress_core.recipe import stages
from compress_core.storage.layouts import LayoutFile, encode_file


@dataclass(frozen=True)
class Stage:
    """`name` is "original", the kind of the steps, or "encode"; `file_bytes` the file after it."""

    name: str
    file_bytes: int


def waterfall(compressed: Compressed) -> tuple[Stage, ...]:
    """The original's file, the one after each kind of step, and last the stored file itself."""
    original = compressed.original
    steps = [
        Stage(kind, len(fixed_width_file(compress(original, recipe)).raw))
        for kind, recipe in stages(compressed.recipe)
    ]
    return (
        Stage("original", original.stored_bytes),
        *steps,
        Stage("encode", compressed.stored_bytes),
    )


def fixed_width_file(compressed: Compressed) -> LayoutFile:
    """All weights at fixed width: k bits a code where they have codes, float32 else."""
    return encode_file("packed", compressed.weights, compressed.plain_rest)
