"""A reference as the mean of several looks at one face: mirrored, and slightly turned, scaled and moved.

The mean of a face's embedding and its mirror image's, brought back to length 1, is the flip test of ArcFace's own
evaluation (Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019; insightface's
`verification.py`). The mean over small random cuts is what dlib's face recognition calls jitter.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.cosine import normalize_rows
from fastface.types import FloatArray

_SEED = 20190125
"""One seed for every face: a photo gives the same reference whatever is looked at before it."""

_TURN_DEGREES = 3.0
_ZOOM_SHARE = 0.03
_MOVE_SHARE = 0.08
"""Of the landmarks' root mean square distance from their centre, 23 pixels of an aligned face: up to 2 pixels.
Detectors place landmarks no better than that."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """How often a reference's face is looked at.

    Attributes:
        flip: Whether its mirror image counts too.
        jitter: Slightly turned, scaled and moved cuts of it that count too.
    """

    flip: bool = False
    jitter: int = 0

    @property
    def name(self) -> str:
        """`flip, jitter 10`, as banks and kept photos say it; empty where the face is looked at once, as it is."""
        return ", ".join(["flip"] * self.flip + [f"jitter {self.jitter}"] * (self.jitter > 0))


def jittered_landmarks(landmarks: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.float64]:
    """Landmarks that are turned, scaled and moved a little, so that aligning by them cuts the face a little otherwise.

    Args:
        landmarks: (5, 2) in pixels of the picture.
        count: How many are made.

    Returns:
        (count + 1, 5, 2): first the landmarks as they are, then always the same changes of them.
    """
    generator = np.random.default_rng(_SEED)
    turn, zoom, right, down = generator.uniform(-1, 1, (count, 4)).T
    points = landmarks[:, 0].astype(float) + 1j * landmarks[:, 1]
    centre = points.mean()
    offsets = points - centre
    radius = np.sqrt((np.abs(offsets) ** 2).mean())
    factors = (1 + zoom * _ZOOM_SHARE) * np.exp(1j * np.radians(turn * _TURN_DEGREES))
    moved = centre + (right + 1j * down)[:, None] * _MOVE_SHARE * radius + factors[:, None] * offsets
    return np.concatenate([landmarks[None].astype(float), np.stack([moved.real, moved.imag], axis=-1)])


def mean_embedding(embeddings: FloatArray) -> FloatArray:
    """The direction in which the embeddings of one face lie on average.

    Args:
        embeddings: (n, D) float32, L2-normalised; at least one.

    Returns:
        (D,) float32, L2-normalised.

    Raises:
        ValueError: They cancel each other out, which those of one face do not.
    """
    mean: FloatArray = normalize_rows(embeddings.mean(axis=0, keepdims=True, dtype=np.float64))[0]
    return mean
