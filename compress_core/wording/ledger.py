"""The byte ledger in words: the one sentence to remember."""

from typing import assert_never

from compress_core.measurement.ledger import Finding
from compress_core.wording.language import _
from compress_core.wording.numbers import percent


def ledger_in_words(found: Finding) -> str:
    """What the ledger shows, in one sentence."""
    match found.kind:
        case "zeros":
            return _of_zeros(found)
        case "bits":
            return _(
                "Fewer bits shrink a file whatever the values: {dense:,} bytes of fp32 are "
                "{packed:,} when packed, and {ours:,} once the frequent codes are the shorter "
                "ones.",
                dense=found.dense,
                packed=found.packed,
                ours=found.ours,
            )
        case "floats":
            assert found.gzipped is not None  # it applies to every file
            return _(
                "Trained floats look like noise: gzip -9 takes {off} off {dense:,} bytes; what "
                "makes a file small is fewer weights or fewer bits.",
                off=percent(1 - found.gzipped / found.dense, 0),
                dense=found.dense,
            )
        case _:
            assert_never(found.kind)


def _of_zeros(found: Finding) -> str:
    zeros = percent(found.sparsity, 0)
    if found.onnx is None:
        return _(
            "{zeros} zeros, and a dense file does not shrink by a byte ({dense:,}): it stores "
            "zeros; coded, the same weights take {ours:,}.",
            zeros=zeros,
            dense=found.dense,
            ours=found.ours,
        )
    if found.onnx >= found.dense:
        return _(
            "{zeros} zeros, and the .onnx did not shrink by a byte ({onnx:,} for {dense:,} of "
            "fp32): it stores zeros; coded, the same weights take {ours:,}.",
            zeros=zeros,
            onnx=found.onnx,
            dense=found.dense,
            ours=found.ours,
        )
    return _(
        "{zeros} zeros, and the .onnx still takes {onnx:,} bytes: it stores every zero as a full "
        "code; coded, the same weights take {ours:,}.",
        zeros=zeros,
        onnx=found.onnx,
        ours=found.ours,
    )
