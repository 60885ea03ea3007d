"""Define the tracks and persons of the whole archive.

The census makes them; `people`, `pick` and the exports read them.
"""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.types.faces import RowTable


@dataclass(frozen=True, slots=True)
class Tracks(RowTable):
    """Tracks of any number of videos, one row a track: of faces, or of stretches in which only the body is visible.

    Attributes:
        video: (t,) int32, the place of its video in a list.
        number: (t,) int64, number of `Faces.tracks` or `Bodies.tracks`.
        start: (t,) float64, time of its first face in seconds from the video's first frame.
        end: (t,) float64, time of its last face.
        seconds: (t,) float64, screen time: the sum of its faces' periods.
        faces: (t,) int64, number of faces; 0 for bodies.
        best: (t,) int64, the row of its best face, or body, in the video.
        quality: (t,) float32, of that face; 0 for bodies.
        det_score: (t,) float32, the mean of its best faces, or the largest of its bodies.
        plain: (t,) float32, the share of its best faces that are of good quality and frontal, 0–1; 0 for bodies.
        centrality: (t,) float32, mean closeness of its boxes to the middle of the frame: 1 in it, 0 in a corner.
        embedding: (t, D) float16, L2-normalised mean of its best faces, weighted by quality; zero columns for bodies.
    """

    video: npt.NDArray[np.int32]
    number: npt.NDArray[np.int64]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]
    best: npt.NDArray[np.int64]
    quality: npt.NDArray[np.float32]
    det_score: npt.NDArray[np.float32]
    plain: npt.NDArray[np.float32]
    centrality: npt.NDArray[np.float32]
    embedding: npt.NDArray[np.float16]

    def video_rows(self, video: int) -> slice:
        """Return the rows of a video, if tracks are in order of their videos."""
        begin, end = np.searchsorted(self.video, [video, video + 1]).tolist()
        return slice(begin, end)

    def without_embeddings(self) -> Self:
        """Return the same tracks, with embeddings of no components."""
        return replace(self, embedding=np.empty((len(self), 0), np.float16))

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """Return no tracks, with embeddings of `dimension` components."""
        return cls(
            video=np.empty(0, np.int32),
            number=np.empty(0, np.int64),
            start=np.empty(0, np.float64),
            end=np.empty(0, np.float64),
            seconds=np.empty(0, np.float64),
            faces=np.empty(0, np.int64),
            best=np.empty(0, np.int64),
            quality=np.empty(0, np.float32),
            det_score=np.empty(0, np.float32),
            plain=np.empty(0, np.float32),
            centrality=np.empty(0, np.float32),
            embedding=np.empty((0, dimension), np.float16),
        )


@dataclass(frozen=True, slots=True)
class Appearance:
    """A stretch of one video in which a person is visible, `[start, end)` in seconds from the first frame.

    `faces` is 0 if only the body is visible.
    """

    video_id: str
    start: float
    end: float
    faces: int


@dataclass(frozen=True, slots=True)
class Portrait:
    """A small picture of a person's face, or of the body if the face is never visible.

    Attributes:
        file: Its path below OUT.
        video_id: Video of the picture.
        time: Seconds from the first frame.
        quality: Quality of the face, 0–1; 0 without a face.
        jpeg: The picture.
    """

    file: str
    video_id: str
    time: float
    quality: float
    jpeg: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the census.

    Attributes:
        number: Rank in the first census, from 1; the person keeps it in every later census.
        name: Name that the user gave; empty without one.
        faces: Number of faces.
        tracks: Number of tracks.
        seconds: Screen time in seconds.
        share: Screen time as a share of the duration of all videos, 0–1.
        videos: Number of videos with the person.
        best_quality: Quality of the best face, 0–1; 0 without a face.
        appearances: Appearances by video, then start.
        portraits: Pictures, the best and most different ones first.
        together: {number of another person: seconds in which both are on screen}.
        body_seconds: Part of the screen time in which the body is visible and the face is not.
    """

    number: int
    name: str
    faces: int
    tracks: int
    seconds: float
    share: float
    videos: int
    best_quality: float
    appearances: tuple[Appearance, ...]
    portraits: tuple[Portrait, ...]
    together: dict[int, float]
    body_seconds: float = 0.0

    @property
    def is_faceless(self) -> bool:
        """True if the face is never visible, so that the person cannot be recognised in another shot."""
        return not self.faces

    @property
    def title(self) -> str:
        """The name or, without one, `person 3`."""
        return self.name or f"person {self.number}"
