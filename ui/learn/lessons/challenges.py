"""The challenges: states to be found."""

from ui.language import N_
from ui.learn.lesson import Challenge

CHALLENGES = (
    Challenge(
        "under-20-kb",
        N_("Under 20 KB"),
        N_("Make the file smaller than 20 KB and lose at most 0.5 points."),
        "quantize",
        most_points=0.5,
        most_bytes=20_000,
    ),
    Challenge(
        "half-the-macs",
        N_("Half of the work"),
        N_("Leave at most half of the multiply-accumulates and lose at most 1 point."),
        "structured",
        most_points=1.0,
        most_macs=0.5,
    ),
    Challenge(
        "under-5-kb",
        N_("Under 5 KB"),
        N_(
            "Make the file smaller than 5 KB and lose at most 0.5 points. Two methods "
            "together help."
        ),
        "prune",
        most_points=0.5,
        most_bytes=5_000,
    ),
)
