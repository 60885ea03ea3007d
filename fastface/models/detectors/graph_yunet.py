"""Rewrite YuNet: any batch, any canvas, and from pictures to the best rows in one run of the network.

`graph_detector` calls it. The network is YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), as
OpenCV's model zoo publishes it since 2023. It has three feature maps (strides 8, 16, 32). Each cell has a score of the
class, a score of the object, the offset (x, y) of the box's centre, the logarithms of its width and height, and five
landmarks (x, y), all in strides from the cell's corner. The score of a row is the geometric mean of both scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastface.errors import ModelError
from fastface.models.detectors.graph_rows import add_anchors, list_rows, pick_rows, rank_rows, slice_columns, walk_back
from fastface.models.graph_edit import GraphEditor, infer_shapes, network_inputs
from fastface.models.graph_input import Pixels, attach_picture_input

NUM_YUNET_OUTPUTS = 12

_STRIDES = (8, 16, 32)
_PROBE = (2, 3, 640, 384)
_CHANNELS = (1, 1, 4, 10)
"""Channels of the heads: class, object, box, landmarks."""

_PIXELS = Pixels(mean=0.0, scale=1.0, is_bgr=True)


@dataclass(frozen=True, slots=True)
class YunetLevel:
    """Four heads of one feature map: tensors (N, C, H / stride, W / stride).

    Attributes:
        stride: Canvas pixels a cell.
        scores: The two score maps, C = 1.
        logits: For each score map, True if it needs a sigmoid.
        boxes: C = 4.
        landmarks: C = 10.
    """

    stride: int
    scores: tuple[str, str]
    logits: tuple[bool, bool]
    boxes: str
    landmarks: str


def find_yunet_levels(model: Any) -> tuple[YunetLevel, ...]:
    """Find the heads of a YuNet export: four kinds of outputs, each for three strides.

    Raises:
        ModelError: The outputs are not those of YuNet.
    """
    editor = GraphEditor(model.graph)
    shapes = infer_shapes(model, _PROBE)
    heads = [walk_back(editor, value.name) for value in model.graph.output]
    batch, _, height, width = _PROBE
    found = [shapes.get(name, ()) for name, _ in heads]
    expected = [(batch, channels, height // s, width // s) for channels in _CHANNELS for s in _STRIDES]
    if found != expected:
        raise ModelError(f"a detector with twelve outputs has heads {expected}, this network's are {found}")
    levels = []
    for place, stride in enumerate(_STRIDES):
        (first, first_logits), (second, second_logits), (boxes, _), (landmarks, _) = heads[place :: len(_STRIDES)]
        levels.append(YunetLevel(stride, (first, second), (first_logits, second_logits), boxes, landmarks))
    return tuple(levels)


def add_yunet_rows(model: Any, editor: GraphEditor, output: str) -> None:
    """Add the output (N, K, 15) of `graph_detector.rewrite_detector` to a YuNet, and its picture input.

    Raises:
        ModelError: The network is no YuNet.
    """
    levels = find_yunet_levels(model)
    attach_picture_input(editor, network_inputs(model.graph)[0].name, _PIXELS)
    best = rank_rows(editor, [_add_score(editor, level) for level in levels], logits=False)
    anchors = [add_anchors(editor, level.boxes, level.stride, 1) for level in levels]
    anchor = editor.add("Gather", editor.add("Concat", *anchors, axis=0), best.places)
    corner, stride = slice_columns(editor, anchor, 0, 2), slice_columns(editor, anchor, 2, 3)
    picked = pick_rows(editor, _add_values(editor, levels), best.places, 14)
    scaled = editor.add("Mul", picked, stride)
    centre = editor.add("Add", slice_columns(editor, scaled, 0, 2), corner)
    size = editor.add("Mul", editor.add("Exp", slice_columns(editor, picked, 2, 4)), stride)
    first = editor.add("Sub", centre, editor.add("Mul", size, editor.constant(0.5, np.float32)))
    last = editor.add("Add", first, size)
    points = editor.add("Reshape", slice_columns(editor, scaled, 4, 14), editor.constant([0, 0, 5, 2], np.int64))
    points = editor.add("Add", points, editor.add("Reshape", corner, editor.constant([0, 0, 1, 2], np.int64)))
    landmarks = editor.add("Reshape", points, editor.constant([0, 0, -1], np.int64))
    editor.add("Concat", best.scores, first, last, landmarks, output=output, axis=2)


def _add_score(editor: GraphEditor, level: YunetLevel) -> str:
    """Add the geometric mean of the two score maps."""
    shares = []
    for scores, is_logit in zip(level.scores, level.logits, strict=True):
        shares.append(editor.add("Sigmoid", scores) if is_logit else scores)
    return editor.add("Sqrt", editor.add("Mul", *shares))


def _add_values(editor: GraphEditor, levels: Sequence[YunetLevel]) -> str:
    """Add boxes and landmarks (N, T, 14) of all cells."""
    rows = [
        editor.add("Concat", list_rows(editor, level.boxes, 4), list_rows(editor, level.landmarks, 10), axis=2)
        for level in levels
    ]
    return editor.add("Concat", *rows, axis=1)
