"""Lessons about quantization: ranges, error feedback, zero points."""

from ui.learn.hiding import only
from ui.learn.lesson import Choice, Lesson, Step
from ui.learn.lessons.units import PERCENT, POINTS

ROUNDING = Lesson(
    "rounding",
    "Few bits: ranges and error feedback",
    "The same number of bits, four ways to use them.",
    (
        Step(
            "quantize",
            "4 bits, one scale for each whole tensor, from its smallest to its largest weight. "
            "How many points does this transformer lose?",
            POINTS,
            "points_lost",
            "A few large weights set the scale of the whole tensor, and most others fall on a "
            "handful of levels.",
            model="digits-transformer",
            goals=("quantize:bits=4,granularity=tensor",),
            hides=only("quantize", "quantize_bits", "quantize_granularity"),
        ),
        Step(
            "quantize",
            "Still 4 bits, but a scale for each output channel, and the range of least squared "
            "error. How many points are lost now?",
            POINTS,
            "points_lost",
            "Each channel uses all its levels, and the rare large weights are clipped where "
            "that costs least.",
            model="digits-transformer",
            recipe="quantize:bits=4,granularity=tensor",
            goals=("quantize:bits=4,clipping=mse",),
            hides=only("quantize", "quantize_bits", "quantize_granularity", "quantize_clipping"),
        ),
        Step(
            "quantize",
            "3 bits. What keeps more right answers: one scale for each tensor, a scale for "
            "each channel, or error feedback (GPTQ)?",
            Choice(("one scale a tensor", "a scale a channel", "error feedback (GPTQ)")),
            "best_score",
            "One scale a tensor {score_1}, a scale a channel {score_2}, error feedback "
            "{score_3}: it passes the error of each weight on to those that are not rounded "
            "yet, so that the layer's outputs move less.",
            model="digits-transformer",
            recipe="quantize:bits=4,clipping=mse",
            goals=(
                "quantize:bits=3,granularity=tensor",
                "quantize:bits=3",
                "quantize_gptq:bits=3",
            ),
            hides=only("quantize", "quantize_method", "quantize_bits", "quantize_granularity"),
        ),
    ),
)

ZERO_POINT = Lesson(
    "zero-point",
    "Zeros need a level of their own",
    "What a rounding formula does to the weights that were pruned.",
    (
        Step(
            "quantize",
            "Half of the weights are zero. They are rounded by round((w − min) / (max − min) · "
            "15), as many tutorials do. What share of the zeros is still zero afterwards?",
            PERCENT,
            "zeros_without_zero_point",
            "With this formula no level lies on zero, and every pruned weight becomes a small "
            "number again.",
            recipe="prune:sparsity=0.5",
            goals=("prune:sparsity=0.5",),
            hides=only("quantize", "quantize_layer"),
        ),
        Step(
            "quantize",
            "The same with a whole number as zero point, w ≈ scale · (q − zero_point): how "
            "many of all weights are zero?",
            PERCENT,
            "sparsity_percent",
            "Not fewer than before: a whole zero point puts a level exactly on zero, and small "
            "weights join it.",
            recipe="prune:sparsity=0.5",
            goals=("prune:sparsity=0.5;quantize:bits=4,scheme=asymmetric",),
            hides=only("quantize", "quantize_bits", "quantize_scheme"),
        ),
        Step(
            "quantize",
            "Another tutorial stores round(w · 255) in 8 bits. What share of the weights of "
            "fc1 does that cut off?",
            PERCENT,
            "cut_off",
            "The formula fits numbers from 0 to 1, pixels for example. About every second "
            "weight is negative.",
            layer="fc1",
            goals=("quantize:bits=8",),
            hides=only("quantize", "quantize_bits"),
        ),
    ),
)
