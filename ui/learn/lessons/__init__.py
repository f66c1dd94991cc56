"""The lessons and challenges, each in the file of its topic.

A new lesson is a constant of such a file and a line of `LESSONS`, which is the order of the page.
Its measured answers are functions of `ui.learn.answers`, and `{placeholders}` of its sentences are
their facts.
"""

from ui.learn.lesson import Challenge, Lesson
from ui.learn.lessons.challenges import CHALLENGES
from ui.learn.lessons.encoding import HUFFMAN, ZEROS
from ui.learn.lessons.low_rank import BREAK_EVEN
from ui.learn.lessons.outcomes import HURT, MACS
from ui.learn.lessons.pipeline import DEEP_COMPRESSION
from ui.learn.lessons.pruning import FIRST_ORDER, GLOBAL, RANDOM
from ui.learn.lessons.quantization import ROUNDING, ZERO_POINT
from ui.learn.lessons.weight_sharing import CODEBOOK

LESSONS = (
    ZEROS,
    GLOBAL,
    RANDOM,
    ROUNDING,
    ZERO_POINT,
    BREAK_EVEN,
    CODEBOOK,
    HUFFMAN,
    MACS,
    HURT,
    DEEP_COMPRESSION,
    FIRST_ORDER,
)

BY_NAME: dict[str, Lesson | Challenge] = {item.name: item for item in (*LESSONS, *CHALLENGES)}
assert len(BY_NAME) == len(LESSONS) + len(CHALLENGES), "two lessons have the same name"
