"""Figures of codes: traces, axis titles, and what they mark."""

import numpy as np

from compress_core.storage.entropy_coding import huffman_tree as tree_of
from ui.figures import (
    codebook_histogram,
    codebook_usage,
    coder_bars,
    context_classes,
    gap_strip,
    huffman_tree,
    symbol_histogram,
)
from ui.palette import LIGHT


def test_the_codebook_stands_as_ticks_under_the_histogram() -> None:
    counts, edges = np.histogram(np.linspace(-1, 1, 50), 10)
    figure = codebook_histogram(counts, edges, np.array([-0.5, 0.5]), LIGHT)
    bars, ticks = figure.data
    assert (figure.layout.xaxis.title.text, figure.layout.uirevision) == ("weight w", "keep")
    assert bars.marker.color == LIGHT.original
    assert (list(ticks.x), ticks.marker.color) == ([-0.5, 0.5], LIGHT.quantized)
    assert len(figure.layout.shapes) == 2


def test_many_entries_have_ticks_but_no_lines() -> None:
    counts, edges = np.histogram(np.linspace(-1, 1, 50), 10)
    figure = codebook_histogram(counts, edges, np.linspace(-1, 1, 100), LIGHT)
    assert len(figure.layout.shapes) == 0


def test_the_zeros_entry_has_the_colour_of_what_is_pruned() -> None:
    book, usage = np.array([-1.0, 0.0, 1.0]), np.array([3, 90, 7])
    entries, zero = codebook_usage(book, usage, LIGHT, own_zero=True).data
    assert (list(entries.y), list(zero.y), list(zero.x)) == ([3, 7], [90], [1])
    assert zero.marker.color == LIGHT.pruned


def test_a_mask_has_the_colours_of_pruned_and_kept() -> None:
    figure = symbol_histogram(
        ["pruned", "kept"], np.array([9, 1]), np.array([0.15, 3.3]), LIGHT, x="bit of the mask"
    )
    assert figure.data[0].marker.color == (LIGHT.pruned, LIGHT.kept)
    assert figure.layout.yaxis.title.text == "symbols (log)"


def test_the_coder_of_the_file_is_marked_and_the_bound_is_a_line() -> None:
    figure = coder_bars(
        ["packed", "ANS"], [100, 60], [4.0, 2.4], LIGHT, taken=[False, True], bound=2.35
    )
    bars, texts = figure.data
    assert bars.marker.color == (LIGHT.original, LIGHT.compressed)
    assert list(texts.text) == ["4.000 · 100 B", "2.400 · 60 B"]
    assert figure.layout.xaxis.title.text == "bits per weight"
    assert figure.layout.shapes[0].x0 == 2.35


def test_the_tree_has_its_leaves_from_left_to_right_and_marks_a_path() -> None:
    figure = huffman_tree(tree_of(np.array([5, 2, 1])), ["a", "b", "c"], LIGHT, path="10")
    branches, path, bits, inner, leaves = figure.data
    names = {note.x: note.text for note in figure.layout.annotations}
    assert names == {0: "a", 1: "b", 2: "c"}
    assert (list(leaves.x), list(leaves.y)) == ([0, 1, 2], [-1, -2, -2])
    assert sum(x is None for x in path.x) == 2  # two branches lead to "b"
    assert sum(x is None for x in branches.x) == 2
    assert path.line.color == LIGHT.compressed
    assert (sorted(bits.text), len(inner.x)) == (["0", "0", "1", "1"], 2)


def test_the_strip_shows_the_gap_above_what_is_stored() -> None:
    entries = np.array([False, True, True])
    unusual, stored = gap_strip(["0", "5", "7"], entries, ["", "2", "1"], 40, LIGHT).data
    assert (list(unusual.x), list(stored.x)) == ([40], [41, 42])
    assert (stored.text, stored.marker.color) == (("2", "1"), LIGHT.kept)


def test_contexts_are_classes_of_rows_and_columns() -> None:
    figure = context_classes(np.array([[0.0, 0.2], [0.1, 0.6]]), LIGHT)
    assert figure.layout.xaxis.title.text == "class of the input (column)"
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 0.6)
