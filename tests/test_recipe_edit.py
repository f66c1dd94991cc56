"""Edits of a recipe, as the pages make them."""

from hypothesis import given
from hypothesis import strategies as st

from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.methods.quantization import Quantize
from compress_core.methods.retraining import FineTune
from compress_core.recipe import Recipe, split_stages
from compress_core.recipe_edit import own_step, step_for, with_layer_step, with_step, without_step
from compress_core.steps import AnyStep

NAMES = ("conv1", "fc1", "fc2")

layers = st.sampled_from([("*",), ("fc*",), ("fc1",), ("conv1", "fc2")])
steps = st.one_of(
    st.builds(Quantize, bits=st.sampled_from([2, 4, 8]), layers=layers),
    st.builds(Prune, sparsity=st.sampled_from([0.1, 0.5]), layers=layers),
)
recipes = st.lists(steps, max_size=5).map(tuple)
staged = st.lists(st.one_of(steps, st.just(FineTune())), max_size=7).map(tuple)


def winners(recipe: Recipe, kind: str = "quantize") -> dict[str, AnyStep]:
    found = {name: step_for(recipe, kind, name, NAMES) for name in NAMES}
    return {name: step for name, step in found.items() if step}


def test_a_step_replaces_the_one_in_its_place() -> None:
    recipe = (Quantize(bits=4), Prune(sparsity=0.5))
    assert with_step(recipe, Quantize(bits=2)) == (Quantize(bits=2), Prune(sparsity=0.5))


def test_random_pruning_takes_the_place_of_magnitude_pruning() -> None:
    step = RandomPrune(sparsity=0.5)
    assert with_step((Prune(sparsity=0.5),), step) == (step,)


def test_a_step_for_all_layers_lets_exceptions_win() -> None:
    exception = Quantize(bits=8, layers=("fc1",))
    assert with_step((Factorize(), exception), Quantize(bits=2)) == (
        Factorize(),
        Quantize(bits=2),
        exception,
    )


def test_a_new_exception_goes_last() -> None:
    exception = Quantize(bits=8, layers=("fc1",))
    assert with_step((Quantize(bits=2),), exception) == (Quantize(bits=2), exception)


def test_a_place_that_is_taken_twice_is_left_with_one_step() -> None:
    recipe = (Quantize(bits=2), Quantize(bits=3))
    assert with_step(recipe, Quantize(bits=4)) == (Quantize(bits=4),)


def test_removing_a_step_leaves_other_kinds_and_layers() -> None:
    exception = Quantize(bits=8, layers=("fc1",))
    recipe = (Prune(sparsity=0.5), Quantize(bits=2), exception)
    assert without_step(recipe, "quantize", ("*",)) == (Prune(sparsity=0.5), exception)


def test_taking_a_layer_out_names_the_others() -> None:
    edited = with_layer_step((Quantize(bits=2),), "quantize", "fc1", None, NAMES)
    assert edited == (Quantize(bits=2, layers=("conv1", "fc2")),)


def test_taking_the_only_layer_out_drops_the_step() -> None:
    recipe = (Quantize(bits=2, layers=("fc1",)),)
    assert with_layer_step(recipe, "quantize", "fc1", None, NAMES) == ()


@given(recipes, st.sampled_from(NAMES))
def test_a_layers_own_step_wins_there_and_changes_no_other_layer(
    recipe: Recipe, layer: str
) -> None:
    edited = with_layer_step(recipe, "quantize", layer, Quantize(bits=3), NAMES)
    after = {name: getattr(step, "bits", None) for name, step in winners(edited).items()}
    before = {name: getattr(step, "bits", None) for name, step in winners(recipe).items()}
    assert after == {**before, layer: 3}


@given(recipes, st.sampled_from(NAMES))
def test_a_layer_taken_out_has_no_step_and_the_others_keep_theirs(
    recipe: Recipe, layer: str
) -> None:
    edited = with_layer_step(recipe, "quantize", layer, None, NAMES)
    after = {name: getattr(step, "bits", None) for name, step in winners(edited).items()}
    before = {name: getattr(step, "bits", None) for name, step in winners(recipe).items()}
    before.pop(layer, None)
    assert after == before
    assert [step for step in edited if step.kind == "prune"] == [
        step for step in recipe if step.kind == "prune"
    ]


@given(recipes, steps)
def test_setting_a_step_twice_is_setting_it_once(recipe: Recipe, step: AnyStep) -> None:
    once = with_step(recipe, step)
    assert with_step(once, step) == once


def test_a_pages_own_step_names_exactly_its_layers() -> None:
    one, both = Prune(0.5, layers=("fc1",)), Prune(0.7, layers=("fc1", "fc2"))
    recipe = (Prune(0.9), one, both, Quantize(bits=4))
    assert own_step(recipe, "prune") == Prune(0.9)
    assert own_step(recipe, "prune", ("fc1",)) == one
    assert own_step(recipe, "share") is None


def test_a_new_step_goes_after_the_training() -> None:
    recipe = (Prune(0.9), FineTune())
    assert with_step(recipe, Quantize(bits=4)) == (*recipe, Quantize(bits=4))


def test_a_step_before_the_training_is_edited_where_it_stands() -> None:
    recipe = (Prune(0.9), FineTune(), Quantize(bits=4), FineTune())
    assert with_step(recipe, Prune(0.5)) == (Prune(0.5), *recipe[1:])


def test_of_equal_steps_in_two_stages_the_later_one_is_edited() -> None:
    recipe = (Prune(0.5), FineTune(), Prune(0.5))
    assert with_step(recipe, Prune(0.8)) == (Prune(0.5), FineTune(), Prune(0.8))
    assert without_step(recipe, "prune", ("*",)) == (Prune(0.5), FineTune())


def test_an_exception_goes_before_the_training_of_the_step_that_it_is_of() -> None:
    edited = with_layer_step((Prune(0.9), FineTune()), "prune", "fc1", Prune(0.5), NAMES)
    assert edited == (Prune(0.9), Prune(0.5, layers=("fc1",)), FineTune())


@given(staged, steps)
def test_an_edit_changes_one_stage_and_no_training(recipe: Recipe, step: AnyStep) -> None:
    before, after = split_stages(recipe), split_stages(with_step(recipe, step))
    assert len(before) == len(after)
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1


@given(staged, st.sampled_from(NAMES))
def test_a_layers_own_step_is_the_one_that_its_controls_show(recipe: Recipe, layer: str) -> None:
    edited = with_layer_step(recipe, "quantize", layer, Quantize(bits=3), NAMES)
    assert step_for(edited, "quantize", layer, NAMES) == Quantize(bits=3, layers=(layer,))
