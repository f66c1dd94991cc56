"""Why no speed-up: time and multiply-accumulates side by side, and the reason where they disagree.

Times are those of the ONNX graph in onnxruntime, on one thread of this machine. MACs promise a
speed-up that other things may eat: what they can be is known, see Reason. Their sentences stand in
wording/speed.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from compress_core.inputs import Inputs
from compress_core.measurement.cost import Latency, measure_latencies
from compress_core.measurement.report import Size

TOLERANCE = 1.15  # a smaller factor between two times, or between time and MACs, says nothing
MANY_ZEROS, MOST_ZEROS = 0.1, 0.5  # of the stored weights; quantization alone makes some
SMALL_MS = 0.05  # an operator costs about 0.001 ms before it multiplies anything

# What explains the time. Where it is as promised: neither has changed, or time goes with the MACs.
# Where it is shorter: integers are multiplied, or less memory is read. Where it is longer: zeros
# are multiplied, too; few bits have no kernel; inputs are rounded; a layer has become several; most
# of it is the call of the operators; other work was done meanwhile; activations move as before.
Reason = Literal[
    "nothing_changed",
    "time_follows_macs",
    "integers",
    "less_memory",
    "zeros_multiplied",
    "no_kernel_for_bits",
    "inputs_rounded",
    "more_layers",
    "calls",
    "other_work",
    "activations",
]


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
        """Flat, JSON-ready: `measure --latency --json` without its words."""
        return {
            **vars(self.after),
            "original_latency_ms_p50": self.before.latency_ms_p50,
            "original_latency_ms_p95": self.before.latency_ms_p95,
            "speedup": self.speedup,
            "macs_promise": self.promise,
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


def reasons(speed: Speed) -> tuple[Reason, ...]:
    """Why the time is not what the MACs promise, or not what zeros and few bits seem to."""
    if agrees(speed.speedup, speed.promise) and not _seems_to_promise(speed):
        return ("nothing_changed",) if agrees(speed.promise, 1) else ("time_follows_macs",)
    if speed.speedup > speed.promise * TOLERANCE:
        return ("integers",) if speed.input_bits else ("less_memory",)
    return tuple(_causes(speed)) or (
        ("other_work",) if agrees(speed.promise, 1) else ("activations",)
    )


def agrees(found: float, promised: float) -> bool:
    """Whether two factors are the same as far as a measurement can tell."""
    return 1 / TOLERANCE <= found / promised <= TOLERANCE


def _is_faster(speed: Speed) -> bool:
    return speed.speedup > TOLERANCE


def _seems_to_promise(speed: Speed) -> bool:
    """Whether a reader expects a speed-up that MACs do not promise, and there is none."""
    return not _is_faster(speed) and (_has_zeros(speed) or speed.bits < 32)


def _has_zeros(speed: Speed) -> bool:
    """Whether somebody made them."""
    return speed.sparsity >= (MANY_ZEROS if speed.bits == 32 else MOST_ZEROS)


def _causes(speed: Speed) -> Iterator[Reason]:
    """Each cause that applies where a promise is not kept, the most telling first."""
    broken = speed.speedup < speed.promise / TOLERANCE
    if not _is_faster(speed) and _has_zeros(speed):
        yield "zeros_multiplied"
    if speed.bits < 32 and (broken or not _is_faster(speed)):
        yield "no_kernel_for_bits"
    if speed.input_bits and broken:
        yield "inputs_rounded"
    if broken and speed.weights > speed.original_weights:
        yield "more_layers"
    if broken and speed.promise > TOLERANCE and speed.after.latency_ms_p50 < SMALL_MS:
        yield "calls"
