"""The report is one file that loads nothing, says what the core measured, and escapes all names."""

import base64
import hashlib
import json
import re
from collections import OrderedDict
from datetime import date
from functools import cache
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

from compress_core.compressed import compress
from compress_core.data import load_dataset
from compress_core.leaving.report import FileFacts, ReportFacts, report_facts
from compress_core.measurement.report import measure
from compress_core.original import Original, load_model
from compress_core.recipe import parse_recipe
from ui.take_home.html import Html, element, join, table
from ui.take_home.report import html_report

HOSTILE = '<img src="https://evil.example/x" onerror=alert(1)>&"\'</script>'
VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """The elements of a page with attributes and texts; tags that do not match are refused."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def said(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


@cache
def digits_facts() -> ReportFacts:
    compressed = compress(
        load_model("digits-cnn"), parse_recipe("prune:sparsity=0.9;quantize:bits=4")
    )
    report = measure(compressed, load_dataset("digits"))
    files = [FileFacts("digits.onnx", 154_321, report.score, 0.123, "dense")]
    return report_facts(compressed, report, files=files, day=date(2026, 1, 2))


@cache
def digits_page() -> Page:
    return Page(html_report(digits_facts()))


def hostile_facts() -> ReportFacts:
    """A network whose name, layers, title and files are all written by somebody with ideas."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = OrderedDict({HOSTILE.replace(".", ""): nn.Linear(3, 4), "b": nn.Linear(4, 2)})
    original = Original(nn.Sequential(layers).eval(), (3,), name=HOSTILE)
    files = [FileFacts(HOSTILE, None, note=HOSTILE)]
    return report_facts(
        compress(original, parse_recipe("prune:sparsity=0.5")), title=HOSTILE, files=files
    )


def test_its_numbers_are_those_of_the_core() -> None:
    facts, cells = digits_facts(), digits_page().said("td")
    assert facts.score is not None
    assert f"{100 * facts.score.value:.2f} %" in cells
    for number in (facts.size.stored_bytes, facts.size.original_bytes, facts.size.macs):
        assert f"{number:,}" in cells
    for row in facts.size.layers:
        assert row.name in digits_page().said("th")
        assert f"{row.bytes:,}" in cells
    for stage in facts.stages:
        assert f"{stage.file_bytes:,}" in cells
    assert {"154,321", "0.123", "dense"} <= set(cells)


def test_the_recipe_stands_there_in_words_as_json_in_python_and_as_a_command() -> None:
    page = digits_page()
    assert page.said("li") == ["prune 90.0 % globally", "quantize to 4 bit, symmetric, per channel"]
    as_json, script, command = page.said("pre")
    assert [step["step"] for step in json.loads(as_json)["steps"]] == ["prune", "quantize"]
    assert script == digits_facts().script
    assert command == digits_facts().command


def test_it_has_headings_table_heads_and_words_for_each_plot() -> None:
    page = digits_page()
    assert len(page.of("h1")) == 1
    assert len(page.of("h2")) >= 8
    assert {attributes["scope"] for attributes in page.of("th")} == {"row", "col"}
    assert len(page.said("caption")) == len(page.of("table"))
    labels = [attributes["aria-labelledby"] for attributes in page.of("figure")]
    assert labels == [attributes["id"] for attributes in page.of("figcaption")]
    assert len(page.said("figcaption")) == 8
    assert page.of("html") == [{"lang": "en"}]


def test_every_plot_is_there_in_both_themes() -> None:
    (data,) = [text for tag, text in digits_page().texts if text.startswith('{"plane"')]
    plots = json.loads(data)
    assert list(plots) == [
        *("plane", "layers", "weights-0", "weights-1", "weights-2", "weights-3"),
        *("ledger", "waterfall"),
    ]
    assert all(plot.keys() == {"light", "dark"} for plot in plots.values())
    names = [trace["name"] for trace in plots["plane"]["light"]["data"]]
    assert {"prune", "quantize", "original", "present recipe"} <= set(names)


@pytest.mark.parametrize("facts", [digits_facts, hostile_facts])
def test_it_asks_nobody_for_anything(facts) -> None:
    page = Page(html_report(facts()))
    assert not {"link", "img", "iframe", "object", "embed", "base", "form"} & {
        tag for tag, _ in page.elements
    }
    for _tag, attributes in page.elements:
        assert not {"src", "href", "srcset", "action", "data"} & attributes.keys()
        assert not any(name.startswith("on") for name in attributes)
    assert not re.search(r"@import|url\(", "".join(page.said("style")))


def test_its_policy_lets_only_its_own_two_scripts_run() -> None:
    page = digits_page()
    policy = page.of("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.split(" ", 1) for rule in (policy["content"] or "").split("; "))
    assert rules["default-src"] == "'none'"
    scripts = [text for text in page.said("script") if not text.startswith('{"plane"')]
    hashes = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    assert rules["script-src"] == " ".join(f"'sha256-{found}'" for found in hashes)


def test_names_of_other_people_are_texts() -> None:
    page = Page(html_report(hostile_facts()))
    assert page.said("h1") == [HOSTILE]
    assert page.said("title") == [HOSTILE]
    assert HOSTILE.replace(".", "") in page.said("th")
    (data,) = [text for text in page.said("script") if text.startswith('{"layers"')]
    assert "<" not in data
    labels = json.loads(data)["layers"]["light"]["data"][0]["y"]
    assert not any("<" in label for label in labels)  # Plotly reads HTML of its own


def test_without_a_measurement_it_says_so() -> None:
    page = Page(html_report(hostile_facts()))
    assert "not measured" in page.said("td")
    assert "Do it again" not in page.said("h2")


def test_it_is_about_five_megabytes() -> None:
    assert 4e6 < len(html_report(digits_facts()).encode()) < 6e6


def test_what_is_no_html_is_escaped() -> None:
    assert element("p", "a < b", Html("<br>"), title='"') == '<p title="&quot;">a &lt; b<br></p>'
    assert join("<", 1) == "&lt;1"


def test_a_tables_first_column_names_its_rows() -> None:
    assert '<tr><th scope="row">a</th><td>1</td></tr>' in table("t", ["x", "y"], [("a", 1)])
