"""Average several looks at one face for a reference: mirrored, and slightly turned, scaled and moved.

`enrollment.process` calls it. ArcFace's own evaluation uses a flip test: the mean of the embeddings of a face and its
mirror image, scaled to length 1 (Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR
2019; insightface's `verification.py`). dlib's face recognition calls the mean over small random cuts jitter.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.cosine import normalize_rows
from fastface.types import FloatArray

_SEED = 20190125
"""The same seed for every face: a photo's reference does not depend on earlier photos."""

_TURN_DEGREES = 3.0
_ZOOM_SHARE = 0.03
_MOVE_SHARE = 0.08
"""Maximum move, as a share of the landmarks' root mean square distance from their centre. That distance is 23 pixels of
an aligned face, so the move is up to 2 pixels. Detectors place landmarks no more precisely."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """Number and kind of looks at a reference's face.

    Attributes:
        flip: True to add the mirror image of each look.
        jitter: Number of additional looks that are slightly turned, scaled and moved.
    """

    flip: bool = False
    jitter: int = 0

    @property
    def name(self) -> str:
        """Name the looks as in banks and stored photos, for example `flip, jitter 10`; empty for a single look."""
        return ", ".join(["flip"] * self.flip + [f"jitter {self.jitter}"] * (self.jitter > 0))


def jittered_landmarks(landmarks: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.float64]:
    """Return landmarks that are slightly turned, scaled and moved, so that alignment cuts the face differently.

    Args:
        landmarks: (5, 2) in pixels of the picture.
        count: Number of changed copies.

    Returns:
        (count + 1, 5, 2): first the unchanged landmarks, then copies with always the same changes.
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
    """Compute the mean direction of the embeddings of one face.

    Args:
        embeddings: (n, D) float32, L2-normalised; at least one.

    Returns:
        (D,) float32, L2-normalised.

    Raises:
        ValueError: The embeddings cancel each other out, which never happens for one face.
    """
    mean: FloatArray = normalize_rows(embeddings.mean(axis=0, keepdims=True, dtype=np.float64))[0]
    return mean
