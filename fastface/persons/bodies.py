"""Detect the bodies in a batch of frames: boxes, colours of the clothes, and thumbnails.

Inference workers call `BodyFinder.find` after face detection, with the same canvases. Tracks and faces are assigned
later, by `tracking.body_tracks`. Colours are histograms, enough to recognise a body within a shot; two are compared by
a plain product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np
import numpy.typing as npt

from fastface.persons.yolo import PersonDetections, PersonDetector
from fastface.types import NUM_COLOURS, Bodies, Geometry, Image

PICTURE_HEIGHT = 160
"""Maximum height of a thumbnail in pixels."""

MOST_A_FRAME = 8
"""Maximum number of thumbnails a frame; in a crowd the bodies with the best scores get one."""

_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)

_SIDE = 16
"""Rows and columns of pixels to which each half of a body is averaged."""

_LEVELS = 4
"""Levels of blue, green and red: the histogram has 4 × 4 × 4 bins."""

_NARROWER = 0.15
"""Share of a box's width that is left out on either side, since it shows the background."""


@dataclass(frozen=True, slots=True)
class FrameTime:
    """Time of a frame: its timestamp, seconds from the first frame, and a flag if its bodies get thumbnails."""

    pts: int
    time: float
    is_pictured: bool


class BodyFinder:
    """Find bodies in the face detector's canvases: their resolution is sufficient. One thread calls it.

    Attributes:
        seconds: Time spent so far.
    """

    def __init__(self, detector: PersonDetector) -> None:
        self.detector = detector
        self.seconds = 0.0

    def find(self, canvases: npt.NDArray[np.uint8], geometry: Geometry, moments: Sequence[FrameTime]) -> Bodies:
        """Find the bodies in n frames.

        Args:
            canvases: (n, H, W, 3) BGR.
            geometry: Mapping of the canvases to the displayed frames.
            moments: Time of each frame.

        Returns:
            Bodies by frame, then by falling score; without tracks and faces.

        Raises:
            BackendError: The runtime failed.
        """
        started = perf_counter()
        width, height = geometry.content
        pictures = [canvas[:height, :width] for canvas in canvases]
        frames = zip(pictures, self.detector.detect(pictures), moments, strict=True)
        found = [_bodies(picture, persons, moment, geometry) for picture, persons, moment in frames]
        self.seconds += perf_counter() - started
        return Bodies.concatenate([Bodies.empty(), *found])


def _bodies(picture: Image, persons: PersonDetections, moment: FrameTime, geometry: Geometry) -> Bodies:
    count, scale = len(persons), np.tile(np.array(geometry.canvas_to_display, np.float32), 2)
    jpeg = np.full(count, None, np.object_)
    if moment.is_pictured:
        jpeg[:MOST_A_FRAME] = [_jpeg(picture, box) for box in persons.boxes[:MOST_A_FRAME]]
    return Bodies(
        time=np.full(count, float(moment.time)),
        pts=np.full(count, moment.pts, np.int64),
        boxes=np.clip(persons.boxes * scale, 0, np.tile(np.array(geometry.display, np.float32), 2)),
        person_score=persons.person_score,
        colours=describe_colours(picture, persons.boxes),
        face=np.full(count, -1, np.int32),
        track=np.full(count, -1, np.int32),
        jpeg=jpeg,
    )


def _jpeg(picture: Image, box: npt.NDArray[np.float32]) -> bytes:
    x1, y1 = (int(value) for value in box[:2])
    x2, y2 = (int(np.ceil(value)) for value in box[2:])
    cut = picture[y1:y2, x1:x2]
    scale = min(1.0, PICTURE_HEIGHT / len(cut))
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(len(cut) * scale)))
    return cv2.imencode(".jpg", cv2.resize(cut, size, interpolation=cv2.INTER_AREA), _JPEG)[1].tobytes()


def describe_colours(picture: Image, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Compute colour histograms of the upper and the lower half of each box.

    They are square roots of shares. So the product of two is the mean of the halves' Bhattacharyya coefficients
    (Comaniciu, Ramesh and Meer, "Kernel-based object tracking", 2003).

    Args:
        picture: (H, W, 3) BGR.
        boxes: (n, 4), x1, y1, x2, y2 in its pixels, within it, none empty.

    Returns:
        (n, 128) float16, L2-normalised.
    """
    found = np.empty((len(boxes), NUM_COLOURS), np.float16)
    for row, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        inset = (x2 - x1) * _NARROWER
        left, right = _whole(x1 + inset, x2 - inset, picture.shape[1])
        top, bottom = _whole(y1, y2, picture.shape[0])
        small = cv2.resize(picture[top:bottom, left:right], (_SIDE, 2 * _SIDE), interpolation=cv2.INTER_AREA)
        bins = (small // (256 // _LEVELS)).reshape(2, -1, 3) @ np.array([_LEVELS**2, _LEVELS, 1])
        bins[1] += _LEVELS**3
        found[row] = np.sqrt(np.bincount(bins.ravel(), minlength=NUM_COLOURS) / bins.size)
    return found


def _whole(low: float, high: float, size: int) -> tuple[int, int]:
    """Return the pixels between two edges, at least one."""
    first = min(int(low), size - 1)
    return first, max(first + 1, min(round(high), size))
