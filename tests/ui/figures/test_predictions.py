"""What a class predicted, as bars."""

from ui.figures import predictions
from ui.palette import LIGHT


def test_the_measured_bar_is_marked_and_named() -> None:
    shown = predictions(["a", "b"], [3, 1], LIGHT, x="prediction", measured=1)
    (bars,) = shown.data
    assert list(bars.y) == [3, 1]
    assert bars.marker.color == (LIGHT.original, LIGHT.compressed)
    assert shown.layout.annotations[0].text == "measured"
    assert shown.layout.xaxis.title.text == "prediction"
    assert shown.layout.yaxis.title.text == "predictions"


def test_before_the_answer_is_shown_no_bar_is_marked() -> None:
    shown = predictions(["a", "b"], [3, 1], LIGHT, x="prediction", measured=None)
    assert set(shown.data[0].marker.color) == {LIGHT.original}
    assert not shown.layout.annotations


def test_labels_are_plain_text() -> None:
    options = ["<a href='http://x'>more</a>", "a & b"]
    shown = predictions(options, [1, 1], LIGHT, x="prediction", measured=None)
    told = ("&lt;a href='http://x'&gt;more&lt;/a&gt;", "a &amp; b")
    assert shown.layout.xaxis.ticktext == told
