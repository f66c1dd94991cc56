"""Why no speed-up: time and multiply-accumulates side by side, and the reason where they disagree.

Times are those of the ONNX graph in onnxruntime, on one thread of this machine. MACs promise a
speed-up that other things may eat: what they can be is known, and said in words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from compress_core.inputs import Inputs
from compress_core.measurement.cost import Latency, measure_latencies
from compress_core.measurement.report import Size

TOLERANCE = 1.15  # a smaller factor between two times, or between time and MACs, says nothing
MANY_ZEROS, MOST_ZEROS = 0.1, 0.5  # of the stored weights; quantization alone makes some
SMALL_MS = 0.05  # an operator costs about 0.001 ms before it multiplies anything


@dataclass(frozen=True)
class Speed:
    """One pass of one input before and after compression, and what may explain the difference.

    `weights` are stored weights, the factors of a layer counted one by one; `sparsity` is their
    fraction of zeros, `bits` the fewest nominal bits that any layer has, `input_bits` the fewest of
    what a layer multiplies (None: floats).
    """

    original_macs: int
    macs: int
    original_weights: int
    weights: int
    sparsity: float
    bits: int
    before: Latency
    after: Latency
    input_bits: int | None = None

    @property
    def speedup(self) -> float:
        """Median time before / after: 2 is twice as fast."""
        return self.before.latency_ms_p50 / self.after.latency_ms_p50

    @property
    def promise(self) -> float:
        """MACs before / after: the speed-up if time were multiplications alone."""
        return self.original_macs / max(1, self.macs)

    def as_dict(self) -> dict[str, Any]:
        """Flat, JSON-ready: the form of `measure --latency --json`."""
        return {
            **vars(self.after),
            "original_latency_ms_p50": self.before.latency_ms_p50,
            "original_latency_ms_p95": self.before.latency_ms_p95,
            "speedup": self.speedup,
            "macs_promise": self.promise,
            "why": verdict(self),
        }


def measure_speed(size: Size, graphs: tuple[bytes, bytes], example: Inputs) -> Speed:
    """Time the ONNX graphs before and after, in turns; `size` is that of the compressed model."""
    before, after = measure_latencies(graphs, example)
    return speed_of(size, before, after)


def speed_of(size: Size, before: Latency, after: Latency) -> Speed:
    """Two latencies beside what the size says of the compressed model."""
    return Speed(
        original_macs=size.original_macs,
        macs=size.macs,
        original_weights=len(size.layers),
        weights=sum(len(row.encodings) for row in size.layers),
        sparsity=size.sparsity,
        bits=min(row.bits for row in size.layers),
        before=before,
        after=after,
        input_bits=min((row.input_bits for row in size.layers if row.input_bits), default=None),
    )


def verdict(speed: Speed) -> str:
    """How much faster with how many MACs, and why, in two or three sentences."""
    times = f"{speed.before.latency_ms_p50:.3g} → {speed.after.latency_ms_p50:.3g} ms"
    first = f"{_pace(speed.speedup)} ({times}) with {_work(speed.promise)}."
    return " ".join([first, *reasons(speed)])


def reasons(speed: Speed) -> tuple[str, ...]:
    """Why the time is not what the MACs promise, or not what zeros and few bits seem to."""
    if _agrees(speed.speedup, speed.promise) and not _seems_to_promise(speed):
        return (_agreement(speed),)
    if speed.speedup > speed.promise * TOLERANCE:
        return (_gift(speed),)
    found = tuple(_causes(speed))
    return found or (_rest(speed),)


def _agrees(found: float, promised: float) -> bool:
    return 1 / TOLERANCE <= found / promised <= TOLERANCE


def _is_faster(speed: Speed) -> bool:
    return speed.speedup > TOLERANCE


def _seems_to_promise(speed: Speed) -> bool:
    """Whether a reader expects a speed-up that MACs do not promise, and there is none."""
    return not _is_faster(speed) and (_has_zeros(speed) or speed.bits < 32)


def _has_zeros(speed: Speed) -> bool:
    """Whether somebody made them."""
    return speed.sparsity >= (MANY_ZEROS if speed.bits == 32 else MOST_ZEROS)


def _agreement(speed: Speed) -> str:
    if _agrees(speed.promise, 1):
        return "Neither has changed by much."
    return "Time goes with the MACs."


def _gift(speed: Speed) -> str:
    if speed.input_bits:
        return (
            "Faster than the MACs say: with inputs of 8 bits, onnxruntime multiplies small "
            "integers, many at a time; float weights it then rounds to 8 bits of its own."
        )
    return (
        "Faster than the MACs say: less memory to read, or other work on this machine while the "
        "original was timed; measure again to see which."
    )


def _causes(speed: Speed) -> Iterator[str]:
    """Each cause that applies where a promise is not kept, the most telling first."""
    broken = speed.speedup < speed.promise / TOLERANCE
    if not _is_faster(speed) and _has_zeros(speed):
        yield (
            f"Zeros are still multiplied: {100 * speed.sparsity:.0f} % of the stored weights are "
            f"zero, and the dense kernels do all {speed.macs:,} MACs."
        )
    if speed.bits < 32 and (broken or not _is_faster(speed)):
        yield f"No kernel for this width: {_dequantized(speed)}"
    if speed.input_bits and broken:
        yield "Rounding the inputs is work, too: before each layer, on each run."
    if broken and speed.weights > speed.original_weights:
        more = "Fewer MACs but more layers" if speed.promise > TOLERANCE else "More layers"
        yield (
            f"{more}: {speed.weights} in place of {speed.original_weights}, each with a start of "
            "its own and a result that is written and read again."
        )
    if broken and speed.promise > TOLERANCE and speed.after.latency_ms_p50 < SMALL_MS:
        yield (
            f"Too small to matter: much of {speed.after.latency_ms_p50:.3g} ms is the call of each "
            "operator, not its multiplications."
        )


def _dequantized(speed: Speed) -> str:
    weights = f"{speed.bits}-bit weights"
    if _agrees(speed.speedup, 1):
        return f"{weights} are floats again before they are multiplied."
    if speed.input_bits:
        return f"{weights} are dequantized to floats on each run in some layers at least."
    hint = " Integers are multiplied only where the inputs are quantized, too."
    return (
        f"{weights} are dequantized to floats on each run, and then multiplied as floats."
        f"{hint if speed.bits == 8 else ''}"
    )


def _rest(speed: Speed) -> str:
    """Where no cause applies."""
    if _agrees(speed.promise, 1):
        return "Nothing in the recipe takes time: other work on this machine did; measure again."
    return (
        "The rest is no multiplication: reading and writing activations, and the operators "
        "between the layers, shrink less."
    )


def _pace(factor: float) -> str:
    if _agrees(factor, 1):
        return "As fast as before"
    return f"{factor:.1f} times faster" if factor > 1 else f"{1 / factor:.1f} times slower"


def _work(promise: float) -> str:
    if _agrees(promise, 1):
        return "about the same MACs" if promise != 1 else "the same MACs"
    return f"{promise:.1f} times fewer MACs" if promise > 1 else f"{1 / promise:.1f} times the MACs"
