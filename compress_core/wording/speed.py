"""Times and multiply-accumulates in words: how much faster, or why not faster."""

from collections.abc import Callable

from compress_core.measurement.speed import TOLERANCE, Reason, Speed, agrees, reasons
from compress_core.wording.language import N_, _
from compress_core.wording.numbers import percent


def speed_in_words(speed: Speed) -> str:
    """How much faster with how many MACs, and why, in two or three sentences."""
    text = _(
        "{pace} ({before:.3g} → {after:.3g} ms) with {work}.",
        pace=_pace(speed.speedup),
        before=speed.before.latency_ms_p50,
        after=speed.after.latency_ms_p50,
        work=_work(speed.promise),
    )
    for reason in reasons(speed):
        text = _("{before} {after}", before=text, after=reason_in_words(reason, speed))
    return text


def reason_in_words(reason: Reason, speed: Speed) -> str:
    """One sentence on what explains the time, with the numbers of `speed`."""
    said = SENTENCES[reason]
    return _(said) if isinstance(said, str) else said(speed)


def _pace(factor: float) -> str:
    if agrees(factor, 1):
        return _("As fast as before")
    if factor > 1:
        return _("{factor:.1f} times faster", factor=factor)
    return _("{factor:.1f} times slower", factor=1 / factor)


def _work(promise: float) -> str:
    if promise == 1:
        return _("the same MACs")
    if agrees(promise, 1):
        return _("about the same MACs")
    if promise > 1:
        return _("{factor:.1f} times fewer MACs", factor=promise)
    return _("{factor:.1f} times the MACs", factor=1 / promise)


def _zeros(speed: Speed) -> str:
    return _(
        "Zeros are still multiplied: {zeros} of the stored weights are zero, and the dense kernels "
        "do all {macs:,} MACs.",
        zeros=percent(speed.sparsity, 0),
        macs=speed.macs,
    )


def _width(speed: Speed) -> str:
    return _(_dequantized(speed), bits=speed.bits)


def _dequantized(speed: Speed) -> str:
    if agrees(speed.speedup, 1):
        return N_(
            "No kernel for this width: {bits}-bit weights are floats again before they are "
            "multiplied."
        )
    if speed.input_bits:
        return N_(
            "No kernel for this width: {bits}-bit weights are dequantized to floats on each run in "
            "some layers at least."
        )
    if speed.bits == 8:
        return N_(
            "No kernel for this width: {bits}-bit weights are dequantized to floats on each run, "
            "and then multiplied as floats. Integers are multiplied only where the inputs are "
            "quantized, too."
        )
    return N_(
        "No kernel for this width: {bits}-bit weights are dequantized to floats on each run, and "
        "then multiplied as floats."
    )


def _layers(speed: Speed) -> str:
    if speed.promise > TOLERANCE:
        return _(
            "Fewer MACs but more layers: {weights} in place of {original_weights}, each with a "
            "start of its own and a result that is written and read again.",
            weights=speed.weights,
            original_weights=speed.original_weights,
        )
    return _(
        "More layers: {weights} in place of {original_weights}, each with a start of its own and a "
        "result that is written and read again.",
        weights=speed.weights,
        original_weights=speed.original_weights,
    )


def _calls(speed: Speed) -> str:
    return _(
        "Too small to matter: much of {time:.3g} ms is the call of each operator, not its "
        "multiplications.",
        time=speed.after.latency_ms_p50,
    )


SENTENCES: dict[Reason, str | Callable[[Speed], str]] = {
    "nothing_changed": N_("Neither has changed by much."),
    "time_follows_macs": N_("Time goes with the MACs."),
    "integers": N_(
        "Faster than the MACs say: with inputs of 8 bits, onnxruntime multiplies small integers, "
        "many at a time; it rounds float weights to 8 bits by itself."
    ),
    "less_memory": N_(
        "Faster than the MACs say: less memory to read, or other work on this machine while the "
        "original was timed; measure again to see which."
    ),
    "zeros_multiplied": _zeros,
    "no_kernel_for_bits": _width,
    "inputs_rounded": N_("Rounding the inputs is work, too: before each layer, on each run."),
    "more_layers": _layers,
    "calls": _calls,
    "other_work": N_(
        "Nothing in the recipe takes time: other work on this machine did; measure again."
    ),
    "activations": N_(
        "The rest is no multiplication: reading and writing activations, and the operators between "
        "the layers, shrink less."
    ),
}
