"""Define faces, bodies and face tracks of one video, each as a struct of arrays with one row an item.

Scan, index and search exchange them. The classes are frozen: a filter or a join makes a new table.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

ALIGNED_SIZE = 112
"""Side of an aligned face in pixels: the input of ArcFace networks."""

OPENVINO_ALIGNED_SIZE = 128
"""Side of the aligned faces of OpenVINO's face-reidentification-retail-0095."""

ALIGNED_SIZES = (ALIGNED_SIZE, OPENVINO_ALIGNED_SIZE, 150)
"""Sides of the aligned faces of all recognisers: ArcFace, OpenVINO's, dlib. `faces.align` defines the alignments."""

FloatArray = npt.NDArray[np.float32]


class RowTable:
    """A struct of arrays, one row an item: filter by mask or index, concatenate. For frozen dataclasses of arrays."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def __len__(self) -> int:
        return len(getattr(self, next(iter(self.__dataclass_fields__))))

    def __getitem__(self, key: npt.NDArray[Any] | slice) -> Self:
        return type(self)(*(getattr(self, name)[key] for name in self.__dataclass_fields__))

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Join all rows of all parts, in order. At least one part is needed, since it defines the dtypes."""
        kept = list(parts)
        return cls(*(np.concatenate([getattr(p, name) for p in kept]) for name in kept[0].__dataclass_fields__))


@dataclass(frozen=True, slots=True)
class Faces(RowTable):
    """Faces of one video, one row a face.

    Attributes:
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, in the stream's time base.
        boxes: (n, 4) float32, x1, y1, x2, y2 in pixels of the frame as displayed; may reach over its edges.
        landmarks: (n, 5, 2) float32, (x, y) of left eye, right eye, nose, left and right mouth corner as seen.
        det_score: (n,) float32, 0–1.
        quality: (n,) float32, 0–1; see `faces.quality`.
        sharpness: (n,) float32, variance of the Laplacian of the aligned face.
        yaw: (n,) float32, degrees estimated from the landmarks; positive turns to the picture's right.
        track: (n,) int32, a number that faces of one track share within a video; -1 before tracks are linked.
        damaged: (n,) bool, true if the frame may be damaged: the decoder flagged it, or an earlier packet was lost.
        embedding: (n, D) float16, L2-normalised.
    """

    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    det_score: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    sharpness: npt.NDArray[np.float32]
    yaw: npt.NDArray[np.float32]
    track: npt.NDArray[np.int32]
    damaged: npt.NDArray[np.bool_]
    embedding: npt.NDArray[np.float16]

    @property
    def tracks(self) -> npt.NDArray[np.int64]:
        """Return (n,) the track number of each face; a face without a track is a track of its own."""
        lone = self.track.max(initial=-1) + 1 + np.arange(len(self), dtype=np.int64)
        return np.where(self.track < 0, lone, self.track.astype(np.int64))

    def without_embeddings(self) -> Self:
        """Return the same faces, with embeddings of no components."""
        return replace(self, embedding=np.empty((len(self), 0), np.float16))

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """Return no faces, with embeddings of `dimension` components."""
        return cls(
            time=np.empty(0, np.float64),
            pts=np.empty(0, np.int64),
            boxes=np.empty((0, 4), np.float32),
            landmarks=np.empty((0, 5, 2), np.float32),
            det_score=np.empty(0, np.float32),
            quality=np.empty(0, np.float32),
            sharpness=np.empty(0, np.float32),
            yaw=np.empty(0, np.float32),
            track=np.empty(0, np.int32),
            damaged=np.empty(0, np.bool_),
            embedding=np.empty((0, dimension), np.float16),
        )


