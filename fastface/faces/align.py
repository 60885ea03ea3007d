"""Turning, scaling and cutting a face out, so that its eyes, nose and mouth lie where the network learned them.

Five landmarks are mapped onto insightface's template for 112×112 pictures by the similarity transform of least square
error (Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991). In the
plane it has a closed form: with points as complex numbers and both sets centred, rotation and scale together are the
one number Σ conj(source) · target / Σ |source|².
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from fastface.types import ALIGNED_SIZE, Geometry, Image

__all__ = ["TEMPLATE", "align_picture", "align_planes", "alignable", "cut_planes", "estimate_transform"]


TEMPLATE: npt.NDArray[np.float64] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""(5, 2) places of the landmarks in a 112×112 picture: insightface's `arcface_dst`."""

_LEAST_SPREAD = 1e-3
"""Pixels around their mean below which five landmarks are one point."""

_REACH = 2
"""Pixels around a region that linear interpolation may touch, rounded up to whole chroma samples."""


def alignable(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which rows of (n, 5, 2) landmarks have a transform: finite, and not all in one point."""
    spread = np.ptp(landmarks, axis=1).max(axis=1, initial=0)
    possible: npt.NDArray[np.bool_] = np.isfinite(spread) & (spread > _LEAST_SPREAD)
    return possible


def estimate_transform(
    landmarks: npt.NDArray[np.floating], size: int = ALIGNED_SIZE, margin: float = 0.0
) -> npt.NDArray[np.float64]:
    """The similarity that maps landmarks onto the template.

    Args:
        landmarks: (5, 2) in pixels of the source; `alignable`.
        size: Side of the aligned picture.
        margin: Room on each side of the template's square, as a share of that square's side.

    Returns:
        (2, 3), as `cv2.warpAffine` takes it.
    """
    target = (TEMPLATE + ALIGNED_SIZE * margin) * (size / (ALIGNED_SIZE * (1 + 2 * margin)))
    source_points, target_points = (points[:, 0] + 1j * points[:, 1] for points in (landmarks.astype(float), target))
    centre = source_points.mean()
    centred = source_points - centre
    turn = (centred.conj() * (target_points - target_points.mean())).sum() / (np.abs(centred) ** 2).sum()
    shift = target_points.mean() - turn * centre
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def align_picture(
    picture: Image,
    landmarks: npt.NDArray[np.floating],
    size: int = ALIGNED_SIZE,
    margin: float = 0.0,
    interpolation: int = cv2.INTER_LINEAR,
) -> Image:
    """Cuts an aligned face out of a picture; what lies outside of it is black.

    Args:
        picture: (H, W, 3) BGR.
        landmarks: (5, 2) in its pixels; `alignable`.
        size: Side of the result.
        margin: Room around the template's square, as a share of its side.
        interpolation: Linear as the networks know it; `cv2.INTER_LANCZOS4` for pictures to look at.

    Returns:
        (size, size, 3) BGR.
    """
    return _warp(picture, estimate_transform(landmarks, size, margin), size, interpolation)


def align_planes(planes: npt.NDArray[np.uint8], geometry: Geometry, landmarks: npt.NDArray[np.floating]) -> Image:
    """Cuts an aligned face out of a frame as the decoder made it; only the face's surroundings are converted.

    Args:
        planes: (plane_bytes,) I420, as `geometry` has it.
        geometry: How the planes map onto the displayed frame.
        landmarks: (5, 2) in pixels of the displayed frame; `alignable`.

    Returns:
        (112, 112, 3) BGR, as `align_picture` gives it on the whole frame converted.
    """
    transform = _from_planes(geometry, landmarks)
    left, top, right, bottom = _region(transform, geometry.planes)
    if left >= right or top >= bottom:
        return np.zeros((ALIGNED_SIZE, ALIGNED_SIZE, 3), np.uint8)
    picture = _converted(_planes_of(planes, geometry.planes, (left, top, right, bottom)))
    transform[:, 2] += transform[:, :2] @ (left, top)
    return _warp(picture, transform, ALIGNED_SIZE, cv2.INTER_LINEAR)


def cut_planes(
    planes: npt.NDArray[np.uint8], geometry: Geometry, landmarks: npt.NDArray[np.floating], size: int, margin: float
) -> Image:
    """Cuts an upright face out of a frame as the decoder made it, for people to look at.

    Unlike `align_planes` it averages the pixels of a large face.

    Args:
        planes: (plane_bytes,) I420, as `geometry` has it.
        geometry: How the planes map onto the displayed frame.
        landmarks: (5, 2) in pixels of the displayed frame; `alignable`.
        size: Side of the result.
        margin: Room around the template's square, as a share of its side.

    Returns:
        (size, size, 3) BGR.
    """
    transform = _from_planes(geometry, landmarks, size, margin)
    times = max(1, int(1 / np.hypot(*transform[0, :2])))
    left, top, right, bottom = _region(transform, geometry.planes, size, _REACH + 2 * times)
    # Whole blocks of pixels are averaged many times as fast as parts of them.
    right, bottom = right - (right - left) % (2 * times), bottom - (bottom - top) % (2 * times)
    if left >= right or top >= bottom:
        return np.zeros((size, size, 3), np.uint8)
    parts = _planes_of(planes, geometry.planes, (left, top, right, bottom))
    transform[:, 2] += transform[:, :2] @ (left + (times - 1) / 2, top + (times - 1) / 2)
    transform[:, :2] *= times
    return _warp(_converted([_averaged(part, times) for part in parts]), transform, size, cv2.INTER_LINEAR)


def _warp(picture: Image, transform: npt.NDArray[np.float64], size: int, interpolation: int) -> Image:
    warped = cv2.warpAffine(picture, transform, (size, size), flags=interpolation, borderValue=(0, 0, 0))
    return warped.astype(np.uint8, copy=False)


def _from_planes(
    geometry: Geometry, landmarks: npt.NDArray[np.floating], size: int = ALIGNED_SIZE, margin: float = 0.0
) -> npt.NDArray[np.float64]:
    """As `estimate_transform`, from pixels of the stored Y plane."""
    transform = estimate_transform(landmarks, size, margin)
    transform[:, :2] /= geometry.display_to_planes
    return transform


def _region(
    transform: npt.NDArray[np.float64], planes: tuple[int, int], size: int = ALIGNED_SIZE, reach: int = _REACH
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that the aligned picture draws on; even, since chroma is halved."""
    inverse = cv2.invertAffineTransform(transform)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * size @ inverse[:, :2].T + inverse[:, 2]
    lowest = np.floor(corners.min(axis=0) / 2 - reach / 2) * 2
    highest = np.ceil(corners.max(axis=0) / 2 + reach / 2) * 2
    left, top = (int(value) for value in np.clip(lowest, 0, planes))
    right, bottom = (int(value) for value in np.clip(highest, 0, planes))
    return left, top, right, bottom


def _planes_of(
    planes: npt.NDArray[np.uint8], size: tuple[int, int], region: tuple[int, int, int, int]
) -> list[npt.NDArray[np.uint8]]:
    """Y, U and V of one region of an I420 frame: views."""
    width, height = size
    left, top, right, bottom = region
    chroma_size = width * height // 4
    luma = planes[: width * height].reshape(height, width)[top:bottom, left:right]
    chroma = planes[width * height :][: 2 * chroma_size].reshape(2, height // 2, width // 2)
    return [luma, *chroma[:, top // 2 : bottom // 2, left // 2 : right // 2]]


def _averaged(plane: npt.NDArray[np.uint8], times: int) -> npt.NDArray[np.uint8]:
    """So many times smaller."""
    if times == 1:
        return plane
    height, width = plane.shape
    smaller = cv2.resize(plane, (width // times, height // times), interpolation=cv2.INTER_AREA)
    return smaller.astype(np.uint8, copy=False)


def _converted(parts: Sequence[npt.NDArray[np.uint8]]) -> Image:
    """Y, U and V as BGR."""
    # OpenCV converts I420 only as one block whose chroma planes follow the luma, so the region is put together so.
    block = np.concatenate([part.ravel() for part in parts]).reshape(-1, parts[0].shape[1])
    return cv2.cvtColor(block, cv2.COLOR_YUV2BGR_I420).astype(np.uint8, copy=False)
