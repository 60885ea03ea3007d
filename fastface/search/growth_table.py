"""bank_growth.csv: the faces of the videos that became references, and the evidence for each."""

import math
from collections.abc import Iterable
from pathlib import Path

from fastface.csv_cells import Cells, pixels_cell, score_cell, seconds_cell, write_csv
from fastface.names import text_cell
from fastface.types import GrownReference

__all__ = ["is_growth", "write_growth"]

_GROWTH_COLUMNS = (
    "target", "video", "time", "x1", "y1", "x2", "y2", "anchor", "track_evidence", "similarity", "margin",
    "quality", "yaw",
)  # fmt: skip


def write_growth(path: Path, rows: Iterable[GrownReference]) -> None:
    """Writes bank_growth.csv: the faces that became references, and what speaks for each; in the order of the rows.

    Raises:
        SpaceError: No space is left.
    """
    write_csv(path, _GROWTH_COLUMNS, map(_growth_cells, rows))


def is_growth(path: Path) -> bool:
    """Return whether a file is a table that `write_growth` wrote, by its first line."""
    with path.open("rb") as file:
        return file.readline() == (",".join(_GROWTH_COLUMNS) + "\r\n").encode()


def _growth_cells(added: GrownReference) -> Cells:
    margin = "" if math.isnan(added.margin) else score_cell(added.margin)
    scores = (score_cell(added.track_evidence), score_cell(added.similarity), margin, score_cell(added.quality))
    return (
        text_cell(added.target),
        text_cell(added.video_id),
        seconds_cell(added.time),
        *map(pixels_cell, added.box),
        text_cell(added.anchor),
        *scores,
        pixels_cell(added.yaw),
    )