@dataclass(frozen=True, slots=True)
class PhotoFaces:
    """All faces of one photo.

    Attributes:
        faces: The faces; boxes are in pixels of the photo as displayed.
        size: Width and height of the photo as displayed, in pixels.
    """

    faces: Faces
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Thumbnails(RowTable):
    """Small pictures of some faces of one video, taken during the scan; one row a picture.

    Do not confuse it with `types.people.Portrait`, a picture chosen for a person of the census.

    Attributes:
        pts: (k,) int64, of the face's frame.
        x1: (k,) float32, left of the face's box; with `pts` and `y1` it identifies a row of the video's `Faces`
            exactly.
        y1: (k,) float32, top of the face's box.
        quality: (k,) float32, of the face, 0–1.
        worth: (k,) float32, 0–8, the rating by which pictures are chosen: see `faces.portraits.portrait_worth`.
        jpeg: (k,) object, bytes: the upright face with a margin. None for a face without a picture, which exists only
            between worker and index.
    """

    pts: npt.NDArray[np.int64]
    x1: npt.NDArray[np.float32]
    y1: npt.NDArray[np.float32]
    quality: npt.NDArray[np.float32]
    worth: npt.NDArray[np.float32]
    jpeg: npt.NDArray[np.object_]

    @classmethod
    def of(cls, faces: Faces, worth: npt.NDArray[np.float32], jpegs: Iterable[bytes | None]) -> Self:
        """Build rows from these faces and their pictures, in the same order."""
        jpeg = np.empty(len(faces), np.object_)
        jpeg[:] = list(jpegs)
        return cls(faces.pts, faces.boxes[:, 0].copy(), faces.boxes[:, 1].copy(), faces.quality, worth, jpeg)

    @property
    def taken(self) -> npt.NDArray[np.bool_]:
        """Return (k,) flags of the faces with a picture."""
        return np.array([jpeg is not None for jpeg in self.jpeg], np.bool_)

    @classmethod
    def empty(cls) -> Self:
        """Return no pictures."""
        return cls.of(Faces.empty(0), np.empty(0, np.float32), ())


NUM_COLOURS = 128
"""Components of a body's colours: 64 of the upper half, 64 of the lower."""


@dataclass(frozen=True, slots=True)
class Bodies(RowTable):
    """Bodies in one video, one row a person's box in one frame.

    Attributes:
        time: (n,) float64, seconds from the first frame.
        pts: (n,) int64, in the stream's time base.
        boxes: (n, 4) float32, x1, y1, x2, y2 in pixels of the frame as displayed, within it.
        person_score: (n,) float32, 0–1.
        colours: (n, C) float16, L2-normalised; the product of two rows is the similarity of the clothes, 0–1.
        face: (n,) int32, row of its face in the video's `Faces`; -1 without a face, or before matching.
        track: (n,) int32, a number that bodies of one track share within a video; -1 before tracks are linked.
        jpeg: (n,) object, bytes: a small picture of the body; None for most.
    """

    time: npt.NDArray[np.float64]
    pts: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float32]
    person_score: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float16]
    face: npt.NDArray[np.int32]
    track: npt.NDArray[np.int32]
    jpeg: npt.NDArray[np.object_]

    @property
    def tracks(self) -> npt.NDArray[np.int64]:
        """Return (n,) the track number of each body."""
        return self.track.astype(np.int64)

    @classmethod
    def empty(cls) -> Self:
        """Return no bodies."""
        return cls(
            time=np.empty(0, np.float64),
            pts=np.empty(0, np.int64),
            boxes=np.empty((0, 4), np.float32),
            person_score=np.empty(0, np.float32),
            colours=np.empty((0, NUM_COLOURS), np.float16),
            face=np.empty(0, np.int32),
            track=np.empty(0, np.int32),
            jpeg=np.empty(0, np.object_),
        )


@dataclass(frozen=True, slots=True)
class FaceTracks(RowTable):
    """Tracks of one video, one row a track, in order of their numbers.

    Attributes:
        number: (t,) int64, number of `Faces.tracks`.
        shot: (t,) int32, the shot of the track; a track never crosses a cut.
        start: (t,) float64, time of its first face in seconds from the first frame.
        end: (t,) float64, time of its last face.
        faces: (t,) int32, number of its faces.
        embedding: (t, D) float16, L2-normalised mean of its best faces, weighted by quality.
    """

    number: npt.NDArray[np.int64]
    shot: npt.NDArray[np.int32]
    start: npt.NDArray[np.float64]
    end: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]
    embedding: npt.NDArray[np.float16]

    @classmethod
    def empty(cls, dimension: int) -> Self:
        """Return no tracks, with embeddings of `dimension` components."""
        return cls(
            number=np.empty(0, np.int64),
            shot=np.empty(0, np.int32),
            start=np.empty(0, np.float64),
            end=np.empty(0, np.float64),
            faces=np.empty(0, np.int32),
            embedding=np.empty((0, dimension), np.float16),
        )
