"""Refer to a face or body of the index by its place and look, independent of row and track numbers.

Corrections of the census and decisions on an answer store anchors. Another scan of the video finds them again.
"""

import numpy as np
import numpy.typing as npt

from fastface.index.anchor_record import Anchor, pack_look, unpack_look
from fastface.types import Bodies, Faces

_SAME_FACE_IOU = 0.5

CLOTHES = "clothes"
"""Contract of a body's appearance, which consists of colours."""

_ALIKE = {Faces: 0.5, Bodies: 0.88}
"""Minimum cosine of an anchor and a face or body of a film; another scan may have sampled another frame."""

_SAME_PICTURE = {Faces: 0.95, Bodies: 0.99}
"""Minimum cosine of an anchor and a face or body of the same picture after another scan."""

REACH_SECONDS = 0.5
"""Maximum difference in seconds: another sampling rate samples a face at another time."""


def encode_look(vector: npt.NDArray[np.float16], contract: str = CLOTHES) -> str:
    """Encode the appearance of a face or a body as text.

    Args:
        vector: (D,) embedding of the face, or colours of the body.
        contract: Contract of the recogniser, for a face.
    """
    return pack_look(vector.astype("<f2").tobytes(), contract)


def decode_look(look: str, contract: str) -> npt.NDArray[np.float16] | None:
    """Decode the result of `encode_look`; return None if it is empty or of another contract.

    Raises:
        ValueError: The text is damaged.
    """
    components = unpack_look(look, contract)
    return None if components is None else np.frombuffer(components, "<f2")


def anchored_track(found: Faces | Bodies, anchor: Anchor, *, contract: str = "", is_film: bool = True) -> int | None:
    """Return the number of an anchor's track in a video; None if the video has no such track: see `anchored_row`."""
    row = anchored_row(found, anchor, contract=contract, is_film=is_film)
    return None if row is None else int(found.tracks[row])


def anchored_row(found: Faces | Bodies, anchor: Anchor, *, contract: str = "", is_film: bool = True) -> int | None:
    """Return the row of an anchor's face or body in a video; None if the video has no such face or body.

    In a film the match is at the anchor's place and similar to it. Pictures of a folder may move as pictures are added:
    there only the similarity counts.

    Args:
        found: Faces of the video, or bodies if the anchor is a body.
        anchor: Face or body to find.
        contract: Contract of the recogniser of the faces. The look of an anchor of another contract is ignored.
        is_film: True if the frames of the video are consecutive.
    """
    vectors, kind = (found.colours, CLOTHES) if isinstance(found, Bodies) else (found.embedding, contract)
    look = decode_look(anchor.look, kind)
    if look is not None and len(look) != vectors.shape[1]:
        look = None
    if look is not None and not is_film:
        cosine = _cosines(vectors, look)
        best = int(np.argmax(cosine)) if len(cosine) else 0
        return best if len(cosine) and cosine[best] >= _SAME_PICTURE[type(found)] else None
    rows = np.flatnonzero(np.abs(found.time - anchor.time) <= (REACH_SECONDS if is_film else 0))
    if look is not None:
        rows = rows[_cosines(vectors[rows], look) >= _ALIKE[type(found)]]
    if not len(rows):
        return None
    boxes, box = found.boxes[rows].astype(np.float64), np.array(anchor.box)
    common = (np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])).clip(0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    iou = common / np.maximum(areas - common, np.finfo(np.float64).tiny)
    away = np.abs(found.time[rows] - anchor.time)
    best = np.lexsort((-iou, away.round(3), iou < _SAME_FACE_IOU))[0]
    return int(rows[best]) if iou[best] >= _SAME_FACE_IOU else None


def _cosines(vectors: npt.NDArray[np.float16], look: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """Return (n,) the cosine of each row of vectors (n, D) and an appearance (D,)."""
    cosines: npt.NDArray[np.float32] = vectors.astype(np.float32) @ look.astype(np.float32)
    return cosines
