"""Search the index for targets: one video at a time, from faces to hits to spans.

`commands.run`, `pick` and `calibrate` use a `Searcher`. It decodes nothing. `unsure_units` yields the stretches that
must be scanned more densely first; the caller scans them and calls it again.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fastface.errors import InputError, ModelError
from fastface.gallery.decided_faces import DecidedFaces
from fastface.gallery.matching import Matches, VideoFaces, follow_bodies, list_labels, match, match_tracks
from fastface.gallery.own_tracks import without_own_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds
from fastface.gallery.track_voting import EvidenceModel
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.track_archive import TrackArchive, TrackBlock
from fastface.runtime.context import RunContext
from fastface.runtime.index_settings import read_sampling
from fastface.search.decisions import Decisions
from fastface.search.video_faces import read_video_faces, to_interval
from fastface.timeline import (
    Interval,
    boundary_windows,
    build_spans,
    find_cell,
    group_hits,
    inner_cells,
    merge,
    split_intervals,
    subtract,
)
from fastface.types import Faces, Hits, NearMiss, Sampling, Span, Unit, VideoInfo
from fastface.video.discover import picture_names

_REACH = Fraction(2)
"""Seconds before and after a keyframe with a hit or near hit that are scanned more densely."""

_LEAST_STRETCH = Fraction(1)
"""Minimum length in seconds of a stretch for one more decoder: opening a video costs time."""

_NEAR_KEYFRAMES = 0.2
"""Value of `_NEAR` for keyframes: the only picture of a shot may show a turned or blurred face."""

_NEAR = 0.1
"""A similarity at most this far below the threshold is a near hit: the frames around it are scanned."""


@dataclass(frozen=True, slots=True)
class VideoFindings:
    """Findings of one video.

    Attributes:
        record: The video.
        info: Properties of the video.
        faces: All faces that were compared; `hits` refer to its rows.
        hits: {label: hits of that target}; only targets with hits.
        spans: Spans of all targets, by start, then label.
        near_misses: Tracks that may be a target, by start.
        followed: {label: moments in which the target is followed by the body, without a hit}; may lack labels.
        pictures: Names of the pictures, by pts, if the video is a folder unchanged since its scan; else empty.
        has_rivals: True if the gallery has other persons; without them there is no margin.
        colours: {label: number of the colour of its boxes}, the same in all videos; other labels have 0.
        periods: (len(faces),) seconds that each face stands for, as `Hits.period`; only a `Searcher` fills it.
        searched: Stretches of which frames were searched; only a `Searcher` fills it.
        persons: {expression: its persons}, if the spans are those of expressions.
        crop_hits: Hits that may become crops; None for all `hits`.
    """

    record: VideoRecord
    info: VideoInfo
    faces: Faces
    hits: dict[str, Hits]
    spans: tuple[Span, ...]
    near_misses: tuple[NearMiss, ...]
    followed: dict[str, Hits] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    has_rivals: bool = True
    colours: Mapping[str, int] = field(default_factory=dict)
    periods: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    searched: tuple[Interval, ...] = ()
    persons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    crop_hits: Mapping[str, Hits] | None = None

    def name_pictures(self, first: float, last: float) -> tuple[str, str]:
        """Return the names of the pictures at two times, in a folder of pictures; empty for films."""
        rate = self.info.rate
        if not self.pictures or rate is None:
            return "", ""
        one, other = (self.pictures[min(round(time * rate), len(self.pictures) - 1)] for time in (first, last))
        return one, other

    def span_hits(self, target: str) -> tuple[Hits, ...]:
        """Return the hits of the target of a span; of an expression, those of each of its persons with hits."""
        labels = self.persons.get(target, (target,))
        return tuple(self.hits[label] for label in labels if label in self.hits)


class Searcher:
    """Search the index for the targets of one gallery.

    Args:
        context: Run context with the output folder, its ledger and the settings of spans.
        references: References of the wanted persons.
        limits: Thresholds for faces and tracks.
        archive: The tracks of all videos.
        model: Evidence model for whole tracks; None decides each face by itself.
        decisions: Decisions of the user on earlier answers; None if there are none.
    """

    def __init__(
        self,
        context: RunContext,
        references: ReferenceSet,
        limits: MatchThresholds,
        archive: TrackArchive,
        *,
        model: EvidenceModel | None = None,
        decisions: Decisions | None = None,
    ) -> None:
        self._out = context.out
        self._ledger = context.ledger
        self._references = references
        self._limits = limits
        self._archive = archive
        self._interruption = context.interruption
        self._spans = context.config.spans
        self._model = model
        self._decisions = decisions
        self._colours = {label: number for number, label in enumerate(sorted(list_labels(references.gallery)))}

    @property
    def limits(self) -> MatchThresholds:
        """Return the thresholds of the search."""
        return self._limits

    def findings(self, records: Sequence[VideoRecord], *, with_empty: bool) -> Iterator[VideoFindings]:
        """Yield the findings of videos that have an index, one at a time.

        Args:
            records: The videos; the results of their probes are read when they are needed.
            with_empty: True for the videos without a hit and a near miss too; most of them are then not read at all.
        """
        wanted = None if with_empty else self._find_candidates(records)
        for record in records:
            if self._has_index(record) and (wanted is None or record.video_id in wanted):
                whole, info = self._read_probe(record)
                yield self._find(whole, info)

    def _find_candidates(self, records: Iterable[VideoRecord]) -> set[str] | None:
        """Return the videos that may have a hit or a near miss, by the tracks of all videos; None if any may have one.

        The tracks of a video with closer looks are linked again for the search, so its stored tracks decide nothing.
        """
        rule = self._limits.tracks
        if self._model is None or rule is None or self._references.gallery.everyone:
            return None
        names = {record.video_id for record in records}
        least = rule.anywhere - max(rule.review, 0.0)
        check = self._interruption.check
        found = find_videos(self._archive.blocks(names), self._model, rule.in_shot, least, check)
        decided = {name for name in names if self._decisions is not None and self._decisions.concern(name)}
        others = decided | self._ledger.closer_videos()
        return found | {name for name in others if name in self._archive}

    def list_indexed(self, records: Iterable[VideoRecord]) -> list[VideoRecord]:
        """List the videos that have an index. The caller must leave out dense scans of earlier searches.

        Raises:
            ModelError: A video was scanned with another recogniser than the gallery was made with.
        """
        found = list(filter(self._has_index, records))
        for record in found:
            self._check_contract(record)
        return found

    def comparable(self, records: Iterable[VideoRecord]) -> list[VideoRecord]:
        """Return the videos without those that were embedded by another recogniser."""
        return [
            record
            for record in records
            if record.video_id not in self._archive
            or self._archive.metadata(record.video_id)["contract"] == self._references.gallery.contract
        ]

    def unsure_units(self, records: Iterable[VideoRecord]) -> Iterator[tuple[VideoInfo, Unit]]:
        """Yield stretches that must be scanned more densely before the answer is final; repeat until there are none.

        If only keyframes were scanned, these are the surroundings of each hit or near hit. With `--exact`, they are the
        frames around each boundary of a span.
        """
        for record in records:
            if not self._has_index(record):
                continue
            sampling = self._sampling(record)
            if not sampling.keyframes and (sampling.period is None or not self._spans.exact):
                continue
            _, info = self._read_probe(record)
            if sampling.keyframes:
                units = self._missing(record, Sampling(sampling.period), self._near_keyframes(record, info))
                if units:
                    yield from ((info, unit) for unit in units)
                    continue
            if self._spans.exact and sampling.period is not None:
                units = self._missing(record, Sampling(None), self._unsure(record, info, sampling.period))
                yield from ((info, unit) for unit in units)

    def _has_index(self, record: VideoRecord) -> bool:
        return bool(record.num_units) and record.video_id in self._archive

    def _read_probe(self, record: VideoRecord) -> tuple[VideoRecord, VideoInfo]:
        """Return the whole record of a video with an index, and the result of its probe."""
        whole = self._ledger.video(record.video_id)
        assert whole is not None, record.video_id
        assert whole.info is not None, record.video_id
        return whole, whole.info

    def _missing(self, record: VideoRecord, sampling: Sampling, wanted: Iterable[Interval]) -> list[Unit]:
        """List the parts of the wanted stretches that were not scanned with a sampling; lost ones are not tried again.

        A stretch is cut at keyframes, where decoding can begin, so that several decoders share it.
        """
        units = self._ledger.units(record.video_id).values()
        looked_at = [to_interval(unit) for unit in units if unit.dense and unit.period == sampling.period]
        stretches = split_intervals(subtract(wanted, looked_at), self._keyframe_edges(record), _LEAST_STRETCH)
        return [Unit(record.video_id, -1, start, end, sampling) for start, end in stretches]

    def _keyframe_edges(self, record: VideoRecord) -> list[Fraction]:
        """Return the times at which decoding can begin on the sampling grid; none if all frames are sampled."""
        period = self._sampling(record).period
        if period is None:
            return []
        units = self._ledger.units(record.video_id).values()
        return sorted({-(-time // period) * period for unit in units for time in unit.keyframes})

    def _near_keyframes(self, record: VideoRecord, info: VideoInfo) -> tuple[Interval, ...]:
        """Return the cells within reach of every hit or near hit; each round reaches further from the last one.

        A stretch is extended to the next keyframe if that is within reach. Then the next round need not decode this
        stretch again to reach the frames after it.
        """
        sampling = self._sampling(record)
        assert sampling.period is not None
        video = self._video(record, info, exact=False)
        near = self._near(video, self._find_decided(record, info, video), lenience=_NEAR_KEYFRAMES)
        cells = int(_REACH / sampling.period) + 1
        times = np.unique(np.concatenate([np.empty(0), *near.values()])).tolist()
        windows = []
        for time in times:
            cell = find_cell(time, sampling.period)
            windows.append((max(0, cell - cells) * sampling.period, (cell + cells + 1) * sampling.period))
        edges = self._keyframe_edges(record)
        reached = [(start, _next(edges, end, _REACH)) for start, end in merge(windows)]
        return tuple(window for window in merge(reached) if info.duration is None or window[0] < info.duration)

    def _unsure(self, record: VideoRecord, info: VideoInfo, period: Fraction) -> tuple[Interval, ...]:
        """Return the cells in which a span may begin or end: beside each hit or near hit of a target.

        Near hits count because a similarity close to the threshold may exceed it in frames between two samples. Cells
        inside a group of hits are left out: they cannot split the group.
        """
        # Only the regular samples: with earlier closer looks, each search would extend farther than the last.
        video = self._video(record, info, exact=False)
        decided = self._find_decided(record, info, video)
        sure = self._match(video, decided).hits
        windows: list[Interval] = []
        for label, times in self._near(video, decided, lenience=_NEAR).items():
            wanted = boundary_windows([(time, time) for time in times.tolist()], period)
            groups = group_hits(sure[label], self._spans.merge_gap) if label in sure else ()
            inside = [(float(group.time[0]), float(group.time[-1])) for group in groups]
            windows += subtract(wanted, inner_cells(inside, period))
        return merge(windows)

    def _match(self, video: VideoFaces, decided: DecidedFaces | None) -> Matches:
        if self._model is None or self._limits.tracks is None:
            return Matches(match(video.faces, self._references, self._limits, video.periods, decided))
        return match_tracks(video, self._references, self._limits, self._model, decided)

    def _near(
        self, video: VideoFaces, decided: DecidedFaces | None, *, lenience: float
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Return {label: times of hits and near hits}; a near hit does not depend on the track.

        If samples are seconds apart, a track has a single face; only the denser scan shows the whole track.
        """
        alone = match(video.faces, self._references, self._limits.relax(lenience), video.periods, decided)
        whole = self._match(video, decided).hits
        times: dict[str, list[npt.NDArray[np.float64]]] = {}
        for found in (alone, whole):
            for label, hits in found.items():
                times.setdefault(label, []).append(hits.time)
        return {label: np.unique(np.concatenate(parts)) for label, parts in times.items()}

    def _find(self, record: VideoRecord, info: VideoInfo) -> VideoFindings:
        # Frames that an earlier search scanned more densely do not change this answer.
        video = self._video(record, info, exact=self._spans.exact)
        matches = self._match(video, self._find_decided(record, info, video))
        hits = without_own_tracks(record.video_id, video.faces, matches.hits, self._references)
        followed = self._follow(record, matches.hits)
        duration = None if info.duration is None else float(info.duration)
        spans = [
            span
            for label, found in hits.items()
            for span in build_spans(
                record.video_id,
                label,
                Hits.concatenate([found, followed[label]]) if label in followed else found,
                pad=self._spans.pad,
                merge_gap=self._spans.merge_gap,
                min_span=self._spans.min_span,
                duration=duration,
            )
        ]
        spans.sort(key=lambda span: (span.start, span.target))
        return VideoFindings(
            record,
            info,
            video.faces,
            hits,
            tuple(spans),
            matches.near_misses,
            followed,
            pictures=scanned_pictures(record, info),
            has_rivals=self._references.num_persons > 1,
            colours=self._colours,
            periods=video.periods,
            searched=self._list_searched(record),
        )

    def _list_searched(self, record: VideoRecord) -> tuple[Interval, ...]:
        """Return the stretches of which frames were searched. What is lost of a unit counts as its end."""
        units = (unit for unit in self._ledger.units(record.video_id).values() if not unit.dense and not unit.lost)
        return merge((unit.start, unit.start + unit.covered) for unit in units)

    def _follow(self, record: VideoRecord, hits: dict[str, Hits]) -> dict[str, Hits]:
        """Return the moments in which targets are followed by their bodies, if every sample was searched for bodies."""
        units = self._ledger.units(record.video_id).values()
        bodies = None if any(unit.dense for unit in units) else self._index(record).bodies(lean=True)
        period = self._sampling(record).period
        targets = {label: found for label, found in hits.items() if self._references.find_number(label) is not None}
        return {} if bodies is None or period is None else follow_bodies(bodies, targets, float(period))

    def _sampling(self, record: VideoRecord) -> Sampling:
        """Return the sampling of the scan of a video.

        Raises:
            ModelError: The video was scanned with another recogniser than the gallery's.
        """
        self._check_contract(record)
        return read_sampling(self._archive.metadata(record.video_id))

    def _check_contract(self, record: VideoRecord) -> None:
        metadata = self._archive.metadata(record.video_id)
        if metadata["contract"] != self._references.gallery.contract:
            raise ModelError(
                f"{record.video_id!r} was scanned with the recogniser {metadata['recogniser']!r}; the targets were "
                "made with another one: choose the first one with --models and --pack, or scan again"
            )

    def _video(self, record: VideoRecord, info: VideoInfo, *, exact: bool) -> VideoFaces:
        """Read a video's faces and tracks; with `exact` also the stretches of every frame."""
        units = self._ledger.units(record.video_id).values()
        return read_video_faces(self._index(record), info, self._sampling(record), units, exact=exact)

    def _find_decided(self, record: VideoRecord, info: VideoInfo, video: VideoFaces) -> DecidedFaces | None:
        """Find the user's decisions on the faces of a video; None if there are none."""
        return self._decisions.find(record.video_id, video.faces, is_film=info.is_film) if self._decisions else None

    def _index(self, record: VideoRecord) -> VideoIndex:
        return VideoIndex(self._out.index, record.video_id)


