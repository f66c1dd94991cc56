"""What lessons and links measure: small functions, each by its name in `ANSWERS`.

Nothing is typed in: a function asks the core, and gives the number in the unit of the prediction,
the number as one reads it, and facts in words for the sentence that explains it.
"""

from collections.abc import Callable
from functools import partial

from ui.language import N_
from ui.learn.answers.asked import Answer, Asked
from ui.learn.answers.harm import answers_changed, most_hurt, wrong_in_training
from ui.learn.answers.layers import (
    break_even,
    codebook_by_eye,
    cut_off,
    huffman_bits,
    values_under_max_norm,
    zeros_without_zero_point,
)
from ui.learn.answers.scores import accuracy_percent, best_score, points_lost
from ui.learn.answers.sizes import file_kb, ledger_kb, macs_percent, ratio, sparsity_percent
from ui.learn.answers.speed import speedup

ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "file_kb": file_kb,
    "dense_kb": partial(ledger_kb, row=N_("dense fp32")),
    "gzip_kb": partial(ledger_kb, row="gzip -9"),
    "ratio": ratio,
    "sparsity_percent": sparsity_percent,
    "macs_percent": macs_percent,
    "accuracy_percent": accuracy_percent,
    "points_lost": points_lost,
    "best_score": best_score,
    "most_hurt": most_hurt,
    "answers_changed": answers_changed,
    "wrong_in_training": wrong_in_training,
    "speedup": speedup,
    "break_even": break_even,
    "zeros_without_zero_point": zeros_without_zero_point,
    "cut_off": cut_off,
    "values_under_max_norm": values_under_max_norm,
    "codebook_by_eye": codebook_by_eye,
    "huffman_bits": huffman_bits,
}
