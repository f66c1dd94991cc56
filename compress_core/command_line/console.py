"""Tables and progress bars of the command line. Percent and kilobytes exist only from here on."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from compress_core.measurement.report import LayerRow, Report
from compress_core.measurement.scores import Score
from compress_core.measurement.speed import Speed
from compress_core.recipe import format_step, from_json
from compress_core.search.farthest import Farthest
from compress_core.tasks import METRICS, MetricName
from compress_core.weights import Coverage
from compress_core.wording.numbers import percent
from compress_core.wording.speed import speed_in_words

LITTLE_MISSED = 0.95  # from this coverage on, the table does not mention it
NAMED_KEYS = 3
T = TypeVar("T")


class Bars:
    """Progress bars on standard error; a pipe or a log gets none."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def epoch_reporter(self, title: str) -> Callable[[int, float, float], None]:
        """A callback (epoch, fraction, loss) that moves one bar an epoch."""
        task = self._progress.add_task(title, total=1.0)

        def report(epoch: int, fraction: float, loss: float) -> None:
            text = f"{title} epoch {epoch + 1}, loss {loss:.3f}"
            self._progress.update(task, completed=fraction, description=text)

        return report

    def fraction(self, title: str, fraction: float, text: str = "") -> None:
        """Move the bar called `title`, or make it; `text` stands on it in place of the title."""
        if title not in self._tasks:
            self._tasks[title] = self._progress.add_task(title, total=1.0)
        self._progress.update(self._tasks[title], completed=fraction, description=text or title)

    def say(self, line: str) -> None:
        """A line above the bars; a pipe or a log gets none."""
        if not self._progress.disable:
            self._progress.console.print(line, highlight=False)

    def track(self, items: Iterable[T], total: int, title: str) -> Iterator[T]:
        return iter(self._progress.track(items, total=total, description=title))


@contextmanager
def progress() -> Iterator[Bars]:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as shown:
        yield Bars(shown)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table; the first column is text, the others are numbers and stand to the right."""
    table = Table(title=title or None, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console().print(table)


class Printer(Console):
    """rich's console, but a closed pipe raises BrokenPipeError instead of ending the process."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def _console() -> Console:
    # a pipe has no width: wrap nothing there, so that grep and diff see whole lines
    return Printer() if sys.stdout.isatty() else Printer(width=160)


def say(text: str) -> None:
    """One sentence below a table."""
    _console().print(text, highlight=False)


def show_fields(fields: Mapping[str, Any]) -> None:
    print_table(("field", "value"), [(name, field(value)) for name, value in fields.items()])


