"""Thousands of tensors as some dozens of rows."""

from pathlib import Path

from compress_core.checkpoint import Entry, group_entries


def entry(name: str, shape: tuple[int, ...] = (2, 3), dtype: str = "BF16") -> Entry:
    return Entry(name, shape, dtype, 12, Path("a"), 0)


def test_numbers_in_names_become_one_row() -> None:
    names = [f"model.layers.{i}.mlp.up_proj.weight" for i in range(32)]
    (group,) = group_entries(map(entry, names))
    assert group.pattern == "model.layers.*.mlp.up_proj.weight"
    assert (group.count, group.params, group.bytes) == (32, 32 * 6, 32 * 12)


def test_experts_of_all_layers_are_one_row() -> None:
    names = [f"model.layers.{i}.mlp.experts.{e}.w1.weight" for i in range(3) for e in range(4)]
    (group,) = group_entries(map(entry, names))
    assert group.pattern == "model.layers.*.mlp.experts.*.w1.weight"
    assert group.count == 12


def test_digits_inside_of_a_word_stay() -> None:
    groups = group_entries([entry("conv1.weight"), entry("conv2.weight"), entry("h.0.w1")])
    assert [group.pattern for group in groups] == ["conv1.weight", "conv2.weight", "h.0.w1"]


def test_another_shape_or_type_is_another_row() -> None:
    entries = [entry("h.0"), entry("h.1"), entry("h.2", (4, 3)), entry("h.3", dtype="F32")]
    assert [group.pattern for group in group_entries(entries)] == ["h.*", "h.2", "h.3"]


def test_twenty_thousand_tensors_are_grouped_at_once() -> None:
    names = [f"model.layers.{i}.experts.{e}.w" for i in range(100) for e in range(200)]
    assert len(group_entries(map(entry, names))) == 1
