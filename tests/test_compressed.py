"""compress(): what runs is what is stored, and one moved slider recompresses one layer."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from torch import Tensor

from compress_core.compressed import Compressed, compress, run_stage
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.methods.quantization import Quantize
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.network import Network
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe
from compress_core.storage.container import decode

FULL = (Factorize(energy=0.8), Prune(sparsity=0.5), Quantize(bits=4, scheme="asymmetric"))


def snapshot(original: Original) -> dict[str, Tensor]:
    return {key: tensor.clone() for key, tensor in original.module.state_dict().items()}


def assert_same_bits(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for key, tensor in expected.items():
        assert found[key].dtype == tensor.dtype, key
        assert found[key].shape == tensor.shape, key
        assert found[key].numpy().tobytes() == tensor.contiguous().numpy().tobytes(), key


def compress_or_reject(original: Original, recipe: Recipe) -> Compressed:
    """σ of a constant layer is refused, by design: such a recipe is no example."""
    try:
        return compress(original, recipe)
    except ValueError:
        reject()


@given(data=st.data())
@settings(max_examples=30)
def test_any_recipe_decodes_to_what_was_evaluated(
    zoo_model: Original,
    recipes_for: Callable[[Original], st.SearchStrategy[Recipe]],
    data: st.DataObject,
) -> None:
    compressed = compress_or_reject(zoo_model, data.draw(recipes_for(zoo_model)))
    decoded = decode(compressed.container)
    assert_same_bits(decoded.state_dict, compressed.module.state_dict())


@given(data=st.data())
@settings(max_examples=15)
def test_any_recipe_applied_twice_is_as_applied_once(
    zoo_model: Original,
    recipes_for: Callable[[Original], st.SearchStrategy[Recipe]],
    data: st.DataObject,
) -> None:
    recipe = data.draw(recipes_for(zoo_model))
    once = compress_or_reject(zoo_model, recipe)
    twice = compress(zoo_model, recipe + recipe)
    assert_same_bits(twice.module.state_dict(), once.module.state_dict())


@given(data=st.data())
@settings(max_examples=15)
def test_no_recipe_writes_to_the_model(
    zoo_model: Original,
    recipes_for: Callable[[Original], st.SearchStrategy[Recipe]],
    data: st.DataObject,
) -> None:
    before = snapshot(zoo_model)
    _ = compress_or_reject(zoo_model, data.draw(recipes_for(zoo_model))).container
    assert_same_bits(zoo_model.module.state_dict(), before)


@pytest.mark.parametrize("name", ["digits-cnn", "digits-mlp", "digits-transformer"])
def test_a_full_chain_on_a_trained_network_decodes_bit_for_bit(name: str) -> None:
    original = load_model(name)
    before = snapshot(original)
    pairs = tuple(key for key, layer in original.layers.items() if not layer.refuses_factors)
    compressed = compress(original, (Factorize(energy=0.8, layers=pairs), *FULL[1:]))
    assert_same_bits(decode(compressed.container).state_dict, compressed.module.state_dict())
    assert_same_bits(original.module.state_dict(), before)


def test_stored_bytes_are_the_size_of_the_file(digits_cnn: Original, tmp_path: Path) -> None:
    compressed = compress(digits_cnn, FULL)
    file = tmp_path / "model.safetensors"
    file.write_bytes(compressed.container)
    assert file.stat().st_size == compressed.stored_bytes


def test_an_empty_recipe_changes_no_bit(digits_cnn: Original) -> None:
    compressed = compress(digits_cnn, ())
    assert_same_bits(compressed.module.state_dict(), digits_cnn.module.state_dict())


def test_the_compressed_module_is_in_evaluation_mode(zoo_model: Original) -> None:
    module = compress(zoo_model, (Quantize(),)).module
    assert not any(part.training for part in module.modules())


def test_a_compressed_animal_runs_and_gives_numbers(zoo_model: Original) -> None:
    with torch.inference_mode():
        out = compress(zoo_model, (Prune(sparsity=0.5), Quantize())).module(zoo_model.example)
        assert out.shape == zoo_model.module(zoo_model.example).shape
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", ["tied", "repeated"])
def test_tied_layers_are_compressed_alike_and_stored_once(
    animal: Callable[[str], Original], name: str
) -> None:
    compressed = compress(animal(name), (Prune(sparsity=0.5),))
    state = compressed.module.state_dict()
    assert torch.equal(state["a.weight"], state["b.weight"])
    assert int(state["b.weight"].count_nonzero()) == 8
    assert set(decode(compressed.container).dense_tensors) == {"a.weight", "a.bias"}


def test_the_last_step_of_a_kind_wins_for_its_layer(digits_cnn: Original) -> None:
    recipe = (Quantize(bits=4), Quantize(bits=8, layers=("fc1",)))
    layers = compress(digits_cnn, recipe).layers
    assert {name: stored.bits for name, stored in layers.items()} == {
        "conv1": 4,
        "conv2": 4,
        "fc1": 8,
        "fc2": 4,
    }


def test_kinds_act_in_their_own_order_whatever_the_recipes(digits_cnn: Original) -> None:
    forward, backward = compress(digits_cnn, FULL), compress(digits_cnn, FULL[::-1])
    assert_same_bits(backward.module.state_dict(), forward.module.state_dict())


def test_global_sparsity_is_shared_among_the_layers_a_step_wins(digits_cnn: Original) -> None:
    recipe = (Prune(sparsity=0.5), Prune(threshold=0.0, layers=("fc1",)))
    layers = compress(digits_cnn, recipe).layers
    others = [layers[name].dense for name in ("conv1", "conv2", "fc2")]
    zeros = sum(int((weight == 0).sum()) for weight in others)
    assert zeros == round(0.5 * (144 + 4608 + 640))
    assert (layers["fc1"].dense != 0).all()


def test_pruned_weights_stay_zero_when_quantized(digits_cnn: Original) -> None:
    pruned = compress(digits_cnn, (Prune(sparsity=0.9),))
    both = compress(digits_cnn, (Prune(sparsity=0.9), Quantize(bits=3, scheme="asymmetric")))
    for name, stored in both.layers.items():
        assert (stored.dense[pruned.layers[name].dense == 0] == 0).all()


def test_a_factorized_layer_runs_as_two(digits_cnn: Original) -> None:
    compressed = compress(digits_cnn, (Factorize(rank=8, layers=("fc1",)),))
    state = compressed.module.state_dict()
    assert state["fc1.0.weight"].shape == (8, 512)
    assert state["fc1.1.weight"].shape == (64, 8)
    assert torch.equal(state["fc1.1.bias"], digits_cnn.module.state_dict()["fc1.bias"])
    assert "fc1.weight" not in state


def test_changing_one_layer_recompresses_this_layer_alone(digits_cnn: Original) -> None:
    recipe = (Prune(sparsity=0.5, scope="layer"), Quantize(bits=4))
    before = compress(digits_cnn, recipe).layers
    after = compress(digits_cnn, (*recipe, Quantize(bits=2, layers=("fc1",)))).layers
    kept = {name for name in before if after[name] is before[name]}
    assert kept == {"conv1", "conv2", "fc2"}


def test_going_back_recompresses_nothing(digits_cnn: Original) -> None:
    before = compress(digits_cnn, (Quantize(bits=4),)).layers
    compress(digits_cnn, (Quantize(bits=2),))
    again = compress(digits_cnn, (Quantize(bits=4),)).layers
    assert all(again[name] is stored for name, stored in before.items())


def test_a_step_for_one_layer_and_one_for_all_share_their_result(digits_cnn: Original) -> None:
    everywhere = compress(digits_cnn, (Quantize(bits=4),)).layers["fc1"]
    alone = compress(digits_cnn, (Quantize(bits=4, layers=("fc1",)),)).layers["fc1"]
    assert alone is everywhere


def test_random_and_magnitude_pruning_are_not_confused(digits_cnn: Original) -> None:
    magnitude = compress(digits_cnn, (Prune(sparsity=0.5, scope="layer"),))
    random = compress(digits_cnn, (RandomPrune(sparsity=0.5),))
    assert not torch.equal(magnitude.layers["fc1"].dense, random.layers["fc1"].dense)


def test_threads_that_compress_at_once_get_equal_models(digits_mlp: Original) -> None:
    fresh = Original(digits_mlp.module, (1, 8, 8))
    recipes = [(Prune(sparsity=0.5), Quantize(bits=bits)) for bits in (2, 4)] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda recipe: compress(fresh, recipe).container, recipes))
    alone = Original(digits_mlp.module, (1, 8, 8))
    assert found == [compress(alone, recipe).container for recipe in recipes]


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        ("no_bias", Quantize(layers=("conv*",)), ["layers='conv*'", "no layer", "fc1, fc2"]),
        ("no_bias", Factorize(rank=4, layers=("fc2",)), ["fc2 (3, 4)", "full rank 3", "at most 3"]),
        ("tied", Factorize(), ["factorize: no layer", "; a cannot run", "tied"]),
        ("grouped", Factorize(), ["conv cannot run", "2 groups"]),
        ("words", Factorize(layers=("embedding",)), ["embedding cannot run", "name other layers"]),
        (
            "all_zero",
            Factorize(energy=0.9),
            ["fc is all zero", "energy=0.9", "give it a rank="],
        ),
        (
            "all_zero",
            Prune(sigmas=1),
            ["fc has weights that are all equal", "sigmas=1", "give threshold="],
        ),
        ("constant", Prune(sigmas=0.5), ["σ is 0", "sigmas=0.5", "give threshold="]),
    ],
)
def test_a_step_that_does_not_fit_the_model_is_refused(
    animal: Callable[[str], Original], name: str, step: object, words: list[str]
) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        compress(animal(name), (step,))


def test_a_bare_layer_is_told_to_be_wrapped() -> None:
    bare = Original(torch.nn.Linear(4, 3).eval(), (4,))
    with pytest.raises(ValueError, match=r"whole model; wrap it in nn\.Sequential"):
        compress(bare, (Factorize(rank=1),))


def test_an_all_zero_layer_can_be_pruned_and_quantized(
    animal: Callable[[str], Original],
) -> None:
    compressed = compress(animal("all_zero"), (Prune(sparsity=0.5), Quantize(bits=4)))
    assert not compressed.layers["fc"].dense.any()


def test_a_constant_layer_is_quantized_to_its_constant(
    animal: Callable[[str], Original],
) -> None:
    dense = compress(animal("constant"), (Quantize(bits=4),)).layers["fc"].dense
    torch.testing.assert_close(dense, torch.full((3, 4), 0.25))


def test_a_step_that_changes_the_network_makes_another_base(
    digits_mlp: Original, halving: type[Any]
) -> None:
    compressed = compress(digits_mlp, (halving(),))
    assert compressed.original is digits_mlp
    assert compressed.base is not digits_mlp
    shapes = {name: stored.dense.shape for name, stored in compressed.layers.items()}
    assert shapes == {"fc1": (150, 64), "fc2": (100, 150), "fc3": (10, 100)}
    assert digits_mlp.layers["fc1"].shape == (300, 64)


def test_without_such_a_step_the_base_is_the_original(digits_mlp: Original) -> None:
    assert compress(digits_mlp, FULL).base is digits_mlp


def test_other_steps_act_on_the_base_whatever_their_place(
    digits_mlp: Original, halving: type[Any]
) -> None:
    forward = compress(digits_mlp, (halving(), *FULL))
    backward = compress(digits_mlp, (*FULL, halving()))
    assert_same_bits(backward.module.state_dict(), forward.module.state_dict())
    kept = [stored.dense.count_nonzero() for stored in forward.layers.values()]
    assert sum(kept) < 150 * 64 + 100 * 150 + 1000
    assert_same_bits(decode(forward.container).state_dict, forward.module.state_dict())


def test_a_base_is_made_once_and_its_layers_are_recompressed_alone(
    digits_mlp: Original, halving: type[Any]
) -> None:
    before = compress(digits_mlp, (halving(), Quantize(bits=4)))
    after = compress(digits_mlp, (halving(), Quantize(bits=4), Quantize(bits=2, layers=("fc3",))))
    assert after.base is before.base
    kept = {name for name, stored in before.layers.items() if after.layers[name] is stored}
    assert kept == {"fc1", "fc2"}


def test_a_base_step_twice_is_the_same_as_once(digits_mlp: Original, halving: type[Any]) -> None:
    recipe = (halving(), Prune(sparsity=0.5))
    once, twice = compress(digits_mlp, recipe), compress(digits_mlp, recipe * 2)
    assert twice.base is once.base
    assert all(twice.layers[name] is stored for name, stored in once.layers.items())


def test_a_base_is_calibrated_on_the_same_images(digits_mlp: Original, halving: type[Any]) -> None:
    base = compress(digits_mlp, (halving(),)).base
    found, expected = base.calibrate(20), digits_mlp.calibrate(20)
    assert torch.equal(found.data.images, expected.data.images)
    assert found.moments("fc2").mean.shape == (150,)
    torch.testing.assert_close(found.moments("fc2").mean, expected.moments("fc2").mean[:150])


def test_a_layer_that_is_quantized_and_shared_is_refused_in_words(digits_cnn: Original) -> None:
    recipe = (Quantize(), ShareWeights(layers=("fc1", "conv1")))
    with pytest.raises(ValueError, match=r"conv1 is quantized, .*one of the two steps"):
        compress(digits_cnn, recipe)


def test_layers_apart_may_be_quantized_and_shared(digits_cnn: Original) -> None:
    recipe = (Quantize(layers=("conv*",)), ShareWeights(clusters=16, layers=("fc*",)))
    bits = [stored.bits for stored in compress(digits_cnn, recipe).layers.values()]
    assert bits == [8, 8, 4, 4]


def untrained(_network: Network) -> Network:
    raise AssertionError("nothing is trained here")


def test_a_stage_goes_on_from_what_the_one_before_has_left(digits_cnn: Original) -> None:
    first = compress(digits_cnn, (Prune(sparsity=0.5), Quantize(bits=4, layers=("conv1",))))
    acts, skipped = run_stage(first.network, (Prune(sparsity=0.9, layers=("fc1",)),), untrained)
    after = acts[-1].after
    assert not skipped
    assert after.layers["conv1"] is first.layers["conv1"]
    before, now = first.layers["fc1"].dense, after.layers["fc1"].dense
    assert int((now == 0).sum()) == round(0.9 * now.numel())
    assert torch.equal(now[now != 0], before[now != 0])
    assert torch.equal(after.module.state_dict()["fc1.weight"], now)


def test_a_later_stage_does_not_change_the_structure(digits_cnn: Original) -> None:
    network = compress(digits_cnn, (Prune(sparsity=0.5),)).network
    with pytest.raises(ValueError, match=r"changed in an earlier stage.*in the first stage"):
        run_stage(network, (PruneStructured(0.5),), untrained)


@pytest.mark.parametrize("recipe", [Prune(sparsity=0.5), "prune:sparsity=0.5", ("prune",), None])
def test_what_is_no_recipe_is_refused_with_an_example(digits_cnn: Original, recipe: Any) -> None:
    with pytest.raises(ValueError, match=r"is no recipe, .*comma makes one step a tuple"):
        compress(digits_cnn, recipe)


def test_a_bare_network_is_told_to_become_an_original(digits_cnn: Original) -> None:
    with pytest.raises(ValueError, match=r"is no Original; pass Original\(network, input_shape"):
        compress(digits_cnn.module, ())  # type: ignore[arg-type]
