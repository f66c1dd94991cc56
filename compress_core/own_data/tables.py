"""Tables of numbers, CSV: a row an input, with a column of labels or without."""

import csv
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from compress_core.dataset import DataError
from compress_core.own_data.found import MOST_BYTES, Array, Found

MOST_TABLE_BYTES = 2**27
MOST_COLUMNS = 200_000
DELIMITERS = (";", "\t", ",", "|", " ")  # the first that occurs
LABEL_COLUMNS = ("label", "labels", "class", "target", "y")
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet runs
TEXT_FILES = "utf-8-sig"  # spreadsheets write its three bytes


def read_table(path: Path, features: int, outputs: int | None) -> Found:
    """Inputs (n, features) and labels (n,) of a CSV file.

    The labels are the column called label, class, target or y, else, where there is a column more
    than `features`, the last or the first if it holds whole numbers. Labels may be names.
    Raises DataError for texts and formulas, with row and column; for rows of several lengths.
    """
    delimiter, header, columns = _layout(path)
    label = _label_by_name(header)
    notes = [f"{columns} columns separated by {_said(delimiter)}"]
    values: Array
    if label is not None and not _is_numeric_column(path, delimiter, header, label):
        kept = [place for place in range(columns) if place != label]
        values, names = (
            _numbers(path, delimiter, header, kept),
            _texts(path, delimiter, header, label),
        )
        return Found((values,), names, notes=(*notes, f"labels: the column {header[label]!r}"))
    values = _numbers(path, delimiter, header, list(range(columns)))
    warnings: list[str] = []
    if label is None and columns == features + 1:
        label, warnings = _guess_label(values, outputs)
    if label is None:
        return Found((values,), notes=(*notes, "no column of labels"))
    called = repr(header[label]) if header else f"number {label + 1}"
    notes.append(f"labels: the column {called}")
    rest = np.delete(values, label, axis=1)
    return Found((rest,), values[:, label], notes=tuple(notes), warnings=tuple(warnings))


def _layout(path: Path) -> tuple[str, list[str], int]:
    """Delimiter, header (empty where there is none), and columns."""
    size = path.stat().st_size
    if size > MOST_TABLE_BYTES:
        raise DataError(
            f"{path.name} has {size:,} bytes, and a table of at most {MOST_TABLE_BYTES:,} is read; "
            "save it as .npz: numpy.savez(file, x=inputs, y=labels)"
        )
    first = _first_line(path)
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    beginning = list(itertools.islice(_cells(path, delimiter), 2))
    if not beginning:
        raise DataError(f"{path.name} has only empty cells; give it a row of numbers an input")
    columns = len(beginning[0])
    if columns > MOST_COLUMNS:
        raise DataError(
            f"{path.name} has {columns:,} columns, more than {MOST_COLUMNS:,}; "
            "give it a row for each input"
        )
    is_header = sum(not _is_number(cell) for cell in beginning[0]) * 2 > columns
    header = [cell.strip() for cell in beginning[0]] if is_header else []
    if header and len(beginning) < 2:
        raise DataError(f"{path.name} has a header and no row; give it a row for each input")
    return delimiter, header, columns


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding=TEXT_FILES) as file:
            lines = (line.strip() for line in iter(lambda: file.readline(2**24), ""))
            first = next((line for line in lines if line), "")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is no text in UTF-8 ({error.reason}); save it so") from error
    if not first:
        raise DataError(f"{path.name} is empty; give it a row of numbers for each input")
    if "\0" in first:
        raise DataError(f"{path.name} holds bytes that are no text; save it as CSV, or as .npz")
    return first


def _cells(path: Path, delimiter: str) -> Iterator[list[str]]:
    """The rows that are not empty, cell by cell."""
    with path.open(encoding=TEXT_FILES, newline="") as file:
        try:
            yield from (row for row in csv.reader(file, delimiter=delimiter) if any(row))
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path.name} is no CSV ({error}); save it anew") from error


def _label_by_name(header: Sequence[str]) -> int | None:
    lower = [name.lower() for name in header]
    return next((lower.index(name) for name in LABEL_COLUMNS if name in lower), None)


