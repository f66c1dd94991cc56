"""Lessons about quantization: ranges, error feedback, zero points."""

from ui.language import N_
from ui.learn.hiding import only
from ui.learn.lesson import Choice, Lesson, Step
from ui.learn.lessons.units import PERCENT, POINTS

ROUNDING = Lesson(
    "rounding",
    N_("Few bits: ranges and error feedback"),
    N_("The same number of bits, four ways to use them."),
    (
        Step(
            "quantize",
            N_(
                "4 bits, one scale for each whole tensor, from its smallest to its largest weight. "
                "How many points does this transformer lose?"
            ),
            POINTS,
            "points_lost",
            N_(
                "A few large weights set the scale of the whole tensor, and most others fall on a "
                "handful of levels."
            ),
            model="digits-transformer",
            goals=("quantize:bits=4,granularity=tensor",),
            hides=only("quantize", "quantize_bits", "quantize_granularity"),
        ),
        Step(
            "quantize",
            N_(
                "Still 4 bits, but a scale for each output channel, and the range of least squared "
                "error. How many points are lost now?"
            ),
            POINTS,
            "points_lost",
            N_(
                "Each channel uses all its levels, and the rare large weights are clipped where "
                "that costs least."
            ),
            model="digits-transformer",
            recipe="quantize:bits=4,granularity=tensor",
            goals=("quantize:bits=4,clipping=mse",),
            hides=only("quantize", "quantize_bits", "quantize_granularity", "quantize_clipping"),
        ),
        Step(
            "quantize",
            N_(
                "3 bits. What keeps more right answers: one scale for each tensor, a scale for "
                "each channel, or error feedback (GPTQ)?"
            ),
            Choice(
                (N_("one scale a tensor"), N_("a scale a channel"), N_("error feedback (GPTQ)"))
            ),
            "best_score",
            N_(
                "One scale a tensor {score_1}, a scale a channel {score_2}, error feedback "
                "{score_3}: it passes the error of each weight on to those that are not rounded "
                "yet, so that the layer's outputs move less."
            ),
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
    N_("Zeros need a level of their own"),
    N_("What a rounding formula does to the weights that were pruned."),
    (
        Step(
            "quantize",
            N_(
                "Half of the weights are zero. They are rounded by round((w − min) / (max − min) · "
                "15), as many tutorials do. What share of the zeros is still zero afterwards?"
            ),
            PERCENT,
            "zeros_without_zero_point",
            N_(
                "With this formula no level lies on zero, and every pruned weight becomes a small "
                "number again."
            ),
            recipe="prune:sparsity=0.5",
            goals=("prune:sparsity=0.5",),
            hides=only("quantize", "quantize_layer"),
        ),
        Step(
            "quantize",
            N_(
                "The same with a whole number as zero point, w ≈ scale · (q − zero_point): how "
                "many of all weights are zero?"
            ),
            PERCENT,
            "sparsity_percent",
            N_(
                "Not fewer than before: a whole zero point puts a level exactly on zero, and small "
                "weights join it."
            ),
            recipe="prune:sparsity=0.5",
            goals=("prune:sparsity=0.5;quantize:bits=4,scheme=asymmetric",),
            hides=only("quantize", "quantize_bits", "quantize_scheme"),
        ),
        Step(
            "quantize",
            N_(
                "Another tutorial stores round(w · 255) in 8 bits. What share of the weights of "
                "fc1 does that cut off?"
            ),
            PERCENT,
            "cut_off",
            N_(
                "The formula fits numbers from 0 to 1, pixels for example. About every second "
                "weight is negative."
            ),
            layer="fc1",
            goals=("quantize:bits=8",),
            hides=only("quantize", "quantize_bits"),
        ),
    ),
)
