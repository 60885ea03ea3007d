"""Find a detector's heads, and add its last nodes: rank all cells of the score maps, and pick the rows of the best.

`graph_detector`, `graph_centerface` and `graph_yunet` call it. Rows follow the cells line by line; the anchors of a
cell are together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastface.models.graph_edit import FLOAT, SCOPE, GraphEditor

MAX_ROWS = 1024
"""Maximum number of rows K of the output. A face activates about five anchors at the usual threshold, so this is two
hundred faces in one canvas. The caller drops rows below the threshold."""


_LAYOUT_OPS = frozenset({"Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})


@dataclass(frozen=True, slots=True)
class BestRows:
    """The best of all T rows of a canvas.

    Attributes:
        scores: Tensor (N, K, 1), falling, 0–1.
        places: Tensor (N, K) of row numbers among T.
    """

    scores: str
    places: str


def walk_back(editor: GraphEditor, name: str) -> tuple[str, bool]:
    """Return the tensor behind the layout operations of an output, and whether it needs a sigmoid.

    It does if the export has one, or if scores come directly from a convolution: then they are logits.
    """
    logits = False
    while (node := editor.producer(name)) is not None:
        if node.op_type == "Conv":
            return name, True
        if node.op_type != "Sigmoid" and node.op_type not in _LAYOUT_OPS:
            break
        logits = logits or node.op_type == "Sigmoid"
        name = node.input[0]
    return name, logits


def list_rows(editor: GraphEditor, head: str, components: int) -> str:
    """Reshape a head (N, anchors × C, h, w) to rows (N, h × w × anchors, C), in insightface's order of anchors."""
    last = editor.add("Transpose", head, perm=[0, 2, 3, 1])
    return editor.add("Reshape", last, editor.constant([0, -1, components], np.int64))


def rank_rows(editor: GraphEditor, heads: Sequence[str], *, logits: bool) -> BestRows:
    """Add the top-K of score maps (N, anchors, h, w), K = min(`MAX_ROWS`, T).

    Args:
        editor: Editor of the graph.
        heads: Score maps, in the order of the rows.
        logits: True if the scores need a sigmoid.
    """
    flat = [list_rows(editor, head, 1) for head in heads]
    everything = editor.add("Concat", *flat, axis=1)
    # K = min(MAX_ROWS, T): `Min` accepts no integers before opset 12, but a slice stops at the end.
    begin, end, axis = (editor.constant([value], np.int64) for value in (0, MAX_ROWS, 1))
    k = add_side(editor, editor.add("Slice", everything, begin, end, axis), 1, scalar=False)
    flat_scores = editor.add("Reshape", everything, editor.constant([0, -1], np.int64))
    best, places = editor.add_many("TopK", [flat_scores, k], [f"{SCOPE}best_scores", f"{SCOPE}best_places"], axis=1)
    if logits:
        # After the top-K: the order is the same, and K rows are fewer than T.
        best = editor.add("Sigmoid", best)
    return BestRows(editor.add("Reshape", best, editor.constant([0, -1, 1], np.int64)), places)


def pick_rows(editor: GraphEditor, rows: str, places: str, components: int) -> str:
    """Select rows (N, T, C) at places (N, K) → (N, K, C).

    It uses one flat `Gather`, because `GatherND` has batches from opset 12 only.
    """
    batch, total = (add_side(editor, rows, axis) for axis in (0, 1))
    zero, column = editor.constant(0, np.int64), editor.constant([-1, 1], np.int64)
    starts = editor.add("Range", zero, editor.add("Mul", batch, total), total)
    flat_places = editor.add("Add", places, editor.add("Reshape", starts, column))
    return editor.add("Gather", editor.add("Reshape", rows, editor.constant([-1, components], np.int64)), flat_places)


def slice_columns(editor: GraphEditor, rows: str, begin: int, end: int, axis: int = 2) -> str:
    """Add the part of a tensor from `begin` to `end` along an axis."""
    bounds = (editor.constant([value], np.int64) for value in (begin, end, axis))
    return editor.add("Slice", rows, *bounds)


def add_anchors(editor: GraphEditor, head: str, stride: int, anchors: int) -> str:
    """Add the anchors (h × w × anchors, 3) of a feature map: x and y of the cell's corner, stride."""
    height, width = (add_side(editor, head, axis, scalar=False) for axis in (2, 3))
    grid = editor.add(
        "Concat", height, width, editor.constant([anchors], np.int64), editor.constant([1], np.int64), axis=0
    )
    columns = []
    for axis, shape in ((3, [1, -1, 1, 1]), (2, [-1, 1, 1, 1])):
        cells = add_range(editor, add_side(editor, head, axis), stride)
        columns.append(editor.add("Expand", editor.add("Reshape", cells, editor.constant(shape, np.int64)), grid))
    columns.append(editor.add("Expand", editor.constant(stride, np.float32), grid))
    return editor.add("Reshape", editor.add("Concat", *columns, axis=3), editor.constant([-1, 3], np.int64))


def add_range(editor: GraphEditor, cells: str, stride: int) -> str:
    """Add 0, stride, 2 × stride … for a number of cells."""
    step = editor.constant(stride, np.float32)
    limit = editor.add("Mul", editor.add("Cast", cells, to=FLOAT), step)
    return editor.add("Range", editor.constant(0, np.float32), limit, step)


def add_side(editor: GraphEditor, tensor: str, axis: int, *, scalar: bool = True) -> str:
    """Add one side of a tensor's shape, as a scalar or as a list of one."""
    place = editor.constant(axis if scalar else [axis], np.int64)
    return editor.add("Gather", editor.add("Shape", tensor), place)
