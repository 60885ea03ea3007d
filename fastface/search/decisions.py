"""Find the faces of the user's decisions in the index, and use them for one question.

`archive_survey` opens the decisions of a question. Confirmed faces become references of their target, rejected faces
count against it. In their videos, the searcher forces the decided tracks: see `gallery.decided_faces`.

A decision applies to its label alone. Of two decisions on one moment of a track the later one wins.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastface.cosine import distinct_rows, normalize_rows
from fastface.gallery.decided_faces import DecidedFaces
from fastface.gallery.matching import EVERYONE
from fastface.index.anchors import REACH_SECONDS, anchored_row, decode_look
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import valid_text
from fastface.runtime.context import RunContext
from fastface.search.decision_store import DecidedFace, DecisionStore, StoredDecision
from fastface.types import BY_DECISION, Faces, FloatArray, Gallery, GrownReference, Target

_MOST_FACES = 256
"""Maximum number of confirmed faces, and of rejected faces, of one target that are compared."""

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Mark:
    """One face of a decision, and its meaning for one label."""

    decision: int  # number of the decision, in the order in which they were made
    rank: int  # rank of the face within its track, the best face is 0
    video_id: str
    label: str
    is_confirmed: bool
    face: DecidedFace
    is_placed: bool = False  # whether the index has the face


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """Verdicts of one label on the faces of a video, (n,) each."""

    distance: npt.NDArray[np.float64]  # seconds to the decided face of the same track that settles it; inf for none
    is_confirmed: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class IndexedVideo:
    """Faces of the index of a video."""

    faces: Faces
    contract: str  # of the recogniser
    is_film: bool  # whether its frames are consecutive


class Decisions:
    """The decisions that apply to one question.

    Args:
        decisions: All decisions, the latest last.
        gallery: Gallery of the question.
        least_quality: Minimum quality of a face that is compared with others.
        read_video: Returns the faces of the index of a video by its ID; None if there is no index of it.

    Attributes:
        num_used: Number of decisions of which the index has a face.
        num_unplaced: Number of decisions of which it has none.
    """

    def __init__(
        self,
        decisions: Iterable[StoredDecision],
        gallery: Gallery,
        least_quality: float,
        read_video: Callable[[str], IndexedVideo | None],
    ) -> None:
        self._contract = gallery.contract
        self._least_quality = least_quality
        self._numbers = {valid_text(target.label): number for number, target in enumerate(gallery.targets)}
        labels = {*self._numbers, *((EVERYONE,) if gallery.everyone else ())}
        by_video: dict[str, list[tuple[int, StoredDecision]]] = {}
        for number, decision in enumerate(decisions):
            by_video.setdefault(decision.video, []).append((number, decision))
        self._marks: dict[str, dict[str, list[_Mark]]] = {}
        placed, all_used = set[int](), set[int]()
        for video_id, own in sorted(by_video.items()):
            if not any(label in labels for _, decision in own for label, _ in decision.effects()):
                continue
            video = read_video(video_id)
            for mark in _latest(own) if video is None else _valid_marks(own, video):
                if mark.label in labels:
                    self._marks.setdefault(video_id, {}).setdefault(mark.label, []).append(mark)
                    all_used.add(mark.decision)
                    placed |= {mark.decision} if mark.is_placed else set()
        self.num_used, self.num_unplaced = len(placed), len(all_used - placed)

    def concern(self, video_id: str) -> bool:
        """Return whether there are decisions on a video."""
        return video_id in self._marks

    def find(self, video_id: str, faces: Faces, *, is_film: bool) -> DecidedFaces | None:
        """Return the decisions on the faces of one video; None if there are none.

        In a decided track each face follows the decided face that is nearest in time.

        Args:
            video_id: ID of the video.
            faces: Its faces; the tracks are linked.
            is_film: True if the frames of the video are consecutive.
        """
        marks = self._marks.get(video_id)
        if marks is None or not len(faces):
            return None
        owner, nearest = np.full(len(faces), -1, np.int32), np.full(len(faces), np.inf)
        rejected: dict[int, npt.NDArray[np.bool_]] = {}
        for_everyone = np.zeros(len(faces), np.bool_)
        for label, own in marks.items():
            verdicts = self._judge(own, faces, is_film=is_film)
            is_rejected = np.isfinite(verdicts.distance) & ~verdicts.is_confirmed
            if label == EVERYONE:
                for_everyone = is_rejected
            if (number := self._numbers.get(label)) is None:
                continue
            rejected[number] = is_rejected
            # Of two labels that are confirmed in one track, the one that was confirmed nearer to the face has it.
            is_nearer = verdicts.is_confirmed & (verdicts.distance <= nearest)
            owner[is_nearer], nearest[is_nearer] = number, verdicts.distance[is_nearer]
        return DecidedFaces(owner, rejected, for_everyone)

    def _judge(self, marks: Sequence[_Mark], faces: Faces, *, is_film: bool) -> _Verdicts:
        """Return the verdicts of one label's marks on all faces of the video."""
        found = _Verdicts(np.full(len(faces), np.inf), np.zeros(len(faces), np.bool_))
        tracks = faces.tracks
        for mark in marks:
            row = anchored_row(faces, mark.face.anchor(mark.video_id), contract=self._contract, is_film=is_film)
            if row is None:
                continue
            own = np.flatnonzero(tracks == tracks[row])
            distance = np.abs(faces.time[own] - faces.time[row])
            is_nearer = distance <= found.distance[own]  # at a tie the later decision wins
            own = own[is_nearer]
            found.distance[own], found.is_confirmed[own] = distance[is_nearer], mark.is_confirmed
        return found

    def teach(self, gallery: Gallery) -> Gallery:
        """Return the gallery with confirmed faces as references of its targets, and with their rejected faces."""
        by_label: dict[str, list[_Mark]] = {}
        for videos in self._marks.values():
            for label, marks in videos.items():
                by_label.setdefault(label, []).extend(marks)
        targets = (self._teach(target, by_label.get(valid_text(target.label), [])) for target in gallery.targets)
        return replace(gallery, targets=tuple(targets))

    def _teach(self, target: Target, marks: Iterable[_Mark]) -> Target:
        # The best face of each track comes first, then the second face of each.
        ordered = sorted(marks, key=lambda mark: (mark.rank, mark.decision, mark.video_id, mark.face.time))
        usable = [
            (mark, look)
            for mark in ordered
            if mark.face.is_typical
            and mark.face.quality >= self._least_quality
            and (look := decode_look(mark.face.look, self._contract)) is not None
            and len(look) == target.embeddings.shape[1]
        ]
        if not usable:
            return target
        confirmed = [one for one in usable if one[0].is_confirmed]
        rejected = [one for one in usable if not one[0].is_confirmed]
        kept, references = _distinct(confirmed, target.embeddings)
        added = tuple(_as_reference(target.label, mark) for mark in kept)
        return replace(
            target,
            embeddings=np.concatenate([target.embeddings, references]),
            sources=(*target.sources, *(f"{one.video_id} at {one.time:.3f} s, confirmed" for one in added)),
            added=added,
            rejected=_distinct(rejected, target.embeddings[:0])[1],
        )


