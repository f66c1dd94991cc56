"""The plane's figures: traces, axes, styles, and what a click finds."""

from typing import Any

import pytest

from ui import figures
from ui.figures import AXES, Place
from ui.figures.curve_styles import CONTROL
from ui.figures.log_ticks import log_ticks
from ui.palette import LIGHT
from ui.trade_offs import plane


def row(stored_bytes: int, accuracy: float, **more: Any) -> dict[str, Any]:
    return {
        "stored_bytes": stored_bytes,
        "macs": 10 * stored_bytes,
        "metric": "accuracy",
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.02,
        "accuracy_high": accuracy + 0.01,
        "id": f"prune:threshold={stored_bytes}",
        "words": "prune",
        **more,
    }


TIMED = row(20_000, 0.9, latency_ms=0.5, latency_ms_p95=0.8)
PUBLISHED = [
    row(3_000, 0.99, name="A", unit="real file", source="arXiv"),
    row(4_000, 0.98, name="B", unit="bit accounting", source="x"),
]
BY_TIME = Place(AXES["latency"])
KINDS = {
    "prune": {"prune"},
    "quantize": {"quantize"},
    "factorize": {"factorize"},
    "prune_nm": {"prune"},
    "both": {"prune", "quantize"},
    CONTROL: {"prune"},
}


def traces(shown: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in shown.data}


@pytest.mark.parametrize("name", AXES)
def test_x_is_what_was_asked_for(name: str) -> None:
    axis = AXES[name]
    shown = figures.trade_off_plane({"prune": [TIMED]}, {}, LIGHT, place=Place(axis))
    (trace,) = shown.data
    assert list(trace.x) == [TIMED[axis.column]]
    assert shown.layout.xaxis.title.text == axis.title
    assert shown.layout.xaxis.type == "log"
    assert shown.layout.yaxis.title.text == "accuracy"


def test_whiskers_are_the_interval_and_the_way_to_p95() -> None:
    shown = figures.trade_off_plane({"prune": [TIMED]}, {}, LIGHT, place=BY_TIME)
    (trace,) = shown.data
    assert trace.error_y.array == pytest.approx([0.01])
    assert trace.error_y.arrayminus == pytest.approx([0.02])
    assert trace.error_x.array == pytest.approx([0.3])
    assert trace.error_x.arrayminus == (0,)


def test_points_without_this_cost_are_left_out() -> None:
    curves = {"prune": [row(20_000, 0.9), TIMED], "quantize": [row(1_000, 0.8)]}
    shown = figures.trade_off_plane(curves, {}, LIGHT, place=BY_TIME, published=PUBLISHED)
    assert {name: len(trace.x) for name, trace in traces(shown).items()} == {"prune": 1}


def test_before_a_cost_is_measured_the_scores_axis_is_in_place() -> None:
    shown = figures.trade_off_plane({"prune": [row(100, 0.9)]}, {}, LIGHT, place=BY_TIME)
    assert shown.layout.yaxis.range[0] == 0
    assert shown.layout.yaxis.range[1] > 1


def test_the_front_is_drawn_as_stairs_that_take_no_clicks() -> None:
    front = [row(1_000, 0.5), row(2_000, 0.9)]
    shown = traces(figures.trade_off_plane({"prune": front}, {}, LIGHT, front=front))
    assert shown["Pareto front"].line.shape == "hv"
    assert shown["Pareto front"].hoverinfo == "skip"
    assert list(shown["Pareto front"].x) == [1_000, 2_000]


def test_published_marks_bear_their_unit_and_no_recipe() -> None:
    shown = traces(figures.trade_off_plane({}, {}, LIGHT, published=PUBLISHED))
    assert list(shown) == ["published, real file", "published, bit accounting"]
    for trace, unit in zip(shown.values(), ("real file", "bit accounting"), strict=True):
        assert trace.text[0].endswith(unit)
        assert unit in trace.hovertemplate
        assert trace.customdata[0][0] is None
    assert (
        shown["published, real file"].marker.symbol
        != shown["published, bit accounting"].marker.symbol
    )


def test_no_two_curves_look_alike() -> None:
    styles = plane.styles(plane.families("digits-cnn")).values()
    assert len({style.symbol for style in styles}) == len(styles)
    assert len({(style.role, style.dash) for style in styles}) == len(styles)


def test_colours_say_what_is_done() -> None:
    roles = {name: style.role for name, style in figures.curve_styles(KINDS).items()}
    assert roles == {
        "prune": "pruned",
        "quantize": "quantized",
        "factorize": "kept",
        "prune_nm": "pruned",
        "both": "compressed",
        CONTROL: "original",
    }


