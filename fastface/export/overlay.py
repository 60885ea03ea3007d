"""Compute the boxes to draw into each frame of a film. Pure.

The planner calls `box_tracks`, and `clips.overlay_video` calls `select_boxes` for each frame. Between two samples of
a track the box moves linearly. Before the first and after the last sample there is no box, because the shot may
change there.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fastface.export.plan import BoxLabel
from fastface.types import Bodies, Faces, Hits

_GAP_PERIODS = 3.5
"""Maximum distance of two samples of a track, in sample periods: it bridges two missed samples."""

Moment = tuple[float, float, float, float, float, float, float]
"""Seconds from the first frame, the period, x1, y1, x2, y2 in pixels as displayed, similarity."""


@dataclass(frozen=True, slots=True)
class BoxTrack:
    """One person's box over time.

    Attributes:
        label: The target's label.
        colour: Number of the target's colour.
        moments: Samples in order of time.
    """

    label: str
    colour: int
    moments: tuple[Moment, ...]


def box_tracks(
    faces: Faces | Bodies,
    hits: Mapping[str, Hits],
    start: float,
    end: float,
    colours: Mapping[str, int] | None = None,
) -> tuple[BoxTrack, ...]:
    """Return the boxes of every target's hits in a stretch, by label and then by track.

    Args:
        faces: The video's faces, or its bodies.
        hits: {label: hits}.
        start: Seconds from the first frame, inclusive.
        end: Seconds from the first frame, exclusive.
        colours: {label: number of its colour}, 0 for others; None counts the labels.
    """
    found = []
    tracks = faces.tracks
    for number, (label, those) in enumerate(sorted(hits.items())):
        colour = number if colours is None else colours.get(label, 0)
        # Include a moment before the stretch and one after it: the box may move between them.
        reach = _GAP_PERIODS * those.period
        near = those[(those.time >= start - reach) & (those.time < end + reach)]
        numbers = tracks[near.face]
        for track in np.unique(numbers):
            found.append(BoxTrack(label, colour, tuple(_moments(faces, near[numbers == track]))))
    return tuple(found)


def _moments(faces: Faces | Bodies, hits: Hits) -> Iterable[Moment]:
    rows = zip(
        hits.time.tolist(),
        hits.period.tolist(),
        faces.boxes[hits.face].tolist(),
        hits.similarity.tolist(),
        strict=True,
    )
    for time, period, (x1, y1, x2, y2), similarity in rows:
        yield time, period, x1, y1, x2, y2, similarity


def select_boxes(tracks: Iterable[BoxTrack], time: float, frame_seconds: float) -> list[BoxLabel]:
    """Return the boxes to draw into the frame at a time.

    Args:
        tracks: Result of `box_tracks`.
        time: Seconds from the first frame.
        frame_seconds: Seconds that a frame is shown; the box of a single sample is shown equally long.
    """
    labels = []
    for track in tracks:
        place = bisect_right(track.moments, time, key=_time) - 1
        if place < 0:
            continue
        before = track.moments[place]
        after = track.moments[place + 1] if place + 1 < len(track.moments) else None
        box = _box(before, after, time, frame_seconds)
        if box is not None:
            labels.append(BoxLabel(box, f"{track.label} {before[6]:.2f}", track.colour))
    return labels


def _time(moment: Moment) -> float:
    return moment[0]


def _box(
    before: Moment, after: Moment | None, time: float, frame_seconds: float
) -> tuple[float, float, float, float] | None:
    if after is not None and after[0] - before[0] <= _GAP_PERIODS * before[1]:
        share = (time - before[0]) / (after[0] - before[0])
        x1, y1, x2, y2 = (first + (last - first) * share for first, last in zip(before[2:6], after[2:6], strict=True))
        return x1, y1, x2, y2
    return before[2:6] if time < before[0] + frame_seconds else None
