"""The byte ledger in words: the one sentence to remember."""

from typing import assert_never

from compress_core.measurement.ledger import Finding
from compress_core.wording.numbers import percent


def ledger_in_words(found: Finding) -> str:
    """What the ledger shows, in one sentence."""
    match found.kind:
        case "zeros":
            return f"{percent(found.sparsity, 0)} zeros, and {_of_zeros(found)}"
        case "bits":
            return (
                f"Fewer bits shrink a file whatever the values: {found.dense:,} bytes of fp32 are "
                f"{found.packed:,} when packed, and {found.ours:,} once the frequent codes are the "
                "shorter ones."
            )
        case "floats":
            assert found.gzipped is not None  # it applies to every file
            off = percent(1 - found.gzipped / found.dense, 0)
            return (
                f"Trained floats look like noise: gzip -9 takes {off} off {found.dense:,} bytes; "
                "what makes a file small is fewer weights or fewer bits."
            )
        case _:
            assert_never(found.kind)


def _of_zeros(found: Finding) -> str:
    coded = f"coded, the same weights take {found.ours:,}."
    if found.onnx is None:
        return f"a dense file does not shrink by a byte ({found.dense:,}): it stores zeros; {coded}"
    if found.onnx >= found.dense:
        return (
            f"the .onnx did not shrink by a byte ({found.onnx:,} for {found.dense:,} of fp32): it "
            f"stores zeros; {coded}"
        )
    return (
        f"the .onnx still takes {found.onnx:,} bytes: it stores every zero as a full code; {coded}"
    )
