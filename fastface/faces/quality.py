"""Rate a face for recognition and display: sharp, large, turned to the camera, surely a face.

`analyse` stores the ratings with each face. A changed formula changes which faces every later step prefers.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.types import ALIGNED_SIZE, FloatArray

FULL_SIZE = 112.0
"""Shorter side of a box in pixels above which size adds nothing: the network's input is 112×112."""

HALF_SHARPNESS = 100.0
"""Variance of the Laplacian with a share of one half; near the field's usual border between blurred and sharp."""

NOSE_DEPTH = 0.5
"""Distance of the nose's tip before the eyes, in distances between the eyes: about 32 mm of 63 mm in adults."""


def sharpness(aligned: npt.NDArray[np.uint8], rated_size: int = ALIGNED_SIZE) -> FloatArray:
    """Return the variance of the Laplacian of each aligned face's grey picture (Pech-Pacheco et al., ICPR 2000).

    Args:
        aligned: (m, size, size, 3) BGR.
        rated_size: Side in pixels to which the faces are scaled first; see `align.Alignment`.

    Returns:
        (m,) float32, 0 for a flat picture, a few tens for a blurred face, hundreds for a sharp one.
    """
    variances = np.empty(len(aligned), np.float32)
    for row, face in enumerate(aligned):
        grey = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
        if len(grey) != rated_size:
            grey = cv2.resize(grey, (rated_size, rated_size), interpolation=cv2.INTER_AREA)
        _, deviation = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))
        variances[row] = deviation[0, 0] ** 2
    return variances


def yaw(landmarks: npt.NDArray[np.float32]) -> FloatArray:
    """Estimate the turn of each head to the side from five landmarks.

    A head turned by θ shows the distance e between its eyes as e · cos θ. The nose's tip, which is `NOSE_DEPTH` · e
    before them, shifts by `NOSE_DEPTH` · e · sin θ along the line of the eyes. The quotient of both gives θ; tilting
    the head does not change it. Accurate to about ten degrees up to 60, a rank beyond.

    Args:
        landmarks: (n, 5, 2): eyes, nose, mouth corners.

    Returns:
        (n,) float32 degrees, -90 to 90; positive turns to the picture's right. Eyes in one point give 0.
    """
    eyes = landmarks[:, 1] - landmarks[:, 0]
    distance = np.hypot(eyes[:, 0], eyes[:, 1])
    nose = landmarks[:, 2] - (landmarks[:, 0] + landmarks[:, 1]) / 2
    along = (nose * eyes).sum(axis=1) / np.maximum(distance, np.finfo(np.float32).tiny)
    degrees: FloatArray = np.degrees(np.arctan2(along, NOSE_DEPTH * distance)).astype(np.float32)
    return degrees


def quality(boxes: FloatArray, sharpnesses: FloatArray, yaws: FloatArray, det_score: FloatArray) -> FloatArray:
    """Rate each face by one number, for the choice of the best.

    The rating is the geometric mean of four shares: size (shorter side over `FULL_SIZE`, at most 1), sharpness s as s /
    (s + `HALF_SHARPNESS`), cosine of the yaw, and the detector's score. The weights are equal: a face that fails in one
    share is a poor face.

    Args:
        boxes: (n, 4) x1, y1, x2, y2 in pixels of the source.
        sharpnesses: (n,) from `sharpness`.
        yaws: (n,) degrees from `yaw`.
        det_score: (n,) 0–1.

    Returns:
        (n,) float32, 0–1.
    """
    size = np.clip((boxes[:, 2:] - boxes[:, :2]).min(axis=1) / FULL_SIZE, 0, 1)
    sharp = sharpnesses / (sharpnesses + HALF_SHARPNESS)
    pose = np.clip(np.cos(np.radians(yaws)), 0, 1)
    mean: FloatArray = ((size * sharp * pose * np.clip(det_score, 0, 1)) ** 0.25).astype(np.float32)
    return mean
