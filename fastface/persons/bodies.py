"""From pixels to `Bodies`: the persons of a batch's frames, how they are dressed, and small pictures of some."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np
import numpy.typing as npt

from fastface.persons.colours import describe_colours
from fastface.persons.yolo import PersonDetections, PersonDetector
from fastface.types import Bodies, Geometry, Image

PICTURE_HEIGHT = 160
"""Most rows of a small picture."""

MOST_A_FRAME = 8
"""Of a crowd those that are found most surely are pictured."""

_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)


@dataclass(frozen=True, slots=True)
class FrameTime:
    """When a frame is shown: its timestamp, seconds from the first frame; and whether pictures of it are taken."""

    pts: int
    time: float
    is_pictured: bool


class BodyFinder:
    """Finds persons in the detector's canvases: what it sees is large enough for them. One thread calls it.

    Attributes:
        seconds: Time spent so far.
    """

    def __init__(self, detector: PersonDetector) -> None:
        self.detector = detector
        self.seconds = 0.0

    def find(self, canvases: npt.NDArray[np.uint8], geometry: Geometry, moments: Sequence[FrameTime]) -> Bodies:
        """The persons of n frames.

        Args:
            canvases: (n, H, W, 3) BGR.
            geometry: How they map onto the displayed frames.
            moments: Of each frame.

        Returns:
            By frame, then by falling score; without tracks and faces.

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