def open_decisions(context: RunContext, gallery: Gallery, records: Iterable[VideoRecord]) -> Decisions | None:
    """Read the decisions that apply to a question; None if there are none.

    Args:
        context: Run context.
        gallery: Gallery of the question.
        records: All videos to search.

    Raises:
        FaceIndexError: The file of decisions or the index is damaged.
        InterruptError: The user stopped the command.
    """
    known = {record.video_id for record in records}

    def read_video(video_id: str) -> IndexedVideo | None:
        context.interruption.check()
        index = VideoIndex(context.out.index, video_id)
        record = context.ledger.video(video_id) if video_id in known else None
        if record is None or record.info is None or not index.faces_path.exists():
            return None
        return IndexedVideo(index.faces(), index.metadata()["contract"], record.info.is_film)

    decisions = DecisionStore.load(context.out.state).decisions
    found = Decisions(decisions, gallery, context.config.growth.add_quality, read_video)
    return found if found.num_used + found.num_unplaced else None


def _latest(decisions: Sequence[tuple[int, StoredDecision]]) -> Iterator[_Mark]:
    """Yield the marks of a video that the index lacks: of several decisions on one moment, the last one is valid."""
    for number, decision in {one.moment: (number, one) for number, one in decisions}.values():
        yield from _list_marks(number, decision)


