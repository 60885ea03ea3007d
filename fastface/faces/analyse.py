"""Turn pixels into `Faces`: detect, align, embed and rate the faces of frames, pictures and photos.

Inference workers and the photo reader call `FaceAnalyser`. Videos use `detect` and `describe` in batches. Photos need
more looks: several scales, enlarged parts and quarter turns.
"""

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
from fastface.faces.looks import find_in_frames, find_in_picture, least_score, letterbox
from fastface.faces.quality import quality, sharpness, yaw
from fastface.faces.scrfd import Detections, Detector
from fastface.faces.turning import NUM_TURNS, TurnScores, is_leaning, score_turns, turn_back, turn_picture
from fastface.suppression import suppress
from fastface.types import Faces, Geometry, Image, SecondLooks, Size
from fastface.video.frames.canvas import PICTURE_CANVAS

PICTURE_CONTENTS = (640, 320)
"""Sides in pixels to which a single picture is scaled in turn, until a face is found. A face that fills a picture of
640 is larger than any in SCRFD's training: it found none of 183 portraits cut at the face's box, and all of them at
320. Both sizes use the same canvas, so that the network gets one shape."""

_LOW_SCORE = 0.2
"""Minimum score of a face when turns of one picture are compared."""

_LARGE_CONTENTS = (1280, 2560)
"""Sides to which a photo is scaled in turn and searched in parts, until a face is larger than `_SMALL_SHARE`."""

_SMALL_SHARE = 0.045
"""Share of a picture's longer side: 29 of 640 pixels. Smaller faces are found less often, with poorer landmarks."""

_OVERLAP = 160
"""Pixels that neighbouring parts share: larger faces are found in the whole picture."""

_NOTHING = Detections(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))


@dataclass(frozen=True, slots=True)
class FoundFaces:
    """Detections of a batch.

    Attributes:
        detections: Faces of all frames, in canvas pixels, by frame and then by falling score.
        frame: (m,) index in the batch of the frame of each face.
    """

    detections: Detections
    frame: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PhotoFaces:
    """The faces of a photo, in pixels of the photo as stored.

    Attributes:
        faces: By falling score.
        is_sure: True if the upright turn of the photo is certain; else landmarks and embeddings may be wrong.
    """

    faces: Faces
    is_sure: bool


