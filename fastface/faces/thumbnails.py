"""Draw small pictures of faces for the user, while the frame is in memory.

Inference workers call `picture_faces`; exports call `draw_portrait`. So a table of faces needs no seeking in videos.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.faces.align import cut_picture, cut_planes
from fastface.types import Faces, Geometry, Image, Thumbnails

SIZE = 144
"""Side in pixels."""

MARGIN = 0.5
"""Margin around the aligned square, as a share of its side: the whole head with its hair."""

_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)


def picture_faces(
    faces: Faces, worth: npt.NDArray[np.float32], planes: npt.NDArray[np.uint8], geometry: Geometry
) -> Thumbnails:
    """Draw the pictures of faces in one frame, in the order of the rows.

    Args:
        faces: The faces to picture.
        worth: (n,) rating of each face.
        planes: (plane_bytes,) I420 of the frame.
        geometry: Mapping of the planes to the displayed frame.
    """
    cuts = cut_planes(planes, geometry, faces.landmarks, SIZE, MARGIN)
    return Thumbnails.of(faces, worth, map(_encode, cuts))


def draw_portrait(picture: Image, landmarks: npt.NDArray[np.float32]) -> bytes:
    """Draw the picture of one face in a decoded frame as JPEG, equal to the scan's picture.

    Args:
        picture: (H, W, 3) BGR.
        landmarks: (5, 2) in its pixels.
    """
    return _encode(cut_picture(picture, landmarks, SIZE, MARGIN))


def _encode(cut: Image) -> bytes:
    return cv2.imencode(".jpg", cut, _JPEG)[1].tobytes()
