"""From pixels to `Faces`: detect, align, embed, judge; batches of frames, or one picture."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from fastface.faces.align import align_picture, align_planes, alignable
from fastface.faces.arcface import Recogniser
from fastface.faces.looks import Looks, find_in_frames, find_in_picture, least_score, letterbox
from fastface.faces.quality import quality, sharpness, yaw
from fastface.faces.scrfd import Detections, Detector
from fastface.types import ALIGNED_SIZE, Faces, Geometry, Image, Size
from fastface.video.canvas import PICTURE_CANVAS

__all__ = ["PICTURE_CONTENTS", "FaceAnalyser", "FoundFaces", "letterbox"]

PICTURE_CONTENTS = (640, 320)
"""Sides that a single picture is scaled to, until a face is found. A face that fills a picture of 640 is larger than
any that SCRFD learned: of 183 portraits cut at the face's box it found none, and at 320 all of them. Both lie in the
same canvas, so that the network sees one shape."""


_NOTHING = Detections(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """What the detector found in a batch.

    Attributes:
        detections: Faces of all frames, in canvas pixels, by frame and then by falling score.
        frame: (m,) the number in the batch of each face's frame.
    """

    detections: Detections
    frame: npt.NDArray[np.int64]


class FaceAnalyser:
    """Detector and recogniser together. One thread calls it; `detect` alone may be another's.

    Attributes:
        seconds: Time spent so far, by stage: `detect`, `align` (with the judging), `embed`.
        unusable: Faces so far that could not be aligned or embedded and were left out.
        unsharp: {timestamp: faces that were left out, since not sharp enough} of the batch that was described last.
    """

    def __init__(
        self,
        detector: Detector,
        recogniser: Recogniser,
        min_face: float,
        min_sharpness: float = 0.0,
        looks: Looks | None = None,
    ) -> None:
        """Takes both networks.

        Args:
            detector: Finds faces.
            recogniser: Embeds them.
            min_face: Least width and height of a box in pixels of the displayed frame.
            min_sharpness: Least sharpness of a face: others are left out before they are embedded.
            looks: Which looks at a film's frames follow the first; None: none.
        """
        self.looks = looks or Looks(close_ups=False, turned=False)
        self.detector = detector
        self.recogniser = recogniser
        self.min_face = min_face
        self.min_sharpness = min_sharpness
        self.seconds = {"detect": 0.0, "align": 0.0, "embed": 0.0}
        self.unusable = 0
        self.unsharp: Counter[int] = Counter()

    def detect(
        self, canvases: npt.NDArray[np.uint8], count: int | None = None, content: Size | None = None
    ) -> FoundFaces:
        """The first half of a batch's analysis, which uses the detector only: another thread may do it.

        Args:
            canvases: (m, H, W, 3) BGR: of n ≤ m frames, and others that fill the batch up to its usual size.
            count: n; None for m.
            content: (width, height) of the picture in each canvas; None for all of it.

        Raises:
            BackendError: The runtime failed.
        """
        if not len(canvases):
            return FoundFaces(_NOTHING, np.empty(0, np.int64))
        with self._timed("detect"):
            size = content or (canvases.shape[2], canvases.shape[1])
            number = len(canvases) if count is None else count
            return FoundFaces(*find_in_frames(self.detector, canvases, number, size, self.looks))

    def detect_pictures(
        self, canvases: npt.NDArray[np.uint8], planes: npt.NDArray[np.uint8], geometry: Geometry
    ) -> FoundFaces:
        """As `detect`, for n pictures that have nothing to do with each other: each is searched at several scales.

        Args:
            canvases: (m, H, W, 3) BGR, m ≥ n.
            planes: (n, plane_bytes) I420.
            geometry: How canvases and planes map onto the displayed pictures.

        Raises:
            BackendError: The runtime failed.
        """
        if not len(canvases):
            return FoundFaces(_NOTHING, np.empty(0, np.int64))
        width, height = geometry.planes
        scale = np.array([width / geometry.content[0], height / geometry.content[1]], np.float32)
        with self._timed("detect"):
            first, frame = self.detector.detect_all(canvases, least_score(self.detector))
            found = []
            for number, flat in enumerate(planes):
                picture = cv2.cvtColor(flat.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)
                seen = first[frame == number].scaled(scale)
                found.append(find_in_picture(self.detector, np.asarray(picture, np.uint8), seen))
            faces = Detections.concatenate([_NOTHING, *found]).scaled(np.float32(1) / scale)
            return FoundFaces(faces, np.repeat(np.arange(len(found)), [len(part) for part in found]))

    def describe(
        self,
        found: FoundFaces,
        planes: npt.NDArray[np.uint8],
        geometry: Geometry,
        pts: Sequence[int],
        times: Sequence[Fraction | float],
    ) -> Faces:
        """The second half: aligns, judges and embeds what was found in the first n canvases.

        Args:
            found: From `detect`.
            planes: (n, plane_bytes) I420.
            geometry: How canvases and planes map onto the displayed frames.
            pts: n timestamps.
            times: n seconds from the first frame.

        Returns:
            All faces, in order of the frames, then by falling score.

        Raises:
            BackendError: The runtime failed.
        """
        with self._timed("align"):
            real = found.frame < len(pts)
            scale = np.array(geometry.canvas_to_display, np.float32)
            detections, rows = self._usable(found.detections[real], scale)
            frame = found.frame[real][rows]
            aligned = align_planes(planes, geometry, frame, detections.landmarks)
        return self._faces(detections, aligned, np.asarray(pts, np.int64)[frame], _seconds(times)[frame])

    def analyse_picture(self, picture: Image) -> Faces:
        """All faces of one picture by falling score, at time 0.

        Args:
            picture: (H, W, 3) BGR.

        Raises:
            BackendError: The runtime failed.
        """
        with self._timed("detect"):
            detections = self._detect_in(picture)
        with self._timed("align"):
            aligned = _stacked([align_picture(picture, points) for points in detections.landmarks])
        nothing = np.zeros(len(detections))
        return self._faces(detections, aligned, nothing.astype(np.int64), nothing)

    def _detect_in(self, picture: Image) -> Detections:
        found = []
        for content in PICTURE_CONTENTS:
            canvas, factor = letterbox(picture, PICTURE_CANVAS, content)
            detections, _ = self.detector.detect_all(canvas[None])
            found.append(self._usable(detections, np.full(2, 1 / factor, np.float32))[0])
            if len(found[-1]):
                break
        return found[-1]

    def _usable(
        self, detections: Detections, scale: npt.NDArray[np.float32]
    ) -> tuple[Detections, npt.NDArray[np.bool_]]:
        """The faces in pixels of the source that are large enough and can be aligned, and which rows they were."""
        boxes = detections.boxes * np.tile(scale, 2)
        large = ((boxes[:, 2:] - boxes[:, :2]) >= self.min_face).all(axis=1)
        possible = alignable(detections.landmarks)
        self.unusable += int((large & ~possible).sum())
        rows = large & possible
        return Detections(boxes[rows], detections.landmarks[rows] * scale, detections.det_score[rows]), rows

    def _faces(
        self,
        detections: Detections,
        aligned: npt.NDArray[np.uint8],
        pts: npt.NDArray[np.int64],
        times: npt.NDArray[np.float64],
    ) -> Faces:
        with self._timed("align"):
            sharp, turned = sharpness(aligned), yaw(detections.landmarks)
            kept = sharp >= self.min_sharpness
            self.unsharp = Counter(pts[~kept].tolist())
            if not kept.all():
                detections = detections[kept]
                sharp, turned, aligned = sharp[kept], turned[kept], aligned[kept]
                pts, times = pts[kept], times[kept]
        with self._timed("embed"):
            embeddings, valid = self.recogniser.embed(aligned)
        self.unusable += int((~valid).sum())
        faces = Faces(
            time=times,
            pts=pts,
            boxes=detections.boxes,
            landmarks=detections.landmarks,
            det_score=detections.det_score,
            quality=quality(detections.boxes, sharp, turned, detections.det_score),
            sharpness=sharp,
            yaw=turned,
            track=np.full(len(times), -1, np.int32),
            damaged=np.zeros(len(times), np.bool_),
            embedding=embeddings.astype(np.float16),
        )
        return faces if valid.all() else faces[valid]

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


def _seconds(times: Sequence[Fraction | float]) -> npt.NDArray[np.float64]:
    return np.array([float(value) for value in times], np.float64)


def _stacked(aligned: list[Image]) -> npt.NDArray[np.uint8]:
    return np.stack(aligned) if aligned else np.empty((0, ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)
