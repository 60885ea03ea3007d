"""Everyone in the archive: tracks, and the persons that they are of."""

from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from fastface.types.faces import RowTable

Rank = Literal["seconds", "coverage", "centrality", "quality"]
"""What persons are ranked by; see `people.clusters.person_summaries.ranked`."""


@dataclass(frozen=True, slots=True)
class Tracks(RowTable):
    """Tracks of any number of videos, one row a track: of faces, or of stretches in which only the body is seen.

    Attributes:
        video: (t,) int32, the place of its video in a list.
        number: (t,) int64, as `Faces.tracks` or `Bodies.tracks` has it.
        start: (t,) float64, seconds from the video's first frame to its first face.
        end: (t,) float64, the same of its last face.
        seconds: (t,) float64, for how long it is on screen: the periods of its faces, summed.
        faces: (t,) int64, how many; 0 of bodies.
        best: (t,) int64, the row in the video's faces, or bodies, of the best one.
        quality: (t,) float32, of that face; 0 of bodies.
        det_score: (t,) float32, the mean of its best faces, or the largest of its bodies.
        plain: (t,) float32, the share of its best faces that are of good quality and frontal, 0 to 1; 0 of bodies.
        centrality: (t,) float32, how near the middle of the frame its boxes are on average: 1 in it, 0 in a corner.
        embedding: (t, D) float16, L2-normalised: the mean of its best faces, weighted by quality; none of bodies.
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
        """The rows of a video, where tracks are in order of their videos."""
        begin, end = np.searchsorted(self.video, [video, video + 1]).tolist()
        return slice(begin, end)

    def without_embeddings(self) -> Self:
        """The same tracks, with embeddings of no components."""
        return replace(self, embedding=np.empty((len(self), 0), np.float16))

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """No tracks, of embeddings with `dimension` components."""
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
    """A stretch of one video in which a person is seen, `[start, end)` in seconds from the first frame.

    It has no `faces` where only the body is seen.
    """

    video_id: str
    start: float
    end: float
    faces: int


@dataclass(frozen=True, slots=True)
class Portrait:
    """A small picture of a person's face, or of the body where the face is never seen.

    Attributes:
        file: Its path below OUT.
        video_id: Where it is from.
        time: Seconds from the first frame.
        quality: Of the face, 0–1; 0 without one.
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
        number: From 1 on, by rank in the first census; it stays with the person in every later one.
        name: As the user gave it; empty without one.
        faces: How many faces.
        tracks: How many tracks.
        seconds: Screen time.
        share: Of the duration of all videos, 0–1.
        videos: In how many videos.
        best_quality: Of the best face, 0–1; 0 without one.
        appearances: By video, then start.
        portraits: The best, most different ones first.
        together: {number of another person: seconds in which both are on screen}.
        body_seconds: Of the screen time, that in which the body is seen and the face is not.
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
        """True if the face is never seen, so that the person is unknown in another shot."""
        return not self.faces

    @property
    def title(self) -> str:
        """Its name or, without one, `person 3`."""
        return self.name or f"person {self.number}"
