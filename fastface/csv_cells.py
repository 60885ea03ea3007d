"""Cells and files of the tables: RFC 4180, digits that do not depend on the locale. `tables` tells the whole form."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fastface.files import atomic_path

Cells = Sequence[str | int]
"""One row. Texts that users chose have gone through `names.text_cell`."""


def write_csv(path: Path, columns: Cells, rows: Iterable[Cells]) -> int:
    """Writes a table, header first, whole or not at all, and returns the number of its rows.

    Raises:
        SpaceError: No space is left.
    """
    count = 0
    with open_csv(path, columns) as write_row:
        for row in rows:
            write_row(row)
            count += 1
    return count


@contextmanager
def open_csv(path: Path, columns: Cells) -> Iterator[Callable[[Cells], object]]:
    """Write a table row by row, header first; the file is there once the context ends without an error.

    Raises:
        SpaceError: No space is left.
    """
    with atomic_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        yield writer.writerow


def format_csv(rows: Iterable[Cells]) -> str:
    """Return rows as the text of a table; a header is a row."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


# The `z` turns a negative zero, which rounding makes of tiny negative numbers, into zero.
def seconds_cell(value: float) -> str:
    """Seconds with three decimals."""
    return f"{value:z.3f}"


def clock_cell(value: float) -> str:
    """Seconds as `h:mm:ss.mmm`, which players and spreadsheets show."""
    thousandths = round(max(value, 0.0) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def score_cell(value: float) -> str:
    """A similarity, a quality or a share with four decimals."""
    return f"{value:z.4f}"


def pixels_cell(value: float) -> str:
    """A coordinate in pixels with one decimal."""
    return f"{value:z.1f}"
