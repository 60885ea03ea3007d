"""Choose the crop of a person in a frame: the placement and ratio that a photographer would choose. Pure.

`crops` calls it. A small fixed set of placements in each requested ratio is scored by `score_parts`; the lowest
weighted sum wins. Boxes are x1, y1, x2, y2 in pixels of the frame as displayed. A mirrored frame gets the same score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, gcd

import numpy as np
import numpy.typing as npt

from fastface.config import BodyConfig
from fastface.types import FramingClass, Size

Box = tuple[float, float, float, float]

PARTS = ("growth", "cut", "side", "top", "headroom", "torso", "large", "small", "aim")
"""Parts of a score in order; `BodyConfig` has a weight of the same name for each."""

_CLASS_SHARES: tuple[tuple[float, FramingClass], ...] = ((0.36, "close-up"), (0.2, "portrait"), (0.12, "half"))
"""Minimum face height of each class, as a share of the crop's height. A body is 7.5 heads tall; a detector's face,
hairline to chin, is 0.75 of a head. Crops get a quarter of a head of room. A crop that ends at the chest is then 2.1
heads tall, at the hips 3.75, at the knees 6.25."""

_SHARE_STEP = 0.85
"""Ratio of the face shares of two neighbouring crop sizes: a difference of a sixth is visible."""
_NUM_SIZES = 16
"""Number of sizes, from 0.42 down to 0.037 of the crop's height. The largest crop of the frame is always tried too."""
_COLUMNS = 4
"""Steps from the leftmost to the rightmost place that contains the face. A power of two keeps places exact."""
_ROWS = 16
"""Steps from the highest to the lowest place that contains the face."""

_Crops = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Subject:
    """The person to frame.

    Attributes:
        frame: (width, height) of the frame as displayed.
        face: The face's box, finite; may extend beyond the frame's edges.
        person: The person's box, finite, x1, y1, x2, y2.
        person_is_estimate: True if the person's box was inferred from the face.
    """

    frame: Size
    face: Box
    person: Box
    person_is_estimate: bool


@dataclass(frozen=True, slots=True)
class Framing:
    """Crop of a frame.

    Attributes:
        box: x1, y1, x2, y2 in whole pixels, inside the frame.
        ratio: Requested width to height.
        score: Sum of the parts times their weights; lower is better.
        parts: Each of `PARTS`, in order, before its weight.
        framing: Framing class, from `close-up` to `full`.
    """

    box: tuple[int, int, int, int]
    ratio: str
    score: float
    parts: Mapping[str, float]
    framing: FramingClass


def frame_body(subject: Subject, ratios: Sequence[str], body: BodyConfig) -> Framing | None:
    """Return the best crop of a person.

    The visible part of the face is never cut if a crop of one of the ratios can contain it.

    Args:
        subject: The person.
        ratios: Width to height, as `2:3`; the first of equally good ones is taken.
        body: Weights and limits.

    Returns:
        The crop; None if the frame is too small for every ratio.
    """
    found = [_placements(subject, *_reduce(ratio), body) for ratio in ratios]
    crops = np.concatenate(found)
    if not len(crops):
        return None
    parts = score_parts(crops, subject, body)
    weights = np.array([getattr(body, name) for name in PARTS])
    scores = (parts * weights).sum(axis=1)
    is_whole = parts[:, PARTS.index("cut")] == 0
    best = int(np.where(is_whole | ~is_whole.any(), scores, np.inf).argmin())
    x1, y1, x2, y2 = crops[best].tolist()
    of_ratio = int(np.searchsorted(np.cumsum([len(part) for part in found]), best, "right"))
    return Framing(
        box=(x1, y1, x2, y2),
        ratio=ratios[of_ratio],
        score=float(scores[best]),
        parts=dict(zip(PARTS, parts[best].tolist(), strict=True)),
        framing=framing_class(_height(subject.face) / (y2 - y1)),
    )


