"""Rank clusters of tracks and summarise their persons' time on screen. Pure array code; `census` calls it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.types import Appearance, Person, Rank, Tracks

_Labels = npt.NDArray[np.int64]

NO_CLUSTER = -1
"""Label of a track without a person."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """Properties of a video."""

    video_id: str
    duration: float | None  # seconds, if declared
    period: float  # seconds between samples
    coverage: float = 1.0  # searched share of the duration, 0–1; 0 for an unreadable video


@dataclass(frozen=True, slots=True)
class Meetings:
    """Pairs of tracks in the same frames.

    Attributes:
        pairs: (k, 2) rows of two tracks.
        seconds: (k,) shared seconds.
    """

    pairs: npt.NDArray[np.int64]
    seconds: npt.NDArray[np.float64]


def rank_clusters(
    tracks: Tracks, label: _Labels, rank: Rank, *, min_faces: int, min_seconds: float, top: int
) -> _Labels:
    """Return the listed clusters, by rank.

    * seconds: screen time.
    * coverage: seconds between first and last appearance, summed over the videos.
    * centrality: closeness to the middle of the frame, as a mean over all faces.
    * quality: quality of the best face.

    Screen time, then the first track, break ties. Clusters without a visible face come last.

    Args:
        tracks: Tracks of all videos.
        label: (t,) cluster of each track, numbered from 0 by first track; NO_CLUSTER for none.
        rank: Criterion of the ranking.
        min_faces: Minimum number of faces of a listed cluster with faces.
        min_seconds: Minimum screen time in seconds of a listed cluster without a face.
        top: Maximum number of listed clusters; 0 for all.
    """
    known = np.flatnonzero(label >= 0)
    of, count = label[known], int(label.max(initial=-1)) + 1
    faces = _sum_by_person(of, tracks.faces[known], count)
    seconds = _sum_by_person(of, tracks.seconds[known], count)
    keys: dict[Rank, npt.NDArray[np.float64]] = {
        "seconds": seconds,
        "coverage": _coverage(tracks[known], of, count),
        "centrality": _sum_by_person(of, tracks.centrality[known] * tracks.faces[known], count) / np.maximum(faces, 1),
        "quality": _largest(tracks.quality[known], of, count),
    }
    is_faceless = faces == 0
    bodies = known[tracks.faces[known] == 0]
    by_body = _sum_by_person(label[bodies], tracks.seconds[bodies], count).round(9)
    order = np.lexsort((np.arange(count), -seconds.round(9), -keys[rank].round(9), is_faceless))
    is_listed = ((faces >= min_faces) & ~is_faceless) | ((by_body > 0) & (by_body >= min_seconds))
    listed: _Labels = order[is_listed[order]][: top or None]
    return listed


def renumber(label: _Labels, order: _Labels) -> _Labels:
    """Return (t,) the place of each track's cluster in `order`, NO_CLUSTER if it is not there."""
    number = np.full(int(label.max(initial=NO_CLUSTER)) + 2, NO_CLUSTER, np.int64)  # the last entry is for NO_CLUSTER
    number[order] = np.arange(len(order))
    numbers: _Labels = number[label]
    return numbers


def summarize_persons(
    tracks: Tracks, label: _Labels, videos: Sequence[VideoFacts], meetings: Meetings, join_gap: float
) -> list[Person]:
    """Summarise the persons of ranked clusters, without names and portraits.

    Args:
        tracks: Face and body tracks of all videos.
        label: (t,) from `renumber`.
        videos: Properties of each video; `tracks.video` is an index into it.
        meetings: Pairs of these tracks in the same frames.
        join_gap: Maximum seconds between two tracks of one appearance.
    """
    count = int(label.max(initial=NO_CLUSTER)) + 1
    order = np.lexsort((tracks.start, tracks.video, label))
    order = order[label[order] >= 0]
    bounds = np.searchsorted(label[order], np.arange(count + 1))
    together = _together(label, meetings, count)
    whole = sum((video.duration or 0.0) * video.coverage for video in videos)
    persons = []
    for number in range(count):
        own = tracks[order[bounds[number] : bounds[number + 1]]]
        seconds = float(own.seconds.sum())
        persons.append(
            Person(
                number=number + 1,
                name="",
                faces=int(own.faces.sum()),
                tracks=int((own.faces > 0).sum()),
                seconds=seconds,
                share=min(seconds / whole, 1.0) if whole else 0.0,
                videos=len(np.unique(own.video)),
                best_quality=float(own.quality.max()),
                appearances=_appearances(own, videos, join_gap),
                portraits=(),
                together=together[number],
                body_seconds=float(own.seconds[own.faces == 0].sum()),
            )
        )
    return persons


def _appearances(own: Tracks, videos: Sequence[VideoFacts], join_gap: float) -> tuple[Appearance, ...]:
    """Join the tracks of one person into appearances, by video and start."""
    found: list[tuple[int, float, float, int]] = []
    rows = zip(own.video.tolist(), own.start.tolist(), own.end.tolist(), own.faces.tolist(), strict=True)
    for video, start, last, faces in rows:
        end = last + videos[video].period
        if found and found[-1][0] == video and start <= found[-1][2] + join_gap:
            _, begin, before, already = found.pop()
            found.append((video, begin, max(end, before), already + faces))
        else:
            found.append((video, start, end, faces))
    return tuple(Appearance(videos[video].video_id, start, end, faces) for video, start, end, faces in found)


def _together(label: _Labels, meetings: Meetings, count: int) -> list[dict[int, float]]:
    found: list[dict[int, float]] = [{} for _ in range(count)]
    both = label[meetings.pairs]
    kept = (both >= 0).all(axis=1) & (both[:, 0] != both[:, 1])
    pairs, place = np.unique(np.sort(both[kept], axis=1), axis=0, return_inverse=True)
    seconds = np.bincount(place.ravel(), meetings.seconds[kept], len(pairs))
    for (one, other), time in zip(pairs.tolist(), seconds.tolist(), strict=True):
        found[one][other + 1] = found[other][one + 1] = time
    return [dict(sorted(others.items())) for others in found]


def _coverage(own: Tracks, of: _Labels, count: int) -> npt.NDArray[np.float64]:
    """Return (count,) seconds from the first to the last face in each video, summed over the videos."""
    order = np.lexsort((own.video, of))
    starts = np.flatnonzero((np.diff(of[order], prepend=-1) != 0) | (np.diff(own.video[order], prepend=-1) != 0))
    if not len(starts):
        return np.zeros(count)
    reach = np.maximum.reduceat(own.end[order], starts) - np.minimum.reduceat(own.start[order], starts)
    return _sum_by_person(of[order][starts], reach, count)


def _sum_by_person(of: _Labels, values: npt.NDArray[Any], count: int) -> npt.NDArray[np.float64]:
    return np.bincount(of, values, count).astype(np.float64)


def _largest(values: npt.NDArray[np.float32], of: _Labels, count: int) -> npt.NDArray[np.float64]:
    largest = np.zeros(count)
    np.maximum.at(largest, of, values)
    return largest
