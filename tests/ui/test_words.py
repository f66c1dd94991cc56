"""Numbers in words: each metric by its name, shares in percent."""

import pytest

from compress_core.measurement.scores import Score
from compress_core.tasks import METRICS
from ui import words


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


@pytest.mark.parametrize("difference", [0.0, 0.00001, -0.00001])
def test_a_change_that_does_not_show_has_no_sign(difference: float) -> None:
    assert words.score_change("accuracy", difference) == "±0"
    assert words.point_change("accuracy", difference) == "±0"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (8.9512, "8.95× smaller"),
        (1.0021, "1.002× smaller"),
        (1.0, "as large as before"),
        (0.9998, "as large as before"),
        (0.8, "1.25× larger"),
    ],
)
def test_a_file_of_the_same_size_is_not_1_000_times_smaller(ratio: float, text: str) -> None:
    assert words.smaller(ratio) == text


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    assert words.clip("short") == "short"
    found = words.clip("value" + "x" * 1000 + "remedy")
    assert len(found) == words.MOST_SHOWN
    assert found.startswith("value")
    assert found.endswith("remedy")
