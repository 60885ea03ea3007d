"""Rewrite SCRFD: any batch, any canvas, and from pictures to the best rows in one run of the network.

`graph` calls `rewrite_detector`; a change of its result needs a new `REWRITE_VERSION`. A network with four outputs is a
CenterFace, and one with twelve a YuNet: `graph_centerface` and `graph_yunet` add their rows.

The network is SCRFD (Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", ICLR 2022). It
has three feature maps (strides 8, 16, 32) with two anchors on each cell. For each anchor it predicts a score, four
distances from the anchor's centre to the box's sides, and five landmark offsets. Distances and offsets are in strides.
An anchor's centre is (column × stride, row × stride).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastface.errors import ModelError
from fastface.models.detectors.graph_centerface import NUM_CENTER_OUTPUTS, add_center_rows
from fastface.models.detectors.graph_rows import add_anchors, list_rows, pick_rows, rank_rows, slice_columns, walk_back
from fastface.models.detectors.graph_yunet import NUM_YUNET_OUTPUTS, add_yunet_rows
from fastface.models.dynamic_shapes import free_resizes
from fastface.models.graph_edit import (
    FLOAT,
    SCOPE,
    UINT8,
    GraphEditor,
    Shape,
    infer_shapes,
    network_inputs,
    tensor_info,
)
from fastface.models.graph_input import PICTURES, Pixels, attach_picture_input

DETECTIONS = f"{SCOPE}detections"

_PIXELS = Pixels(mean=127.5, scale=128.0)
_PROBE = (2, 3, 640, 384)
"""Canvas on which the strides are read off the feature maps. It has two pictures, so that a fixed batch shows."""

# Mean position of the five landmarks in the box, in shares of its width and height, for a detector without landmarks.
# Measured over 71 faces turned by less than 20 degrees that det_500m found in five clips, made symmetric.
_MEAN_LANDMARKS = ((0.28, 0.39), (0.72, 0.39), (0.50, 0.59), (0.33, 0.75), (0.67, 0.75))


@dataclass(frozen=True, slots=True)
class HeadLevel:
    """Three heads of one feature map: tensors (N, anchors × C, H / stride, W / stride).

    Attributes:
        stride: Canvas pixels a cell.
        anchors: Anchors a cell.
        scores: Tensor with C = 1.
        boxes: Tensor with C = 4.
        landmarks: Tensor with C = 10; None for a detector without landmarks.
        logits: True if the scores need a sigmoid.
    """

    stride: int
    anchors: int
    scores: str
    boxes: str
    landmarks: str | None
    logits: bool


def find_heads(model: Any) -> tuple[HeadLevel, ...]:
    """Find the heads of an SCRFD export by stride, whatever its outputs' layout.

    Outputs come as insightface reads them: all scores, then all boxes, then all landmarks, each by stride. Operations
    behind a head (transposes, reshapes, the sigmoid) are traced back. So flat outputs, batched outputs and plain
    feature maps all lead to the same tensors.

    Raises:
        ModelError: The outputs are not those of SCRFD.
    """
    editor = GraphEditor(model.graph)
    outputs = [value.name for value in model.graph.output]
    levels = 5 if len(outputs) % 5 == 0 else 3
    if len(outputs) not in (2 * levels, 3 * levels):
        raise ModelError(f"a detector has 6, 9, 10 or 15 outputs, this network has {len(outputs)}")
    shapes = infer_shapes(model, _PROBE)
    heads = [walk_back(editor, name) for name in outputs]
    found = [_level(heads[place::levels], shapes) for place in range(levels)]
    strides = [level.stride for level in found]
    if strides != [8 << place for place in range(levels)]:
        raise ModelError(f"a detector's feature maps have strides 8, 16, 32 …, this network's have {strides}")
    return tuple(found)


def _level(heads: list[tuple[str, bool]], shapes: dict[str, Shape]) -> HeadLevel:
    known = [shapes.get(name, ()) for name, _ in heads]
    batch, channels, height, width = (*known[0], None, None, None, None)[:4]
    if batch != _PROBE[0] or not channels or not height or not width or _PROBE[2] % height:
        raise ModelError(f"a detector's head is a feature map (N, anchors, H, W), this network's is {known[0]}")
    expected = [(batch, channels * c, height, width) for c in (1, 4, 10)[: len(heads)]]
    if known != expected:
        raise ModelError(f"a detector's heads at one stride are {expected}, this network's are {known}")
    names = [name for name, _ in heads]
    return HeadLevel(
        stride=_PROBE[2] // height,
        anchors=channels,
        scores=names[0],
        boxes=names[1],
        landmarks=names[2] if len(names) > 2 else None,
        logits=heads[0][1],
    )


def rewrite_detector(model: Any) -> None:
    """Rewrite a detector in place: uint8 (N, H, W, 3) BGR → float32 (N, K, 15), K = min(`MAX_ROWS`, anchors).

    A row is score, x1, y1, x2, y2, then five landmarks (x, y), in canvas pixels. Rows are sorted by falling score. H
    and W are any multiples of 32. A detector without landmarks gets those of the mean face, placed in the box.

    Raises:
        ModelError: The network is no SCRFD, CenterFace or YuNet.
    """
    free_resizes(model)
    editor = GraphEditor(model.graph)
    if len(model.graph.output) == NUM_CENTER_OUTPUTS:
        add_center_rows(model, editor, DETECTIONS)
    elif len(model.graph.output) == NUM_YUNET_OUTPUTS:
        add_yunet_rows(model, editor, DETECTIONS)
    else:
        _add_anchor_rows(model, editor)
    editor.finish(
        [tensor_info(PICTURES, UINT8, ("N", "H", "W", 3))],
        [tensor_info(DETECTIONS, FLOAT, ("N", "K", 15))],
    )


def _add_anchor_rows(model: Any, editor: GraphEditor) -> None:
    levels = find_heads(model)
    attach_picture_input(editor, network_inputs(model.graph)[0].name, _PIXELS)
    best = rank_rows(editor, [level.scores for level in levels], logits=levels[0].logits)
    editor.add("Concat", best.scores, _decode(editor, levels, best.places), output=DETECTIONS, axis=2)


def _decode(editor: GraphEditor, levels: Sequence[HeadLevel], places: str) -> str:
    """Add boxes and landmarks (N, K, 14) of the anchors at `places`, in canvas pixels."""
    every = [add_anchors(editor, level.scores, level.stride, level.anchors) for level in levels]
    anchors = editor.add("Gather", editor.add("Concat", *every, axis=0), places)
    # Rows are picked from each head before heads are joined: K rows are fewer than T.
    picked = _pick_head(editor, [(level.boxes, 4) for level in levels], places)
    # Left and top are distances *against* the axes.
    picked = editor.add("Mul", picked, editor.constant([-1, -1, 1, 1], np.float32))
    if levels[0].landmarks is not None:
        points = _pick_head(editor, [(level.landmarks, 10) for level in levels if level.landmarks], places)
        picked = editor.add("Concat", picked, points, axis=2)
    in_pixels = editor.add("Mul", picked, slice_columns(editor, anchors, 2, 3))
    points = editor.add("Reshape", in_pixels, editor.constant([0, 0, -1, 2], np.int64))
    centres = editor.add("Reshape", slice_columns(editor, anchors, 0, 2), editor.constant([0, 0, 1, 2], np.int64))
    points = editor.add("Add", points, centres)
    if not levels[0].landmarks:
        points = editor.add("Concat", points, _landmarks_of_boxes(editor, points), axis=2)
    return editor.add("Reshape", points, editor.constant([0, 0, -1], np.int64))


def _pick_head(editor: GraphEditor, heads: Sequence[tuple[str, int]], places: str) -> str:
    """Add the rows (N, K, C) at `places` of one kind of head, given as (tensor, C) by level."""
    rows = editor.add("Concat", *(list_rows(editor, head, components) for head, components in heads), axis=1)
    return pick_rows(editor, rows, places, heads[0][1])


def _landmarks_of_boxes(editor: GraphEditor, corners: str) -> str:
    """Add landmarks (N, K, 5, 2) of the mean face to boxes given by two corners (N, K, 2, 2)."""
    first = slice_columns(editor, corners, 0, 1)
    size = editor.add("Sub", slice_columns(editor, corners, 1, 2), first)
    shares = editor.constant(_MEAN_LANDMARKS, np.float32)
    return editor.add("Add", first, editor.add("Mul", size, shares))
