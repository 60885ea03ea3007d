"""Define the contract of formats with boxes, and read the boxes of hits.csv: one video in memory at a time.

A format is a function `RenderBoxes` with a line in `writer.BOX_FORMATS`. It yields the text of one file part by part.
Each format must pass `tests/contract/test_timeline_formats.py`.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.csv_cells import read_csv
from fastface.errors import ConfigError
from fastface.export.timelines.timeline import Timeline, label_persons
from fastface.names import text_cell

Whole = npt.NDArray[np.int64]

_COLUMNS = ("video", "target", "time", "player_time", "x1", "y1", "x2", "y2", "similarity", "track")
_USUAL_GAP = 200
"""Thousandths of a second between two samples at the default rate, for a video without two hits of one track."""


@dataclass(frozen=True, slots=True)
class BoxTrack:
    """The hits of one person in one track, in order of time. Times are thousandths of a second."""

    label: str  # name of the person on one line; different persons have different ones
    number: int  # of the track within the video
    times: Whole  # from the first frame; no two are equal
    player_times: Whole
    boxes: npt.NDArray[np.float64]  # (n, 4): x1, y1, x2, y2 in pixels of the frame as displayed
    similarities: npt.NDArray[np.float64]
    starts: Whole  # when each box is shown, on the clock of a player
    ends: Whole  # when the next box or no box is shown

    def count_frames(self, rate: Fraction) -> Whole:
        """Return the number of each hit's frame; the first frame of the video is 0."""
        numerator, denominator = rate.as_integer_ratio()
        return np.asarray((2 * self.times * numerator + 1000 * denominator) // (2000 * denominator))


@dataclass(frozen=True, slots=True)
class BoxTimeline:
    """The boxes of one video, and its spans."""

    timeline: Timeline
    tracks: tuple[BoxTrack, ...]  # sorted by label, then by number
    usual_gap: int  # thousandths of a second between two hits of one track; a longer gap shows no box

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of all persons with a box, sorted."""
        return tuple(sorted({track.label for track in self.tracks}))

    def list_stored_boxes(self, track: BoxTrack) -> list[list[float]]:
        """Return a track's boxes in pixels of the file, to a tenth: programs that open its frames count them."""
        (width, height), (stored_width, stored_height) = self.timeline.size, self.timeline.stored_size
        scale = (stored_width / width, stored_height / height)
        boxes: list[list[float]] = np.round(track.boxes * (*scale, *scale), 1).tolist()
        return boxes


RenderBoxes = Callable[[BoxTimeline], Iterator[str]]
"""Yield the parts of a file's text, the same for equal boxes. Lines end with LF."""


def read_boxes(path: Path, timelines: Mapping[str, Timeline]) -> Iterator[BoxTimeline]:
    """Read hits.csv, and yield the boxes of each video that has a timeline.

    Hits without a face have no box, and are left out. Boxes are cut at the sides of the frame.

    Args:
        path: The table.
        timelines: {the video's cell in hits.csv: its timeline}.

    Raises:
        ConfigError: The table cannot be read.
    """
    try:
        for video, rows in groupby(read_csv(path, _COLUMNS), key=itemgetter(0)):
            if video in timelines:
                yield _collect(timelines[video], rows)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error}; search again to write it") from error


def _collect(timeline: Timeline, rows: Iterable[tuple[str, ...]]) -> BoxTimeline:
    """Sort the rows of one video into tracks. Numbers are kept as arrays: a video can have millions of hits."""
    places: dict[str, int] = {}
    whole, numbers = array("q"), array("d")
    for _, target, time, player_time, x1, y1, x2, y2, similarity, track in rows:
        if x1:
            person = places.setdefault(target, len(places))
            whole.extend((person, int(track), round(float(time) * 1000), round(float(player_time) * 1000)))
            numbers.extend((float(x1), float(y1), float(x2), float(y2), float(similarity)))
    keys = np.frombuffer(whole, np.int64).reshape(-1, 4) if whole else np.empty((0, 4), np.int64)
    values = np.frombuffer(numbers, np.float64).reshape(-1, 5) if numbers else np.empty((0, 5))
    boxes = np.clip(values[:, :4], 0, (*timeline.size, *timeline.size))
    order = np.lexsort((keys[:, 2], keys[:, 1], keys[:, 0]))  # by person, track and time; equal ones stay in order
    is_kept = ((boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1]))[order]
    order = order[is_kept]
    # Of two hits of a person at one moment of a track, the first counts.
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.any(keys[order[1:], :3] != keys[order[:-1], :3], axis=1)
    order = order[is_new]
    keys, boxes, similarities = keys[order], boxes[order], values[order, 4]
    edges = np.flatnonzero(np.any(keys[1:, :2] != keys[:-1, :2], axis=1)) + 1
    ranges = [slice(start, end) for start, end in pairwise([0, *edges.tolist(), len(keys)]) if end > start]
    gaps = np.concatenate([np.diff(keys[part, 2]) for part in ranges] or [np.empty(0, np.int64)])
    usual_gap = int(np.median(gaps)) if len(gaps) else _USUAL_GAP
    labels = _label_places(places, timeline)
    tracks = [
        _make_track(labels[int(keys[part.start, 0])], keys[part], boxes[part], similarities[part], usual_gap)
        for part in ranges
    ]
    return BoxTimeline(timeline, tuple(sorted(tracks, key=lambda track: (track.label, track.number))), usual_gap)


def _make_track(
    label: str, keys: Whole, boxes: npt.NDArray[np.float64], similarities: npt.NDArray[np.float64], usual_gap: int
) -> BoxTrack:
    """Show each box from the middle between it and the one before to the middle between it and the next."""
    player_times = keys[:, 3]
    middles = (player_times[1:] + player_times[:-1]) // 2
    is_near = np.diff(player_times) <= 2 * usual_gap
    half = max(1, usual_gap // 2)
    starts, ends = player_times - half, player_times + half
    starts[1:] = np.where(is_near, middles, starts[1:])
    ends[:-1] = np.where(is_near, middles, ends[:-1])
    number, times = int(keys[0, 1]), keys[:, 2]
    return BoxTrack(label, number, times, player_times, boxes, similarities, np.maximum(starts, 0), ends)


def _label_places(places: Mapping[str, int], timeline: Timeline) -> dict[int, str]:
    """Return {place: label}. A cell of hits.csv need not be the name: see `names.text_cell`."""
    known = {text_cell(person): person for person in timeline.persons}
    persons = {place: known.get(cell, cell) for cell, place in places.items()}
    labels = label_persons(sorted({*timeline.persons, *persons.values()}))
    return {place: labels[person] for place, person in persons.items()}
