"""Rewrite CenterFace: any batch, any canvas, and from pictures to the best rows in one run of the network.

`graph_detector` calls it. The network is CenterFace (Xu et al., "CenterFace: Joint Face Detection and Alignment Using
Face as Point", 2019). Each cell of one map with stride 4 has a score, the logarithms of the box's height and width in
strides, the offset (y, x) of its centre, and five landmarks (y, x) as shares of the box. The published decoder clips
boxes to the picture; here boxes may reach over its edges, as SCRFD's do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastface.errors import ModelError
from fastface.models.detectors.graph_rows import add_range, add_side, list_rows, pick_rows, rank_rows, slice_columns
from fastface.models.graph_edit import GraphEditor, infer_shapes, network_inputs
from fastface.models.graph_input import RAW_RGB, attach_picture_input

NUM_CENTER_OUTPUTS = 4

_STRIDE = 4
_PROBE = (2, 3, 640, 384)
_CHANNELS = (1, 2, 2, 10)
"""Channels of the outputs: score, size, offset of the centre, landmarks."""

_XY = [place ^ 1 for place in range(14)]
"""Order of size, offset and landmarks that turns each (y, x) into (x, y)."""


@dataclass(frozen=True, slots=True)
class CenterHeads:
    """Four heads: tensors (N, C, H / 4, W / 4).

    Attributes:
        scores: C = 1.
        sizes: C = 2.
        offsets: C = 2.
        landmarks: C = 10.
        logits: True if the scores need a sigmoid.
    """

    scores: str
    sizes: str
    offsets: str
    landmarks: str
    logits: bool


def find_center_heads(model: Any) -> CenterHeads:
    """Find the heads of a CenterFace export: four outputs of one stride.

    Raises:
        ModelError: The outputs are not those of CenterFace.
    """
    outputs = [value.name for value in model.graph.output]
    shapes = infer_shapes(model, _PROBE)
    found = [shapes.get(name, ()) for name in outputs]
    batch, _, height, width = _PROBE
    expected = [(batch, channels, height // _STRIDE, width // _STRIDE) for channels in _CHANNELS]
    if found != expected:
        raise ModelError(f"a detector with four outputs has heads {expected}, this network's are {found}")
    heat, sizes, offsets, landmarks = outputs
    scores = GraphEditor(model.graph).producer(heat)
    if scores is not None and scores.op_type == "Sigmoid":
        return CenterHeads(scores.input[0], sizes, offsets, landmarks, logits=True)
    return CenterHeads(heat, sizes, offsets, landmarks, logits=False)


def add_center_rows(model: Any, editor: GraphEditor, output: str) -> None:
    """Add the output (N, K, 15) of `graph_detector.rewrite_detector` to a CenterFace, and its picture input.

    Raises:
        ModelError: The network is no CenterFace.
    """
    heads = find_center_heads(model)
    attach_picture_input(editor, network_inputs(model.graph)[0].name, RAW_RGB)
    best = rank_rows(editor, [heads.scores], logits=heads.logits)
    values = editor.add("Concat", *(list_rows(editor, head, 2) for head in (heads.sizes, heads.offsets)), axis=2)
    values = editor.add("Concat", values, list_rows(editor, heads.landmarks, 10), axis=2)
    picked = pick_rows(editor, values, best.places, len(_XY))
    picked = editor.add("Gather", picked, editor.constant(_XY, np.int64), axis=2)
    pixels = editor.constant(_STRIDE, np.float32)
    size = editor.add("Mul", editor.add("Exp", slice_columns(editor, picked, 0, 2)), pixels)
    cells = editor.add("Add", slice_columns(editor, picked, 2, 4), _add_cells(editor, heads.scores, best.places))
    half = editor.add("Mul", size, editor.constant(0.5, np.float32))
    first = editor.add("Sub", editor.add("Mul", cells, pixels), half)
    last = editor.add("Add", first, size)
    shares = editor.add("Reshape", slice_columns(editor, picked, 4, 14), editor.constant([0, 0, 5, 2], np.int64))
    pair = editor.constant([0, 0, 1, 2], np.int64)
    points = editor.add("Mul", shares, editor.add("Reshape", size, pair))
    points = editor.add("Add", points, editor.add("Reshape", first, pair))
    landmarks = editor.add("Reshape", points, editor.constant([0, 0, -1], np.int64))
    editor.add("Concat", best.scores, first, last, landmarks, output=output, axis=2)


def _add_cells(editor: GraphEditor, scores: str, places: str) -> str:
    """Add the middles (N, K, 2) of the cells at `places`, (x, y) in strides."""
    grid = editor.add("Shape", editor.add("Transpose", scores, perm=[2, 3, 1, 0]))
    begin, end = editor.constant([0], np.int64), editor.constant([3], np.int64)
    columns = []
    for axis, shape in ((3, [1, -1, 1]), (2, [-1, 1, 1])):
        middles = editor.add(
            "Add", add_range(editor, add_side(editor, scores, axis), 1), editor.constant(0.5, np.float32)
        )
        line = editor.add("Reshape", middles, editor.constant(shape, np.int64))
        columns.append(editor.add("Expand", line, editor.add("Slice", grid, begin, end)))
    cells = editor.add("Reshape", editor.add("Concat", *columns, axis=2), editor.constant([-1, 2], np.int64))
    return editor.add("Gather", cells, places)