def _valid_marks(decisions: Sequence[tuple[int, StoredDecision]], video: IndexedVideo) -> list[_Mark]:
    """Return the marks of the decisions on one video, without those that later decisions on the same track replace."""
    tracks = video.faces.tracks
    by_track: dict[int, list[_Mark]] = {}
    unplaced: dict[object, list[_Mark]] = {}
    rows: dict[DecidedFace, int | None] = {}
    for number, decision in decisions:
        new: dict[int, list[_Mark]] = {}
        missing: list[_Mark] = []
        for mark in _list_marks(number, decision):
            if mark.face not in rows:
                anchor = mark.face.anchor(mark.video_id)
                rows[mark.face] = anchored_row(video.faces, anchor, contract=video.contract, is_film=video.is_film)
            row = rows[mark.face]
            if row is None:
                missing.append(mark)
            else:
                new.setdefault(int(tracks[row]), []).append(replace(mark, is_placed=True))
        for track, marks in new.items():
            older = by_track.get(track, [])
            by_track[track] = [one for one in older if not _is_replaced(one, decision, is_film=video.is_film)] + marks
        unplaced[decision.moment] = missing
    placed = sorted((mark for marks in by_track.values() for mark in marks), key=lambda mark: mark.decision)
    return [*placed, *(mark for marks in unplaced.values() for mark in marks)]


def _is_replaced(mark: _Mark, later: StoredDecision, *, is_film: bool) -> bool:
    """Return whether a later decision on the same track replaces a mark.

    A face has one person: to confirm it for one label takes it from another one.
    """
    if is_film and not later.start - REACH_SECONDS <= mark.face.time <= later.end + REACH_SECONDS:
        return False
    return any(label == mark.label or (is_confirmed and mark.is_confirmed) for label, is_confirmed in later.effects())


def _list_marks(number: int, decision: StoredDecision) -> Iterator[_Mark]:
    for track in decision.tracks:
        ranked = sorted(track, key=lambda face: (not face.is_typical, -face.quality, face.time))
        rank = {face: place for place, face in enumerate(ranked)}
        for label, is_confirmed in decision.effects():
            for face in track:
                yield _Mark(number, rank[face], decision.video, label, is_confirmed, face)


def _distinct(
    found: Sequence[tuple[_Mark, npt.NDArray[np.float16]]], known: FloatArray
) -> tuple[list[_Mark], FloatArray]:
    """Return the first marks that are no doubles of each other or of known embeddings, with their embeddings."""
    if not found:
        return [], np.empty((0, known.shape[1]), np.float32)
    looks = np.stack([look for _, look in found])
    rows = distinct_rows(looks, known, _MOST_FACES)
    return [found[row][0] for row in rows], normalize_rows(looks[np.array(rows, np.int64)])


def _as_reference(label: str, mark: _Mark) -> GrownReference:
    """Return the origin of a confirmed face as a reference; it has no evidence but the user's word."""
    nothing = float("nan")
    return GrownReference(
        target=label,
        video_id=mark.video_id,
        time=mark.face.time,
        box=mark.face.box,
        anchor=BY_DECISION,
        track_evidence=nothing,
        similarity=nothing,
        margin=nothing,
        quality=mark.face.quality,
        yaw=mark.face.yaw,
    )
