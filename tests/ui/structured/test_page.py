"""The page of channels: its controls make the core's step, and it says what cannot go."""

import numpy as np
import pytest

from compress_core import Prune, compress, load_dataset, load_model
from compress_core.data import is_available
from compress_core.measurement.accuracy import predicted_classes
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.methods.structured import PruneStructured
from compress_core.search.curves import load_curves
from compress_core.views.channels import channel_groups
from tests.ui.test_pages import assert_strip_shows, measured, shown
from tests.whole_app import WholeApp, open_app
from ui import words
from ui.figures import channel_bars
from ui.palette import LIGHT


def texts(app: WholeApp) -> str:
    return " ".join(part.value for part in [*app.markdown, *app.caption])


@pytest.mark.parametrize("model", ["digits-mlp", "digits-cnn", "digits-transformer"])
@pytest.mark.parametrize(
    "recipe",
    [
        "",
        "prune_structured:pruning_ratio=0.3",
        "prune_structured:pruning_ratio=0.3,importance=taylor,scope=global;quantize:bits=4",
        "prune_structured:pruning_ratio=0.99,importance=apoz,floor=2;prune:sparsity=0.5",
        "prune_structured:pruning_ratio=0.5,importance=random,seed=20000",
    ],
)
def test_the_page_renders(model: str, recipe: str) -> None:
    app = open_app("structured", model=model, recipe=recipe)
    assert not app.exception
    assert not app.error
    assert "channels that can go" in texts(app)


def test_the_ratio_removes_what_the_core_removes() -> None:
    app = open_app("structured")
    app.slider(key="structured_ratio").set_value(30.0).run()
    report = measured((PruneStructured(0.3),))
    assert_strip_shows(app, report)
    assert shown(app)["MACs"] == "162.0 K"
    assert report.size.macs < report.size.original_macs == 337_536
    assert "keeps :blue[78] of the 112 channels" in texts(app)
    table = next(t.value for t in app.dataframe if "MACs after" in t.value)
    assert list(table["output channels"])[:3] == ["16 → 11", "32 → 22", "64 → 45"]
    assert table["MACs after"].iloc[-1] == report.size.macs
    assert list(table["bytes after"])[:-1] == [row.bytes for row in report.size.layers]


def test_all_controls_are_fields_of_the_step() -> None:
    app = open_app("structured", recipe="prune_structured:pruning_ratio=0.6")
    app.selectbox(key="structured_importance").set_value("taylor").run()
    app.selectbox(key="structured_scope").set_value("global").run()
    app.number_input(key="structured_floor").set_value(9).run()
    app.number_input(key="structured_samples").set_value(40).run()
    assert "knows weights and gradients" in texts(app)
    step = PruneStructured(0.6, importance="taylor", scope="global", floor=9, samples=40)
    assert_strip_shows(app, measured((step,)))


def test_another_seed_of_the_control_draws_other_channels() -> None:
    app = open_app("structured", recipe="prune_structured:pruning_ratio=0.5,importance=random")
    app.number_input(key="structured_seed").set_value(7).run()
    step = PruneStructured(0.5, importance="random", seed=7)
    assert_strip_shows(app, measured((step,)))


def test_a_ratio_of_zero_takes_the_step_away() -> None:
    app = open_app("structured", recipe="prune_structured:pruning_ratio=0.5;prune:sparsity=0.5")
    app.slider(key="structured_ratio").set_value(0.0).run()
    assert app.session_state["recipe"] == "prune:sparsity=0.5"
    assert_strip_shows(app, measured((Prune(0.5),)))


def test_a_layer_at_its_floor_is_an_alarm_and_said_at_its_bars() -> None:
    app = open_app("structured", recipe="prune_structured:pruning_ratio=0.95,floor=3")
    assert any("which is its floor" in warning.value for warning in app.warning)
    assert r"conv1\: 3 of 16 filters kept, stopped by the floor" in texts(app)


