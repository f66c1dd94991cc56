"""Training steps on digits: what was decided before is held exactly, and better values come out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core import trained
from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset, load_dataset
from compress_core.events import Epoch, Event, Silent
from compress_core.measurement.accuracy import Stopped
from compress_core.measurement.report import measure
from compress_core.methods.quantization import FloatCoded, Quantized, SignCoded
from compress_core.methods.weight_sharing import Shared
from compress_core.original import Original, load_model
from compress_core.recipe import parse_recipe
from compress_core.storage.container import decode
from compress_core.trained import NotTrained, find_result, forget_results, result_key
from compress_core.training import recovering
from compress_core.training.constraints.codebooks import Book, Indexed
from compress_core.training.loop import Diverged
from compress_core.training.recovering import train_steps
from tests.networks import Net


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(trained.FOLDER_VARIABLE, str(tmp_path / "trained"))
    return tmp_path / "trained"


@pytest.fixture
def mlp() -> Original:
    """A network of its own for each test: results are kept in its memo."""
    return load_model("digits-mlp")


def accuracy(compressed: Compressed) -> float:
    return measure(compressed, load_dataset("digits")).accuracy.accuracy


def run(model: Original, recipe: str) -> Compressed:
    return train_steps(model, parse_recipe(recipe))


def state_of(compressed: Compressed) -> dict[str, Tensor]:
    return compressed.module.state_dict()


def sparsity(compressed: Compressed) -> float:
    return measure(compressed, load_dataset("digits")).size.sparsity


STEPS = (
    "prune:sparsity=0.9;finetune:epochs=2",
    "factorize:rank=8;finetune:epochs=2",
    "share:clusters=4;finetune:epochs=2",
    "quantize:bits=4;finetune:epochs=2",
    "quantize:bits=2,scheme=asymmetric,granularity=group;qat:epochs=2",
    "quantize_float:format=fp4_e2m1;qat:epochs=2",
    "quantize_float:format=bf16;qat:epochs=2",
    "quantize_mx;qat:epochs=2",
    "prune:sparsity=0.5;quantize_mx:format=nvfp4;qat:epochs=2",
    "quantize_mx;finetune:epochs=2",
    "binarize;qat:epochs=2",
    "ternarize;qat:epochs=2",
    "prune:sparsity=0.9;quantize:bits=3;qat:epochs=2",
    "gradual_prune:sparsity=0.9,epochs=2",
    "l1_prune:strength=0.05,epochs=2",
    "prune:sparsity=0.8;rewind:epochs=2",
    "prune:sparsity=0.8;rewind:early_epochs=1,start=random,epochs=2",
    "prune_structured:pruning_ratio=0.5;distil:epochs=2",
    "quantize:bits=3,granularity=tensor;rate_train:epochs=2",
    "share:clusters=8,scope=all;finetune:epochs=2,layers=fc1|fc2",
    "prune:sparsity=0.9;finetune:epochs=1;share:clusters=8;finetune:epochs=1",
    "factorize:rank=8;prune:sparsity=0.5;quantize:bits=4;finetune:epochs=1",
)


@pytest.mark.parametrize("recipe", STEPS)
def test_the_file_decodes_to_what_was_evaluated(mlp: Original, recipe: str) -> None:
    compressed = run(mlp, recipe)
    decoded = decode(compressed.container).state_dict
    state = state_of(compressed)
    assert decoded.keys() == state.keys()
    assert all(torch.equal(decoded[key], state[key]) for key in state)


@pytest.mark.parametrize("recipe", STEPS)
def test_the_result_is_found_again_by_another_process(mlp: Original, recipe: str) -> None:
    first = state_of(run(mlp, recipe))
    again = state_of(compress(load_model("digits-mlp"), parse_recipe(recipe)))
    assert all(torch.equal(first[key], again[key]) for key in first)


@pytest.mark.parametrize(
    ("before", "training"),
    [
        ("prune:sparsity=0.95", "finetune:epochs=5"),
        ("share:clusters=3", "finetune:epochs=3"),
        ("quantize:bits=2", "qat:epochs=3"),
        ("binarize", "qat:epochs=3"),
        ("factorize:energy=0.4", "finetune:epochs=3"),
        ("prune_structured:pruning_ratio=0.7", "distil:epochs=3"),
    ],
)
def test_training_heals(mlp: Original, before: str, training: str) -> None:
    damaged = accuracy(compress(mlp, parse_recipe(before)))
    assert accuracy(run(mlp, f"{before};{training}")) > damaged + 0.1


def test_masks_are_held_exactly(mlp: Original) -> None:
    before = compress(mlp, parse_recipe("prune:sparsity=0.9"))
    after = run(mlp, "prune:sparsity=0.9;finetune:epochs=2")
    for name, stored in before.layers.items():
        assert torch.equal(after.layers[name].dense == 0, stored.dense == 0)
        assert not torch.equal(after.layers[name].dense, stored.dense)


def test_zeros_stay_zero_when_rounding_is_trained(mlp: Original) -> None:
    before = compress(mlp, parse_recipe("prune:sparsity=0.9"))
    after = run(mlp, "prune:sparsity=0.9;quantize:bits=4;qat:epochs=2")
    assert all(
        bool((after.layers[name].dense[stored.dense == 0] == 0).all())
        for name, stored in before.layers.items()
    )


def test_indices_stay_while_the_codebook_moves(mlp: Original) -> None:
    recipe = "share:clusters=4"
    before = compress(mlp, parse_recipe(recipe)).layers["fc1"].codes
    after = run(mlp, f"{recipe};finetune:epochs=2").layers["fc1"].codes
    assert isinstance(before, Shared)
    assert isinstance(after, Shared)
    assert torch.equal(after.indices, before.indices)
    assert not torch.equal(after.codebook, before.codebook)
    assert bool((after.codebook.diff() > 0).all())


def test_a_common_codebook_stays_common(mlp: Original) -> None:
    layers = run(mlp, "share:clusters=8,scope=all;finetune:epochs=1").layers.values()
    books = [stored.codes.codebook for stored in layers]  # type: ignore[union-attr]
    assert all(torch.equal(book, books[0]) for book in books)


def test_the_gradient_of_an_entry_is_the_sum_over_its_weights() -> None:
    indices = torch.tensor([[0, 1], [1, 1]], dtype=torch.int32)
    indexed = Indexed(Shared(torch.tensor([-1.0, 2.0]), indices), Book(torch.tensor([-1.0, 2.0])))
    (indexed.weight() * torch.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
    (codebook,) = indexed.parameters
    assert codebook.grad is not None
    assert codebook.grad.tolist() == [1.0, 1110.0]


@pytest.mark.parametrize(
    ("recipe", "form"),
    [
        ("quantize:bits=4", Quantized),
        ("quantize_float:format=fp8_e4m3", FloatCoded),
        ("binarize", SignCoded),
    ],
)
def test_codes_stay_while_scales_move(mlp: Original, recipe: str, form: type[Any]) -> None:
    before = compress(mlp, parse_recipe(recipe)).layers["fc1"].codes
    after = run(mlp, f"{recipe};finetune:epochs=1").layers["fc1"].codes
    assert isinstance(before, form)
    assert isinstance(after, form)
    assert torch.equal(after.codes, before.codes)
    assert not torch.equal(after.scale, before.scale)


def test_ranks_stay(mlp: Original) -> None:
    layers = run(mlp, "factorize:rank=8;finetune:epochs=1").layers
    assert [stored.ranks for stored in layers.values()] == [(8,), (8,), (8,)]


def test_a_layer_that_the_step_does_not_name_stays_as_it_is(mlp: Original) -> None:
    after = run(mlp, "finetune:epochs=1,layers=fc1").layers
    assert torch.equal(after["fc2"].dense, mlp.layers["fc2"].weight)
    assert not torch.equal(after["fc1"].dense, mlp.layers["fc1"].weight)


def test_gradual_pruning_reaches_its_target(mlp: Original) -> None:
    assert sparsity(run(mlp, "gradual_prune:sparsity=0.93,epochs=2")) == pytest.approx(0.93, 1e-4)


def test_gradual_pruning_beats_one_shot_at_high_sparsity(mlp: Original) -> None:
    gradual = run(mlp, "gradual_prune:sparsity=0.97,epochs=8")
    once = run(mlp, "prune:sparsity=0.97;finetune:epochs=8")
    assert accuracy(gradual) > accuracy(once)


def test_sparsity_grows_with_the_strength_of_the_penalty(mlp: Original) -> None:
    found = [sparsity(run(mlp, f"l1_prune:strength={s},epochs=2")) for s in (0.0, 0.02, 0.1)]
    assert found == sorted(found)
    assert found[-1] > found[0] + 0.2


def test_a_higher_price_of_bits_makes_a_smaller_file(mlp: Original) -> None:
    recipe = "quantize:bits=4,granularity=tensor;rate_train:strength={},learning_rate=0.003"
    cheap, dear = (run(mlp, recipe.format(s)).stored_bytes for s in (0.0, 1.0))
    assert dear < 0.8 * cheap


def test_a_ticket_begins_with_the_weights_that_the_network_began_with(mlp: Original) -> None:
    recipe = "prune:sparsity=0.8;rewind:epochs=1,learning_rate=1e-8"
    assert mlp.fresh is not None
    fresh = mlp.fresh(None).state_dict()["fc1.weight"]
    ticket = run(mlp, recipe).layers["fc1"].dense
    mask = compress(mlp, parse_recipe("prune:sparsity=0.8")).layers["fc1"].dense != 0
    assert torch.allclose(ticket, fresh * mask, atol=1e-5)


def test_distillation_with_alpha_one_is_fine_tuning(mlp: Original) -> None:
    rate = "learning_rate=0.01,epochs=1"
    tuned = run(mlp, f"prune_structured:pruning_ratio=0.5;finetune:{rate}")
    taught = run(mlp, f"prune_structured:pruning_ratio=0.5;distil:alpha=1,{rate}")
    assert torch.equal(tuned.layers["fc1"].dense, taught.layers["fc1"].dense)


def test_the_original_is_not_written_to(mlp: Original) -> None:
    before = {key: tensor.clone() for key, tensor in mlp.pristine.state_dict().items()}
    run(mlp, "quantize:bits=2;qat:epochs=1")
    after = mlp.pristine.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_the_next_stage_goes_on_from_trained_weights(mlp: Original) -> None:
    tuned = run(mlp, "finetune:epochs=1")
    pruned = run(mlp, "finetune:epochs=1;prune:sparsity=0.5")
    left = pruned.layers["fc1"].dense
    assert torch.equal(left[left != 0], tuned.layers["fc1"].dense[left != 0])


def test_channels_can_be_removed_after_training(mlp: Original) -> None:
    compressed = run(mlp, "finetune:epochs=1;prune_structured:pruning_ratio=0.5")
    assert compressed.layers["fc1"].layer.shape == (150, 64)


# --- what is not trained, or cannot be --------------------------------------------------------


def test_what_is_not_trained_says_so_and_how_long_it_takes(mlp: Original) -> None:
    with pytest.raises(NotTrained, match=r"finetune:epochs=2 is not trained yet, .* s on this"):
        compress(mlp, parse_recipe("prune:sparsity=0.9;finetune:epochs=2"))


def test_a_changed_recipe_is_another_result(mlp: Original) -> None:
    run(mlp, "prune:sparsity=0.9;finetune:epochs=1")
    with pytest.raises(NotTrained):
        compress(mlp, parse_recipe("prune:sparsity=0.8;finetune:epochs=1"))


def test_a_step_behind_a_training_finds_its_result(mlp: Original) -> None:
    tuned = run(mlp, "prune:sparsity=0.9;finetune:epochs=1")
    later = compress(mlp, parse_recipe("prune:sparsity=0.9;finetune:epochs=1;quantize:bits=8"))
    before = later.acts[-1].before.layers["fc1"]
    assert torch.equal(before.dense, tuned.layers["fc1"].dense)
    assert later.layers["fc1"].bits == 8


def test_a_damaged_result_is_made_anew(mlp: Original, own_cache: Path) -> None:
    recipe = parse_recipe("finetune:epochs=1")
    first = state_of(train_steps(mlp, recipe))
    file = own_cache / f"{result_key(mlp, recipe)}.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    assert find_result(result_key(mlp, recipe)) is None
    again = state_of(train_steps(load_model("digits-mlp"), recipe))
    assert all(torch.equal(first[key], again[key]) for key in first)


def test_the_cache_drops_the_least_recently_used(
    mlp: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "CAP_BYTES", 300_000)  # each takes 200 KB
    first, second = (parse_recipe(f"finetune:epochs=1,seed={seed}") for seed in (0, 1))
    train_steps(mlp, first)
    train_steps(mlp, second)
    assert find_result(result_key(mlp, first)) is None
    assert find_result(result_key(mlp, second)) is not None
    forget_results()
    assert trained.cached_bytes() == 0


def test_a_rate_that_diverges_is_stopped_in_words_and_keeps_nothing(mlp: Original) -> None:
    recipe = "finetune:epochs=3,learning_rate=90"
    with pytest.raises(Diverged, match=r"diverged, and nothing of it is kept; take a smaller"):
        run(mlp, recipe)
    with pytest.raises(NotTrained):
        compress(mlp, parse_recipe(recipe))


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("qat", "qat: no layer can take it; fc1 has float weights, and no rounding"),
        ("share;qat", "is stored as indices of a codebook, which finetune trains"),
        ("quantize;gradual_prune:sparsity=0.5", "is stored as codes, whose values cannot"),
        ("quantize;l1_prune", "prune in an earlier stage"),
        ("quantize;rewind", "is stored as codes, which the network did not begin with"),
        ("factorize;rewind", "is stored as factors"),
        ("rate_train", "has no affine codes whose length could be trained"),
        ("finetune:layers=fc9", "layers='fc9' matches no layer"),
    ],
)
def test_a_step_that_trains_nothing_is_refused_in_words(
    mlp: Original, recipe: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        compress(mlp, parse_recipe(recipe))


# --- on the way --------------------------------------------------------------------------------


def test_every_epoch_is_told_with_a_picture_of_each_weight(mlp: Original) -> None:
    events: list[Event] = []
    train_steps(
        mlp, parse_recipe("share:clusters=4;finetune:epochs=2"), watcher=Silent(events.append)
    )
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [epoch.epoch for epoch in epochs] == [1, 2]
    frames = epochs[0].frames
    assert [frame.layer for frame in frames] == ["fc1.weight", "fc2.weight", "fc3.weight"]
    assert sum(frames[0].counts) == 64 * 300
    assert len(frames[0].codebook) == 4
    done = compress(mlp, parse_recipe("share:clusters=4;finetune:epochs=2"))
    assert epochs[1].stored_bytes == done.stored_bytes
    assert trained.epochs_of(mlp, parse_recipe("share:clusters=4;finetune:epochs=2")) == tuple(
        epochs
    )


class StopsIn(Silent):
    """A watcher with a folder that stops after some batches."""

    def __init__(self, folder: Path, batches: int) -> None:
        super().__init__(folder=folder)
        object.__setattr__(self, "left", batches)

    def stopped(self) -> bool:
        object.__setattr__(self, "left", self.left - 1)  # type: ignore[attr-defined]
        return bool(self.left < 0)  # type: ignore[attr-defined]


RESUMED = (
    "prune:sparsity=0.9;finetune:epochs=3",
    "gradual_prune:sparsity=0.9,epochs=3",
    "quantize:bits=3,granularity=tensor;rate_train:epochs=3",
    "quantize:bits=2;qat:epochs=3",
    "share:clusters=4;finetune:epochs=3",
    "prune:sparsity=0.9;rewind:epochs=3",
)


@pytest.mark.parametrize("text", RESUMED)
def test_a_training_that_broke_off_ends_as_an_unbroken_one(
    mlp: Original, tmp_path: Path, text: str
) -> None:
    recipe = parse_recipe(text)
    with pytest.raises(Stopped):
        train_steps(mlp, recipe, watcher=StopsIn(tmp_path / "broken", 25))  # in the second epoch
    assert list(tmp_path.rglob(recovering.BEST_FILE))
    resumed = train_steps(mlp, recipe, watcher=Silent(folder=tmp_path / "broken"))
    epochs = trained.epochs_of(mlp, recipe)
    forget_results()
    whole = Silent(folder=tmp_path / "unbroken")
    unbroken = train_steps(load_model("digits-mlp"), recipe, watcher=whole)
    best, unbroken_best = (
        next((tmp_path / name).rglob(recovering.BEST_FILE)) for name in ("broken", "unbroken")
    )
    assert best.read_bytes() == unbroken_best.read_bytes()
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    ours, theirs = state_of(resumed), state_of(unbroken)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_ticket_that_broke_off_early_ends_as_an_unbroken_one(
    mlp: Original, tmp_path: Path
) -> None:
    """While its network is trained to the epoch that it begins with, and right after it."""
    recipe = parse_recipe("prune:sparsity=0.9;rewind:early_epochs=2,epochs=1")
    for batches in (25, 30):
        with pytest.raises(Stopped):
            train_steps(mlp, recipe, watcher=StopsIn(tmp_path / "broken", batches))
    resumed = train_steps(mlp, recipe, watcher=Silent(folder=tmp_path / "broken"))
    forget_results()
    unbroken = train_steps(load_model("digits-mlp"), recipe)
    ours, theirs = state_of(resumed), state_of(unbroken)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


# --- networks of other people -------------------------------------------------------------------


def images(split: str = "train") -> Dataset:
    generator = torch.Generator().manual_seed(0)
    return Dataset.of(
        torch.rand(200, 2, 6, 6, generator=generator), torch.arange(200) % 3, split=split
    )


def own_network(build: Callable[[], nn.Module]) -> Original:
    torch.manual_seed(0)
    return Original(build().eval(), (2, 6, 6), calibration=images(), task="classification")


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "norm and dropout": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(64, 3),
    ),
    "in place": lambda: nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(64, 3)
    ),
    "transposed": lambda: nn.Sequential(
        nn.ConvTranspose2d(2, 4, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)
    ),
    "recurrent": lambda: Net(
        lambda self, x: self.fc(self.rnn(x.flatten(2).mT)[0][:, -1]),
        rnn=nn.LSTM(2, 5, batch_first=True),
        fc=nn.Linear(5, 3),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "recipe", ["prune:sparsity=0.5;finetune:epochs=1", "quantize:bits=3;qat:epochs=1"]
)
def test_networks_of_other_people_train(name: str, recipe: str) -> None:
    original = own_network(NETWORKS[name])
    compressed = run(original, recipe)
    decoded, state = decode(compressed.container).state_dict, state_of(compressed)
    assert all(torch.equal(decoded[key], state[key]) for key in decoded)
    layers = compress(original, parse_recipe(recipe.partition(";")[0])).layers
    assert any(
        not torch.equal(compressed.layers[layer].dense, stored.dense)
        for layer, stored in layers.items()
    )


def test_norm_statistics_are_measured_again() -> None:
    original = own_network(NETWORKS["norm and dropout"])
    before = original.pristine.state_dict()["1.running_mean"]
    after = state_of(run(original, "prune:sparsity=0.5;finetune:epochs=1"))["1.running_mean"]
    assert not torch.equal(before, after)


def test_a_network_of_others_has_no_initial_weights_to_rewind_to() -> None:
    with pytest.raises(ValueError, match=r"began with weights that nobody kept.*start=random"):
        compress(own_network(NETWORKS["in place"]), parse_recipe("prune:sparsity=0.5;rewind"))


def test_data_without_labels_cannot_train() -> None:
    unlabelled = replace(images(), labels=None, class_names=())
    module = own_network(NETWORKS["in place"]).module
    original = Original(module, (2, 6, 6), calibration=unlabelled, task="classification")
    with pytest.raises(ValueError, match="without labels there is no loss"):
        run(original, "finetune:epochs=1")
