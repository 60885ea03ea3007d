"""Find the tracks of decided spans and near misses, and choose the faces that represent each track.

A span is found by its hits in hits.csv, a near miss by its track in review.csv, of any answer in the output folder. A
moment that no answer has any more is found among the earlier decisions.
"""

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.csv_cells import pixels_cell, read_csv, seconds_cell
from fastface.errors import FaceIndexError
from fastface.gallery.matching import VideoFaces
from fastface.index.anchor_record import Anchor
from fastface.index.anchors import anchored_row, encode_look
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import text_cell, valid_text
from fastface.runtime.index_settings import read_sampling
from fastface.runtime.output_folder import OutputFolder, list_answers
from fastface.runtime.run_report import find_answer_record
from fastface.search.decision_store import DecidedFace, Decision, StoredDecision
from fastface.search.video_faces import read_video_faces
from fastface.types import Faces

_SECONDS_A_FACE = 2.0
_MOST_FACES = 12
"""Maximum number of faces that represent a track. One is stored for every `_SECONDS_A_FACE`: another scan may cut the
track in parts."""

_LEAST_LIKENESS = 0.4
"""Minimum cosine of a typical face and its track's mean: as for grown references, see `gallery.growth`."""

_ROUNDING = 0.0005 + 1e-9
"""Seconds by which a time in a table may differ from the exact one."""

_Rows = npt.NDArray[np.int64]
_Moment = tuple[str, str, str, str]
"""Cells of a row of spans.csv or review.csv: video, target, start, end."""


@dataclass(frozen=True, slots=True)
class FoundDecisions:
    """Decisions with their tracks."""

    decisions: tuple[StoredDecision, ...]  # new decisions, in the order of the file
    left_out: tuple[str, ...]  # one line for each decision whose moment was not found


@dataclass(frozen=True, slots=True)
class _Hit:
    """A row of hits.csv with a face."""

    time: float
    name: tuple[int, str, str]  # pts, x1 and y1, which identify a face of the video
    box: tuple[float, float, float, float]


@dataclass(slots=True)
class _Answer:
    """The tables of one answer, as far as some decisions need them."""

    exact: bool  # whether stretches were searched at every frame
    spans: set[_Moment] = field(default_factory=set)
    hits: dict[tuple[str, str], list[_Hit]] = field(default_factory=dict)  # by video and target, in order of time
    near_misses: dict[_Moment, list[int]] = field(default_factory=dict)  # tracks, those with most evidence first


def find_tracks(
    folder: OutputFolder, ledger: Ledger, decisions: Sequence[Decision], earlier: Sequence[StoredDecision]
) -> FoundDecisions:
    """Find the tracks of decisions.

    Args:
        folder: The output folder.
        ledger: Its open ledger.
        decisions: The decisions, each moment once.
        earlier: Decisions that are kept already, the latest last.

    Raises:
        FaceIndexError: The index is damaged.
    """
    wanted = {_moment(decision)[:2] for decision in decisions}
    answers = [_read_answer(path, wanted) for path in list_answers(folder.root)]
    kept = {one.moment: one for one in earlier}
    records = {valid_text(record.video_id): record for record in ledger.videos()}
    found: dict[int, StoredDecision] = {}
    left_out: dict[int, str] = {}
    by_video: dict[str, list[int]] = {}
    for number, decision in enumerate(decisions):
        by_video.setdefault(decision.video, []).append(number)
    for video, numbers in sorted(by_video.items()):
        finder = _Finder(folder, ledger, records.get(video), answers)
        for number in numbers:
            decision, known = decisions[number], kept.get(decisions[number].moment)
            tracks = finder.find(decision, is_known=known is not None)
            if not tracks and known is not None:
                tracks = known.tracks
            if not tracks:
                left_out[number] = f"decisions.{number}: {_describe_missing(decision, is_video=video in records)}"
                continue
            stored = StoredDecision(**decision.model_dump(), tracks=tracks)
            if stored != known:
                found[number] = stored
    return FoundDecisions(
        tuple(found[number] for number in sorted(found)), tuple(left_out[number] for number in sorted(left_out))
    )


