r"""Write the tables of a run: spans.csv, spans.json, hits.csv, review.csv, crops.csv.

The commands call it; docs/outputs.md lists the columns. CSV is RFC 4180: UTF-8, header first, lines end with CR LF. A
field with a comma, a quote or a line break is quoted. Numbers have a fixed count of decimals and the point `.` in every
locale, so equal results give equal bytes. Users name the labels, so in CSV

* a byte that is not UTF-8 is written as `\xe9`;
* a label that a spreadsheet would run as a formula gets a leading apostrophe, as OWASP's "CSV Injection" advises. Such
  a label starts with `= + - @` or a tab or carriage return. spans.json has every label unchanged.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.csv_cells import Cells, clock_cell, open_csv, pixels_cell, score_cell, seconds_cell, write_csv
from fastface.export.crops.framing import PARTS
from fastface.export.plan import CropFacts
from fastface.files import write_atomic
from fastface.names import text_cell, valid_text
from fastface.types import HIT_KINDS, Faces, Hits, NearMiss, Span, SpanRow

_SPAN_COLUMNS = (
    "video", "target", "start", "end", "first_hit", "last_hit", "hits", "best_similarity", "mean_similarity", "clip",
    "path", "clip_start", "clip_end", "start_hms", "end_hms", "picture", "last_picture", "player_start", "player_end",
)  # fmt: skip
_NUM_SHARED = 10
"""Number of first columns of a span, which spans.json has too."""
_HIT_COLUMNS = (
    "video", "target", "time", "pts", "similarity", "margin", "det_score", "quality", "x1", "y1", "x2", "y2", "track",
    "by", "time_hms", "picture", "player_time",
)  # fmt: skip
_REVIEW_COLUMNS = (
    "video", "target", "start", "end", "faces", "best_similarity", "similarity", "evidence", "margin",
    "reason", "start_hms", "end_hms", "path", "picture", "last_picture", "player_start", "player_end", "track",
)  # fmt: skip
_CROP_COLUMNS = (
    "video", "target", "time", "box", "similarity", "quality", "ratio", "file",
    "crop", "framing", "person", "estimated", "score", *PARTS, "path", "time_hms", "picture",
    "player_time",
)  # fmt: skip
_CHUNK_ROWS = 4096
"""Maximum number of rows that are Python objects at one time: a run can have millions of hits."""


@dataclass(frozen=True, slots=True)
class VideoHits:
    """All hits of one video.

    Attributes:
        video_id: The video.
        faces: The video's faces; `hits` contain indices into it.
        hits: {label: hits of that target}; targets without hits may be omitted.
        followed: {label: moments in which the target is followed without a visible face}; labels may be omitted.
        pictures: Names of the pictures, by pts, in a folder of pictures; empty for films.
        has_rivals: True if there is another person for the margin.
        player_offset: Seconds that a player shows at the video's first frame.
    """

    video_id: str
    faces: Faces
    hits: Mapping[str, Hits]
    followed: Mapping[str, Hits] = field(default_factory=dict)
    pictures: Sequence[str] = ()
    has_rivals: bool = True
    player_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A near miss in its video.

    Attributes:
        video_id: The video.
        near_miss: The track.
        path: Path of the video.
        pictures: Names of its first and last picture, in a folder of pictures; empty for films.
        player_offset: Seconds that a player shows at the video's first frame.
    """

    video_id: str
    near_miss: NearMiss
    path: Path | None = None
    pictures: tuple[str, str] = ("", "")
    player_offset: float = 0.0


@dataclass(frozen=True, slots=True)
class CropRow:
    """A written crop.

    Attributes:
        video_id: The video.
        target: The target's label.
        time: Seconds from the first frame.
        box: The face's x1, y1, x2, y2 in pixels of the frame as displayed.
        similarity: Cosine to the target's nearest reference.
        quality: The face's quality, 0–1.
        file: Path relative to the output folder, with `/`.
        facts: Position and framing of the crop.
        path: Path of the video.
        picture: Name of the picture, in a folder of pictures; empty for films.
        player_offset: Seconds that a player shows at the video's first frame.
    """

    video_id: str
    target: str
    time: float
    box: tuple[float, float, float, float]
    similarity: float
    quality: float
    file: str
    facts: CropFacts = field(default_factory=CropFacts)
    path: Path | None = None
    picture: str = ""
    player_offset: float = 0.0


def write_spans(folder: Path, rows: Iterable[SpanRow]) -> None:
    """Write spans.csv and spans.json, sorted by video, start and target.

    spans.json is an array with one object a span: the keys and rounded values of spans.csv. It also has `clip_mode`,
    `clip_start`, `clip_end`, `clip_left_out` and `clip_reason`: the mode of the clip, its real bounds, omitted streams,
    and why it is not `smart`. Without a clip these are null. `player_start` and `player_end` are the span's times on
    the clock of a player, which starts with the file's first stream.

    Raises:
        SpaceError: No space is left.
    """
    ordered = sorted(rows, key=lambda row: (row.span.video_id, row.span.start, row.span.target, row.span.end))
    write_csv(folder / "spans.csv", _SPAN_COLUMNS, (_span_cells(row) for row in ordered))
    write_span_objects(folder / "spans.json", [span_object(row) for row in ordered])