def field(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def show_models(rows: Sequence[Mapping[str, Any]]) -> None:
    columns = ("model", "data", "parameters", "test error", "n", "what")
    print_table(
        columns,
        [
            (
                row["model"],
                row["dataset"],
                f"{row['parameters']:,}",
                percent(1 - row["test_accuracy"], 2),
                f"{row['test_n']:,}",
                row["description"],
            )
            for row in rows
        ],
    )


def show_report(report: Report, *, written: Path | None = None, told: Sequence[str] = ()) -> None:
    size = report.size
    columns = ("layer", "shape", "sparsity", "bits", "rank", "bytes", "of", "SQNR dB", "MACs")
    print_table(
        columns,
        [
            (
                row.name,
                " x ".join(map(str, row.shape)),
                percent(row.sparsity),
                str(row.bits) if row.input_bits is None else f"{row.bits}, in {row.input_bits}",
                "x".join(map(str, row.ranks)) or "full",
                f"{row.bytes:,}",
                f"{row.original_bytes:,}",
                noise(row),
                f"{row.macs:,}",
            )
            for row in size.layers
        ],
        title=f"{size.model}: {steps_of(report.recipe)}",
    )
    print_table(
        ("measured", "value", "and"),
        [
            *score_rows(report),
            *(("about the data", "", sentence) for sentence in told),
            ("stored bytes", f"{size.stored_bytes:,}", f"of {size.original_bytes:,}"),
            ("compression ratio", f"{size.compression_ratio:.2f}x", "original / stored bytes"),
            ("sparsity", percent(size.sparsity), "of stored weights"),
            *coverage_rows(size.coverage),
            ("MACs", f"{size.macs:,}", f"of {size.original_macs:,}"),
        ],
    )
    if report.skipped:
        print_table(
            ("left out", "of", "because it"),
            [(out.layer, format_step(out.step), out.reason) for out in report.skipped],
        )
    if written:
        _console().print(f"wrote {written}: {size.stored_bytes:,} bytes", highlight=False)


def coverage_rows(coverage: Coverage) -> list[tuple[str, str, str]]:
    """A row that names the largest parameters that no method reaches, if coverage is low."""
    if coverage.fraction >= LITTLE_MISSED:
        return []
    largest = sorted(coverage.unreached, key=lambda pair: -pair[1])
    named = ", ".join(f"{key} ({count:,})" for key, count in largest[:NAMED_KEYS])
    more = f" and {len(largest) - NAMED_KEYS} more" if len(largest) > NAMED_KEYS else ""
    return [("coverage", percent(coverage.fraction), f"of parameters; not {named}{more}")]


def show_speed(speed: Speed) -> None:
    """Times and MACs before and after, and the reason if they disagree."""
    both = (("before", speed.before, speed.original_macs), ("after", speed.after, speed.macs))
    print_table(
        ("one pass", "p50 ms", "p95 ms", "runs", "MACs"),
        [
            (
                name,
                f"{latency.latency_ms_p50:.4f}",
                f"{latency.latency_ms_p95:.4f}",
                str(latency.runs),
                f"{macs:,}",
            )
            for name, latency, macs in both
        ],
        title="onnxruntime, one thread",
    )
    _console().print(speed_in_words(speed), highlight=False)


def score_rows(report: Report) -> list[tuple[str, str, str]]:
    """The metric with its interval, and its change against the original."""
    score, change = report.score, report.change
    shift, low, high = (
        f"{100 * value:+.2f}" if score.kind.is_share else f"{value:+.4g}"
        for value in (change.difference, change.difference_low, change.difference_high)
    )
    return [
        (
            metric_name(score.metric),
            value_of(score, score.value, 2),
            f"{value_of(score, score.low)} … {value_of(score, score.high)}, n = {score.n:,}, "
            f"{score.kind.unit}",
        ),
        (
            "change",
            f"{shift} points" if score.kind.is_share else shift,
            f"{low} … {high}, baseline {value_of(score, report.baseline.value, 2)}",
        ),
        ("why this metric", "", report.reason),
    ]


def metric_name(metric: str) -> str:
    return metric.replace("_", " ")


def value_of(score: Score, value: float, digits: int = 1) -> str:
    """A share in percent, another number as it is."""
    return percent(value, digits) if score.kind.is_share else f"{value:.4g}"


def noise(row: LayerRow) -> str:
    if row.shape != row.original_shape:
        return "smaller"
    return "exact" if row.sqnr_db is None else f"{row.sqnr_db:.1f}"


def show_sweep(rows: Sequence[Mapping[str, Any]], *, told: Sequence[str] = ()) -> None:
    metric: MetricName = rows[0]["metric"] if rows else "accuracy"
    is_share = METRICS[metric].is_share
    columns = ("family", "recipe", metric_name(metric), "change", "bytes", "ratio", "MACs")
    print_table(
        columns,
        [
            (
                row["family"],
                steps_of(row["recipe"]),
                percent(row[metric], 2) if is_share else f"{row[metric]:.4g}",
                f"{100 * row['difference']:+.2f}" if is_share else f"{row['difference']:+.4g}",
                f"{row['stored_bytes']:,}",
                f"{row['compression_ratio']:.2f}x",
                f"{row['macs']:,}",
            )
            for row in rows
        ],
    )
    print_sentences(told)


def print_sentences(told: Sequence[str]) -> None:
    for sentence in told:
        _console().print(sentence, highlight=False, soft_wrap=True)


def show_farthest(model: str, found: Farthest, *, told: Sequence[str] = ()) -> None:
    """All settings that are known, and the strongest that loses little enough."""
    share = METRICS[found.metric].is_share

    def loss(value: float | None) -> str:
        if value is None:
            return "refused"
        return f"{100 * value:.2f}" if share else f"{value:.4g}"

    unit = "points lost" if share else f"{metric_name(found.metric)}, more"
    print_table(
        (found.field, unit, "from", "to (95 %)", "bytes", ""),
        [
            (
                f"{tried.number:g}",
                *map(loss, (tried.lost, tried.lost_low, tried.lost_high)),
                "" if tried.stored_bytes is None else f"{tried.stored_bytes:,}",
                "farthest" if tried == found.best else "",
            )
            for tried in found.tried
        ],
        title=f"{model}, {found.n:,} inputs: less than {loss(found.allowed)} lost",
    )
    best = found.best.recipe if found.best else "none of these loses so little"
    print_sentences([f"farthest: {best}", *told])


def show_ledger(ledger: Mapping[str, Any]) -> None:
    """All encodings with their files' sizes, then their bytes by layer, then the verdict."""
    rows = ledger["rows"]
    dense = rows[0]["total_bytes"]
    print_table(
        ("encoding", "bytes", "of fp32", "what"),
        [
            (
                row["name"],
                "-" if row["total_bytes"] is None else f"{row['total_bytes']:,}",
                "-" if row["total_bytes"] is None else percent(row["total_bytes"] / dense),
                row["note"],
            )
            for row in rows
        ],
        title=f"{ledger['model']}: {steps_of(ledger['recipe'])}",
    )
    shown = [row for row in rows if row["layer_bytes"]]
    lines = [(name, [row["layer_bytes"][name] for row in shown]) for name in rows[0]["layer_bytes"]]
    lines.append(("rest, header", [row["rest_bytes"] for row in shown]))
    print_table(
        ("bytes", *(row["name"] for row in shown)),
        [(name, *(f"{count:,}" for count in counts)) for name, counts in lines],
    )
    _console().print(ledger["verdict"], highlight=False)


def steps_of(recipe: dict[str, Any]) -> str:
    return " → ".join(format_step(step) for step in from_json(recipe)) or "untouched"
