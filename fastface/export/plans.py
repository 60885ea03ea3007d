"""What is to be exported, before any pixel is touched: names, styles, choices. Pure."""

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fastface.names import safe_name
from fastface.types import Faces, Hits

__all__ = ["BoxLabel", "ClipMode", "CropStyle", "choose_crops", "clip_name"]

ClipMode = Literal["copy", "precise"]


def clip_name(label: str, start: float, end: float) -> str:
    """The file name of the clip of a span: the same span has always the same name."""
    return f"{safe_name(label)}_{start:.3f}-{end:.3f}.mp4"


@dataclass(frozen=True, slots=True)
class BoxLabel:
    """A box to be drawn: x1, y1, x2, y2 in pixels of the frame, and what stands above it; `colour` counts targets."""

    box: tuple[float, float, float, float]
    text: str
    colour: int = 0


@dataclass(frozen=True, slots=True)
class CropStyle:
    """How a crop is cut.

    Attributes:
        kind: `face`: a square of the frame around the face; `aligned`: turned upright by the landmarks and scaled.
        margin: Room on each side, as a share of the face's size.
        size: Side of an aligned crop in pixels; a `face` crop keeps the frame's pixels.
    """

    kind: Literal["face", "aligned"]
    margin: float
    size: int


def choose_crops(faces: Faces, hits: Hits, gap: float) -> npt.NDArray[np.int64]:
    """Which hits are worth a crop: the best ones, any two at least `gap` seconds apart.

    Args:
        faces: The video's faces.
        hits: Hits of one target in them.
        gap: Seconds.

    Returns:
        Rows of `hits`, ascending. Of equal quality the earlier one goes first.
    """
    times = hits.time.tolist()
    best_first = np.lexsort((hits.time, -faces.quality[hits.face])).tolist()
    taken: list[float] = []
    chosen = []
    for row in best_first:
        place = bisect_left(taken, times[row])
        if any(abs(other - times[row]) < gap for other in taken[max(0, place - 1) : place + 1]):
            continue
        insort(taken, times[row])
        chosen.append(row)
    return np.array(sorted(chosen), np.int64)
