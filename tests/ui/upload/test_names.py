"""Names of uploaded files: text that may be shown, whatever was sent."""

import time

import pytest

from ui.upload.names import LONGEST, clean_name, suffix_of


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("net.onnx", "net.onnx"),
        ("größe 层.onnx", "größe 层.onnx"),
        ("cats/1.png", "cats/1.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("..\\..\\net.onnx", "net.onnx"),
        ("/etc/./passwd", "etc/passwd"),
        ("a\nb\r\tc\0.onnx", "a b c .onnx"),
        ("photo\u202egnp.onnx", "photo gnp.onnx"),  # right-to-left override
        ("zero\u200bwidth.onnx", "zero width.onnx"),
        ("half\ud800.onnx", "half .onnx"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("\0/\u202e", "unnamed"),
    ],
)
def test_a_name_is_shown_without_what_cannot_be_seen(sent: str, shown: str) -> None:
    assert clean_name(sent) == shown


def test_html_stays_text_for_whoever_escapes_it() -> None:
    assert clean_name("<b>net.onnx") == "<b>net.onnx"


def test_a_name_of_ten_megabytes_is_shortened_at_once_and_keeps_its_end() -> None:
    started = time.perf_counter()
    shown = clean_name("x" * 10_000_000 + ".onnx")
    assert time.perf_counter() - started < 0.1
    assert len(shown) == LONGEST
    assert shown.endswith("x.onnx")
    assert "…" in shown


def test_a_thousand_folders_are_the_last_eight() -> None:
    assert clean_name("a/" * 100 + "1.png") == "a/" * 7 + "1.png"


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("NET.ONNX", ".onnx"),
        ("model.safetensors.index.json", ".safetensors.index.json"),
        ("model.json", ".json"),
        ("net.onnx.exe", None),
        ("onnx", None),
    ],
)
def test_a_suffix_is_the_longest_accepted_one_as_we_spell_it(name: str, suffix: str | None) -> None:
    assert suffix_of(name, (".json", ".onnx", ".safetensors.index.json")) == suffix