def write_span_objects(path: Path, spans: Sequence[Mapping[str, Any]]) -> None:
    """Write spans.json, one line a span.

    Raises:
        SpaceError: No space is left.
    """
    lines = [json.dumps(span, ensure_ascii=False) for span in spans]
    write_atomic(path, "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n")


class HitsTable:
    """Writer of hits.csv, video by video; its rows are sorted by video, time and target.

    `by` is the `HitKind` in words. `margin` is empty if there is no other person to compare with.
    """

    def __init__(self, write_row: Callable[[Cells], object]) -> None:
        self.num_rows = 0
        self._write_row = write_row
        self._last = ""

    def add(self, video: VideoHits) -> None:
        """Write the rows of one video.

        Raises:
            ValueError: The video's id does not come after that of the video before.
            SpaceError: No space is left.
        """
        if video.video_id <= self._last:
            raise ValueError(f"videos are not in order: {video.video_id!r} after {self._last!r}")
        self._last = video.video_id
        for row in _hit_cells(video):
            self._write_row(row)
            self.num_rows += 1


@contextmanager
def open_hits_table(path: Path) -> Iterator[HitsTable]:
    """Write hits.csv; the file exists once the context ends without an error.

    Raises:
        SpaceError: No space is left.
    """
    with open_csv(path, _HIT_COLUMNS) as write_row:
        yield HitsTable(write_row)


def write_review(path: Path, rows: Iterable[ReviewRow]) -> None:
    """Write review.csv: near misses that may be a target, sorted by video, start and target.

    Raises:
        SpaceError: No space is left.
    """
    ordered = sorted(rows, key=lambda row: (row.video_id, row.near_miss.start, row.near_miss.target, row.near_miss.end))
    write_csv(path, _REVIEW_COLUMNS, map(_review_cells, ordered))


def write_crops_table(path: Path, rows: Iterable[CropRow]) -> None:
    """Write crops.csv, sorted by video, time, target and file.

    `box` (the face), `crop` and `person` are `x1 y1 x2 y2` in one field. `export.crops.framing` defines `score` and the
    parts after it, before their weights. They and `person` are empty for crops other than bodies.

    Raises:
        SpaceError: No space is left.
    """
    ordered = sorted(rows, key=lambda row: (row.video_id, row.time, row.target, row.file))
    write_csv(path, _CROP_COLUMNS, (_crop_cells(row) for row in ordered))


def _span_cells(row: SpanRow) -> Cells:
    span = row.span
    times = (seconds_cell(time) for time in (span.start, span.end, span.first_hit, span.last_hit))
    scores = ("" if score is None else score_cell(score) for score in (span.best_similarity, span.mean_similarity))
    names = (text_cell(span.video_id), text_cell(span.target))
    shared: list[str | int] = [*names, *times, span.hits, *scores, text_cell(row.clip)]
    cut = [] if row.cut is None else [row.cut.start, row.cut.end]
    clips = [seconds_cell(time) for time in cut] or ["", ""]
    clocks = [clock_cell(time) for time in (span.start, span.end)]
    added: list[str] = [
        _path_cell(row.path),
        *clips,
        *clocks,
        *map(text_cell, row.pictures),
        *_player_cells(span, row.player_offset),
    ]
    return [*shared, *added]


def _player_cells(times: Span | NearMiss, offset: float) -> tuple[str, str]:
    return seconds_cell(times.start + offset), seconds_cell(times.end + offset)


def span_object(row: SpanRow) -> dict[str, Any]:
    """Return a span as an object of spans.json."""
    span = row.span
    times = (float(seconds_cell(time)) for time in (span.start, span.end, span.first_hit, span.last_hit))
    known = (span.best_similarity, span.mean_similarity)
    scores = (None if score is None else float(score_cell(score)) for score in known)
    texts = valid_text(span.video_id), valid_text(span.target)
    shared = (*texts, *times, span.hits, *scores, valid_text(row.clip) or None)
    columns = dict(zip(_SPAN_COLUMNS[:_NUM_SHARED], shared, strict=True))
    cut = row.cut
    shown = (cut.mode, float(seconds_cell(cut.start)), float(seconds_cell(cut.end))) if cut else (None, None, None)
    path = None if row.path is None else valid_text(str(row.path))
    names = (
        dict(zip(("picture", "last_picture"), map(valid_text, row.pictures), strict=True)) if any(row.pictures) else {}
    )
    player_start, player_end = map(float, _player_cells(span, row.player_offset))
    return {
        **columns,
        **dict(zip(("clip_mode", "clip_start", "clip_end"), shown, strict=True)),
        "path": path,
        **names,
        "player_start": player_start,
        "player_end": player_end,
        "clip_left_out": None if cut is None else list(cut.left_out),
        "clip_reason": None if cut is None else valid_text(cut.reason) or None,
    }


