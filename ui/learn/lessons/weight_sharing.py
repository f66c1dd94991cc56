"""The lesson about weight sharing: a codebook by eye."""

from ui.language import N_
from ui.learn.hiding import only
from ui.learn.lesson import Choice, Lesson, Number, Step, Values

CODEBOOK = Lesson(
    "codebook",
    N_("A codebook by eye"),
    N_("Four values for thousands of weights: choose them yourself."),
    (
        Step(
            "share_weights",
            N_(
                "All weights of fc1 may have only four values. Look at the histogram and write "
                "down four, for example −0.2 −0.1 0.1 0.2."
            ),
            Values(4),
            "codebook_by_eye",
            N_(
                "Your codebook has {times} times the squared error of the best one. Large weights "
                "are rare, but their errors count squared."
            ),
            layer="fc1",
            goals=("share:clusters=4",),
            choices=(("share_layer", "fc1"),),
            hides=only("share_weights", "share_layer"),
        ),
        Step(
            "share_weights",
            N_(
                "Least squared error, or equally spaced values to start from: which codebooks of "
                "4 values keep more right answers?"
            ),
            Choice((N_("least squared error"), N_("equally spaced to start from"))),
            "best_score",
            N_(
                "Least squared error {score_1}, equally spaced {score_2}: the squared error of the "
                "weights is a guess about the answers, and now and then a wrong one."
            ),
            recipe="share:clusters=4",
            goals=("share:clusters=4", "share:clusters=4,init=linear"),
            hides=only("share_weights", "share_choice", "share_init"),
        ),
        Step(
            "share_weights",
            N_(
                "A max-norm constraint scales the weights of a neuron down to a norm of at most "
                "0.5. How many different values has fc1, of 32,768 weights, under it?"
            ),
            Number("values", 0, 40000),
            "values_under_max_norm",
            N_(
                "Nearly as many as weights: the constraint limits lengths, and makes no two of "
                "them equal. Sharing leaves {shared} values."
            ),
            layer="fc1",
            goals=("share:clusters=16",),
            choices=(("share_layer", "fc1"),),
            hides=only("share_weights", "share_choice"),
        ),
    ),
)
