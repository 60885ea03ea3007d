"""Compare a network in a lower precision with itself in float32, by the use of its results. Pure array code.

`trial` and `engines` call `disagreement`. The limits are measured, see `LIMITS`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.backends.session import Precision, Tensor
from fastface.suppression import suppress

_FACE = 15
"""Number of columns of a face's row: score, box, landmarks."""

_FACE_RULE = (0.5, 0.4)
_PERSON_RULE = (0.3, 0.45)
"""Minimum score of a detection, and overlap above which the lower of two is dropped: the scan's defaults."""

_LANDMARKS = 5
"""Column of the first landmark; score and box come before."""


_LEAST_LENGTH = 1e-30
"""Smallest divisor, for embeddings of length zero."""


@dataclass(frozen=True, slots=True)
class PrecisionLimits:
    """Limits for the difference between a lower precision and float32."""

    min_cosine: float  # minimum cosine of an embedding with its float32 counterpart
    band: float  # maximum move of a score; a detection nearer to the threshold may appear or vanish
    max_bias: float  # maximum mean difference of all scores
    min_iou: float  # minimum overlap of a box with its float32 counterpart
    median_landmark: float  # maximum median distance of a landmark, as a share of the face's width
    max_landmark: float


LIMITS: dict[Precision, PrecisionLimits] = {
    # 512 frames of films, 545 faces, det_500m: scores move by up to 0.073 (mean -0.001), landmarks by 0.2 % of the
    # face's width in the median and 6.5 % at most, IoU 0.93. With weights of 4 instead of 8 significant bits: 0.30,
    # 3 % and 14 %, IoU 0.82. Embeddings of real faces: benchmarks/RESULTS.md, "Precision".
    "bfloat16": PrecisionLimits(0.99, 0.1, 0.01, 0.8, 0.007, 0.12),
    # The drawn faces: scores 0.006, landmarks 0.03 % and 0.4 %, IoU 0.995, cosine 0.9999. The band is bfloat16's: a
    # network of 8-bit weights moves by 0.07 if a rounding changes.
    "float16": PrecisionLimits(0.999, 0.1, 0.01, 0.9, 0.002, 0.03),
}
"""Limits of each precision below float32. The drawn pictures give similar figures to films."""