def _review_cells(row: ReviewRow) -> Cells:
    near_miss = row.near_miss
    times = (seconds_cell(time) for time in (near_miss.start, near_miss.end))
    scores = (
        _known_score(score)
        for score in (near_miss.best_similarity, near_miss.similarity, near_miss.evidence, near_miss.margin)
    )
    clocks = (clock_cell(near_miss.start), clock_cell(near_miss.end))
    return (
        text_cell(row.video_id),
        text_cell(near_miss.target),
        *times,
        near_miss.faces,
        *scores,
        near_miss.reason,
        *clocks,
        _path_cell(row.path),
        *map(text_cell, row.pictures),
        *_player_cells(near_miss, row.player_offset),
        near_miss.track,
    )


def _crop_cells(row: CropRow) -> Cells:
    box = " ".join(pixels_cell(side) for side in row.box)
    scores = (score_cell(row.similarity), score_cell(row.quality))
    names = (text_cell(row.video_id), text_cell(row.target))
    facts = row.facts
    crop = " ".join(map(str, facts.crop or ()))
    person = " ".join(map(pixels_cell, facts.person or ()))
    estimated = "" if facts.person is None else "yes" if facts.is_estimate else "no"
    score = "" if facts.score is None else score_cell(facts.score)
    parts = (score_cell(facts.parts[name]) if name in facts.parts else "" for name in PARTS)
    found = (*names, seconds_cell(row.time), box, *scores, facts.ratio, text_cell(row.file))
    player_time = seconds_cell(row.time + row.player_offset)
    source = (_path_cell(row.path), clock_cell(row.time), text_cell(row.picture), player_time)
    return (*found, crop, facts.framing, person, estimated, score, *parts, *source)


def _hit_cells(video: VideoHits) -> Iterator[Cells]:
    labels = [label for label in sorted(video.hits) if len(video.hits[label])]
    if not labels:
        return
    parts = [Hits.concatenate([video.hits[label], *_present(video.followed.get(label))]) for label in labels]
    hits = Hits.concatenate(parts)
    of_label = np.repeat(np.arange(len(labels)), [len(part) for part in parts])
    order = np.lexsort((hits.face, of_label, hits.time))
    video_cell = text_cell(video.video_id)
    label_cells = [text_cell(label) for label in labels]
    for start in range(0, len(order), _CHUNK_ROWS):
        chosen = order[start : start + _CHUNK_ROWS]
        names = [label_cells[label] for label in of_label[chosen]]
        for name, cells in zip(names, _chunk_cells(hits[chosen], video), strict=True):
            yield (video_cell, name, *cells)


def _present(hits: Hits | None) -> list[Hits]:
    return [] if hits is None else [hits]


def _chunk_cells(hits: Hits, video: VideoHits) -> Iterator[Cells]:
    faces, pictures = video.faces, [text_cell(name) for name in video.pictures]
    margin = hits.margin if video.has_rivals else np.full(len(hits), np.nan)
    kinds = [HIT_KINDS[kind] for kind in hits.by.tolist()]
    times = _column(hits.time, seconds_cell)
    player_times = _column(hits.time + video.player_offset, seconds_cell)
    face, has_face = np.maximum(hits.face, 0), (hits.face >= 0).tolist()
    columns: list[Iterable[str | int]] = [
        _column(hits.similarity, score_cell),
        _column(margin, _known_score),
        *(_column(scores[face], score_cell) for scores in (faces.det_score, faces.quality)),
        *(_column(faces.boxes[face, side], pixels_cell) for side in range(4)),
        faces.track[face].tolist(),
    ]
    rows = zip(*columns, strict=True)
    nothing = ("",) * len(columns)
    clocks = _column(hits.time, clock_cell)
    names = [pictures[pts] if 0 <= pts < len(pictures) else "" for pts in hits.pts.tolist()]
    firsts = zip(times, hits.pts.tolist(), strict=True)
    lasts = zip(kinds, clocks, names, player_times, strict=True)
    return (
        (*first, *(cells if is_face else nothing), *last)
        for first, cells, last, is_face in zip(firsts, rows, lasts, has_face, strict=True)
    )


def _known_score(value: float) -> str:
    return "" if np.isnan(value) else score_cell(value)


def _path_cell(path: Path | None) -> str:
    return "" if path is None else text_cell(str(path))


def _column(values: npt.NDArray[np.floating], shown: Callable[[float], str]) -> list[str]:
    return [shown(value) for value in values.tolist()]
