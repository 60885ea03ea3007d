"""Detect persons with YOLO: pictures of any size in, boxes in their own pixels out, in batches.

`bodies` and the exports call it. The network itself decodes and ranks its anchors (see `models.graph_person`). Pictures
lie in its canvas as in the family's training: sizes must round like its own code, or boxes shift by a pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from fastface.backends import DeviceInfo, Session, open_session
from fastface.models.facts import PersonFamily
from fastface.persons.network import BATCH, PersonNetwork
from fastface.suppression import suppress
from fastface.types import FloatArray, Image

PERSON_THRESHOLD = 0.3
"""Minimum score of a person, 0–1: YOLOX's demonstration uses 0.3, ultralytics 0.25."""

NMS_IOU = 0.45
"""Overlap above which the box with the lower score is dropped: the value of YOLOX's ONNX demonstration and of
ultralytics' own suppression. With 0.65 there were 10 % more boxes, but they contained no more of 96 faces in 41 frames.
"""

_GREY = 114
"""Colour around a picture in both families' training."""

_HALF_DOWN = 0.1
"""Ultralytics subtracts this before it rounds, so that an odd pixel goes to the right and to the bottom."""


@dataclass(frozen=True, slots=True)
class PersonDetections:
    """The persons of one picture, one row a person, by falling score.

    Attributes:
        boxes: (n, 4) float32, x1, y1, x2, y2 in pixels of the picture, within it.
        person_score: (n,) float32, 0–1.
    """

    boxes: FloatArray
    person_score: FloatArray

    def __len__(self) -> int:
        return len(self.person_score)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Self:
        """Select rows."""
        return type(self)(self.boxes[rows], self.person_score[rows])


class PersonDetector:
    """Run YOLO in a session. One thread calls it."""

    def __init__(
        self, session: Session, network: PersonNetwork, person_threshold: float = PERSON_THRESHOLD, batch: int = BATCH
    ) -> None:
        """Take a session of the network's graph.

        Args:
            session: uint8 (N, H, W, 3) BGR → float32 (N, K, 5), rows of score and box by falling score.
            network: Canvas and family of the network.
            person_threshold: Minimum score of a person, 0–1.
            batch: Maximum number of pictures at once.
        """
        self.session = session
        self.network = network
        self.person_threshold = person_threshold
        takes_one = not session.per_picture and session.input_shape[0] == 1
        self.batch = 1 if takes_one else batch

    def detect(self, pictures: Sequence[Image]) -> list[PersonDetections]:
        """Detect the persons in each picture.

        Args:
            pictures: (H, W, 3) BGR each, of any sizes, no side empty.

        Raises:
            BackendError: The runtime failed.
        """
        found: list[PersonDetections] = []
        for begin in range(0, len(pictures), self.batch):
            found += self._detect(pictures[begin : begin + self.batch])
        return found

    def _detect(self, pictures: Sequence[Image]) -> list[PersonDetections]:
        width, height = self.network.canvas
        canvases = np.empty((len(pictures), height, width, 3), np.uint8)
        pairs = zip(pictures, canvases, strict=True)
        placements = [place(picture, canvas, self.network.family) for picture, canvas in pairs]
        (rows,) = self.session.infer(canvases)
        return [
            self._keep(PersonDetections(placement.in_picture(of_one[:, 1:]), of_one[:, 0]), picture)
            for picture, placement, of_one in zip(pictures, placements, rows, strict=True)
        ]

    def _keep(self, candidates: PersonDetections, picture: Image) -> PersonDetections:
        """Return the rows that show a person, one row a person."""
        # NaN compares false, so rows of a broken network are dropped here.
        good = (candidates.person_score >= self.person_threshold) & np.isfinite(candidates.boxes).all(axis=1)
        persons = candidates[good]
        persons = persons[suppress(persons.boxes, NMS_IOU)]
        height, width = picture.shape[:2]
        boxes = np.clip(persons.boxes, 0, np.array([width, height] * 2, np.float32))
        inside = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        return PersonDetections(boxes[inside], persons.person_score[inside])


def open_person_detector(
    network: PersonNetwork,
    device: DeviceInfo,
    *,
    threads: int,
    cache_folder: Path,
    person_threshold: float = PERSON_THRESHOLD,
) -> PersonDetector:
    """Load a network on a resolved device, in the process that will run it.

    Args:
        network: The network.
        device: Device from `resolve_device`.
        threads: Number of CPU threads of one call.
        cache_folder: Folder of compiled networks, kept between runs.
        person_threshold: Minimum score of a person, 0–1.

    Raises:
        BackendError: The device is not available, or the graph cannot be loaded on it.
    """
    session = open_session(network.graph, device, threads=threads, cache_folder=cache_folder, shapes=network.shapes)
    return PersonDetector(session, network, person_threshold)


@dataclass(frozen=True, slots=True)
class Placement:
    """Place of a picture in its canvas: canvas = picture × factor + (left, top), in pixels.

    Attributes:
        factor: Canvas pixels per pixel of the picture.
        left: Canvas pixels left of the picture.
        top: Canvas pixels above the picture.
    """

    factor: float
    left: int
    top: int

    def in_picture(self, boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Convert boxes (n, 4) from canvas pixels to pixels of the picture."""
        corner = np.array([self.left, self.top] * 2, np.float32)
        return (boxes - corner) / np.float32(self.factor)


def place(picture: Image, canvas: Image, family: PersonFamily) -> Placement:
    """Scale a picture into a canvas: into its middle for `yolo`, into its top left corner for `yolox`.

    Sizes round as in the families' own code (ultralytics' LetterBox, YOLOX's preproc).

    Args:
        picture: (H, W, 3) BGR, no side empty.
        canvas: (h, w, 3), which is overwritten.
        family: The network's family.
    """
    height, width = canvas.shape[:2]
    factor = min(width / picture.shape[1], height / picture.shape[0])
    sides = (picture.shape[1] * factor, picture.shape[0] * factor)
    columns, rows = (max(1, round(side) if family == "yolo" else int(side)) for side in sides)
    left, top = 0, 0
    if family == "yolo":
        left, top = (round(room / 2 - _HALF_DOWN) for room in (width - columns, height - rows))
    canvas[:] = _GREY
    canvas[top : top + rows, left : left + columns] = cv2.resize(
        picture, (columns, rows), interpolation=cv2.INTER_LINEAR
    )
    return Placement(factor, left, top)
