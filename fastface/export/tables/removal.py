"""Remove videos from the tables of an existing answer.

`commands.removal.forget` calls it. Each table is replaced atomically.
"""

import csv
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from fastface.csv_cells import write_csv
from fastface.export.tables.results import write_span_objects
from fastface.names import text_cell, valid_text

_HITS, _CROPS = "hits.csv", "crops/crops.csv"
_TABLES = ("spans.csv", _HITS, "review.csv", "bank_growth.csv", _CROPS)


@dataclass(frozen=True, slots=True)
class TableCounts:
    """Rows of an answer's tables after a removal."""

    removed: int  # rows of all CSV tables that were removed
    hits: int
    spans: int
    clips: int
    crops: int


def remove_videos(answer: Path, videos: Collection[str]) -> TableCounts:
    """Remove the rows of some videos from the CSV tables and from spans.json.

    Args:
        answer: Folder of the tables; missing tables are skipped.
        videos: Names of the videos in OUT.

    Raises:
        SpaceError: No space is left; each table is unchanged, or without the videos.
    """
    cells = {text_cell(name) for name in videos}
    kept, removed = dict.fromkeys(_TABLES, 0), 0
    for name in _TABLES:
        if (answer / name).is_file():
            kept[name], num_removed = _filter_table(answer / name, cells)
            removed += num_removed
    spans = _filter_spans(answer / "spans.json", {valid_text(name) for name in videos})
    clips = sum(bool(span["clip"]) for span in spans)
    return TableCounts(removed, kept[_HITS], len(spans), clips, kept[_CROPS])


def _filter_table(path: Path, cells: Collection[str]) -> tuple[int, int]:
    """Remove the rows of some videos; return the numbers of kept and removed rows."""
    is_kept = [row is not None for row in _iterate_rows(path, cells)][1:]
    if not all(is_kept):
        rows = (row for row in _iterate_rows(path, cells) if row is not None)
        write_csv(path, next(rows), rows)
    return sum(is_kept), len(is_kept) - sum(is_kept)


def _iterate_rows(path: Path, cells: Collection[str]) -> Iterator[list[str] | None]:
    """Yield the header, then each row; None in place of a row of one of the videos."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        yield header
        place = header.index("video") if "video" in header else len(header)
        for row in reader:
            yield None if place < len(row) and row[place] in cells else row


def _filter_spans(path: Path, videos: Collection[str]) -> list[dict[str, object]]:
    """Remove the spans of some videos from spans.json; return the kept spans."""
    if not path.is_file():
        return []
    spans = json.loads(path.read_text(encoding="utf-8"))
    kept = [span for span in spans if span["video"] not in videos]
    if len(kept) < len(spans):
        write_span_objects(path, kept)
    return kept
