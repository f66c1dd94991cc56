"""The caches' keys and the address: what a person could otherwise see under the wrong name."""

import pytest
import streamlit as st

from compress_core import Factorize, Prune, load_model
from compress_core.methods.pruning import RandomPrune
from ui.session import address, caches, measuring

NAMES = ("conv1", "conv2", "fc1", "fc2")


def test_two_methods_with_equal_fields_have_their_own_cache_entries() -> None:
    magnitude = measuring.class_tensor("digits-cnn", (Prune(0.9),), 600)
    random = measuring.class_tensor("digits-cnn", (RandomPrune(0.9),), 600)
    assert (magnitude != random).any()


def test_a_wrapping_dataclass_would_share_them() -> None:
    """Why a recipe is a plain tuple: cache_data erases the types of nested dataclasses."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Wrapped:
        steps: tuple[object, ...]

    @st.cache_data
    def kind(wrapped: Wrapped) -> str:
        return type(wrapped.steps[0]).__name__

    kind(Wrapped((Factorize(rank=None),)))
    assert kind(Wrapped((Factorize(energy=None),))) == "Factorize"


def read(**query: str) -> tuple[dict[str, object], list[str]]:
    return address.read(query, "digits-cnn", lambda _model: NAMES)


def test_the_recipe_of_the_address_wins_over_single_controls() -> None:
    seeds, notices = read(recipe="quantize:bits=4", prune_sparsity="90")
    assert seeds == {"model": "digits-cnn", "recipe": "quantize:bits=4"}
    assert notices == []


def test_single_controls_make_a_recipe() -> None:
    seeds, notices = read(factorize_layer="fc1", factorize_rank="8", quantize_bits="4")
    assert seeds["recipe"] == "quantize:bits=4;factorize:rank=8,layers=fc1"
    assert notices == []


def test_scope_and_layer_of_the_address_belong_to_the_step() -> None:
    seeds, _ = read(prune_scope="one", prune_layer="conv2", prune_sparsity="50")
    assert seeds["recipe"] == "prune:sparsity=0.5,layers=conv2"


def test_two_controls_of_one_page_make_one_step() -> None:
    seeds, _ = read(prune_sparsity="50", prune_threshold="0.1")
    assert seeds["recipe"] == "prune:sparsity=0.5"


def test_the_controls_own_word_for_not_quantized_is_no_mistake() -> None:
    seeds, notices = read(quantize_bits="32")
    assert (seeds["recipe"], notices) == ("", [])


def test_one_layer_without_its_name_makes_no_step() -> None:
    seeds, notices = read(prune_scope="one", prune_layer="fc9", prune_sparsity="50")
    assert seeds["recipe"] == ""
    assert len(notices) == 2


def test_an_energy_of_the_address_makes_a_step() -> None:
    seeds, _ = read(factorize_layer="fc1", factorize_energy="90")
    assert seeds["recipe"] == "factorize:energy=0.9,layers=fc1"


def test_a_layer_that_the_model_lacks_gives_a_notice() -> None:
    seeds, notices = read(prune_layer="fc9")
    assert "prune_layer" not in seeds
    assert "fc9" in notices[0]


def test_the_app_judges_a_network_by_its_task() -> None:
    assert measuring.metric("digits-cnn") == "accuracy"
    score, change = measuring.score("digits-cnn", (Prune(0.9),), 600)
    assert (score.metric, score.n, change.n) == ("accuracy", 600, 600)


def test_results_are_kept_under_the_digest_and_not_under_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = {name: load_model(name) for name in ("digits-cnn", "digits-mlp")}
    caches.original("digits-cnn")
    before = caches.size("digits-cnn", (Prune(0.5),))
    assert caches.size("digits-cnn", (Prune(0.5),)) is before
    monkeypatch.setattr(caches, "find_original", lambda _name: models["digits-mlp"])
    caches.original.clear()
    caches.original("digits-cnn")  # another network under the same name
    try:
        found = caches.compressed("digits-cnn", (Prune(0.5),))
        assert found.original.digest == models["digits-mlp"].digest
        assert caches.size("digits-cnn", (Prune(0.5),)).original_bytes != before.original_bytes
    finally:
        monkeypatch.undo()
        caches.original.clear()
        caches.original("digits-cnn")
    assert caches.size("digits-cnn", (Prune(0.5),)) == before