def find_videos(
    blocks: Iterable[TrackBlock], model: EvidenceModel, floor: float, least: float, check: Callable[[], None]
) -> set[str]:
    """Return the videos with a track whose evidence for a target is sufficient.

    Cosines do not depend on the rows beside them (see `cosine`), so a block of many videos gives the evidence that each
    video alone gives.

    Args:
        blocks: Tracks of the videos.
        model: Evidence model.
        floor: Minimum evidence that matters; see `EvidenceModel.weigh`.
        least: Minimum evidence.
        check: Called for each block; it may raise.
    """
    found = set[str]()
    for block in blocks:
        check()
        evidence = model.weigh(block.embeddings, floor)
        found.update(block.find_videos((evidence.target >= 0) & (evidence.evidence >= np.float32(least))))
    return found


def scanned_pictures(record: VideoRecord, info: VideoInfo) -> tuple[str, ...]:
    """Return the names of pictures in a folder, by pts; none for a film, or if the folder changed since its scan."""
    names = picture_names(info)
    try:
        return names if names and record.has_unchanged_file() else ()
    except InputError:
        return ()


def _next(edges: Sequence[Fraction], end: Fraction, reach: Fraction) -> Fraction:
    """Return the first of the sorted edges at or after `end`, if it is within reach; else `end`."""
    place = bisect_left(edges, end)
    return edges[place] if place < len(edges) and edges[place] <= end + reach else end
