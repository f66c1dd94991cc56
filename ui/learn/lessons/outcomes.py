"""Lessons about numbers that mislead: MACs in place of time, an average in place of classes."""

from ui.language import N_
from ui.learn.hiding import only
from ui.learn.lesson import Lesson, Number, Step
from ui.learn.lessons.units import DIGITS, PERCENT, TIMES

MACS = Lesson(
    "macs",
    N_("Fewer MACs, the same time"),
    N_("What is counted on paper, and what a clock says."),
    (
        Step(
            "prune",
            N_("80 % of the weights are zero. What is left of the multiply-accumulates?"),
            PERCENT,
            "macs_percent",
            N_("{macs} as before: an ordinary kernel multiplies zeros like other numbers."),
            goals=("prune:sparsity=0.8",),
            hides=only("prune", "prune_sparsity"),
        ),
        Step(
            "trade_offs",
            N_(
                "Factorized to 90 % of its energy, this network has less than half of its MACs. "
                "How many times faster does onnxruntime run it here?"
            ),
            TIMES,
            "speedup",
            "{why}",
            recipe="factorize:energy=0.9",
            goals=("factorize:energy=0.9",),
            hides=only("trade_offs"),
        ),
    ),
)

HURT = Lesson(
    "hurt",
    N_("Who got hurt"),
    N_("An average hides who pays for it."),
    (
        Step(
            "prune",
            N_("88 % of the weights go. Which digit loses most?"),
            DIGITS,
            "most_hurt",
            N_(
                "The {name}: from {before} to {after} right, while all together lose {lost} "
                "points. Scroll down to see whose answers flipped."
            ),
            goals=("prune:sparsity=0.88",),
            hides=only("prune", "prune_sparsity"),
        ),
        Step(
            "quantize",
            N_(
                "Rounded to 4 bits, this network loses almost nothing. How many of 600 images get "
                "another answer?"
            ),
            Number("images", 0, 600),
            "answers_changed",
            N_(
                "The accuracy moves by {lost} points only: some become wrong, some right. An "
                "unchanged average is not an unchanged network."
            ),
            model="digits-mlp",
            goals=("quantize:bits=4,granularity=tensor",),
            hides=only("quantize", "quantize_bits", "quantize_granularity"),
        ),
    ),
)
