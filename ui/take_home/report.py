"""A report in one HTML file: it needs no network, no server and none of our code to be read."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from plotly.offline import get_plotlyjs

from compress_core.leaving.report import FileFacts, ReportFacts
from compress_core.measurement.ledger import finding
from compress_core.measurement.report import LayerRow
from compress_core.recipe import to_json
from compress_core.wording.ledger import ledger_in_words
from ui import language, palette, words
from ui.core_sentences import of_core
from ui.language import _
from ui.take_home import drawings
from ui.take_home.drawings import Drawing
from ui.take_home.html import Html, element, join, table

HERE = Path(__file__).parent
STYLE, SCRIPT = (HERE / "report.css").read_text(), (HERE / "report.js").read_text()
NONE = "—"


def html_report(facts: ReportFacts) -> str:
    """The whole file, about 5 MB, nearly all of it Plotly's own script.

    Its policy lets it load nothing and run nothing but the two scripts that it holds.
    """
    sections = [section for section in _sections(facts) if section]
    plots = [plot for section in sections for plot in section.plots]
    scripts = [Html(get_plotlyjs()), Html(SCRIPT)]
    head = join(
        Html('<meta charset="utf-8">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        element("title", facts.title),
        element("style", Html(STYLE)),
    )
    data = element("script", _figures(plots), type="application/json", id="figures")
    body = join(
        element("main", *(section.html for section in sections)),
        data,
        *(element("script", script) for script in scripts),
    )
    page = element("html", element("head", head), element("body", body), lang=language.current())
    return f"<!doctype html>\n{page}\n"


def _policy(scripts: Iterable[str]) -> str:
    """Plotly writes styles while it draws, and gives pictures as blobs; nothing else is allowed."""
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(f"'sha256-{_sha256(script)}'" for script in scripts),
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {allowed}" for name, allowed in rules.items())


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _figures(plots: Iterable[Drawing]) -> Html:
    """The plots in both themes, as JSON that cannot end its element."""
    themes = {"light": palette.LIGHT, "dark": palette.DARK}
    drawn = {
        plot.id: {
            theme: json.loads(plot.draw(colors).to_json()) for theme, colors in themes.items()
        }
        for plot in plots
    }
    return Html(json.dumps(drawn, separators=(",", ":")).replace("<", "\\u003c"))


class Section:
    """A part of the page and the plots that stand in it."""

    def __init__(self, title: str, *parts: Html | Drawing | None) -> None:
        self.plots = [part for part in parts if isinstance(part, Drawing)]
        shown = (_figure(part) if isinstance(part, Drawing) else part for part in parts if part)
        self.html = element("section", element("h2", title), *shown)


def _figure(plot: Drawing) -> Html:
    """The tables beside it say the same to those who do not see it."""
    caption = element("figcaption", plot.caption, id=f"{plot.id}-caption")
    place = element("div", id=plot.id)
    return element("figure", place, caption, aria_labelledby=f"{plot.id}-caption")


class Heading(Section):
    """The title, what was done, and to which network."""

    def __init__(self, facts: ReportFacts) -> None:
        self.plots = []
        about = _("{model}, {day}", model=facts.size.model, day=facts.day.isoformat())
        steps = [element("li", words.describe(step)) for step in facts.recipe]
        recipe = element("ol", *steps) if steps else element("p", words.describe_recipe(()))
        text = json.dumps(to_json(facts.recipe), indent=2)
        self.html = element(
            "header",
            element("h1", facts.title),
            element("p", about, class_="about"),
            element("h2", _("The recipe")),
            recipe,
            element("details", element("summary", _("as JSON")), element("pre", text)),
        )


def _sections(facts: ReportFacts) -> Iterator[Section | None]:
    yield Heading(facts)
    yield Section(_("The numbers"), _numbers(facts), drawings.plane(facts))
    yield Section(_("Layers"), drawings.layer_bytes(facts), _layers(facts.size.layers))
    yield Section(_("Weights"), *drawings.histograms(facts))
    verdict = ledger_in_words(finding(facts.ledger, facts.size.sparsity))
    yield Section(
        _("The byte ledger"),
        element("p", verdict, class_="verdict"),
        drawings.ledger(facts),
        _ledger(facts),
    )
    yield Section(_("Stage by stage"), drawings.waterfall(facts), _stages(facts))
    yield Section(_("Measured files"), _files(facts.files)) if facts.files else None
    yield _again(facts)
    versions = [(name, number) for name, number in facts.versions.items()]
    yield Section(_("Made with"), table(_("Versions"), [_("package"), _("version")], versions))


def _numbers(facts: ReportFacts) -> Html:
    size = facts.size
    rows: list[tuple[object, ...]] = list(_scores(facts))
    rows += [
        (_("bytes of the stored file"), f"{size.stored_bytes:,}", f"{size.original_bytes:,}", ""),
        (_("compression ratio"), words.ratio(size.compression_ratio), "1×", ""),
        (
            _("zeros among the stored weights"),
            words.percent(size.sparsity),
            NONE,
            _(
                "of the layers that methods reach: {share} of the parameters",
                share=words.percent(size.coverage.fraction),
            ),
        ),
        (_("MACs of one input"), f"{size.macs:,}", f"{size.original_macs:,}", ""),
    ]
    head = [_("quantity"), _("compressed"), _("original"), _("note")]
    return table(_("Before and after"), head, rows)


def _scores(facts: ReportFacts) -> Iterator[tuple[object, ...]]:
    score, baseline, change = facts.score, facts.baseline, facts.change
    if score is None or baseline is None or change is None:
        yield _("accuracy"), _("not measured"), NONE, ""
        return
    low, high = (words.measured(score.metric, bound, 2) for bound in (score.low, score.high))
    note = _("95 % interval {low} … {high}, n = {n:,}", low=low, high=high, n=score.n)
    values = [words.measured(score.metric, found.value, 2) for found in (score, baseline)]
    yield (
        words.metric(score.metric),
        *values,
        join(note, "; " if facts.reason else "", of_core(facts.reason)),
    )
    low, high = (
        words.point_change(score.metric, bound)
        for bound in (change.difference_low, change.difference_high)
    )
    shown = words.point_change(score.metric, change.difference)
    yield _("change"), shown, NONE, _("95 % interval {low} … {high}, paired", low=low, high=high)


def _layers(layers: Iterable[LayerRow]) -> Html:
    head = [
        *(_("layer"), _("shape"), _("bits"), _("zeros"), _("rank")),
        *(_("bytes before"), _("bytes after"), _("SQNR, dB"), "MACs", _("stored as")),
    ]
    return table(_("Each layer as stored"), head, [_layer(row) for row in layers])


def _layer(row: LayerRow) -> tuple[object, ...]:
    return (
        *(row.name, words.shape(row.shape), row.bits, words.percent(row.sparsity)),
        NONE if row.rank is None else ", ".join(map(str, row.ranks)),
        *(f"{row.original_bytes:,}", f"{row.bytes:,}"),
        NONE if row.sqnr_db is None else f"{row.sqnr_db:.1f}",
        *(f"{row.macs:,}", ", ".join(row.encodings)),
    )


def _ledger(facts: ReportFacts) -> Html:
    rows = [
        (_(of_core(row.name)), f"{row.total_bytes:,}", of_core(row.note))
        for row in facts.ledger
        if row.total_bytes is not None
    ]
    return table(_("Bytes of the whole model"), [_("stored as"), _("bytes"), _("note")], rows)


def _stages(facts: ReportFacts) -> Html:
    rows = [(_(stage.name), f"{stage.file_bytes:,}") for stage in facts.stages]
    return table(_("The file after each stage"), [_("stage"), _("bytes of the file")], rows)


def _files(files: Iterable[FileFacts]) -> Html:
    head = [_("file"), _("bytes"), _("measured on this file"), _("ms for one input"), _("note")]
    rows = [
        (
            *(file.name, NONE if file.bytes is None else f"{file.bytes:,}"),
            words.score(file.score),
            *(NONE if file.latency_ms is None else f"{file.latency_ms:.3f}", of_core(file.note)),
        )
        for file in files
    ]
    return table(_("Files for other programs"), head, rows)


def _again(facts: ReportFacts) -> Section | None:
    """How to do it again; None for a network that no script can build."""
    parts = {_("In Python"): facts.script, _("On the command line"): facts.command}
    shown = [
        join(element("h3", title), element("pre", text)) for title, text in parts.items() if text
    ]
    return Section(_("Do it again"), *shown) if shown else None
