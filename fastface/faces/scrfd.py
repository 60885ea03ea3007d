"""Detect faces with SCRFD: batches of canvases in, boxes and landmarks out.

`analyse`, `looks` and `turning` call `Detector`. The network itself decodes and ranks its anchors; see
`models.detectors.graph_detector`. This module applies the threshold and suppresses overlapping boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from fastface.backends import Session
from fastface.suppression import suppress

NMS_IOU = 0.4
"""Overlap above which the box with the lower score is dropped: insightface's value for SCRFD."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Detected faces, one row a face: of one canvas by falling score, or of several canvases in order.

    Attributes:
        boxes: (n, 4) float32, x1, y1, x2, y2 in canvas pixels; may reach over its edges.
        landmarks: (n, 5, 2) float32, (x, y) in canvas pixels.
        det_score: (n,) float32, 0–1.
    """

    boxes: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]
    det_score: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.det_score)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Self:
        """Select rows."""
        return type(self)(self.boxes[rows], self.landmarks[rows], self.det_score[rows])

    def scale(self, scale: npt.NDArray[np.float32]) -> Self:
        """Return the faces with all coordinates multiplied by (x, y)."""
        return type(self)(self.boxes * np.tile(scale, 2), self.landmarks * scale, self.det_score)

    def shift(self, offset: npt.NDArray[np.float32]) -> Self:
        """Return the faces moved (x, y) pixels right and down."""
        return type(self)(self.boxes + np.tile(offset, 2), self.landmarks + offset, self.det_score)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the rows of all parts in order; at least one part."""
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.landmarks for part in parts]),
            np.concatenate([part.det_score for part in parts]),
        )


class Detector:
    """Run SCRFD in a session. One thread calls it."""

    def __init__(
        self, session: Session, det_threshold: float, nms_iou: float = NMS_IOU, clear_score: float | None = None
    ) -> None:
        """Take a session of a graph that `models.graph.prepare_detector` made.

        Args:
            session: uint8 (N, H, W, 3) BGR → float32 (N, K, 15), rows by falling score.
            det_threshold: Minimum score of a face, 0–1.
            nms_iou: Overlap above which the box with the lower score is dropped.
            clear_score: Minimum score of a face that is certain; None for the threshold.
        """
        self.session = session
        self.det_threshold = det_threshold
        self.clear_score = det_threshold if clear_score is None else clear_score
        self.nms_iou = nms_iou

    def detect(self, canvases: npt.NDArray[np.uint8]) -> list[Detections]:
        """Detect the faces of each canvas.

        Args:
            canvases: (n, H, W, 3) BGR; H and W are multiples of 32.

        Raises:
            BackendError: The runtime failed.
        """
        found, canvas = self.detect_all(canvases)
        ends = np.searchsorted(canvas, np.arange(len(canvases) + 1))
        return [found[slice(*span)] for span in pairwise(ends)]

    def detect_all(
        self, canvases: npt.NDArray[np.uint8], least: float | None = None
    ) -> tuple[Detections, npt.NDArray[np.int64]]:
        """Detect the faces of all canvases; also return (m,) the canvas number of each face, ascending.

        Args:
            canvases: See `detect`.
            least: Minimum score of a face; None for `det_threshold`.

        Raises:
            BackendError: The runtime failed.
        """
        (rows,) = self.session.infer(canvases)
        # NaN compares false, so rows of a broken network are dropped here.
        canvas, place = np.nonzero(rows[:, :, 0] >= (self.det_threshold if least is None else least))
        candidates = rows[canvas, place]
        finite = np.isfinite(candidates).all(axis=1)
        candidates, canvas = candidates[finite], canvas[finite]
        # The graph ranks before the sigmoid, whose rounding may swap neighbours.
        order = np.lexsort((-candidates[:, 0], canvas))
        candidates, canvas = candidates[order], canvas[order]
        begins = np.flatnonzero(np.diff(canvas, prepend=-1))
        kept = [
            begin + suppress(candidates[begin:end, 1:5], self.nms_iou)
            for begin, end in pairwise([*begins, len(canvas)])
        ]
        chosen = np.concatenate(kept) if kept else np.empty(0, np.int64)
        faces = candidates[chosen]
        found = Detections(
            boxes=np.ascontiguousarray(faces[:, 1:5]),
            landmarks=faces[:, 5:].reshape(-1, 5, 2),
            det_score=np.ascontiguousarray(faces[:, 0]),
        )
        return found, canvas[chosen]

    def detect_in_batches(
        self, canvases: npt.NDArray[np.uint8], batch: int, least: float | None = None
    ) -> tuple[Detections, npt.NDArray[np.int64]]:
        """Run `detect_all` in batches of one size, if a runtime's arithmetic depends on the size.

        Args:
            canvases: See `detect`; at least one.
            batch: Number of canvases in a batch; the last batch is filled with black canvases.
            least: See `detect_all`.

        Raises:
            BackendError: The runtime failed.
        """
        if self.session.per_picture:
            return self.detect_all(canvases, least)
        parts, places = [], []
        for begin in range(0, len(canvases), batch):
            some = canvases[begin : begin + batch]
            full = np.zeros((batch, *canvases.shape[1:]), np.uint8)
            full[: len(some)] = some
            found, place = self.detect_all(full, least)
            is_real = place < len(some)
            parts.append(found[is_real])
            places.append(place[is_real] + begin)
        return Detections.concatenate(parts), np.concatenate(places)
