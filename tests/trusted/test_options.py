"""What stands behind `streamlit run app.py --`."""

from pathlib import Path

import pytest

from compress_core.trusted import AppOptions, TrustedModel, parse_app_options

pytestmark = pytest.mark.usefixtures("own_folder")
MODEL = ["--model", "own_package.nets:build"]


def test_nothing_is_nothing() -> None:
    assert parse_app_options([]) == AppOptions()


def test_every_option_of_a_model_is_read(weights: Path) -> None:
    options = ["--weights", str(weights), "--data", "own_package.data:both"]
    more = ["--input-shape", "1,8,8", "--task", "classification", "--normalization", "MNIST"]
    assert parse_app_options([*MODEL, *options, *more]).model == TrustedModel(
        "own_package.nets:build",
        weights,
        "own_package.data:both",
        "1,8,8",
        "classification",
        "MNIST",
    )


def test_weights_without_a_network_are_a_path(weights: Path) -> None:
    found = parse_app_options(["--weights-only", str(weights)])
    assert found == AppOptions(None, weights)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--weights", "w.safetensors"], "--weights belongs to a model of your own"),
        (["--input-shape", "3"], "--input-shape belongs to a model of your own"),
        (["--modle", "x"], "unrecognized arguments: --modle"),
        ([*MODEL, "--task", "guessing"], "invalid choice: 'guessing'"),
        ([*MODEL, "--weights", "absent.pt"], r"--weights absent\.pt is not in"),
        (["--model"], "expected one argument"),
        (["--weights-only", "absent"], "--weights-only absent is not there"),
    ],
)
def test_other_options_are_refused_with_a_sentence(argv: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_app_options(argv)
