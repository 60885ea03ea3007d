"""Whether a network may run in a lower precision: compared with float32 on drawn pictures, before it is used."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.backends.session import Tensor

__all__ = ["BFLOAT16", "FLOAT16", "Limits", "agrees", "disagreement", "probe_picture", "probe_pictures"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How far outputs of a lower precision may be from float32.

    Attributes:
        min_cosine: Least cosine of an embedding with its float32 self.
        max_score_difference: Largest difference of a sorted score.
        max_box_pixels: Largest move of a side of a box that shows a face; None does not compare boxes.
    """

    min_cosine: float
    max_score_difference: float
    max_box_pixels: float | None


BFLOAT16 = Limits(0.99, 0.02, None)
"""On good networks bfloat16 gives cosines of 0.999; similarities then move by about 0.002, a tenth of what
recompressing the video does. SCRFD's scores stay within 0.004."""

FLOAT16 = Limits(0.999, 0.02, 1.0)
"""float16 has eight times bfloat16's digits, and fails by overflow rather than by rounding: it is held to more."""

_FACE_SCORE = 0.3
"""Rows below this show nothing, and their boxes mean nothing."""

_LEAST_LENGTH = 1e-30
"""Against division by zero where an embedding has no length."""

_HEAD = 0.55
"""Height of the drawn head as a share of the picture's smaller side: SCRFD's largest anchors still cover it."""

_BACKGROUND = (110.0, 120.0, 130.0)
# (centre u, centre v, radius u, radius v, blue, green, red) of each ellipse, painted in order; the head is 1 high.
_ELLIPSES = (
    (0.0, -0.09, 0.375, 0.50, 30, 40, 60),  # hair
    (0.0, 0.0, 0.32, 0.43, 140, 170, 220),  # skin
    (-0.125, -0.07, 0.0625, 0.034, 235, 235, 235),  # eyes
    (0.125, -0.07, 0.0625, 0.034, 235, 235, 235),
    (-0.125, -0.07, 0.0284, 0.032, 30, 40, 50),  # pupils
    (0.125, -0.07, 0.0284, 0.032, 30, 40, 50),
    (-0.125, -0.136, 0.08, 0.017, 40, 50, 70),  # brows
    (0.125, -0.136, 0.08, 0.017, 40, 50, 70),
    (0.0, 0.07, 0.034, 0.08, 120, 150, 200),  # nose
    (0.0, 0.114, 0.051, 0.02, 90, 110, 170),
    (0.0, 0.227, 0.114, 0.034, 80, 80, 180),  # mouth
)


def probe_picture(height: int, width: int) -> npt.NDArray[np.uint8]:
    """A drawn head before a wavy background: uint8 (1, height, width, 3) BGR, always the same.

    Noise would leave a detector's scores at zero in any precision, which proves nothing: SCRFD gives this head 0.8.
    """
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    head = _HEAD * min(height, width)
    u, v = (columns - width / 2) / head, (rows - height / 2) / head
    waves = 50 * np.sin(6 * u) + 20 * np.cos(4 * v + 2 * u)
    picture = np.array(_BACKGROUND, np.float32) + waves[..., None]
    for centre_u, centre_v, radius_u, radius_v, *colour in _ELLIPSES:
        distance = ((u - centre_u) / radius_u) ** 2 + ((v - centre_v) / radius_v) ** 2
        soft = np.clip(1.5 - distance, 0, 1)[..., None]
        picture += soft * (np.array(colour, np.float32) - picture)
    return np.asarray(picture.clip(0, 255), np.uint8)[None]


def probe_pictures(count: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """The drawn head, mirrored, darker and with less contrast, in turn: uint8 (count, height, width, 3) BGR."""
    head = probe_picture(height, width)
    dark, pale = (head * np.float32(0.5)).astype(np.uint8), (head * np.float32(0.5) + 100).astype(np.uint8)
    return np.resize(np.concatenate([head, head[:, :, ::-1], dark, pale]), (count, height, width, 3))


def agrees(exact: Sequence[Tensor], quick: Sequence[Tensor], limits: Limits = BFLOAT16) -> bool:
    """Whether outputs of lower precision are near enough to those of float32; see `disagreement`."""
    return disagreement(exact, quick, limits) is None


def disagreement(exact: Sequence[Tensor], quick: Sequence[Tensor], limits: Limits) -> str | None:
    """What is too far from float32, in words; None where all is near enough.

    An output (N, D) is taken as embeddings, compared row by row by their cosine. One of more dimensions is taken as
    (N, K, C), rows sorted by their first column, a score. Scores are compared in their order, since rows of nearly
    equal scores may change places; boxes, the four columns behind the score, with the nearest of the same picture.
    """
    if len(exact) != len(quick):
        return f"{len(quick)} outputs instead of {len(exact)}"
    found = (_disagreement(one, other, limits) for one, other in zip(exact, quick, strict=True))
    return next(filter(None, found), None)


def _disagreement(exact: Tensor, quick: Tensor, limits: Limits) -> str | None:
    if exact.shape != quick.shape:
        return f"an output of {quick.shape} instead of {exact.shape}"
    if not np.isfinite(quick).all():
        return "an output that is not finite"
    return _far_embedding(exact, quick, limits) if exact.ndim == 2 else _far_row(exact, quick, limits)


def _far_embedding(exact: Tensor, quick: Tensor, limits: Limits) -> str | None:
    products = np.einsum("nd,nd->n", exact, quick, dtype=np.float64)
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
    if (products >= limits.min_cosine * lengths).all():
        return None
    return f"an embedding with a cosine of {(products / np.maximum(lengths, _LEAST_LENGTH)).min():.4f} to its own"


def _far_row(exact: Tensor, quick: Tensor, limits: Limits) -> str | None:
    apart = float(np.abs(exact[..., 0] - quick[..., 0]).max(initial=0))
    if apart > limits.max_score_difference:
        return f"a score {apart:.3f} off"
    if limits.max_box_pixels is None or exact.ndim != 3 or exact.shape[2] < 5:
        return None
    moved = max(map(_box_move, exact, quick), default=0.0)
    return f"a box {moved:.1f} pixels off" if moved > limits.max_box_pixels else None


def _box_move(exact: Tensor, quick: Tensor) -> float:
    """Pixels between the rows (K, C) of one picture that show faces and their nearest counterparts, at most."""
    faces = exact[exact[:, 0] >= _FACE_SCORE]
    apart = np.abs(faces[:, None, 1:5] - quick[None, :, 1:5]).max(axis=2)
    return float(apart.min(axis=1, initial=np.inf).max(initial=0)) if len(faces) else 0.0
