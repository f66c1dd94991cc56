"""A figure translates its own words once, and none of those that it is given."""

from gettext import NullTranslations

import numpy as np
import pytest

from ui import language
from ui.figures import AXES, Place, channel_bars, predictions, shares, trade_off_plane
from ui.palette import LIGHT


class Marked(NullTranslations):
    """A language in which each text stands in brackets."""

    def gettext(self, message: str) -> str:
        return f"<{message}>"


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "catalog", lambda _language: Marked())


def test_titles_that_are_given_stay_as_they_are() -> None:
    axes = predictions(["a"], [1], LIGHT, x="given", measured=0).layout
    assert (axes.xaxis.title.text, axes.yaxis.title.text) == ("given", "<predictions>")
    assert list(axes.xaxis.ticktext) == ["a"]


def test_the_usual_title_is_translated_and_another_is_not() -> None:
    parts = {"given": [1.0]}
    assert shares(["a"], parts, LIGHT).layout.xaxis.title.text == "<share of the model>"
    assert shares(["a"], parts, LIGHT, x="given").layout.xaxis.title.text == "given"


def test_the_axes_of_the_plane_are_translated_where_it_is_drawn() -> None:
    assert AXES["bytes"].title == "bytes of the stored file (log)"
    row = {"metric": "accuracy", "accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1.0}
    rows = [row | {"stored_bytes": 100, "id": "", "words": "given"}]
    shown = trade_off_plane({}, {"original": rows}, LIGHT, place=Place(AXES["bytes"]))
    assert shown.layout.xaxis.title.text == "<bytes of the stored file (log)>"
    assert shown.data[0].name == "<original>"
    assert shown.data[0].customdata[0][1] == "given"


def test_a_role_is_translated_for_the_reader_but_not_for_the_palette() -> None:
    shown = channel_bars(np.array([1.0, 2.0]), np.array([True, False]), LIGHT, unit="given")
    assert shown.layout.xaxis.title.text == "<given, by importance>"
    assert {trace.name: trace.marker.color for trace in shown.data} == {
        "<kept>": LIGHT.kept,
        "<pruned>": LIGHT.pruned,
    }
