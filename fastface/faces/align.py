"""Align faces: turn, scale and cut them so that eyes, nose and mouth lie where the network learned them.

A similarity transform of least square error maps five landmarks onto the template of an `Alignment` (Umeyama,
"Least-squares estimation of transformation parameters between two point patterns", PAMI 1991). In the plane it has a
closed form. With points as complex numbers and both sets centred, rotation and scale are the number Σ conj(source) ·
target / Σ |source|².

`analyse` aligns for the networks; the thumbnails and exports cut pictures for the user. A face gets the same bits in a
batch as alone: all sums and products are elementwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fastface.types import ALIGNED_SIZE, OPENVINO_ALIGNED_SIZE, Geometry, Image, Size


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Aligned picture that a recogniser expects.

    Attributes:
        template: (5, 2) places of eyes, nose and mouth corners in the picture.
        size: Side of the picture in pixels.
        rated_size: Side in pixels at which the eyes are as far apart as in `ARCFACE`: sharpness is measured there.
    """

    template: npt.NDArray[np.float64]
    size: int
    rated_size: int


ARCFACE = Alignment(
    np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]),
    size=ALIGNED_SIZE,
    rated_size=ALIGNED_SIZE,
)
"""Template of insightface's `arcface_dst`, for 112×112 pictures."""

DLIB = Alignment(
    np.array([[47.549, 46.599], [100.476, 46.599], [74.013, 76.563], [50.415, 103.023], [97.610, 103.023]]),
    size=150,
    rated_size=100,
)
"""Template of dlib's 150×150 face chips with a padding of 0.25: means of the eyes, the nose's tip and the mouth's
corners in dlib's mean face of 68 points. CenterFace's landmarks lie, in dlib's own chips, within 3 pixels of these on
the median (`benchmarks/free_pack.py`)."""

OPENVINO = Alignment(
    np.array(
        [
            [0.31556875, 0.4615741071428571],
            [0.6826229166666667, 0.4615741071428571],
            [0.5002625, 0.6405053571428571],
            [0.34947187500000004, 0.8246919642857142],
            [0.6534364583333333, 0.8246919642857142],
        ]
    )
    * OPENVINO_ALIGNED_SIZE,
    size=OPENVINO_ALIGNED_SIZE,
    rated_size=96,
)
"""Template of OpenVINO's face-reidentification-retail-0095, from its description in the Open Model Zoo: ArcFace's
template for 96×112 pictures, stretched to a square."""

ALIGNMENTS = {alignment.size: alignment for alignment in (ARCFACE, OPENVINO, DLIB)}
"""Alignments by the side of the recogniser's input."""

NUM_LANDMARKS = 5

_LEAST_SPREAD = 1e-3
"""Pixels; if five landmarks lie closer than this to their mean, they are one point."""

_LEAST_MARGIN = 0.2
"""Minimum margin around a face in a crop that is larger than the frame, as a share of the template's side."""

_REACH = 2
"""Pixels around a region that linear interpolation may touch, rounded up to whole chroma samples."""


