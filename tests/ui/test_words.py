"""Steps in words: short, each another, for every step there is."""

import pytest

from compress_core.measurement.scores import Score
from compress_core.recipe import parse_step
from compress_core.steps import BY_NAME
from compress_core.tasks import METRICS
from ui import words
from ui.words import describe

WORDS = {
    "fold": "fold batch norms",
    "prune_structured:pruning_ratio=0.3": "remove 30.0 % of the channels by L2 norm",
    "factorize:rank=8": "factorize to rank 8",
    "factorize:energy=0.9,form=tucker": "factorize (tucker), 90.0 % energy",
    "factorize:budget=0.5,whiten=True": "factorize to 50.0 % of the weights by what the data need",
    "prune:sparsity=0.9": "prune 90.0 % globally",
    "random_prune:sparsity=0.5,seed=1": "prune 50.0 % at random",
    "prune_nm:layers=fc1": "prune to 2:4 in fc1",
    "prune_taylor:sparsity=0.5": "prune 50.0 % globally by effect on the loss (Taylor)",
    "prune_wanda:sparsity=0.5": "prune 50.0 % of each row by weight and input (Wanda)",
    "prune_wanda:sparsity=0.5,layers=fc1": "prune 50.0 % by weight and input (Wanda) in fc1",
    "quantize:bits=4": "quantize to 4 bit, symmetric, per channel",
    "quantize_gptq:clipping=mse": (
        "quantize to 4 bit with error feedback (GPTQ), symmetric, per channel, clipped at least "
        "error"
    ),
    "quantize_float:format=bf16": "round to bf16",
    "quantize_float:format=nf4,granularity=group": "round to nf4, per group of 32",
    "binarize": "binarize to ±α",
    "ternarize": "ternarize, zeros up to 0.7 · mean |w|",
    "share:clusters=8,scope=all": "share 8 values, one codebook",
    "correct_bias": "correct the biases",
    "recalibrate_norms": "recalibrate the norms on 256 images",
    "quantize_activations:mode=dynamic": "inputs in 8 bit, dynamic",
}


@pytest.mark.parametrize("text", WORDS)
def test_a_step_in_words(text: str) -> None:
    assert describe(parse_step(text)) == WORDS[text]


def test_every_step_has_words() -> None:
    assert {text.partition(":")[0] for text in WORDS} == BY_NAME.keys()


def test_every_metric_is_called_what_it_is() -> None:
    names = [words.metric(name) for name in METRICS]
    assert len(set(names)) == len(METRICS)
    assert [name for name in names if "accuracy" in name] == ["accuracy"]


@pytest.mark.parametrize(
    ("score", "text"),
    [
        (Score("accuracy", 0.973, 0.96, 0.986, 600), "97.3 % ± 1.3"),
        (Score("agreement", 0.973, 0.96, 0.986, 600), "97.3 % ± 1.3"),
        (Score("relative_error", 0.25, 0.2, 0.3, 50), "0.25 ± 0.05"),
        (Score("perplexity", 31.25, 30.0, 32.5, 50), "31.25 ± 1.2"),
        (None, "not measured"),
    ],
)
def test_a_score_in_words(score: Score | None, text: str) -> None:
    assert words.score(score) == text


def test_a_share_changes_by_points_and_another_number_by_itself() -> None:
    assert words.score_change("accuracy", -0.0125) == "-1.25 points"
    assert words.score_change("perplexity", 1.5) == "+1.5"
