"""Read the faces and tracks of one video as a search compares them: regular samples, and denser ones where they exist.

The search uses it, and the review of an answer, which must find the same tracks again.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.gallery.matching import VideoFaces
from fastface.grouping import summarize_tracks
from fastface.index.records import UnitRecord
from fastface.index.store import VideoIndex
from fastface.timeline import Interval, merge
from fastface.tracking.face_tracks import link_tracks
from fastface.types import Faces, Sampling, VideoInfo
from fastface.video.clock import UNKNOWN_RATE


def read_video_faces(
    index: VideoIndex, info: VideoInfo, sampling: Sampling, units: Collection[UnitRecord], *, exact: bool
) -> VideoFaces:
    """Read a video's faces and tracks.

    Args:
        index: Index of the video.
        info: Properties of the video.
        sampling: Sampling of the video's scan.
        units: All units of the video.
        exact: True to include the stretches of which every frame was searched.

    Raises:
        FaceIndexError: The index is damaged.
    """
    faces = index.faces()
    frame = float(1 / (info.rate or UNKNOWN_RATE))
    if sampling.period is None:
        return VideoFaces(faces, index.tracks(), np.full(len(faces), frame))
    period = float(sampling.period)
    periods = np.full(len(faces), period)
    dense = [unit for unit in units if unit.dense and not unit.lost]
    # Denser scans replace the samples of the same time; every-frame scans come last.
    for closeness, seconds in ((sampling.period, period), (None, frame)):
        chosen = [unit for unit in dense if unit.period == closeness and (exact or unit.period is not None)]
        if not chosen:
            continue
        outside = ~_inside(faces.time, [to_interval(unit) for unit in chosen])
        closer = index.unit_faces(chosen)
        faces = Faces.concatenate([faces[outside], *closer])
        periods = np.concatenate([periods[outside], *(np.full(len(part), seconds) for part in closer)])
    if not dense:
        return VideoFaces(faces, index.tracks(), periods)
    order = np.argsort(faces.pts, kind="stable")
    faces, periods = faces[order], periods[order]
    used = [unit for unit in dense if exact or unit.period is not None]
    frames = index.merge_frames(used, is_film=info.is_film)
    shot = frames.find_shot(faces.pts)
    faces = replace(faces, track=link_tracks(faces, shot, period, is_film=info.is_film))
    return VideoFaces(faces, summarize_tracks(faces, frames), periods)


def to_interval(unit: UnitRecord) -> Interval:
    """Return the bounds of a unit that has an end."""
    assert unit.end is not None
    return unit.start, unit.end


def _inside(times: npt.NDArray[np.float64], windows: Iterable[Interval]) -> npt.NDArray[np.bool_]:
    bounds = np.array([(float(start), float(end)) for start, end in merge(windows)])
    last_begun = np.searchsorted(bounds[:, 0], times, side="right") - 1
    inside: npt.NDArray[np.bool_] = (last_begun >= 0) & (times < bounds[last_begun, 1])
    return inside
