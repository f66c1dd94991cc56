"""Names that other people chose, on the screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.shown import shown_name


@pytest.mark.parametrize("name", ["fc1.weight", "blocks.0.attn.qkv", "модель", "重み", "a b"])
def test_an_ordinary_name_is_shown_as_it_is(name: str) -> None:
    assert shown_name(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb\tc\0", r"a\nb\tc\x00"),
        ("safe\u202egnp", r"safe\u202egnp"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("<b>`x`</b>", "‹b›'x'‹/b›"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_could_act_is_written_out(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_of_a_long_name_both_ends_are_shown() -> None:
    shown = shown_name("begin." + "n" * 10_000_000 + ".end", length=30)
    assert len(shown) == 30
    assert shown.startswith("begin.")
    assert shown.endswith(".end")


@given(st.text(), st.integers(4, 100))
def test_every_text_is_printable_and_bounded(text: str, length: int) -> None:
    shown = shown_name(text, length)
    assert len(shown) <= length
    assert shown.isprintable()
    assert not set("<>`") & set(shown)
