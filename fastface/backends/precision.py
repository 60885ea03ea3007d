"""Whether a network may run in bfloat16: compared with float32 on one drawn picture, before it is used."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastface.backends.session import Tensor

__all__ = ["MAX_SCORE_DIFFERENCE", "MIN_COSINE", "agrees", "probe_picture"]

MIN_COSINE = 0.99
"""Least cosine of an embedding with its float32 self. On good networks bfloat16 gives 0.999; similarities then move
by about 0.002, a tenth of what recompressing the video does."""

MAX_SCORE_DIFFERENCE = 0.02
"""Largest difference of a sorted score from float32. SCRFD in bfloat16 stays within 0.004 of it."""

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


def agrees(exact: Sequence[Tensor], quick: Sequence[Tensor]) -> bool:
    """Whether outputs of lower precision are near enough to those of float32.

    An output (N, D) is taken as embeddings, compared row by row by their cosine. One of more dimensions is taken as
    (N, K, C), rows sorted by their first column, a score: only the scores are compared, since rows of nearly equal
    scores may change places.
    """
    return len(exact) == len(quick) and all(map(_agree, exact, quick))


def _agree(exact: Tensor, quick: Tensor) -> bool:
    if exact.shape != quick.shape or not np.isfinite(quick).all():
        return False
    if exact.ndim == 2:
        products = np.einsum("nd,nd->n", exact, quick, dtype=np.float64)
        lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
        return bool((products >= MIN_COSINE * lengths).all())
    return bool(np.abs(exact[..., 0] - quick[..., 0]).max(initial=0) <= MAX_SCORE_DIFFERENCE)
