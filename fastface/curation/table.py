r"""curation.csv: a row for every source picture, with its measures, and why it is in the set or not.

As the tables of a run: RFC 4180, UTF-8, lines end with CR LF, fixed decimals and `.` as the point; a byte of a name
that is no UTF-8 reads `\xe9`, and a text that a spreadsheet would run as a formula gets an apostrophe in front. Cells
of what was not measured are empty.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastface.curation.candidates import Candidate, exposure
from fastface.files import atomic_path
from fastface.names import text_cell

__all__ = ["COLUMNS", "write_curation"]

_PICTURE_COLUMNS = ("width", "height", "mean", "crushed", "blown", "exposure", "border", "text", "phash", "sha256")
_FACE_COLUMNS = ("framing", "pose", "scene", "similarity", "det_score", "yaw", "face_share", "score")
COLUMNS = ("file", "kept", "name", "reason", *_FACE_COLUMNS, "sharpness", *_PICTURE_COLUMNS)


def write_curation(path: Path, candidates: Iterable[Candidate]) -> None:
    """Writes the table, a row a candidate in the given order, for its owner's eyes only.

    Raises:
        SpaceError: No space is left.
    """
    with atomic_path(path, private=True) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_cells, candidates))


def _cells(candidate: Candidate) -> Sequence[str]:
    kept = "yes" if candidate.is_kept else "no"
    reason = "; ".join(text for text in (candidate.reason, candidate.remark) if text)
    texts = (str(candidate.source.path), kept, candidate.name, reason)
    sharpness = ""
    if candidate.looked is not None:
        sharpness = _decimal(candidate.seen.measures.sharpness, 1)
    if candidate.face is not None:
        sharpness = _decimal(candidate.face.sharpness, 1)
    return *map(text_cell, texts), *_face_cells(candidate), sharpness, *_picture_cells(candidate)


def _face_cells(candidate: Candidate) -> Sequence[str]:
    face = candidate.face
    if face is None:
        return ("",) * len(_FACE_COLUMNS)
    similarity = "" if candidate.similarity is None else _decimal(candidate.similarity)
    numbers = (similarity, _decimal(face.det_score), _decimal(face.yaw, 1), _decimal(face.share))
    return candidate.framing, candidate.pose, str(candidate.scene), *numbers, _decimal(candidate.score)


def _picture_cells(candidate: Candidate) -> Sequence[str]:
    if candidate.looked is None:
        return ("",) * len(_PICTURE_COLUMNS)
    measures = candidate.looked.measures
    shares = (measures.mean, measures.crushed, measures.blown, exposure(measures), measures.border, measures.text)
    return *map(str, measures.size), *map(_decimal, shares), f"{measures.phash:016x}", candidate.looked.sha256


# The `z` turns a negative zero, which rounding makes of tiny negative numbers, into zero.
def _decimal(value: float, decimals: int = 4) -> str:
    return f"{value:z.{decimals}f}"
