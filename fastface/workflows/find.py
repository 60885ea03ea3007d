"""Index → hits → spans: asks one video at a time; decodes only where exact boundaries are wanted."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from fastface.config import SpansConfig
from fastface.errors import ModelError
from fastface.gallery.matching import match
from fastface.identities.tracks import link_tracks
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.timeline import Interval, boundary_windows, build_spans, group_hits, inner_cells, merge, subtract
from fastface.types import Faces, Gallery, Hits, Sampling, Span, Unit, VideoInfo
from fastface.workflows.networks import Thresholds
from fastface.workflows.output import OutputFolder

__all__ = ["Finder", "Findings"]

_UNKNOWN_RATE = Fraction(25)

_NEAR = 0.1
"""How far below the thresholds a sample's similarity may lie for its neighbourhood to be looked at frame by frame."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one video.

    Attributes:
        record: The video.
        info: The video's facts.
        sampling: Which frames its index was made of.
        faces: All its faces that were looked at; `hits` point into it.
        hits: {label: hits of that target}.
        spans: Of all targets, by start, then label.
    """

    record: VideoRecord
    info: VideoInfo
    sampling: Sampling
    faces: Faces
    hits: dict[str, Hits]
    spans: tuple[Span, ...]


class Finder:
    """Asks the index for the targets of one gallery.

    Args:
        out: The output folder.
        ledger: The open ledger.
        gallery: Whom to find.
        limits: When a face is a target's.
        spans: How hits become spans.
    """

    def __init__(
        self,
        out: OutputFolder,
        ledger: Ledger,
        *,
        gallery: Gallery,
        limits: Thresholds,
        spans: SpansConfig,
    ) -> None:
        self._out = out
        self._ledger = ledger
        self._gallery = gallery
        self._limits = limits
        self._spans = spans

    def findings(self, records: Iterable[VideoRecord]) -> Iterator[Findings]:
        """What is found in each video that has an index, one at a time."""
        for record in records:
            if record.info is not None and self._index(record).faces_path.exists():
                yield self._find(record, record.info, self._dense_units(record.video_id))

    def exact_units(self, records: Iterable[VideoRecord]) -> Iterator[tuple[VideoInfo, Unit]]:
        """The stretches around boundaries that must be looked at frame by frame, and were not yet."""
        for record in records:
            if record.info is None or not self._index(record).faces_path.exists():
                continue
            dense = [_interval(unit) for unit in self._dense_units(record.video_id)]
            for start, end in subtract(self._unsure(record, record.info), dense):
                yield record.info, Unit(record.video_id, -1, start, end, Sampling(None))

    def _unsure(self, record: VideoRecord, info: VideoInfo) -> tuple[Interval, ...]:
        """The cells in which a span may begin or end: beside each sample that is a hit, or nearly one, of a target.

        Nearly, since a face whose similarity wavers about the threshold is over it in frames between two samples that
        are not. Cells inside a group of hits are left out: whatever is in them, the group stays one.
        """
        sampling = self._sampling(record)
        if sampling.period is None:
            return ()
        # The samples alone, without what was looked at before: else each search would go farther than the last.
        faces, periods = self._faces(record, info, sampling, [])
        sure = self._match(faces, periods)
        near = self._match(faces, periods, lenience=_NEAR)
        windows: list[Interval] = []
        for label, hits in near.items():
            wanted = boundary_windows([(time, time) for time in hits.time.tolist()], sampling.period)
            groups = group_hits(sure[label], self._spans.merge_gap) if label in sure else ()
            inside = [(float(group.time[0]), float(group.time[-1])) for group in groups]
            windows += subtract(wanted, inner_cells(inside, sampling.period))
        return merge(windows)

    def _match(self, faces: Faces, periods: npt.NDArray[np.float64], lenience: float = 0.0) -> dict[str, Hits]:
        return match(
            faces,
            self._gallery,
            enter=self._limits.enter - lenience,
            exit=self._limits.exit - lenience,
            margin=max(0.0, self._limits.margin - lenience),
            periods=periods,
        )

    def _find(self, record: VideoRecord, info: VideoInfo, dense: list[UnitRecord]) -> Findings:
        sampling = self._sampling(record)
        faces, periods = self._faces(record, info, sampling, dense)
        hits = self._match(faces, periods)
        duration = None if info.duration is None else float(info.duration)
        spans = [
            span
            for label, found in hits.items()
            for span in build_spans(
                record.video_id,
                label,
                found,
                pad=self._spans.pad,
                merge_gap=self._spans.merge_gap,
                min_span=self._spans.min_span,
                duration=duration,
            )
        ]
        spans.sort(key=lambda span: (span.start, span.target))
        return Findings(record, info, sampling, faces, hits, tuple(spans))

    def _sampling(self, record: VideoRecord) -> Sampling:
        """The sampling that the video was scanned with.

        Raises:
            ModelError: It was scanned with another recogniser than the gallery was made with.
        """
        metadata = self._index(record).metadata()
        if metadata["contract"] != self._gallery.contract:
            raise ModelError(
                f"{record.video_id!r} was scanned with the recogniser {metadata['recogniser']!r}; targets of another "
                "cannot be looked for in it: choose that one with --models and --pack, or scan again"
            )
        period = json.loads(metadata["sampling"])["period"]
        return Sampling(None if period is None else Fraction(period))

    def _faces(
        self, record: VideoRecord, info: VideoInfo, sampling: Sampling, dense: list[UnitRecord]
    ) -> tuple[Faces, npt.NDArray[np.float64]]:
        """All faces of a video and the seconds that each stands for."""
        index = self._index(record)
        faces = index.faces()
        frame = float(1 / (info.rate or _UNKNOWN_RATE))
        if sampling.period is None:
            return faces, np.full(len(faces), frame)
        if not dense:
            return faces, np.full(len(faces), float(sampling.period))
        windows = [_interval(unit) for unit in dense]
        sparse = faces[~_inside(faces.time, windows)]
        joined = Faces.concatenate([sparse, *index.dense_faces(dense)])
        joined = joined[np.argsort(joined.pts, kind="stable")]
        periods = np.where(_inside(joined.time, windows), frame, float(sampling.period))
        return replace(joined, track=link_tracks(joined, float(sampling.period))), periods

    def _dense_units(self, video_id: str) -> list[UnitRecord]:
        return [unit for unit in self._ledger.units(video_id).values() if unit.dense and not unit.lost]

    def _index(self, record: VideoRecord) -> VideoIndex:
        return VideoIndex(self._out.index, record.video_id)


def _interval(unit: UnitRecord) -> Interval:
    assert unit.end is not None
    return unit.start, unit.end


def _inside(times: npt.NDArray[np.float64], windows: Iterable[Interval]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(times), bool)
    for start, end in windows:
        inside |= (times >= float(start)) & (times < float(end))
    return inside
