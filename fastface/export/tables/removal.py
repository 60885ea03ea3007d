"""Remove videos from the tables of an answer that is written already."""

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
    """Removes the rows of some videos from the CSV tables and from spans.json.

    Args:
        answer: The folder with the tables; those that are not there are passed over.
        videos: Names of the videos in OUT.

    Raises:
        SpaceError: No space is left; each table is as before, or without the videos.
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
    """Removes the rows of some videos; returns the numbers of rows that are kept and removed."""
    is_kept = [row is not None for row in _iterate_rows(path, cells)][1:]
    if not all(is_kept):
        rows = (row for row in _iterate_rows(path, cells) if row is not None)
        write_csv(path, next(rows), rows)
    return sum(is_kept), len(is_kept) - sum(is_kept)


def _iterate_rows(path: Path, cells: Collection[str]) -> Iterator[list[str] | None]:
    """The header, then each row; None in place of a row of one of the videos."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        yield header
        place = header.index("video") if "video" in header else len(header)
        for row in reader:
            yield None if place < len(row) and row[place] in cells else row


def _filter_spans(path: Path, videos: Collection[str]) -> list[dict[str, object]]:
    """Removes the spans of some videos from spans.json; returns those that are kept."""
    if not path.is_file():
        return []
    spans = json.loads(path.read_text(encoding="utf-8"))
    kept = [span for span in spans if span["video"] not in videos]
    if len(kept) < len(spans):
        write_span_objects(path, kept)
    return kept
