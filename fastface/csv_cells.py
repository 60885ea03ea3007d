"""Write and read CSV files, and format their cells: RFC 4180, digits independent of the locale.

All tables use it; `tables` describes the whole format.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path

from fastface.files import atomic_path

Cells = Sequence[str | int]
"""One row. Texts of users have passed through `names.text_cell`."""


def write_csv(path: Path, columns: Cells, rows: Iterable[Cells], *, private: bool = False) -> int:
    """Write a table, header first, atomically; return the number of its rows.

    Raises:
        SpaceError: No space is left.
    """
    count = 0
    with open_csv(path, columns, private=private) as write_row:
        for row in rows:
            write_row(row)
            count += 1
    return count


@contextmanager
def open_csv(path: Path, columns: Cells, *, private: bool = False) -> Iterator[Callable[[Cells], object]]:
    """Write a table row by row, header first; the file appears when the context ends without an error.

    Raises:
        SpaceError: No space is left.
    """
    with atomic_path(path, private=private) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns)
        yield writer.writerow


def read_csv(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of some columns of each row, in this order; the table is read row by row.

    Args:
        path: A table of fastface, header first.
        columns: Names of at least two columns.

    Raises:
        OSError: The file cannot be read.
        ValueError: It lacks a column, has a row with another number of cells, is not UTF-8, or no CSV.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        try:
            header = next(reader, [])
            take = itemgetter(*(header.index(name) for name in columns))
            for row in reader:
                if len(row) != len(header):
                    raise ValueError(f"{len(row)} cells in a row of {len(header)} columns")
                yield take(row)
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error


def format_csv(rows: Iterable[Cells]) -> str:
    """Return rows as the text of a table; a header is a row."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


# The `z` turns a negative zero, the rounding of tiny negative numbers, into zero.
def seconds_cell(value: float) -> str:
    """Format seconds with three decimals."""
    return f"{value:z.3f}"


def clock_cell(value: float) -> str:
    """Format seconds as `h:mm:ss.mmm`, which players and spreadsheets show."""
    thousandths = round(max(value, 0.0) * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"


def score_cell(value: float) -> str:
    """Format a similarity, a quality or a share with four decimals."""
    return f"{value:z.4f}"


def pixels_cell(value: float) -> str:
    """Format a coordinate in pixels with one decimal."""
    return f"{value:z.1f}"
