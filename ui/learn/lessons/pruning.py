"""Lessons about pruning: thresholds, chance as the control, importance by gradient."""

from ui.language import N_
from ui.learn.hiding import SIDEBAR, only
from ui.learn.lesson import Choice, Lesson, Number, Step
from ui.learn.lessons.units import PERCENT, POINTS

GLOBAL = Lesson(
    "global",
    N_("One threshold, or one for each layer"),
    N_("The same number of zeros, spread over the layers in two ways."),
    (
        Step(
            "prune",
            N_(
                "90 % of all weights go. Which way keeps more right answers: the same share of "
                "each layer, or one threshold for the whole network?"
            ),
            Choice((N_("the same share of each layer"), N_("one threshold for all"))),
            "best_score",
            N_(
                "Each layer alone: {score_1}. One threshold: {score_2}. The small first layers "
                "have few weights to spare, and one threshold leaves them theirs."
            ),
            goals=("prune:sparsity=0.9,scope=layer", "prune:sparsity=0.9"),
            hides=only("prune", "prune_scope", "prune_sparsity"),
        ),
        Step(
            "prune",
            N_(
                "With the same share of each layer, how many points are lost at 90 %? Look at the "
                "bars of the layers."
            ),
            POINTS,
            "points_lost",
            N_(
                "Down to {accuracy}, with {zeros} zeros as before: what matters is where the zeros "
                "are."
            ),
            recipe="prune:sparsity=0.9",
            goals=("prune:sparsity=0.9,scope=layer",),
            hides=only("prune", "prune_scope", "prune_sparsity"),
        ),
    ),
)

RANDOM = Lesson(
    "random",
    N_("Random is a control, not a method"),
    N_("A method is worth what it wins over chance."),
    (
        Step(
            "prune",
            N_("Half of all weights, drawn at random, become zero. How many answers are right?"),
            PERCENT,
            "accuracy_percent",
            N_(
                "The original has {before}. A method that does no better than random has found out "
                "nothing about the weights."
            ),
            goals=("random_prune:sparsity=0.5",),
            hides=only("prune", "prune_method", "prune_sparsity"),
        ),
        Step(
            "prune",
            N_("Now the smallest 80 % of the weights go instead. How many answers are right?"),
            PERCENT,
            "accuracy_percent",
            N_(
                "With {zeros} zeros: that is what magnitude knows. The distance to the random arm, "
                "not the accuracy alone, is the achievement."
            ),
            recipe="random_prune:sparsity=0.5",
            goals=("prune:sparsity=0.8",),
            hides=only("prune", "prune_method", "prune_sparsity"),
        ),
        Step(
            "structured",
            N_(
                "Dropout switches half of the neurons off at random in each training step. What if "
                "half of them stayed away: how many answers are right without it?"
            ),
            PERCENT,
            "accuracy_percent",
            N_(
                "Dropout draws another half each time and gives all neurons back afterwards: it "
                "leaves a whole network, and no smaller file. Pruning removes for good ({size}), "
                "and has to choose well."
            ),
            goals=("prune_structured:pruning_ratio=0.5,importance=random",),
            hides=only("structured", "structured_importance", "structured_ratio"),
        ),
    ),
)

FIRST_ORDER = Lesson(
    "first-order",
    N_("Where the slope is flat"),
    N_("Importance by gradient, on a network that has nothing left to learn."),
    (
        Step(
            "overview",
            N_("How many of its 1,197 training images does this network get wrong?"),
            Number("images", 0, 1197),
            "wrong_in_training",
            N_(
                "The loss is flat there, and a gradient near zero says little about what a weight "
                "is worth."
            ),
            hides=SIDEBAR,
        ),
        Step(
            "prune",
            N_(
                "90 % go: the smallest weights, or those with the least effect on the loss to "
                "first order, |w · ∂L/∂w| (Taylor). What keeps more right answers?"
            ),
            Choice((N_("the smallest"), N_("least effect to first order"))),
            "best_score",
            N_(
                "Magnitude {score_1}, first order {score_2}: of the slope the second method sees "
                "mostly noise. Where a network still makes mistakes, it has more to go by."
            ),
            goals=("prune:sparsity=0.9", "prune_taylor:sparsity=0.9"),
            hides=only("prune", "prune_method", "prune_sparsity"),
        ),
        Step(
            "structured",
            N_(
                "30 % of the channels are removed by first-order importance. How many points are "
                "lost?"
            ),
            POINTS,
            "points_lost",
            N_(
                "By the plain L2 norm of the channels the loss is smaller: choose l2 and look at "
                "the line above."
            ),
            goals=("prune_structured:pruning_ratio=0.3,importance=taylor",),
            hides=only("structured", "structured_importance", "structured_ratio"),
        ),
    ),
)