def framing_class(face_share: float) -> FramingClass:
    """Return the class of a crop by its face's share of its height.

    From 0.36 it is a `close-up`, which ends at the chest or above. From 0.2 it is a `portrait`, which ends at the hips
    or above. From 0.12 it is `half` (the cowboy shot), which ends at the knees or above. Below, it is `full`.
    """
    return next((name for least, name in _CLASS_SHARES if face_share >= least), "full")


def score_parts(crops: _Crops, subject: Subject, body: BodyConfig) -> _Floats:
    """Penalize the faults of each crop; 0 is none.

    * `growth`: the crop's area outside the person's box over that box's area; times `estimate_trust` for an estimate.
      The box is extended to contain the face and cut at the frame's edges.
    * `cut`: share of the face's visible area that lies outside the crop.
    * `side`: share of `side_room` face widths that is missing beside the face, on its nearer side.
    * `top`: share of `head_room` face heights that is missing above the face.
    * `headroom`: room above these, as a share of the crop's height, beyond `max_headroom`.
    * `torso`: share of `torso_room` face heights that is missing below the face.
    * `large`, `small`: excess of the face's share of the crop's height above `largest_face` or below `smallest_face`,
      as a share of that limit.
    * `aim`: distance of the crop's centre from the target point, as a share of the crop's width plus a share of its
      height. That point lies midway between the centres of face and person horizontally, and `shift_down` face heights
      below the face's centre.

    Args:
        crops: (n, 4) boxes.
        subject: The person.
        body: The limits.

    Returns:
        (n, 9) float64, columns as `PARTS`.
    """
    x1, y1, x2, y2 = crops.T.astype(np.float64)
    left, upper, right, lower = subject.face
    wide, tall = max(right - left, 1.0), _height(subject.face)
    width, height = x2 - x1, y2 - y1
    person, seen = _person_in_frame(subject), _inside(subject.face, subject.frame)
    trust = body.estimate_trust if subject.person_is_estimate else 1.0
    share = tall / height
    aim_x, aim_y = _aim(subject, body)
    columns = (
        trust * (width * height - _common_area(crops, person)) / _area(person),
        1 - _common_area(crops, seen) / _area(seen),
        _missing(np.minimum(left - x1, x2 - right), body.side_room * wide),
        _missing(upper - y1, body.head_room * tall),
        np.maximum((upper - body.head_room * tall - y1) / height - body.max_headroom, 0),
        _missing(y2 - lower, body.torso_room * tall),
        np.maximum(share / body.largest_face - 1, 0),
        np.maximum(1 - share / body.smallest_face, 0),
        np.abs((x1 + x2) / 2 - aim_x) / width + np.abs((y1 + y2) / 2 - aim_y) / height,
    )
    return np.stack(columns, axis=1)


def _aim(subject: Subject, body: BodyConfig) -> tuple[float, float]:
    face, person = subject.face, _person_in_frame(subject)
    # A turned head is in front of its body: a crop centred on the face would cut the shoulder behind it.
    return (face[0] + face[2] + person[0] + person[2]) / 4, (face[1] + face[3]) / 2 + body.shift_down * _height(face)


def _missing(room: _Floats, wanted: float) -> _Floats:
    missing: _Floats = np.clip(1 - room / wanted, 0, 1)
    return missing


def _height(box: Box) -> float:
    return max(box[3] - box[1], 1.0)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _common_area(crops: _Crops, box: Box) -> _Floats:
    x1, y1, x2, y2 = crops.T
    width = np.minimum(x2, box[2]) - np.maximum(x1, box[0])
    height = np.minimum(y2, box[3]) - np.maximum(y1, box[1])
    common: _Floats = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    return common


def _inside(box: Box, frame: Size) -> Box:
    """Return the part of a box inside a frame; at least the nearest pixel."""
    (x1, x2), (y1, y2) = (_clamp(box[axis], box[axis + 2], frame[axis]) for axis in (0, 1))
    return x1, y1, x2, y2


