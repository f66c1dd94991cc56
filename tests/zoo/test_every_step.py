"""Every network of the zoo × every step: what runs is what is stored, or it is refused in words.

Any exception but a ValueError fails, and so does any warning.
"""

import pytest

from compress_core.compressed import Compressed, compress
from compress_core.recipe import Recipe, parse_step
from tests.test_pairs import TEXTS
from tests.zoo.checking import (
    assert_graph_agrees,
    assert_restored,
    assert_rows_alone,
    assert_sizes_add_up,
    assert_stored_as_evaluated,
    build,
    bytes_of,
    enter,
    original_of,
)
from tests.zoo.networks import NETWORKS

STEPS = TEXTS | {
    "spatial": "factorize:rank=2,form=spatial",
    "tucker": "factorize:rank=2,form=tucker",
    "nothing": "",
}
# A structure is exported once, which takes a second: these share that of the network as it came.
IN_GRAPHS = ("prune", "affine", "fp8", "binary", "share", "rest", "inputs", "dynamic inputs")
CHAIN_IN_GRAPHS = ("resnet", "u-net", "decoder", "two inputs", "norm behind linear")
CHAINS = {
    "all": (
        "fold",
        "prune_structured:pruning_ratio=0.3",
        "factorize:budget=0.7",
        "prune:sparsity=0.5",
        "share:clusters=5",
        "correct_bias",
        "recalibrate_norms",
        "quantize_rest:bits=5,scales=bf16",
        "quantize_activations",
    ),
    "small": ("prune_structured:pruning_ratio=0.5", "prune_nm", "quantize:bits=4", "fold"),
    "norms": ("prune_wanda:sparsity=0.6", "quantize_gptq:bits=4", "recalibrate_norms"),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", NETWORKS)
def test_what_runs_is_what_is_stored_or_it_is_refused(name: str, step: str) -> None:
    recipe = (parse_step(STEPS[step]),) if STEPS[step] else ()
    try:
        compressed = compress(original_of(name), recipe)
    except ValueError:  # in words, as the tests of each step say
        return
    assert_sound(compressed, name)
    if step in IN_GRAPHS:
        assert_graph_agrees(compressed, NETWORKS[name])


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_chain_of_all_steps_that_are_able(name: str, chain: str) -> None:
    recipe = able(name, CHAINS[chain])
    compressed = compress(original_of(name), recipe)
    assert_sound(compressed, name)
    if chain == "all" and name in CHAIN_IN_GRAPHS:
        assert_graph_agrees(compressed, NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_that_came_is_unchanged(name: str) -> None:
    network = build(NETWORKS[name])
    before = bytes_of(network.state_dict())
    original = enter(NETWORKS[name], network, name)
    own = bytes_of(original.pristine.state_dict())
    compress(original, able(name, CHAINS["all"])).module(*original.examples)
    assert bytes_of(network.state_dict()) == before
    assert bytes_of(original.pristine.state_dict()) == own


def able(name: str, texts: tuple[str, ...]) -> Recipe:
    """The steps of a chain that the network can take beside those before them."""
    recipe: Recipe = ()
    for text in texts:
        longer = (*recipe, parse_step(text))
        try:
            compress(original_of(name), longer)
        except ValueError:
            continue
        recipe = longer
    return recipe


def assert_sound(compressed: Compressed, name: str) -> None:
    assert_stored_as_evaluated(compressed)
    assert_restored(compressed, NETWORKS[name])
    assert_sizes_add_up(compressed)
    assert_rows_alone(compressed, NETWORKS[name])