@dataclass(frozen=True, slots=True)
class DetectionPairs:
    """Detections of float32 and of a lower precision in the same pictures.

    Rows are score, box, landmarks if the network gives them.
    """

    exact: npt.NDArray[np.float32]  # (n, C): detections that have a counterpart
    quick: npt.NDArray[np.float32]  # (n, C): their counterparts
    missed: npt.NDArray[np.float32]  # (m, C): detections of float32 alone
    added: npt.NDArray[np.float32]  # (a, C): detections of the lower precision alone

    @property
    def score_moves(self) -> npt.NDArray[np.float32]:
        """Return the (n,) increase of each score over float32."""
        return self.quick[:, 0] - self.exact[:, 0]

    @property
    def landmark_moves(self) -> npt.NDArray[np.float32]:
        """Return the (n, 5) distance of each landmark from its float32 counterpart, as a share of the face's width."""
        moves = (self.quick - self.exact)[:, _LANDMARKS:]
        apart = moves.reshape(len(moves), moves.shape[1] // 2, 2)
        width = np.maximum(self.exact[:, 3] - self.exact[:, 1], 1)
        return np.asarray(np.linalg.norm(apart, axis=2) / width[:, None], np.float32)

    @property
    def ious(self) -> npt.NDArray[np.float32]:
        """Return the (n,) overlap of each box with its float32 counterpart."""
        return _overlaps(self.exact[:, 1:5], self.quick[:, 1:5])


def pair_detections(exact: Tensor, quick: Tensor, least: float) -> DetectionPairs:
    """Pair the detections of two runs over the same pictures, after threshold and suppression.

    Args:
        exact: (N, K, C) rows of float32: score, box, landmarks or nothing.
        quick: (N, K, C) rows of the lower precision.
        least: Smallest score of a detection.
    """
    columns, max_iou = exact.shape[2], _rule(exact)[1]
    pairs: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
    missed, added = [np.empty((0, columns), np.float32)], [np.empty((0, columns), np.float32)]
    for one, other in zip(exact, quick, strict=True):
        ours, theirs = _keep_detections(one, least, max_iou), _keep_detections(other, least, max_iou)
        free = np.ones(len(theirs), np.bool_)
        has_pair = np.zeros(len(ours), np.bool_)
        for place, row in enumerate(ours):
            overlaps = _overlaps(row[None, 1:5], theirs[:, 1:5]) * free
            if len(overlaps) and overlaps.max() > max_iou:
                has_pair[place], free[overlaps.argmax()] = True, False
                pairs.append((row, theirs[overlaps.argmax()]))
        missed.append(ours[~has_pair])
        added.append(theirs[free])
    found = np.array(pairs, np.float32).reshape(-1, 2, columns)
    return DetectionPairs(found[:, 0], found[:, 1], np.concatenate(missed), np.concatenate(added))


def _keep_detections(rows: Tensor, least: float, max_iou: float) -> npt.NDArray[np.float32]:
    """Return the (n, C) detections by falling score, one an object."""
    rows = rows[rows[:, 0] >= least]
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    return np.asarray(rows[suppress(rows[:, 1:5], max_iou)], np.float32)


def _overlaps(boxes: Tensor, others: Tensor) -> npt.NDArray[np.float32]:
    """Return the intersection over union of boxes, row by row."""
    sides = np.minimum(boxes[:, 2:], others[:, 2:]) - np.maximum(boxes[:, :2], others[:, :2])
    common = np.maximum(sides, 0).prod(axis=1)
    areas = [np.maximum(some[:, 2:] - some[:, :2], 0).prod(axis=1) for some in (boxes, others)]
    return np.asarray(common / np.maximum(areas[0] + areas[1] - common, _LEAST_LENGTH), np.float32)


def _rule(rows: Tensor) -> tuple[float, float]:
    return _FACE_RULE if rows.shape[2] == _FACE else _PERSON_RULE


def disagreement(exact: Sequence[Tensor], quick: Sequence[Tensor], limits: PrecisionLimits) -> str | None:
    """Describe the results that are too far from float32; None if all are near enough.

    An output (N, D) contains embeddings, one (N, K, C) with C ≥ 5 detections: score, box, landmarks. Any other output
    is compared value by value, like scores.
    """
    if len(exact) != len(quick):
        return f"{len(quick)} outputs instead of {len(exact)}"
    found = (_disagreement(one, other, limits) for one, other in zip(exact, quick, strict=True))
    return next(filter(None, found), None)


def _disagreement(exact: Tensor, quick: Tensor, limits: PrecisionLimits) -> str | None:
    if exact.shape != quick.shape:
        return f"an output of {quick.shape} instead of {exact.shape}"
    if not np.isfinite(quick).all():
        return "an output that is not finite"
    if exact.ndim == 2:
        return _far_embedding(exact, quick, limits)
    if exact.ndim == 3 and exact.shape[2] >= _LANDMARKS:
        return _far_detection(exact, quick, limits)
    return _far_value(exact, quick, limits)


def _far_embedding(exact: Tensor, quick: Tensor, limits: PrecisionLimits) -> str | None:
    products = np.einsum("nd,nd->n", exact, quick, dtype=np.float64)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
    lost = (np.linalg.norm(exact, axis=1) > 0) & (lengths == 0)
    if (products >= limits.min_cosine * lengths).all() and not lost.any():
        return None
    return f"an embedding with a cosine of {(products / np.maximum(lengths, _LEAST_LENGTH)).min():.4f} to its own"


def _far_detection(exact: Tensor, quick: Tensor, limits: PrecisionLimits) -> str | None:
    threshold = _rule(exact)[0]
    pairs = pair_detections(exact, quick, threshold - limits.band)
    # Clear detections keep their counterpart; one between the threshold and the band may fall below it, not out of it.
    for rows, words in ((pairs.missed, "is missed"), (pairs.added, "is added")):
        if (score := rows[:, 0].max(initial=0)) >= threshold:
            return f"a detection of score {score:.2f} that {words}"
    if not len(pairs.exact):
        return _far_value(exact[:, :, 0], quick[:, :, 0], limits)
    return _far_pair(pairs, limits)


def _far_pair(pairs: DetectionPairs, limits: PrecisionLimits) -> str | None:
    moves, landmarks = pairs.score_moves, pairs.landmark_moves
    if (most := np.abs(moves).max()) > limits.band:
        return f"a score {most:.3f} off"
    # The mean of few scores is random; for thirty scores, each half a band off, it is a tenth of a band.
    if (bias := abs(float(moves.mean()))) > max(limits.max_bias, limits.band / (2 * len(moves) ** 0.5)):
        return f"scores {bias:.3f} off in the mean"
    if (least := pairs.ious.min()) < limits.min_iou:
        return f"a box with an overlap of {least:.2f} with its own"
    if not landmarks.size:
        return None
    if (usual := np.median(landmarks)) > limits.median_landmark:
        return f"landmarks {usual:.1%} of the face's width off (median)"
    most = landmarks.max()
    return f"a landmark {most:.1%} of the face's width off" if most > limits.max_landmark else None


def _far_value(exact: Tensor, quick: Tensor, limits: PrecisionLimits) -> str | None:
    """Describe the largest difference of values that are no detections, or of scores far from the threshold."""
    largest = max(1.0, float(np.abs(exact).max(initial=0)))
    most = float(np.abs(exact - quick).max(initial=0)) / largest
    return f"a value {most:.3f} of the largest off" if most > limits.band else None