class FaceAnalyser:
    """Analyse faces with a detector and a recogniser. One thread calls it; a second one may call `detect`.

    Attributes:
        seconds: Time spent so far, by stage: `detect`, `align` (with the rating), `embed`.
        unusable: Number of faces so far that could not be aligned or embedded and were left out.
        unsharp: {timestamp: number of faces left out as not sharp enough} of the last batch given to `describe`.
    """

    def __init__(
        self,
        detector: Detector,
        recogniser: Recogniser,
        min_face: float,
        min_sharpness: float = 0.0,
        looks: SecondLooks | None = None,
    ) -> None:
        """Take ownership of both networks.

        Args:
            detector: Network that finds faces.
            recogniser: Network that embeds faces.
            min_face: Minimum width and height of a box in pixels of the displayed frame.
            min_sharpness: Minimum sharpness of a face: others are left out before they are embedded.
            looks: Further detections in a film's frames after the first detection; None for none.
        """
        self.looks = looks or SecondLooks(close_ups=False, turned=False)
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
        """Run the first half of a batch's analysis; it uses the detector only, so another thread may call it.

        Args:
            canvases: (m, H, W, 3) BGR: of n ≤ m frames, and others that fill the batch up to its usual size.
            count: n; None for m.
            content: (width, height) of the picture in each canvas; None for all of it.

        Raises:
            BackendError: The runtime failed.
        """
        if not len(canvases):
            return FoundFaces(_NOTHING, np.empty(0, np.int64))
        with self._time("detect"):
            size = content or (canvases.shape[2], canvases.shape[1])
            number = len(canvases) if count is None else count
            return FoundFaces(*find_in_frames(self.detector, canvases, number, size, self.looks))

    def detect_pictures(
        self, canvases: npt.NDArray[np.uint8], planes: npt.NDArray[np.uint8], geometry: Geometry
    ) -> FoundFaces:
        """Detect faces in n unrelated pictures; unlike `detect`, search each one at several scales.

        Args:
            canvases: (m, H, W, 3) BGR, m ≥ n.
            planes: (n, plane_bytes) I420.
            geometry: Mapping of canvases and planes to the displayed pictures.

        Raises:
            BackendError: The runtime failed.
        """
        if not len(canvases):
            return FoundFaces(_NOTHING, np.empty(0, np.int64))
        width, height = geometry.planes
        scale = np.array([width / geometry.content[0], height / geometry.content[1]], np.float32)
        with self._time("detect"):
            first, frame = self.detector.detect_all(canvases, least_score(self.detector))
            found = []
            for number, flat in enumerate(planes):
                picture = cv2.cvtColor(flat.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)
                seen = first[frame == number].scale(scale)
                found.append(find_in_picture(self.detector, np.asarray(picture, np.uint8), seen))
            faces = Detections.concatenate([_NOTHING, *found]).scale(np.float32(1) / scale)
            return FoundFaces(faces, np.repeat(np.arange(len(found)), [len(part) for part in found]))

    def describe(
        self,
        found: FoundFaces,
        planes: npt.NDArray[np.uint8],
        geometry: Geometry,
        pts: Sequence[int],
        times: Sequence[Fraction | float],
    ) -> Faces:
        """Run the second half: align, rate and embed the faces found in the first n canvases.

        Args:
            found: Faces from `detect`.
            planes: (n, plane_bytes) I420.
            geometry: Mapping of canvases and planes to the displayed frames.
            pts: n timestamps.
            times: n times in seconds from the first frame.

        Returns:
            All faces, in order of the frames, then by falling score.

        Raises:
            BackendError: The runtime failed.
        """
        with self._time("align"):
            real = found.frame < len(pts)
            scale = np.array(geometry.canvas_to_display, np.float32)
            detections, rows = self._usable(found.detections[real], scale)
            frame = found.frame[real][rows]
            aligned = align_planes(planes, geometry, frame, detections.landmarks, self.recogniser.alignment)
        return self._faces(detections, aligned, np.asarray(pts, np.int64)[frame], _seconds(times)[frame])

    def analyse_picture(self, picture: Image) -> Faces:
        """Analyse one picture: all faces by falling score, at time 0.

        Args:
            picture: (H, W, 3) BGR.

        Raises:
            BackendError: The runtime failed.
        """
        with self._time("detect"):
            detections = self._detect(picture)
        return self._faces_of_picture(picture, detections)

    def analyse_photo(self, picture: Image) -> PhotoFaces:
        """Analyse a photo of persons like `analyse_picture`, but in any quarter turn, and also for small faces.

        Args:
            picture: (H, W, 3) BGR.

        Raises:
            BackendError: The runtime failed.
        """
        with self._time("detect"):
            detections, is_sure = self._detect_in_photo(picture)
        return PhotoFaces(self._faces_of_picture(picture, detections), is_sure)

    def _faces_of_picture(self, picture: Image, detections: Detections) -> Faces:
        with self._time("align"):
            alignment = self.recogniser.alignment
            aligned = np.empty((len(detections), alignment.size, alignment.size, 3), np.uint8)
            for row, points in enumerate(detections.landmarks):
                aligned[row] = align_picture(picture, points, alignment=alignment)
        nothing = np.zeros(len(detections))
        return self._faces(detections, aligned, nothing.astype(np.int64), nothing)

    def _detect_in_photo(self, picture: Image) -> tuple[Detections, bool]:
        """Return the faces of a photo, and whether its upright turn is certain."""
        upright = self._detect_at_scales(picture)
        low = Detector(self.detector.session, _LOW_SCORE)
        scores = score_turns(picture, lambda canvas: low.detect(canvas[None])[0])
        if not scores.is_seen:
            scores = self._score_closely(picture, upright, low) or scores
        if scores.best == 0 or not scores.is_seen:
            return upright, not len(upright) or not scores.is_seen or scores.is_sure
        size = picture.shape[1], picture.shape[0]
        other = turn_back(self._detect_at_scales(turn_picture(picture, scores.best)), size, scores.best)
        if not len(other):
            return upright, scores.is_sure
        if len(upright) and is_leaning(upright, other):
            return upright, True  # a tilted head: upright and upside-down detection give the same landmarks
        return other, scores.is_sure

    def _score_closely(self, picture: Image, upright: Detections, low: Detector) -> TurnScores | None:
        """Score each turn of the surroundings of the clearest face; None if no turn shows a face."""
        size = picture.shape[1], picture.shape[0]
        found = [upright]
        for quarters in range(1, NUM_TURNS):
            found.append(turn_back(self._detect_at_scales(turn_picture(picture, quarters)), size, quarters))
        scores = [part.det_score.max(initial=0) for part in found]
        clearest = found[int(np.argmax(scores))]
        if not len(clearest):
            return None
        cut = _surroundings(picture, clearest.boxes[int(clearest.det_score.argmax())])
        return score_turns(cut, lambda canvas: low.detect(canvas[None])[0])

    def _detect_at_scales(self, picture: Image) -> Detections:
        """Detect like `_detect`; if faces are small or none is found, search enlarged parts of the picture too."""
        found = self._detect(picture)
        longer = max(picture.shape[:2])
        for content in _LARGE_CONTENTS:
            if longer < content or _largest_share(found, longer) >= _SMALL_SHARE * 2 * PICTURE_CANVAS / content:
                break
            closer = self._detect_in_parts(picture, content)
            found = closer if len(closer) else found
        return found

    def _detect_in_parts(self, picture: Image, content: int) -> Detections:
        """Detect faces in overlapping parts of a picture that is scaled to a larger side than the canvas."""
        factor = content / max(picture.shape[:2])
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        parts = []
        for top in _starts(size[1]):
            for left in _starts(size[0]):
                part = scaled[top : top + PICTURE_CANVAS, left : left + PICTURE_CANVAS]
                canvas = np.zeros((PICTURE_CANVAS, PICTURE_CANVAS, 3), np.uint8)
                canvas[: part.shape[0], : part.shape[1]] = part
                found, _ = self.detector.detect_all(canvas[None])
                shift = np.array([left, top], np.float32)
                parts.append(Detections(found.boxes + np.tile(shift, 2), found.landmarks + shift, found.det_score))
        order = np.argsort(-np.concatenate([part.det_score for part in parts]), kind="stable")
        merged = Detections(
            np.concatenate([part.boxes for part in parts])[order],
            np.concatenate([part.landmarks for part in parts])[order],
            np.concatenate([part.det_score for part in parts])[order],
        )
        kept = suppress(merged.boxes, self.detector.nms_iou)
        merged = Detections(merged.boxes[kept], merged.landmarks[kept], merged.det_score[kept])
        return self._usable(merged, np.full(2, 1 / factor, np.float32))[0]

    def _detect(self, picture: Image) -> Detections:
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
        """Return faces that are large enough and can be aligned, in pixels of the source; and a mask of the rows."""
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
        with self._time("align"):
            sharp = sharpness(aligned, self.recogniser.alignment.rated_size)
            turned = yaw(detections.landmarks)
            kept = sharp >= self.min_sharpness
            self.unsharp = Counter(pts[~kept].tolist())
            if not kept.all():
                detections = detections[kept]
                sharp, turned, aligned = sharp[kept], turned[kept], aligned[kept]
                pts, times = pts[kept], times[kept]
        with self._time("embed"):
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
    def _time(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - begin


def _seconds(times: Sequence[Fraction | float]) -> npt.NDArray[np.float64]:
    return np.array([float(value) for value in times], np.float64)


def _starts(length: int) -> list[int]:
    """Return the starts of the parts of a side: they overlap, and the last one ends with the side."""
    last = max(0, length - PICTURE_CANVAS)
    return sorted({*range(0, last, PICTURE_CANVAS - _OVERLAP), last})


def _largest_share(found: Detections, longer: int) -> float:
    """Return the side of the largest face, as a share of the picture's longer side."""
    return float((found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1).max(initial=0)) / longer


def _surroundings(picture: Image, box: npt.NDArray[np.float32]) -> Image:
    """Cut the square around a face in which the face is as large as in a portrait."""
    height, width = picture.shape[:2]
    centre, half = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()) * _PORTRAIT_SHARE
    left, top = np.maximum(0, centre - half).astype(int)
    right, bottom = np.minimum((width, height), np.ceil(centre + half)).astype(int)
    return picture[top:bottom, left:right]


_PORTRAIT_SHARE = 1.25
"""Half the side of a portrait, as a share of the face's side."""