def test_locked_layers_are_named_with_the_reason() -> None:
    app = open_app("structured", model="digits-transformer")
    assert "**patches, blocks.0.fc2, blocks.1.fc2**: norm (LayerNorm) normalizes" in texts(app)
    assert "**head**: its channels are the network's output." in texts(app)
    assert "4 of 4 heads kept" in texts(app)


def test_half_of_a_coupled_group_is_refused_in_words() -> None:
    recipe = "prune_structured:pruning_ratio=0.5,layers=patches"
    app = open_app("structured", model="digits-transformer", recipe=recipe)
    assert not app.exception
    assert r"patches keeps all of its channels\: norm \(LayerNorm\)" in app.error[0].value


@pytest.mark.usefixtures("first_images_alone")
def test_batch_norms_are_folded_only_where_there_are_some() -> None:
    app = open_app("structured")
    assert "structured_fold" not in [toggle.key for toggle in app.toggle]
    app = open_app("structured", model="fashion-cnn")
    app.toggle(key="structured_fold").set_value(True).run()
    assert app.session_state["recipe"] == "fold"
    app.slider(key="structured_ratio").set_value(10.0).run()
    step = PruneStructured(0.1)
    found = channel_groups(load_model("fashion-cnn"), (FoldBatchNorm(), step), step)
    assert f"{found[0].kept.sum()} of 32 filters kept" in texts(app)
    app.toggle(key="structured_fold").set_value(False).run()
    assert app.session_state["recipe"] == "prune_structured:pruning_ratio=0.1"


def test_a_control_in_the_address_is_taken_and_a_wrong_one_named() -> None:
    app = open_app("structured", structured_importance="std")
    assert app.selectbox(key="structured_importance").value == "std"
    app = open_app("structured", structured_importance="beauty")
    assert r"structured\_importance=beauty" in app.warning[0].value


def test_bars_stand_in_order_in_the_colours_of_kept_and_pruned() -> None:
    importances, kept = np.array([0.5, 2.0, 1.0]), np.array([False, True, True])
    figure = channel_bars(importances, kept, LIGHT, unit="filters")
    first, second = figure.data
    assert (first.name, second.name) == ("kept", "pruned")
    assert (list(first.x), list(first.y), list(first.customdata)) == ([1, 2], [2.0, 1.0], [1, 2])
    assert (list(second.x), list(second.y), list(second.customdata)) == ([3], [0.5], [0])
    assert (first.marker.color, second.marker.color) == (LIGHT.kept, LIGHT.pruned)
    assert figure.layout.xaxis.title.text == "filters, by importance"
    assert figure.layout.yaxis.title.text == "× mean"


@pytest.mark.skipif(not is_available("fashion-mnist"), reason="Fashion-MNIST is not here")
@pytest.mark.parametrize("page", ["prune", "structured"])
def test_recalibrated_norms_show_what_they_give_beside_the_switch(page: str) -> None:
    app = open_app(page, model="fashion-cnn", recipe="prune:sparsity=0.9")
    app.toggle(key=f"{page}_recalibrate").set_value(True).run()
    assert not app.exception
    data = load_dataset("fashion-mnist")
    module = compress(load_model("fashion-cnn"), (Prune(0.9), RecalibrateNorms())).module
    right = float((predicted_classes(module, data) == data.class_labels).double().mean())
    (said,) = (m.value for m in app.markdown if m.value.startswith("Recalibrated norms"))
    assert f"**{100 * right:.1f} %" in said


def test_a_network_without_norms_has_no_switch() -> None:
    keys = {toggle.key for toggle in open_app("prune", model="digits-cnn").toggle}
    assert "prune_recalibrate" not in keys


def test_the_page_quotes_the_curve_of_the_shown_model_or_none() -> None:
    row = load_curves("digits-cnn").rows[(PruneStructured(0.3),)]
    told = [c.value for c in open_app("structured").caption if "coarse cut" in c.value]
    assert words.percent(row["accuracy"]) in told[0]
    assert "digits-cnn" in told[0]
    other = open_app("structured", model="digits-transformer")
    assert "fashion" not in " ".join(caption.value for caption in other.caption)