def _describe_missing(decision: Decision, *, is_video: bool) -> str:
    if not is_video:
        return f"{decision.video!r} is no video of this folder"
    what = "span" if decision.what == "span" else "near miss"
    place = f"{decision.video!r} from {seconds_cell(decision.start)} to {seconds_cell(decision.end)} s"
    return f"no answer has this {what} of {decision.target!r} in {place}, or it has no face"


class _Finder:
    """Find the tracks of decisions on one video. Faces are read once for each way in which an answer read them."""

    def __init__(
        self, folder: OutputFolder, ledger: Ledger, record: VideoRecord | None, answers: Sequence[_Answer]
    ) -> None:
        self._record = record
        self._answers = answers
        self._index = None if record is None else VideoIndex(folder.index, record.video_id)
        self._units = () if record is None else tuple(ledger.units(record.video_id).values())
        self._videos: dict[bool, VideoFaces] = {}
        self._names: dict[bool, dict[tuple[int, str, str], int]] = {}
        self._contract = ""

    def find(self, decision: Decision, *, is_known: bool) -> tuple[tuple[DecidedFace, ...], ...]:
        """Return faces of each track of a decision; none if no answer has its moment.

        Args:
            decision: The decision.
            is_known: True if the moment was decided before. The answer then shows other tracks at that time, unless it
                has exactly this moment again.
        """
        if self._record is None or self._record.info is None or self._index is None:
            return ()
        if not self._index.faces_path.exists():
            return ()
        moment = _moment(decision)
        if decision.what == "near_miss":
            for answer in self._answers:
                if numbers := answer.near_misses.get(moment, []):
                    video = self._read(exact=answer.exact)
                    fitting = [number for number in numbers if _fits(video, number, decision)]
                    # Two faces at once are not both the person.
                    return self._describe(video, fitting if decision.verdict == "rejected" else fitting[:1], decision)
            return ()
        answers = [answer for answer in self._answers if moment in answer.spans]
        for answer in answers or ([] if is_known else self._answers):
            all_hits = answer.hits.get(moment[:2], [])
            first = bisect_left(all_hits, decision.start - _ROUNDING, key=attrgetter("time"))
            hits = all_hits[first : bisect_right(all_hits, decision.end + _ROUNDING, key=attrgetter("time"))]
            if hits:
                video = self._read(exact=answer.exact)
                rows = self._find_rows(video.faces, hits, self._names[answer.exact])
                return self._describe(video, np.unique(video.faces.tracks[rows]).tolist(), decision)
        return ()

    def _read(self, *, exact: bool) -> VideoFaces:
        if exact not in self._videos:
            assert self._record is not None and self._record.info is not None and self._index is not None
            metadata = self._index.metadata()
            self._contract = metadata["contract"]
            sampling = read_sampling(metadata)
            self._videos[exact] = read_video_faces(self._index, self._record.info, sampling, self._units, exact=exact)
            self._names[exact] = _name_rows(self._videos[exact].faces)
        return self._videos[exact]

    def _find_rows(self, faces: Faces, hits: Iterable[_Hit], names: Mapping[tuple[int, str, str], int]) -> _Rows:
        """Return the rows of hits: by name, or by place and time if the video was scanned again."""
        assert self._record is not None and self._record.info is not None
        rows = []
        for hit in hits:
            anchor = Anchor(self._record.video_id, hit.time, hit.box)
            row = names.get(hit.name)
            row = anchored_row(faces, anchor, is_film=self._record.info.is_film) if row is None else row
            rows += [] if row is None else [row]
        return np.array(rows, np.int64)

    def _describe(
        self, video: VideoFaces, numbers: Iterable[int], decision: Decision
    ) -> tuple[tuple[DecidedFace, ...], ...]:
        """Return the faces that represent each of these tracks within the moment of a decision."""
        faces, tracks = video.faces, []
        is_inside = (faces.time >= decision.start - _ROUNDING) & (faces.time <= decision.end + _ROUNDING)
        for number in numbers:
            rows = np.flatnonzero(is_inside & (faces.tracks == number))
            if len(rows):
                mean = video.tracks.embedding[np.searchsorted(video.tracks.number, number)]
                tracks.append(tuple(_represent(faces, rows, mean, self._contract)))
        return tuple(tracks)


