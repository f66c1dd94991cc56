"""The lesson about low rank: from which rank on a pair of layers is no smaller."""

from ui.language import N_
from ui.learn.hiding import only
from ui.learn.lesson import Lesson, Number, Step
from ui.learn.lessons.units import POINTS

BREAK_EVEN = Lesson(
    "break-even",
    N_("The break-even rank"),
    N_("Two thin layers in place of one are not always smaller."),
    (
        Step(
            "factorize",
            N_(
                "fc1 has 64 × 512 weights. Up to which rank does a pair of thinner layers have no "
                "more weights than that?"
            ),
            Number("", 1, 64),
            "break_even",
            N_(
                "r · ({rows} + {columns}) ≤ {rows} · {columns} holds up to rank {rank}. At rank "
                "{rank} the pair has {pair} weights of {dense}; one rank more, and it has {more}."
            ),
            layer="fc1",
            goals=("factorize:rank=56,layers=fc1",),
            choices=(("factorize_layer", "fc1"),),
            hides=only("factorize", "factorize_rank"),
        ),
        Step(
            "factorize",
            N_("Rank 60 of 64 keeps nearly all of the energy. What is left of the MACs?"),
            Number("%", 0, 200),
            "macs_percent",
            N_(
                "{macs} in place of {original}: beyond the break-even rank two layers compute more "
                "than the one in whose place they stand."
            ),
            recipe="factorize:rank=56,layers=fc1",
            goals=("factorize:rank=60,layers=fc1",),
            choices=(("factorize_layer", "fc1"),),
            hides=only("factorize", "factorize_rank"),
        ),
        Step(
            "factorize",
            N_("Now each layer keeps 90 % of its energy. How many points are lost?"),
            POINTS,
            "points_lost",
            N_(
                "The file has {size}. Energy is a sum over weights; the answers need not follow it."
            ),
            recipe="factorize:rank=60,layers=fc1",
            goals=("factorize:energy=0.9",),
            choices=(("factorize_scope", N_("whole model")),),
            hides=only("factorize", "factorize_energy"),
        ),
    ),
)
