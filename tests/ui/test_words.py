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
