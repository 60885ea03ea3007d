"""Small pictures of faces for people to look at, cut while the frame is at hand: a table of them needs no seeking.

Whether a face of a frame is pictured depends on that frame alone: no other one is asked.
"""

import cv2
import numpy as np
import numpy.typing as npt

from fastface.faces.align import cut_planes
from fastface.types import FacePictures, Faces, Geometry

__all__ = ["picture_faces"]

SIZE = 144
"""Side in pixels."""

MARGIN = 0.5
"""Room around the aligned square, as a share of its side: the whole head with its hair."""

LEAST_QUALITY = 0.35
"""Below it a face is too small, blurred or turned for anyone to be known by: of a clip of television it is 1 in 100."""

MOST_A_FRAME = 8
"""Of a crowd the best are pictured; with those of the other frames nearly everyone comes to it."""

_JPEG = (cv2.IMWRITE_JPEG_QUALITY, 85)


def picture_faces(faces: Faces, planes: npt.NDArray[np.uint8], geometry: Geometry) -> FacePictures:
    """Pictures of the best faces of one frame, in the order of the rows; at most `MOST_A_FRAME`.

    Args:
        faces: All of the frame.
        planes: (plane_bytes,) I420 of the frame.
        geometry: How the planes map onto the displayed frame.
    """
    best = np.argsort(-faces.quality, kind="stable")[:MOST_A_FRAME]
    chosen = faces[np.sort(best[faces.quality[best] >= LEAST_QUALITY])]
    cuts = (cut_planes(planes, geometry, points, SIZE, MARGIN) for points in chosen.landmarks)
    return FacePictures.of(chosen, [cv2.imencode(".jpg", cut, _JPEG)[1].tobytes() for cut in cuts])
