"""Collect the moments of the latest answer: hits, near misses, other faces, and samples, of every searched video.

`audit` calls `read_answer`, then `read_moments`. Moments are the samples of the scan. Frames that `--exact` scanned
between two samples only refine the bounds of spans, and are left out. Times are those of frames, so that a moment can
be decoded again.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.csv_cells import pixels_cell, read_csv
from fastface.errors import ConfigError, FaceIndexError
from fastface.gallery.matching import EVERYONE
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import text_cell
from fastface.review.sampling import Role
from fastface.runtime.index_settings import read_sampling
from fastface.tracking.face_tracks import link_tracks
from fastface.types import Faces, VideoInfo
from fastface.types.faces import RowTable
from fastface.video.clock import UNKNOWN_RATE

Key = tuple[Role, str, int | None]
"""Role, kind and target of a stratum."""


@dataclass(frozen=True, slots=True)
class Moments(RowTable):
    """Moments of one video: (n,) pts, (n,) seconds, (n, 4) boxes with NaN if there is none."""

    pts: npt.NDArray[np.int64]
    time: npt.NDArray[np.float64]
    boxes: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HitRow:
    """A row of hits.csv."""

    target: int
    kind: str
    pts: int
    time: float
    box: tuple[str, ...]  # four cells; empty without a box


@dataclass(frozen=True, slots=True)
class NearRow:
    """A row of review.csv."""

    target: int
    start: float
    end: float
    faces: int


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """The latest answer of an output folder.

    Attributes:
        targets: Labels of the targets, without `everyone`.
        hits: {video: its hits}.
        near: {video: its near misses}.
        recogniser: Name of the network that embedded the faces.
        digest: Digest of the answer and the searched index.
    """

    targets: tuple[str, ...]
    hits: Mapping[str, Sequence[HitRow]]
    near: Mapping[str, Sequence[NearRow]]
    recogniser: str
    digest: str


@dataclass(frozen=True, slots=True)
class EmptyCells:
    """The cells of a video's sampling grid without a face and without a hit.

    Attributes:
        size: Length of a cell in seconds.
        count: Number of cells in the whole grid.
        taken: (k,) cells with a face or a hit, ascending.
        moments: Number of samples without a face; less than the free cells if a film has fewer frames than cells.
    """

    size: Fraction
    count: int
    taken: npt.NDArray[np.int64]
    moments: int

    @property
    def num_free(self) -> int:
        """Return the number of free cells; some may have no frame of their own."""
        return self.count - len(self.taken)

    def cell(self, place: int) -> int:
        """Return the free cell at a place, counted from 0."""
        free_before = self.taken - np.arange(len(self.taken))
        return place + int(np.searchsorted(free_before, place, side="right"))


@dataclass(frozen=True, slots=True)
class VideoMoments:
    """All moments of one video.

    Attributes:
        record: The video.
        info: Properties of the video.
        period: Seconds that a moment stands for.
        parts: {(role, kind, target): moments} of hits, near misses, faces, and samples beside faces.
        empty: Samples without a face.
        seen: All faces and hits, for the boxes in the pictures.
        targets_at: {pts: places of the targets with hits at this time}.
    """

    record: VideoRecord
    info: VideoInfo
    period: float
    parts: Mapping[Key, Moments]
    empty: EmptyCells
    seen: Moments
    targets_at: Mapping[int, frozenset[int]] = field(default_factory=dict)

    @property
    def num_samples(self) -> int:
        """Return the number of samples, with and without faces."""
        return self.empty.moments + len(np.unique(self.seen.pts))


def read_answer(out: Path, ledger: Ledger) -> LastAnswer:
    """Read run.json, hits.csv and review.csv.

    Raises:
        ConfigError: There is no answer in `out`, or it cannot be audited.
    """
    ask = f"ask again, with: fastface find -t PHOTOS -o {out}"
    try:
        report = json.loads((out / "run.json").read_bytes())
        tables = [_digest(out / name) for name in ("hits.csv", "review.csv")]
        command, labels = report["command"], tuple(map(str, report["targets"]))
        num_hits, recogniser = report["counts"]["hits"], str(report["models"]["recogniser"]["name"])
    except OSError as error:
        raise ConfigError(f"{str(out)!r} holds no answer: {error.filename}: {error.strerror}; {ask}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{str(out / 'run.json')!r} is damaged; {ask}") from error
    if command == "scan":
        raise ConfigError(f"{str(out)!r} was scanned after the last answer; {ask}")
    targets = tuple(label for label in labels if label != EVERYONE)
    if not targets:
        raise ConfigError(
            f"the last answer of {str(out)!r} is about no chosen person, so no moment can be judged; {ask}"
        )
    places = {text_cell(label): place for place, label in enumerate(targets)}
    try:
        if sum(1 for _ in read_csv(out / "hits.csv", ("video", "target"))) != num_hits:
            raise ConfigError(f"run.json and hits.csv of {str(out)!r} are of different answers; {ask}")
        hits, near = _read_hits(out / "hits.csv", places), _read_near_misses(out / "review.csv", places)
    except (OSError, KeyError, ValueError) as error:
        raise ConfigError(
            f"the tables of {str(out)!r} are damaged, or of another answer than run.json; {ask}"
        ) from error
    digest = hashlib.sha256()
    digest.update(json.dumps(labels).encode())
    for table in tables:
        digest.update(table)
    for record in ledger.videos():
        units = [(unit.key, unit.sampled, unit.faces) for unit in ledger.units(record.video_id).values()]
        facts = [record.video_id, record.fingerprint, record.scan_key, record.state, units]
        digest.update(repr(facts).encode("utf-8", "surrogatepass"))
    return LastAnswer(targets, hits, near, recogniser, digest.hexdigest()[:32])


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _read_hits(path: Path, places: Mapping[str, int]) -> dict[str, list[HitRow]]:
    found: dict[str, list[HitRow]] = defaultdict(list)
    columns = ("video", "target", "by", "pts", "time", "x1", "y1", "x2", "y2")
    for video, target, kind, pts, time, *box in read_csv(path, columns):
        if target != EVERYONE or EVERYONE in places:
            one = HitRow(places[target], kind, int(pts), float(time), tuple(box) if all(box) else ())
            found[video].append(one)
    return found


def _read_near_misses(path: Path, places: Mapping[str, int]) -> dict[str, list[NearRow]]:
    found: dict[str, list[NearRow]] = defaultdict(list)
    for video, target, start, end, faces in read_csv(path, ("video", "target", "start", "end", "faces")):
        found[video].append(NearRow(places[target], float(start), float(end), int(faces)))
    return found


def read_moments(root: Path, ledger: Ledger, answer: LastAnswer) -> list[VideoMoments]:
    """Read the moments of every searched video, by name.

    Raises:
        FaceIndexError: The index is damaged, or does not match the answer.
    """
    found = []
    for record in ledger.videos():
        index = VideoIndex(root, record.video_id)
        if record.state == "scanning" or record.info is None or not index.faces_path.exists():
            continue
        metadata = index.metadata()
        if metadata["recogniser"] != answer.recogniser:  # the answer does not include this video
            continue
        units = list(ledger.units(record.video_id).values())
        found.append(_video_moments(record, record.info, index, units, answer))
    if unknown := set(answer.hits) - {text_cell(one.record.video_id) for one in found}:
        raise FaceIndexError(
            f"hits.csv names {min(unknown)!r}, which is not in the index: ask again with fastface find"
        )
    return found


def _video_moments(
    record: VideoRecord, info: VideoInfo, index: VideoIndex, units: Sequence[UnitRecord], answer: LastAnswer
) -> VideoMoments:
    sampling = read_sampling(index.metadata())
    frame = 1 / (info.rate or UNKNOWN_RATE)
    size = sampling.period if sampling.period is not None and info.is_film else frame
    faces = _sampled_faces(index, units, sampling.period, is_film=info.is_film)
    name = text_cell(record.video_id)
    hits = _on_samples(answer.hits.get(name, ()), faces, units)
    owner, faceless = _match_hits(hits, faces)
    near = _near_faces(answer.near.get(name, ()), faces, owner, float(size))
    all_faces = Moments(faces.pts, faces.time, faces.boxes)
    parts: dict[Key, Moments] = {}
    for key in sorted({(hit.kind, hit.target) for hit in hits}):
        parts["hit", *key] = _hit_moments([hit for hit in hits if (hit.kind, hit.target) == key])
    for target in np.unique(near[near >= 0]).tolist():
        parts["near", "", target] = all_faces[near == target]
    rest = ~owner & (near < 0)
    if rest.any():
        parts["face", "", None] = all_faces[rest]
    seen = Moments.concatenate([all_faces, _hit_moments(faceless)])
    targets_at: dict[int, set[int]] = defaultdict(set)
    for hit in hits:
        targets_at[hit.pts].add(hit.target)
    _, first = np.unique(seen.pts, return_index=True)
    samples = seen[first]
    is_open = np.array([len(targets_at.get(pts, ())) < len(answer.targets) for pts in samples.pts.tolist()], np.bool_)
    if is_open.any():
        parts["beside", "", None] = replace(samples[is_open], boxes=_no_boxes(int(is_open.sum())))
    empty = _empty_cells(info, units, samples, size, by_keyframes=sampling.keyframes)
    frozen = {pts: frozenset(targets) for pts, targets in targets_at.items()}
    return VideoMoments(record, info, float(max(size, frame)), parts, empty, seen, frozen)


def _sampled_faces(index: VideoIndex, units: Sequence[UnitRecord], period: Fraction | None, *, is_film: bool) -> Faces:
    """Return the faces of the samples; of a keyframe scan also those of stretches that were scanned more densely."""
    faces = index.faces()
    closer = [unit for unit in units if unit.dense and not unit.lost and period is not None and unit.period == period]
    if closer:
        inside = _is_inside(faces.time, closer)
        assert period is not None
        faces = Faces.concatenate([faces[~inside], *index.unit_faces(closer)])
        faces = faces[np.argsort(faces.pts, kind="stable")]
        shot = index.merge_frames(closer, is_film=is_film).find_shot(faces.pts)
        faces = replace(faces, track=link_tracks(faces, shot, float(period), is_film=is_film))
    return faces.without_embeddings()


def _is_inside(times: npt.NDArray[np.float64], units: Iterable[UnitRecord]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(times), np.bool_)
    for unit in units:
        end = np.inf if unit.end is None else float(unit.end)
        inside |= (times >= float(unit.start)) & (times < end)
    return inside


def _on_samples(hits: Sequence[HitRow], faces: Faces, units: Sequence[UnitRecord]) -> list[HitRow]:
    """Return the hits without those in frames between two samples."""
    every_frame = [unit for unit in units if unit.dense and unit.period is None and not unit.lost]
    if not every_frame:
        return list(hits)
    between = _is_inside(np.array([hit.time for hit in hits], np.float64), every_frame)
    samples = set(faces.pts.tolist())
    return [hit for hit, is_between in zip(hits, between.tolist(), strict=True) if not is_between or hit.pts in samples]


def _match_hits(hits: Sequence[HitRow], faces: Faces) -> tuple[npt.NDArray[np.bool_], list[HitRow]]:
    """Return (n,) true for a face with a hit of the same frame and box in hits.csv; and the hits without a face."""
    boxes = {(hit.pts, hit.box) for hit in hits}
    near = np.flatnonzero(np.isin(faces.pts, [hit.pts for hit in hits]))
    cells = (tuple(map(pixels_cell, box)) for box in faces.boxes[near].tolist())
    names = list(zip(faces.pts[near].tolist(), cells, strict=True))
    owner = np.zeros(len(faces), np.bool_)
    owner[near] = [name in boxes for name in names]
    with_face = set(names)
    return owner, [hit for hit in hits if (hit.pts, hit.box) not in with_face]


def _near_faces(
    rows: Sequence[NearRow], faces: Faces, owner: npt.NDArray[np.bool_], size: float
) -> npt.NDArray[np.int64]:
    """Return (n,) the target for which a face is a near miss; -1 for other faces.

    review.csv identifies a track by its first and last time and its faces. If several tracks match, all are taken. The
    stratum of a face only changes its probability in the sample, not the estimate.
    """
    near = np.full(len(faces), -1, np.int64)
    if not rows:
        return near
    numbers, place, counts = np.unique(faces.tracks, return_inverse=True, return_counts=True)
    first, last = np.full(len(numbers), np.inf), np.full(len(numbers), -np.inf)
    np.minimum.at(first, place, faces.time)
    np.maximum.at(last, place, faces.time)
    for row in rows:
        fits = (np.abs(first - row.start) <= size + 1e-3) & (np.abs(last - row.end) <= size + 1e-3)
        if fits.any():
            difference = np.where(fits, np.abs(counts - row.faces), np.iinfo(np.int64).max)
            best = np.flatnonzero(difference == difference.min())
            near[np.isin(place, best) & ~owner & (near < 0)] = row.target
    return near


def _hit_moments(hits: Sequence[HitRow]) -> Moments:
    boxes = _no_boxes(len(hits))
    for row, hit in enumerate(hits):
        if hit.box:
            boxes[row] = [float(side) for side in hit.box]
    return Moments(np.array([hit.pts for hit in hits], np.int64), np.array([hit.time for hit in hits]), boxes)


def _no_boxes(count: int) -> npt.NDArray[np.float32]:
    return np.full((count, 4), np.nan, np.float32)


def _empty_cells(
    info: VideoInfo, units: Sequence[UnitRecord], samples: Moments, size: Fraction, *, by_keyframes: bool
) -> EmptyCells:
    cells = [int(info.frame_time(pts) // size) for pts in samples.pts.tolist()]
    taken = np.unique(np.array(cells, np.int64))
    scanned = [unit for unit in units if not unit.dense]
    length = info.duration or sum((unit.covered for unit in scanned), Fraction(0))
    count = max(-(-length // size), int(taken[-1]) + 1 if len(taken) else 0)
    if by_keyframes:  # the frames between them were not scanned, and are part of the film
        moments = min(count, int(length * (info.rate or UNKNOWN_RATE))) - len(taken)
    else:
        moments = sum(unit.sampled for unit in scanned) - len(samples)
    return EmptyCells(size, count, taken, max(0, min(moments, count - len(taken))))
