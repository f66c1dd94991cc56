"""Why no speed-up: the reason in words for made-up times, and for measured ones."""

from dataclasses import replace

import pytest

from compress_core.compressed import compress
from compress_core.graph import to_onnx
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import measure_size
from compress_core.measurement.speed import Speed, measure_speed, reasons, speed_of
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize, QuantizeActivations
from compress_core.original import Original
from compress_core.wording.speed import reason_in_words, speed_in_words


def ms(p50: float) -> Latency:
    return Latency(p50, 1.1 * p50, 200)


# one millisecond before and after, with nothing done to the weights
SAME = Speed(
    original_macs=2_000_000,
    macs=2_000_000,
    original_weights=4,
    weights=4,
    sparsity=0.0,
    bits=32,
    before=ms(1.0),
    after=ms(1.0),
)
REASONS = {
    "nothing": ({}, ["Neither has changed"]),
    "half the work in half the time": (
        {"macs": 1_000_000, "after": ms(0.5)},
        ["Time goes with the MACs"],
    ),
    "more work in more time": ({"macs": 4_000_000, "after": ms(2.0)}, ["Time goes with the MACs"]),
    "pruned": ({"sparsity": 0.9}, ["Zeros are still multiplied: 90 %"]),
    "quantized": (
        {"bits": 4, "after": ms(3.0)},
        ["No kernel for this width: 4-bit weights are dequantized"],
    ),
    "8 bits": (
        {"bits": 8, "after": ms(2.0)},
        ["No kernel for this width: 8-bit weights are dequantized"],
    ),
    "pruned and quantized": (
        {"sparsity": 0.9, "bits": 4, "after": ms(3.0)},
        ["Zeros are still multiplied", "No kernel for this width"],
    ),
    "zeros of rounding alone": (
        {"sparsity": 0.3, "bits": 3},
        ["3-bit weights are floats again before they are multiplied"],
    ),
    "inputs rounded": (
        {"input_bits": 8, "after": ms(0.6)},
        ["onnxruntime multiplies small integers"],
    ),
    "inputs rounded in vain": ({"input_bits": 4, "after": ms(1.5)}, ["Rounding the inputs"]),
    "weights and inputs rounded": (
        {"bits": 8, "input_bits": 8, "after": ms(1.5)},
        ["in some layers at least", "Rounding the inputs"],
    ),
    "factorized in vain": (
        {"macs": 1_000_000, "weights": 8},
        ["Fewer MACs but more layers: 8 in place of 4"],
    ),
    "factorized for nothing": (
        {"macs": 1_990_000, "weights": 8, "after": ms(1.3)},
        ["More layers: 8 in place of 4"],
    ),
    "factorized and tiny": (
        {"macs": 1_000_000, "weights": 8, "before": ms(0.01), "after": ms(0.01)},
        ["Fewer MACs but more layers", "Too small to matter: much of 0.01 ms"],
    ),
    "smaller and tiny": (
        {"macs": 1_000_000, "before": ms(0.01), "after": ms(0.009)},
        ["Too small to matter"],
    ),
    "smaller, and partly faster": (
        {"macs": 500_000, "after": ms(0.5)},
        ["The rest is no multiplication"],
    ),
    "slower for no reason": ({"after": ms(2.0)}, ["other work on this machine did"]),
    "faster for no reason": ({"after": ms(0.5)}, ["Faster than the MACs say"]),
    "faster, and zeros": ({"sparsity": 0.9, "after": ms(0.5)}, ["Faster than the MACs say"]),
}


@pytest.mark.parametrize("name", REASONS)
def test_the_reason_is_the_one_that_applies(name: str) -> None:
    changes, expected = REASONS[name]
    speed = replace(SAME, **changes)
    found = [reason_in_words(reason, speed) for reason in reasons(speed)]
    assert len(found) == len(expected)
    assert all(part in text for text, part in zip(found, expected, strict=True))


def test_only_8_bits_have_a_kernel_to_hope_for() -> None:
    slow = replace(SAME, after=ms(2.0))
    texts = {bits: speed_in_words(replace(slow, bits=bits)) for bits in (4, 8)}
    hints = {bits: "inputs are quantized" in text for bits, text in texts.items()}
    assert hints == {4: False, 8: True}


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, "As fast as before (1 → 1 ms) with the same MACs."),
        ({"macs": 1_990_000}, "As fast as before (1 → 1 ms) with about the same MACs."),
        (
            {"macs": 250_000, "after": ms(0.5)},
            "2.0 times faster (1 → 0.5 ms) with 8.0 times fewer MACs.",
        ),
        (
            {"macs": 3_000_000, "after": ms(3.0)},
            "3.0 times slower (1 → 3 ms) with 1.5 times the MACs.",
        ),
    ],
)
def test_the_first_sentence_says_how_much(changes: dict[str, object], start: str) -> None:
    assert speed_in_words(replace(SAME, **changes)).startswith(start)  # type: ignore[arg-type]


def test_the_facts_come_from_the_size(digits_cnn: Original) -> None:
    recipe = (Factorize(rank=4, layers=("fc1",)), Quantize(bits=4, layers=("conv1",)))
    size = measure_size(compress(digits_cnn, recipe))
    speed = speed_of(size, ms(1.0), ms(2.0))
    assert (speed.original_weights, speed.weights, speed.bits) == (4, 5, 4)
    assert speed.original_macs - speed.macs == 512 * 64 - 4 * (512 + 64)
    assert speed.speedup == 0.5


def test_the_fewest_bits_of_the_inputs_are_known(digits_cnn: Original) -> None:
    size = measure_size(compress(digits_cnn, (QuantizeActivations(bits=6, layers=("fc1",)),)))
    assert speed_of(size, ms(1.0), ms(2.0)).input_bits == 6


def test_pruning_alone_does_not_save_time(digits_cnn: Original) -> None:
    pruned = compress(digits_cnn, (Prune(sparsity=0.9),))
    graphs = to_onnx(compress(digits_cnn, ())), to_onnx(pruned)
    speed = measure_speed(measure_size(pruned), graphs, digits_cnn.example)
    assert speed.promise == 1
    assert speed.before.runs == speed.after.runs == 200
    assert {"latency_ms_p50", "original_latency_ms_p50", "speedup"} <= speed.as_dict().keys()
