"""Steps in words: short, each another, for every step there is."""

import re

import pytest

from compress_core.methods.structured import IMPORTANCES
from compress_core.recipe import parse_step
from compress_core.steps import BY_NAME
from ui import language
from ui.steps import IMPORTANCE_WORDS, describe, said

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
    "quantize_mx": "round to mxfp4, blocks of 32",
    "quantize_mx:format=nvfp4": "round to nvfp4, blocks of 16",
    "binarize": "binarize to ±α",
    "ternarize": "ternarize, zeros up to 0.7 · mean |w|",
    "share:clusters=8,scope=all": "share 8 values, one codebook",
    "correct_bias": "correct the biases",
    "recalibrate_norms": "recalibrate the norms on 256 images",
    "quantize_rest:bits=6,scales=fp16": "biases and norms in 6 bit, scales in fp16",
    "quantize_rest:tensors=fc*.bias": "biases and norms in 8 bit (fc*.bias)",
    "quantize_activations:mode=dynamic": "inputs in 8 bit, dynamic",
    "finetune": "fine-tune for 3 epochs",
    "finetune:epochs=1,layers=fc1": "fine-tune for 1 epoch in fc1",
    "gradual_prune:sparsity=0.9": "prune 90.0 % little by little for 6 epochs",
    "l1_prune": "train with an L1 penalty of 0.0001 for 5 epochs",
    "rewind": "rewind to the initial weights and train for 10 epochs",
    "rewind:early_epochs=2": "rewind to epoch 2 and train for 10 epochs",
    "rewind:start=random": "draw new initial weights and train for 10 epochs",
    "qat": "train the codes for 3 epochs",
    "distil": "learn from the original (α 0.1, T 4) for 5 epochs",
    "rate_train": "train for fewer bits (strength 0.05) for 5 epochs",
}


@pytest.mark.parametrize("text", WORDS)
def test_a_step_in_words(text: str) -> None:
    assert describe(parse_step(text)) == WORDS[text]


@pytest.mark.parametrize("text", WORDS)
def test_a_step_in_chinese_words(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "current", lambda: "zh")
    step = parse_step(text)
    for words in (describe(step), said(step).method):
        assert not re.search(r"[a-z]{2,} [a-z]{2,}", words)
    assert re.search(r"[\u4e00-\u9fff]", describe(step))


def test_every_step_has_words() -> None:
    assert {text.partition(":")[0] for text in WORDS} == BY_NAME.keys()


def test_every_importance_of_channels_has_words() -> None:
    assert IMPORTANCE_WORDS.keys() == IMPORTANCES.keys()


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("prune:sparsity=0.9", "magnitude"),
        ("prune_nm", "2:4"),
        ("quantize_float:format=nf4", "nf4"),
        ("factorize:whiten=True", "channel, data-aware"),
        ("share:init=density", "k-means, density"),
        ("quantize_activations:bits=4", "inputs 4 bit"),
    ],
)
def test_a_method_in_a_word_or_two(text: str, method: str) -> None:
    assert said(parse_step(text)).method == method
