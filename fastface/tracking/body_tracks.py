"""Link the bodies of one person into tracks: by time, position, size, colours of the clothes, and faces.

`indexing.index_writer` calls `link_bodies` for each finished video.

* Two bodies a moment apart are linked if the boxes overlap and the colours match.
* After a longer gap, such as behind a table, the colours must match better. The body must also be near its old position
  and have about the same size.
* Bodies whose faces contradict each other, or that share a frame, are never linked.
* No track crosses a change of shot: see `video.frames.shots`.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fastface.faces.succession import compare_boxes, max_gap_seconds
from fastface.persons.containment import match_faces
from fastface.tracking.box_linker import Numbers, link_boxes
from fastface.types import Bodies, Faces

_MIN_IOU = 0.3
_MAX_MOVE = 0.5
"""Maximum distance of the centres, in mean body sizes."""
_MAX_SCALE = 1.4
"""Maximum ratio of two body sizes; the ratio of the areas is 2. A table hides half of a person behind it."""

_LIKE_OVERLAPPING = 0.88
_LIKE_MOVED = 0.93
"""Minimum product of colours. For one person in neighbouring samples 1 in 100 is below 0.90. For bodies that overlap
across a cut, 1 in 20 is above 0.92. For two persons side by side, in a crowd in winter coats, half are above 0.84."""

_HIDDEN_SECONDS = 2.1
"""Maximum seconds that a person may be hidden. It is no whole number of samples at usual rates, so rounding cannot
decide."""

_MIN_COSINE = 0.2
"""Similarity of the faces on two bodies below which they contradict each other, as for face tracks."""


def link_bodies(
    bodies: Bodies, shot: npt.NDArray[np.int32], faces: Faces, period: float, *, is_film: bool = True
) -> Bodies:
    """Assign faces and track numbers to the bodies of one video.

    Args:
        bodies: Bodies of one video, in any order.
        shot: (n,) number of the shot of each body.
        faces: All faces of the same frames.
        period: Seconds between samples where they are sparsest.
        is_film: True if the frames are consecutive; in unrelated pictures each body is a track of its own.
    """
    boxes, face = bodies.boxes.astype(np.float64), _find_faces(bodies, faces)
    short = max_gap_seconds(period, is_film=True)

    def judge(earlier: Numbers, later: Numbers) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        iou, moved, scale = compare_boxes(boxes[earlier], boxes[later])
        is_near = (moved <= _MAX_MOVE) & (scale <= _MAX_SCALE)
        possible = np.flatnonzero(is_near | (iou >= _MIN_IOU))
        possible = possible[shot[earlier[possible]] == shot[later[possible]]]
        like, cosine = np.zeros(len(earlier)), np.full(len(earlier), _MIN_COSINE)
        like[possible] = _products(bodies.colours, earlier[possible], later[possible])
        both = possible[(face[earlier[possible]] >= 0) & (face[later[possible]] >= 0)]
        cosine[both] = _products(faces.embedding, face[earlier[both]], face[later[both]])
        is_short = bodies.time[later] - bodies.time[earlier] <= short
        may = is_short & (iou >= _MIN_IOU) & (like >= _LIKE_OVERLAPPING)
        may |= is_near & (like >= _LIKE_MOVED)
        return may & (cosine >= _MIN_COSINE), iou + like + cosine

    max_gap = max(_HIDDEN_SECONDS, short) if is_film else 0.0
    return replace(bodies, face=face.astype(np.int32), track=link_boxes(bodies.time, bodies.boxes, max_gap, judge))


def _find_faces(bodies: Bodies, faces: Faces) -> npt.NDArray[np.int64]:
    """Return (n,) the row of the face on each body, -1 without one."""
    found = np.full(len(bodies), -1, np.int64)
    body_rows, face_rows = np.argsort(bodies.pts, kind="stable"), np.argsort(faces.pts, kind="stable")
    shared = np.intersect1d(bodies.pts, faces.pts)
    body_bounds = np.searchsorted(bodies.pts[body_rows], np.stack([shared, shared + 1]))
    face_bounds = np.searchsorted(faces.pts[face_rows], np.stack([shared, shared + 1]))
    for body_ends, face_ends in zip(body_bounds.T, face_bounds.T, strict=True):
        own, there = body_rows[slice(*body_ends)], face_rows[slice(*face_ends)]
        on = match_faces(bodies.boxes[own], faces.boxes[there])
        found[own] = np.where(on >= 0, there[on], -1)
    return found


def _products(vectors: npt.NDArray[np.float16], left: Numbers, right: Numbers) -> npt.NDArray[np.float64]:
    """Compute (k,) products of rows, the same in any order of pairs."""
    products = vectors[left].astype(np.float32) * vectors[right].astype(np.float32)
    total: npt.NDArray[np.float64] = products.sum(axis=1, dtype=np.float64)
    return total