def test_the_closer_look_shows_the_best_and_what_they_cost() -> None:
    rows = [row(100, 0.1), row(1_000, 0.88), row(10_000, 0.9)]
    shown = figures.trade_off_plane({"prune": rows}, {}, LIGHT)
    figures.look_closer(shown, 0.9)
    low, high = shown.layout.yaxis.range
    assert low == pytest.approx(0.85)
    assert 0.9 < high < 0.91
    left, right = shown.layout.xaxis.range  # powers of ten
    assert 2.8 < left < 3 < 4 < right < 4.2


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1_000, 2_000_000], {"1k", "2k", "5k", "10k", "500k", "1M", "2M"}),
        ([10_000, 40_000], {"10k", "15k", "20k", "30k", "50k"}),
        ([0.01, 0.04], {"0.01", "0.015", "0.02"}),
        ([], {"1"}),
    ],
)
def test_ticks_are_round_numbers(values: list[float], labels: set[str]) -> None:
    ticks = log_ticks(values)
    assert labels <= set(ticks["ticktext"])
    assert len(ticks["tickvals"]) == len(ticks["ticktext"])


def test_what_is_left_is_named_with_its_share() -> None:
    shown = figures.cost_after({"bytes": 0.04, "time (p50)": 2.3}, LIGHT)
    assert list(shown.data[0].y) == ["bytes: 4%", "time (p50): 230%"]
    assert shown.layout.xaxis.range[1] > 2.3


def test_y_is_the_metric_that_was_measured() -> None:
    errors = [
        {"metric": "relative_error", "relative_error": 0.2, "relative_error_low": 0.1}
        | {"relative_error_high": 0.4, "stored_bytes": 100, "id": "", "words": "original"}
    ]
    shown = figures.trade_off_plane({}, {"original": errors}, LIGHT)
    assert shown.layout.yaxis.title.text == "relative error"
    assert shown.layout.yaxis.tickformat is None  # no share, no percent
    assert list(shown.data[0].y) == [0.2]
    assert list(shown.data[0].error_y.array) == pytest.approx([0.2])


def test_rows_of_two_metrics_do_not_compare() -> None:
    with pytest.raises(ValueError, match="accuracy, agreement do not compare"):
        figures.metric_of([[row(100, 0.9)], [row(200, 0.9, metric="agreement")]])


def test_of_an_error_the_least_is_on_the_front() -> None:
    errors = [
        {"metric": "relative_error", "relative_error": value, "stored_bytes": cost}
        for cost, value in ((100, 0.5), (200, 0.3), (300, 0.4))
    ]
    assert plane.front(errors, AXES["bytes"]) == errors[:2]


LOST = row(100, 0.88, difference=-0.02, difference_low=-0.03, difference_high=0.01, n=200)
GAINED = row(200, 0.91, difference=0.01, difference_low=-0.01, difference_high=0.03, n=200)


def test_what_loses_nothing_stands_below_half_an_image() -> None:
    losses = figures.losses_of([LOST, GAINED])
    assert losses.floor == 100 / (2 * 200)
    assert [losses.value(LOST), losses.value(GAINED)] == pytest.approx([2, 0.25])
    assert [losses.value(LOST, bound) for bound in ("_low", "_high")] == pytest.approx([0.25, 3])


def test_the_loss_axis_is_log_upside_down_and_names_its_floor() -> None:
    losses = figures.losses_of([LOST, GAINED])
    place = Place(AXES["bytes"], losses)
    shown = figures.trade_off_plane({"prune": [LOST, GAINED]}, {}, LIGHT, place=place)
    (trace,) = shown.data
    assert list(trace.y) == pytest.approx([2, 0.25])
    assert trace.customdata[1][2] == "+1.00 points"
    axis = shown.layout.yaxis
    assert (axis.type, axis.autorange) == ("log", "reversed")
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True))[0.25] == "no loss"
    assert axis.title.text == "accuracy: points lost against the original (log)"


def test_of_an_error_more_is_a_loss() -> None:
    rows = [
        {"metric": "relative_error", "difference": difference, "n": 10}
        for difference in (0.4, 0.1, -0.2)
    ]
    losses = figures.losses_of(rows)
    assert losses.floor == pytest.approx(0.05)
    assert [losses.value(row) for row in rows] == pytest.approx([0.4, 0.1, 0.05])