def _is_numeric_column(path: Path, delimiter: str, header: Sequence[str], column: int) -> bool:
    row = next(itertools.islice(_cells(path, delimiter), 1 if header else 0, None))
    return column >= len(row) or _is_number(row[column])


def _numbers(path: Path, delimiter: str, header: Sequence[str], columns: list[int]) -> Array:
    """(n, columns) float64. numpy reads it in C; where it cannot, the cell is looked for."""
    if not columns:
        raise DataError(f"{path.name} has labels and no inputs; give it columns of numbers")
    try:
        with path.open(encoding=TEXT_FILES) as file:  # of a name numpy would unpack .gz, too
            values = np.loadtxt(
                file,
                delimiter=delimiter,
                skiprows=_lines_before(path, header),
                usecols=columns,
                quotechar='"',
                comments=None,
                ndmin=2,
            )
    except (ValueError, IndexError, OverflowError) as error:
        raise _refusal(path, delimiter, header, columns, str(error)) from error
    if not np.isfinite(values).all():
        row, column = map(int, np.argwhere(~np.isfinite(values))[0])
        raise _bad_cell(path, header, row, columns[column], str(values[row, column]))
    if values.nbytes > MOST_BYTES:
        raise DataError(f"{path.name} holds more than {MOST_BYTES:,} bytes of numbers")
    return values


def _lines_before(path: Path, header: Sequence[str]) -> int:
    """Lines up to the header's end; numpy counts those that are empty, too."""
    if not header:
        return 0
    with path.open(encoding=TEXT_FILES) as file:
        return next(number for number, line in enumerate(file, 1) if line.strip())


def _refusal(
    path: Path, delimiter: str, header: Sequence[str], columns: list[int], reason: str
) -> DataError:
    width = None
    rows = itertools.islice(_cells(path, delimiter), 1 if header else 0, None)
    for number, row in enumerate(rows):
        width = width or len(row)
        if len(row) != max(width, len(header)):
            return DataError(
                f"{path.name}: row {number + 1} has {len(row)} cells, and the others have {width}; "
                "give each row the same columns"
            )
        for column in columns:
            if not _is_number(row[column]):
                return _bad_cell(path, header, number, column, row[column])
    return DataError(f"{path.name} cannot be read as numbers ({reason}); save it as .npz")


def _bad_cell(path: Path, header: Sequence[str], row: int, column: int, cell: str) -> DataError:
    called = repr(header[column][:40]) if header else str(column + 1)
    place = f"{path.name}: row {row + 1}, column {called} holds {cell[:40]!r}"
    if cell.strip().startswith(FORMULA):
        return DataError(f"{place}, a formula; save the values in its place")
    return DataError(f"{place}, which is no finite number; put numbers there, or leave the row out")


def _texts(path: Path, delimiter: str, header: Sequence[str], column: int) -> Array:
    """The cells (n,) of a column of names."""
    rows = itertools.islice(_cells(path, delimiter), 1 if header else 0, None)
    names = []
    for number, row in enumerate(rows):
        cell = row[column].strip() if column < len(row) else ""
        if not cell or cell.startswith(FORMULA):
            raise _bad_cell(path, header, number, column, cell)
        names.append(cell)
    return np.array(names)


def _guess_label(values: Array, outputs: int | None) -> tuple[int | None, list[str]]:
    """The column of labels where no name tells it: a last or first one that may be classes, and a
    warning where both may."""
    last = values.shape[1] - 1
    fitting = [column for column in (last, 0) if _may_be_classes(values[:, column], outputs)]
    if not fitting:
        return last, []
    if len(fitting) == 1:
        return fitting[0], []
    told = (
        "the first and the last column may both be labels, and the last is taken; give the column "
        "the name label in a header"
    )
    return last, [told]


def _may_be_classes(column: Array, outputs: int | None) -> bool:
    whole = bool((column == np.floor(column)).all() and column.min() >= 0)
    return whole and column.max() > column.min() and (outputs is None or column.max() < outputs)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def _said(delimiter: str) -> str:
    return {",": "commas", ";": "semicolons", "\t": "tabs", " ": "spaces"}.get(delimiter, delimiter)
