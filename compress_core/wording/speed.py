"""Times and multiply-accumulates in words: how much faster, and why not faster."""

from collections.abc import Callable

from compress_core.measurement.speed import TOLERANCE, Reason, Speed, agrees, reasons
from compress_core.wording.numbers import percent


def speed_in_words(speed: Speed) -> str:
    """How much faster with how many MACs, and why, in two or three sentences."""
    times = f"{speed.before.latency_ms_p50:.3g} → {speed.after.latency_ms_p50:.3g} ms"
    first = f"{_pace(speed.speedup)} ({times}) with {_work(speed.promise)}."
    return " ".join([first, *(reason_in_words(reason, speed) for reason in reasons(speed))])


def reason_in_words(reason: Reason, speed: Speed) -> str:
    """One sentence on what explains the time, with the numbers of `speed`."""
    said = SENTENCES[reason]
    return said if isinstance(said, str) else said(speed)


def _pace(factor: float) -> str:
    if agrees(factor, 1):
        return "As fast as before"
    return f"{factor:.1f} times faster" if factor > 1 else f"{1 / factor:.1f} times slower"


def _work(promise: float) -> str:
    if agrees(promise, 1):
        return "about the same MACs" if promise != 1 else "the same MACs"
    return f"{promise:.1f} times fewer MACs" if promise > 1 else f"{1 / promise:.1f} times the MACs"


def _zeros(speed: Speed) -> str:
    return (
        f"Zeros are still multiplied: {percent(speed.sparsity, 0)} of the stored weights are zero, "
        f"and the dense kernels do all {speed.macs:,} MACs."
    )


def _width(speed: Speed) -> str:
    return f"No kernel for this width: {speed.bits}-bit weights are {_dequantized(speed)}"


def _dequantized(speed: Speed) -> str:
    if agrees(speed.speedup, 1):
        return "floats again before they are multiplied."
    if speed.input_bits:
        return "dequantized to floats on each run in some layers at least."
    hint = " Integers are multiplied only where the inputs are quantized, too."
    return (
        "dequantized to floats on each run, and then multiplied as floats."
        f"{hint if speed.bits == 8 else ''}"
    )


def _layers(speed: Speed) -> str:
    more = "Fewer MACs but more layers" if speed.promise > TOLERANCE else "More layers"
    return (
        f"{more}: {speed.weights} in place of {speed.original_weights}, each with a start of its "
        "own and a result that is written and read again."
    )


def _calls(speed: Speed) -> str:
    return (
        f"Too small to matter: much of {speed.after.latency_ms_p50:.3g} ms is the call of each "
        "operator, not its multiplications."
    )


SENTENCES: dict[Reason, str | Callable[[Speed], str]] = {
    "nothing_changed": "Neither has changed by much.",
    "time_follows_macs": "Time goes with the MACs.",
    "integers": (
        "Faster than the MACs say: with inputs of 8 bits, onnxruntime multiplies small integers, "
        "many at a time; float weights it then rounds to 8 bits of its own."
    ),
    "less_memory": (
        "Faster than the MACs say: less memory to read, or other work on this machine while the "
        "original was timed; measure again to see which."
    ),
    "zeros_multiplied": _zeros,
    "no_kernel_for_bits": _width,
    "inputs_rounded": "Rounding the inputs is work, too: before each layer, on each run.",
    "more_layers": _layers,
    "calls": _calls,
    "other_work": (
        "Nothing in the recipe takes time: other work on this machine did; measure again."
    ),
    "activations": (
        "The rest is no multiplication: reading and writing activations, and the operators between "
        "the layers, shrink less."
    ),
}
