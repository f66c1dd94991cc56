"""Curves that ship: each file belongs to its network as it is now, and holds what is measured."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from compress_core.compressed import compress
from compress_core.data import Dataset, is_available, load_dataset
from compress_core.measurement.report import measure
from compress_core.models.catalog import MODELS, model_spec
from compress_core.models.checkpoints import load_card
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe, parse_recipe, to_json
from compress_core.search import curves
from compress_core.search.curves import (
    FOLDER,
    About,
    about,
    curve_recipes,
    load_curves,
    measure_curves,
    read_curves,
    rounded,
)
from compress_core.search.sweep import families
from compress_core.storage.container import ENCODINGS

LARGEST_FILE = 200_000
SLOW = ("fashion-cnn", "cifar-resnet-20")  # 10 to 20 s a test set: one of the points is enough
FEW: tuple[Recipe, ...] = ((), parse_recipe("prune:sparsity=0.9"), parse_recipe("quantize:bits=4"))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the curves were measured: sums depend on how they are divided."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "curve_recipes", lambda _original: FEW)


def spread(original: Original) -> list[Recipe]:
    """Three points: the middle one of the first, the middle and the last family."""
    found = [family.recipes for family in families(original).values()]
    chosen = (found[0], found[len(found) // 2], found[-1])
    return [recipes[len(recipes) // 2] for recipes in chosen]


@pytest.mark.parametrize("model", MODELS)
def test_a_reference_network_ships_with_all_its_curves(model: str) -> None:
    found = load_curves(model)
    assert found.reason is None
    assert list(found.rows) == list(curve_recipes(load_model(model)))


@pytest.mark.parametrize("model", MODELS)
def test_a_file_is_small_and_has_a_line_a_point(model: str) -> None:
    text = (FOLDER / f"{model}.json").read_text()
    assert len(text.encode()) < LARGEST_FILE
    lines = [line for line in text.splitlines() if line.startswith('{"recipe"')]
    assert len(lines) == len(load_curves(model).rows)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.usefixtures("one_thread")
def test_points_measured_again_are_the_same(model: str) -> None:
    """Bytes and accuracy of three points; where this fails, measure the file anew."""
    original, rows = load_model(model), load_curves(model).rows
    dataset = model_spec(model).dataset
    points = spread(original)
    if not is_available(dataset):
        pytest.skip(f"{dataset} is not here")
    for i, recipe in enumerate(points):
        compressed = compress(original, recipe)
        assert compressed.stored_bytes == rows[recipe]["stored_bytes"]
        if i == 0 or model not in SLOW:
            measured = rounded(measure(compressed, load_dataset(dataset)).as_dict())
            assert measured == rows[recipe]


def test_rows_have_the_form_of_a_report(digits_mlp: Original, digits: Dataset) -> None:
    recipe = FEW[1]
    row, report = (
        load_curves("digits-mlp").rows[recipe],
        measure(compress(digits_mlp, recipe), digits),
    )
    assert row["recipe"] == to_json(recipe)
    assert report.as_dict().keys() - row.keys() == {"layers", "left_out"}
    assert row["accuracy"] == pytest.approx(report.accuracy.accuracy, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_they_belong_to_checkpoint_encodings_and_test_set(model: str) -> None:
    card = load_card(model)
    assert about(model) == About(model, card.sha256, ENCODINGS, card.dataset, card.test_n)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"checkpoint": "0" * 64}, "another checkpoint"),
        ({"encodings": ENCODINGS + 1}, rf"another encodings \({ENCODINGS}\)"),
        ({"dataset": "mnist", "n": 10_000}, r"another dataset \(digits\) and another n \(600\)"),
    ],
)
def test_a_file_of_another_state_gives_nothing_and_says_why(
    change: dict[str, Any], said: str
) -> None:
    found = read_curves(FOLDER / "digits-mlp.json", replace(about("digits-mlp"), **change))
    assert not found.rows
    assert re.search(said, found.reason or "")


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": 1, "about": {}}'])
def test_a_damaged_file_gives_nothing_and_says_why(tmp_path: Path, text: str) -> None:
    path = tmp_path / "digits-mlp.json"
    path.write_text(text)
    found = read_curves(path, about("digits-mlp"))
    assert not found.rows
    assert "is damaged" in (found.reason or "")


def test_a_network_without_a_file_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(curves, "FOLDER", tmp_path)
    assert load_curves("digits-mlp") == curves.Curves(
        {}, "no curves of digits-mlp ship with the project"
    )


@pytest.mark.usefixtures("three")
def test_a_run_that_broke_off_goes_on(
    tmp_path: Path, digits_mlp: Original, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.json"
    assert next(measure_curves(digits_mlp, digits, path)) == (1, 3)
    assert list(read_curves(path, about("digits-mlp")).rows) == [()]
    todo: list[Recipe] = []
    measured = curves.point
    monkeypatch.setattr(
        curves, "point", lambda o, recipe, *rest: todo.append(recipe) or measured(o, recipe, *rest)
    )
    assert list(measure_curves(digits_mlp, digits, path))[-1] == (3, 3)
    assert todo == list(FEW[1:])
    assert list(read_curves(path, about("digits-mlp")).rows) == list(FEW)


@pytest.mark.usefixtures("three")
def test_points_of_another_state_are_measured_anew(
    tmp_path: Path, digits_mlp: Original, digits: Dataset
) -> None:
    path = tmp_path / "curves.json"
    list(measure_curves(digits_mlp, digits, path))
    data = json.loads(path.read_text())
    data["about"] = asdict(replace(about("digits-mlp"), encodings=ENCODINGS - 1))
    path.write_text(json.dumps(data))
    assert next(measure_curves(digits_mlp, digits, path)) == (1, 3)


@pytest.mark.usefixtures("three")
def test_a_point_that_cannot_be_measured_says_why(
    tmp_path: Path, digits_mlp: Original, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"recipe": to_json(FEW[1]), "refused": "no layer can"}
    measured = curves.point
    monkeypatch.setattr(
        curves, "point", lambda o, r, *rest: refused if r == FEW[1] else measured(o, r, *rest)
    )
    path = tmp_path / "curves.json"
    list(measure_curves(digits_mlp, digits, path))
    rows = read_curves(path, about("digits-mlp")).rows
    assert rows[FEW[1]]["refused"] == "no layer can"
    assert rows[FEW[2]]["accuracy"] > 0.5