def _fits(video: VideoFaces, number: int, decision: Decision) -> bool:
    """Return whether a track lies where a near miss was; after another scan the number may be another track's."""
    rows = np.flatnonzero(video.tracks.number == number)
    if not len(rows):
        return False
    bounds = float(video.tracks.start[rows[0]]), float(video.tracks.end[rows[0]])
    return tuple(map(seconds_cell, bounds)) == (seconds_cell(decision.start), seconds_cell(decision.end))


def _represent(faces: Faces, rows: _Rows, mean: npt.NDArray[np.float16], contract: str) -> Iterator[DecidedFace]:
    """Yield the best face of each part of a track, in order of time."""
    likeness = faces.embedding[rows].astype(np.float64) @ mean.astype(np.float64)
    is_typical = (likeness >= _LEAST_LIKENESS) & ~faces.damaged[rows]
    time = faces.time[rows]
    length = float(time.max() - time.min())
    count = min(_MOST_FACES, 1 + math.ceil(length / _SECONDS_A_FACE))
    part = np.minimum((time - time.min()) * count // max(length, 1e-9), count - 1)
    order = np.lexsort((time, -faces.quality[rows], ~is_typical, part))
    for place in order[np.unique(part[order], return_index=True)[1]].tolist():
        row = int(rows[place])
        x1, y1, x2, y2 = faces.boxes[row].tolist()
        yield DecidedFace(
            time=float(faces.time[row]),
            box=(x1, y1, x2, y2),
            look=encode_look(faces.embedding[row], contract),
            quality=float(faces.quality[row]),
            yaw=float(faces.yaw[row]),
            is_typical=bool(is_typical[place]),
        )


def _name_rows(faces: Faces) -> dict[tuple[int, str, str], int]:
    corners = (map(pixels_cell, faces.boxes[:, side].tolist()) for side in (0, 1))
    return {name: row for row, name in enumerate(zip(faces.pts.tolist(), *corners, strict=True))}


def _moment(decision: Decision) -> _Moment:
    names = text_cell(decision.video), text_cell(decision.target)
    return (*names, seconds_cell(decision.start), seconds_cell(decision.end))


def _read_answer(folder: Path, wanted: set[tuple[str, str]]) -> _Answer:
    """Read the rows of an answer's tables that concern some videos and targets.

    Raises:
        FaceIndexError: A table is damaged.
    """
    answer = _Answer(exact=_is_exact(find_answer_record(folder)))
    evidence: dict[_Moment, list[tuple[float, int]]] = {}
    try:
        for video, target, start, end in _read_rows(folder / "spans.csv", wanted, ("start", "end")):
            answer.spans.add((video, target, start, end))
        columns: tuple[str, ...] = ("start", "end", "evidence", "track")
        for video, target, start, end, weight, track in _read_rows(folder / "review.csv", wanted, columns):
            evidence.setdefault((video, target, start, end), []).append((-float(weight), int(track)))
        columns = ("time", "pts", "x1", "y1", "x2", "y2")
        for video, target, time, pts, *box in _read_rows(folder / "hits.csv", wanted, columns):
            if all(box):  # a face is visible
                x1, y1, x2, y2 = map(float, box)
                hit = _Hit(float(time), (int(pts), box[0], box[1]), (x1, y1, x2, y2))
                answer.hits.setdefault((video, target), []).append(hit)
    except (OSError, ValueError) as error:
        raise FaceIndexError(
            f"cannot read the tables in {str(folder)!r}: {error}; repeat the question, which writes them again"
        ) from error
    answer.near_misses = {moment: [track for _, track in sorted(tracks)] for moment, tracks in evidence.items()}
    return answer


def _read_rows(path: Path, wanted: set[tuple[str, str]], columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield video, target and the columns of the rows that concern some videos and targets; none without a table."""
    if path.is_file():
        yield from (row for row in read_csv(path, ("video", "target", *columns)) if row[:2] in wanted)


def _is_exact(path: Path) -> bool:
    """Return whether an answer searched the bounds of its spans at every frame."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return bool(report["config"]["spans"]["exact"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
