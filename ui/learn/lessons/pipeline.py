"""The lesson about a whole pipeline: Deep Compression."""

from compress_core.search.presets import presets
from ui.language import N_
from ui.learn.hiding import only
from ui.learn.lesson import Lesson, Step
from ui.learn.lessons.units import KB, POINTS

MNIST = "mnist-lenet-5"


def deep_compression() -> str:
    """The recipe that ships trained: prune, share, encode."""
    return next(p.recipe for p in presets(MNIST) if p.name.endswith("Deep Compression"))


DEEP_COMPRESSION = Lesson(
    "deep-compression",
    N_("Deep Compression, from end to end"),
    N_("Prune, retrain, share, encode: the pipeline of 2015 on LeNet-5."),
    (
        Step(
            "combine",
            N_(
                "LeNet-5 is pruned to 5 % of its weights while it trains, they share few values, "
                "and all is coded. How much of 1,725 KB is left?"
            ),
            KB,
            "file_kb",
            N_(
                "That is {ratio} smaller, with {zeros} zeros. Han et al. counted 44 KB in 2015, "
                "by bits and not by a file."
            ),
            model=MNIST,
            goals=(deep_compression(),),
            hides=only("combine"),
        ),
        Step(
            "prune",
            N_("The same 95 % pruned without training afterwards: how many points would be lost?"),
            POINTS,
            "points_lost",
            N_("Down to {accuracy}. Training after pruning is what makes the pipeline possible."),
            model=MNIST,
            goals=("prune:sparsity=0.95",),
            hides=only("prune", "prune_sparsity"),
        ),
        Step(
            "combine",
            N_("And the whole pipeline, with its training: how many points does it lose?"),
            POINTS,
            "points_lost",
            N_("{accuracy} after {before}: of {n} images, {images} became wrong."),
            model=MNIST,
            recipe="prune:sparsity=0.95",
            goals=(deep_compression(),),
            hides=only("combine"),
        ),
    ),
)