def _clamp(low: float, high: float, size: int) -> tuple[float, float]:
    low, high = min(max(low, 0.0), size), min(max(high, 0.0), size)
    return (low, high) if high > low else (min(floor(low), size - 1), min(floor(low), size - 1) + 1)


def _person_in_frame(subject: Subject) -> Box:
    face, person = subject.face, subject.person
    x1, y1 = min(face[0], person[0]), min(face[1], person[1])
    return _inside((x1, y1, max(face[2], person[2]), max(face[3], person[3])), subject.frame)


def _reduce(ratio: str) -> tuple[int, int]:
    width, height = (int(part) for part in ratio.split(":"))
    common = gcd(width, height)
    return width // common, height // common


def _placements(subject: Subject, across: int, down: int, body: BodyConfig) -> _Crops:
    """Return the (n, 4) crops of one ratio to try; none if the frame is too small for it."""
    most = min(subject.frame[0] // across, subject.frame[1] // down)
    seen = _inside(subject.face, subject.frame)
    crops = [np.empty((0, 4), np.int64)]
    for scale in _scales(subject, across, down, body) if most else ():
        width, height = across * scale, down * scale
        lefts = _columns(subject, seen, width, body)
        tops = _rows(subject, seen, height, body)
        x1, y1 = (axis.reshape(-1) for axis in np.meshgrid(lefts, tops, indexing="ij"))
        crops.append(np.stack([x1, y1, x1 + width, y1 + height], axis=1))
    return np.concatenate(crops)


def _scales(subject: Subject, across: int, down: int, body: BodyConfig) -> npt.NDArray[np.int64]:
    """Return the multiples of the ratio's smallest rectangle to try.

    They contain the face, contain the person, or belong to a ladder of sizes.
    """
    most = min(subject.frame[0] // across, subject.frame[1] // down)
    heights = _height(subject.face) / (body.largest_face * _SHARE_STEP ** np.arange(_NUM_SIZES))
    holding = [_holding_scale(box, across, down) for box in (_inside(subject.face, subject.frame), subject.person)]
    tried = np.concatenate([np.rint(heights / down), holding, [most]])
    return np.unique(np.clip(tried, min(holding[0], most), most).astype(np.int64))


def _holding_scale(box: Box, across: int, down: int) -> int:
    """Return the smallest scale that contains a box wherever its edges lie between pixels."""
    return ceil(max((ceil(box[2]) - floor(box[0])) / across, (ceil(box[3]) - floor(box[1])) / down))


def _columns(subject: Subject, seen: Box, width: int, body: BodyConfig) -> npt.NDArray[np.int64]:
    """Return left edges of crops of one width: spread over those with the face, around the aim and the face."""
    low, high = max(0, ceil(seen[2]) - width), min(subject.frame[0] - width, floor(seen[0]))
    centres = (_aim(subject, body)[0], (subject.face[0] + subject.face[2]) / 2)
    places = _spread(low, high, _COLUMNS, [centre - width / 2 for centre in centres])
    # Round both ways: rounding one way would favour a side.
    return np.unique(np.concatenate([np.floor(places), np.ceil(places)]).astype(np.int64))


def _rows(subject: Subject, seen: Box, height: int, body: BodyConfig) -> npt.NDArray[np.int64]:
    """Return top edges of crops of one height: spread over those with the face, at the aim and most headroom."""
    low, high = max(0, ceil(seen[3]) - height), min(subject.frame[1] - height, floor(seen[1]))
    aimed = _aim(subject, body)[1] - height / 2
    roomy = subject.face[1] - body.head_room * _height(subject.face) - body.max_headroom * height
    return np.unique(np.floor(_spread(low, high, _ROWS, [aimed, roomy])).astype(np.int64))


def _spread(low: int, high: int, steps: int, wanted: Sequence[float]) -> _Floats:
    """Return even places from `low` to `high`, and the wanted ones clipped. A face too large has `low` > `high`."""
    even = low + (high - low) * np.arange(steps + 1) / steps
    return np.concatenate([even, np.clip(wanted, min(low, high), max(low, high))])
