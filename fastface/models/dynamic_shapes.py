"""Remove fixed sizes from an exported graph: a batch of one, a canvas of one size.

The rewriters of detectors, recognisers and person networks call it, and `graph_read`. It changes the model in place.
"""

from typing import Any

import numpy as np

from fastface.models.graph_edit import GraphEditor, infer_shapes


def free_resizes(model: Any) -> None:
    """Replace the fixed size of every `Resize` by its factor, so that the canvas may have any size."""
    editor = GraphEditor(model.graph)
    fixed = [n for n in model.graph.node if n.op_type == "Resize" and len(n.input) > 3 and n.input[3]]
    fixed = [node for node in fixed if editor.value(node.input[3]) is not None]
    shapes = infer_shapes(model) if fixed else {}
    for node in fixed:
        sizes = editor.value(node.input[3])
        before = shapes.get(node.input[0], ())
        if sizes is None or len(before) != len(sizes) or None in before:
            continue
        factors = [float(size) / side for size, side in zip(sizes, before, strict=True) if side]
        node.input[2] = editor.constant(factors, np.float32)
        node.input.pop()


def free_batch(model: Any) -> None:
    """Make every reshape to a batch of one keep the batch of its input."""
    editor = GraphEditor(model.graph)
    for node in model.graph.node:
        if node.op_type != "Reshape" or editor.value(node.input[0]) is not None:
            continue
        shape = editor.value(node.input[1])
        if shape is None or len(shape) < 2 or shape[0] != 1:
            continue
        # In `Reshape`, 0 copies the side from the input.
        node.input[1] = editor.constant([0, *shape[1:]], np.int64)