def alignable(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Find the rows of (n, 5, 2) landmarks that have a transform: finite, and not all in one point."""
    spread = np.ptp(landmarks, axis=1).max(axis=1, initial=0)
    possible: npt.NDArray[np.bool_] = np.isfinite(spread) & (spread > _LEAST_SPREAD)
    return possible


def estimate_transforms(
    landmarks: npt.NDArray[np.floating], size: int | None = None, margin: float = 0.0, alignment: Alignment = ARCFACE
) -> npt.NDArray[np.float64]:
    """Estimate the similarity transforms that map landmarks onto the template.

    Args:
        landmarks: (n, 5, 2) in pixels of the source; `alignable`.
        size: Side of the aligned pictures in pixels; None for the alignment's.
        margin: Margin on each side of the template's square, as a share of that square's side.
        alignment: The template.

    Returns:
        (n, 2, 3), matrices for `cv2.warpAffine`.
    """
    side = alignment.size if size is None else size
    target = (alignment.template + alignment.size * margin) * (side / (alignment.size * (1 + 2 * margin)))
    target_centre = target.mean(axis=0)
    u, v = (target - target_centre).T
    points = landmarks.astype(np.float64)
    centre = _sum(points) / NUM_LANDMARKS
    centred = points - centre[:, None]
    x, y = centred[..., 0], centred[..., 1]
    spread = _sum(x * x + y * y)
    cosine, sine = _sum(x * u + y * v) / spread, _sum(x * v - y * u) / spread
    transforms = np.empty((len(landmarks), 2, 3))
    transforms[:, 0, 0] = transforms[:, 1, 1] = cosine
    transforms[:, 1, 0], transforms[:, 0, 1] = sine, -sine
    transforms[:, 0, 2] = target_centre[0] - (cosine * centre[:, 0] - sine * centre[:, 1])
    transforms[:, 1, 2] = target_centre[1] - (sine * centre[:, 0] + cosine * centre[:, 1])
    return transforms


def _sum(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sum the five points of each face in an order that does not depend on the number of faces."""
    first, *others = (values[:, point] for point in range(NUM_LANDMARKS))
    total: npt.NDArray[np.float64] = sum(others, first)
    return total


def align_picture(
    picture: Image,
    landmarks: npt.NDArray[np.floating],
    size: int | None = None,
    margin: float = 0.0,
    interpolation: int = cv2.INTER_LINEAR,
    *,
    alignment: Alignment = ARCFACE,
) -> Image:
    """Cut an aligned face out of a picture; pixels outside the picture are black.

    Args:
        picture: (H, W, 3) BGR.
        landmarks: (5, 2) in its pixels; `alignable`.
        size: Side of the result in pixels; None for the alignment's.
        margin: Margin around the template's square, as a share of its side.
        interpolation: Linear for the networks; `cv2.INTER_LANCZOS4` for pictures that the user sees.
        alignment: The template.

    Returns:
        (size, size, 3) BGR.
    """
    side = alignment.size if size is None else size
    transform = estimate_transforms(landmarks[None], side, margin, alignment)[0]
    warped = cv2.warpAffine(picture, transform, (side, side), flags=interpolation, borderValue=(0, 0, 0))
    return warped.astype(np.uint8, copy=False)


def align_planes(
    planes: npt.NDArray[np.uint8],
    geometry: Geometry,
    frames: Iterable[int],
    landmarks: npt.NDArray[np.floating],
    alignment: Alignment = ARCFACE,
) -> npt.NDArray[np.uint8]:
    """Cut aligned faces out of decoded frames; only the surroundings of the faces are converted.

    Args:
        planes: (n, plane_bytes), I420, with the layout of `geometry`.
        geometry: Mapping of the planes to the displayed frames.
        frames: Frame number of each of m faces.
        landmarks: (m, 5, 2) in pixels of the displayed frames; `alignable`.
        alignment: The template.

    Returns:
        (m, size, size, 3) BGR, equal to `align_picture` on converted whole frames.
    """
    transforms = estimate_transforms(landmarks, alignment=alignment)
    transforms[:, :, :2] /= geometry.display_to_planes
    regions = _regions(transforms, geometry.planes, alignment.size)
    _shift_origin(transforms, regions[:, :2])
    aligned = np.zeros((len(landmarks), alignment.size, alignment.size, 3), np.uint8)
    for face, frame, transform, region in zip(aligned, frames, transforms, regions.tolist(), strict=True):
        left, top, right, bottom = region
        if left < right and top < bottom:
            picture = _convert(_split_planes(planes[frame], geometry.planes, region))
            _warp_converted(picture, transform, face)
    return aligned


def cut_planes(
    planes: npt.NDArray[np.uint8], geometry: Geometry, landmarks: npt.NDArray[np.floating], size: int, margin: float
) -> Iterator[Image]:
    """Cut upright faces out of a decoded frame, for the user to see.

    Unlike `align_planes` it averages the pixels of a large face, and pixels outside the frame are not black: see
    `_move_inside`.

    Args:
        planes: (plane_bytes,) I420, with the layout of `geometry`.
        geometry: Mapping of the planes to the displayed frame.
        landmarks: (n, 5, 2) in pixels of the displayed frame; `alignable`.
        size: Side of the results in pixels.
        margin: Margin around the template's square, as a share of its side.

    Yields:
        (size, size, 3) BGR of each face.
    """
    transforms = _move_inside(estimate_transforms(landmarks, size, margin), geometry.display, size, margin)
    transforms[:, :, :2] /= geometry.display_to_planes
    scales = np.hypot(transforms[:, 0, 0], transforms[:, 0, 1])
    averaged = np.maximum(1, (1 / np.maximum(scales, 1e-9)).astype(np.int64))
    regions = _regions(transforms, geometry.planes, size, _REACH + 2 * averaged[:, None])
    for transform, times, region in zip(transforms, averaged.tolist(), regions.tolist(), strict=True):
        left, top, right, bottom = region
        # Averaging whole blocks of pixels is many times as fast as averaging parts of blocks.
        right, bottom = right - (right - left) % (2 * times), bottom - (bottom - top) % (2 * times)
        cut = np.zeros((size, size, 3), np.uint8)
        if left < right and top < bottom:
            parts = _split_planes(planes, geometry.planes, (left, top, right, bottom))
            placed = transform[None].copy()
            _shift_origin(placed, np.array([[left, top]]) + (times - 1) / 2)
            placed[:, :, :2] *= times
            picture = _convert([_average(part, times) for part in parts])
            _warp_converted(picture, placed[0], cut, cv2.BORDER_REPLICATE)
        yield cut


def cut_picture(picture: Image, landmarks: npt.NDArray[np.floating], size: int, margin: float) -> Image:
    """Cut an upright face out of a picture, with the rules of `cut_planes`.

    Args:
        picture: (H, W, 3) BGR.
        landmarks: (5, 2) in its pixels; `alignable`.
        size: Side of the result in pixels.
        margin: Margin around the template's square, as a share of its side.

    Returns:
        (size, size, 3) BGR.
    """
    frame = (picture.shape[1], picture.shape[0])
    (transform,) = _move_inside(estimate_transforms(landmarks[None], size, margin), frame, size, margin)
    times = max(1, int(1 / max(float(np.hypot(transform[0, 0], transform[0, 1])), 1e-9)))
    if times > 1:
        shrunk = (max(1, frame[0] // times), max(1, frame[1] // times))
        factors = np.array(frame) / shrunk
        transform[:, 2] += transform[:, :2] @ ((factors - 1) / 2)
        transform[:, :2] *= factors
        picture = cv2.resize(picture, shrunk, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    cut = cv2.warpAffine(picture, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cut.astype(np.uint8, copy=False)


def _move_inside(transforms: npt.NDArray[np.float64], frame: Size, size: int, margin: float) -> npt.NDArray[np.float64]:
    """Move crops into the frame as far as the face in each stays whole; return their transforms.

    A crop that exceeds the frame shrinks around the face, down to a margin of `_LEAST_MARGIN`. Then it moves, by that
    margin at most. Pixels that are still outside repeat the edge.
    """
    sides = size / np.hypot(transforms[:, 0, 0], transforms[:, 0, 1])[:, None] / (1 + 2 * margin)
    corners = _corners(transforms, size)
    centre, reach = corners.mean(axis=1), np.ptp(corners, axis=1) / 2
    edge = np.array(frame, np.float64)
    # A crop of an upright face reaches half its side to each edge, a crop of a tilted face more.
    free = np.minimum(centre, edge - centre) / reach
    least = (1 + 2 * min(margin, _LEAST_MARGIN)) / (1 + 2 * margin)
    shrunk = np.clip(free.min(axis=1), least, 1)[:, None]
    reach = reach * shrunk
    shift = np.maximum(reach - centre, 0) - np.maximum(centre + reach - edge, 0)
    shift = np.where(2 * reach > edge, edge / 2 - centre, shift)
    room = sides * ((1 + 2 * margin) * shrunk - 1) / 2
    centre = centre + np.clip(shift, -room, room)
    moved = transforms.copy()
    moved[:, :, :2] /= shrunk[:, :, None]
    moved[:, :, 2] = size / 2 - (moved[:, :, :2] @ centre[:, :, None])[:, :, 0]
    return moved


def _warp_converted(
    picture: npt.NDArray[np.uint8], transform: npt.NDArray[np.float64], face: Image, border: int = cv2.BORDER_CONSTANT
) -> None:
    """Fill a face from BGRA, which OpenCV warps in half the time of BGR, with the same bits."""
    warped = cv2.warpAffine(picture, transform, face.shape[:2], flags=cv2.INTER_LINEAR, borderMode=border)
    cv2.cvtColor(warped, cv2.COLOR_BGRA2BGR, dst=face)


def _shift_origin(transforms: npt.NDArray[np.float64], corners: npt.NDArray[np.number]) -> None:
    """Convert (n, 2, 3) transforms of a picture in place to transforms of parts that begin at (n, 2) corners."""
    transforms[:, :, 2] += transforms[:, :, 0] * corners[:, :1] + transforms[:, :, 1] * corners[:, 1:]


def _regions(
    transforms: npt.NDArray[np.float64],
    planes: Size,
    size: int,
    reach: int | npt.NDArray[np.int64] = _REACH,
) -> npt.NDArray[np.int64]:
    """Return (n, 4) left, top, right, bottom of the pixels that aligned faces need; even, as chroma is halved."""
    places = _corners(transforms, size)
    lowest = np.floor(places.min(axis=1) / 2 - reach / 2) * 2
    highest = np.ceil(places.max(axis=1) / 2 + reach / 2) * 2
    return np.concatenate([np.clip(lowest, 0, planes), np.clip(highest, 0, planes)], axis=1).astype(np.int64)


def _corners(transforms: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    """Return (n, 4, 2) places of the aligned pictures' corners in the source."""
    (a, b, c), (d, e, f) = transforms.transpose(1, 2, 0)[..., None]
    u, v = np.array([[0, 1, 0, 1], [0, 0, 1, 1]]) * size
    determinant = a * e - b * d
    x, y = (e * (u - c) - b * (v - f)) / determinant, (a * (v - f) - d * (u - c)) / determinant
    return np.stack([x, y], axis=2)


def _split_planes(
    planes: npt.NDArray[np.uint8], size: tuple[int, int], region: tuple[int, int, int, int]
) -> list[npt.NDArray[np.uint8]]:
    """Return views of Y, U and V of one region of an I420 frame."""
    width, height = size
    left, top, right, bottom = region
    chroma_size = width * height // 4
    luma = planes[: width * height].reshape(height, width)[top:bottom, left:right]
    chroma = planes[width * height :][: 2 * chroma_size].reshape(2, height // 2, width // 2)
    return [luma, *chroma[:, top // 2 : bottom // 2, left // 2 : right // 2]]


def _average(plane: npt.NDArray[np.uint8], times: int) -> npt.NDArray[np.uint8]:
    """Shrink a plane by a whole factor, averaging its pixels."""
    if times == 1:
        return plane
    height, width = plane.shape
    smaller = cv2.resize(plane, (width // times, height // times), interpolation=cv2.INTER_AREA)
    return smaller.astype(np.uint8, copy=False)


def _convert(parts: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Convert Y, U and V to BGRA."""
    # OpenCV converts I420 only as one block with the chroma planes after the luma.
    height, width = parts[0].shape
    block = np.empty((height * 3 // 2, width), np.uint8)
    block[:height] = parts[0]
    chroma = block[height:].reshape(2, height // 2, width // 2)
    chroma[0], chroma[1] = parts[1:]
    return cv2.cvtColor(block, cv2.COLOR_YUV2BGRA_I420).astype(np.uint8, copy=False)
