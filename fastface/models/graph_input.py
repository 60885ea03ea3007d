"""Attach the input of every rewritten network: uint8 pictures as stored in memory, with normalisation in the graph.

`graph_detector` and `graph_recogniser` call it. The mean must stay a separate node, see `attach_picture_input`.
"""

from typing import Any

import numpy as np

from fastface.models.graph_edit import FLOAT, SCOPE, GraphEditor

PICTURES = f"{SCOPE}pictures"
"""Name of the only input: uint8 (N, H, W, 3), BGR."""

_MEAN = 127.5

_TO_PLANES = [0, 3, 1, 2]


def attach_picture_input(editor: GraphEditor, old_input: str, scale: float, *, normalised: bool = False) -> None:
    """Make the network read uint8 (N, H, W, 3) BGR pictures from `PICTURES`.

    The channel swap and the division go into the first convolution's weights. The mean stays a separate node, because
    the convolution pads with zeros *after* normalisation. Pictures and their difference to the mean are integers and
    halves of up to 8 bits. Bfloat16 stores these exactly too.

    Args:
        editor: Editor of the graph.
        old_input: Name of its float (N, 3, H, W) RGB input.
        scale: Divisor of (x − 127.5).
        normalised: True if the network itself normalises RGB values of 0–255.
    """
    consumers = editor.consumers(old_input)
    pixels = editor.add("Cast", PICTURES, to=FLOAT)
    if normalised:
        planes = editor.add("Transpose", pixels, perm=_TO_PLANES)
        tensor = planes if _fold_into_convolutions(editor, consumers, 1.0) else _swap(editor, planes)
    else:
        centred = editor.add("Sub", pixels, editor.constant(_MEAN, np.float32))
        planes = editor.add("Transpose", centred, perm=_TO_PLANES)
        if _fold_into_convolutions(editor, consumers, scale):
            tensor = planes
        else:
            divisor = editor.constant(scale, np.float32)
            tensor = editor.add("Div", _swap(editor, planes), divisor)
    editor.redirect(old_input, tensor, consumers)


def _swap(editor: GraphEditor, planes: str) -> str:
    return editor.add("Gather", planes, editor.constant([2, 1, 0], np.int64), axis=1)


def _fold_into_convolutions(editor: GraphEditor, consumers: list[Any], scale: float) -> bool:
    """Rewrite the weights of the convolutions that read the input; return False if another node reads it too."""
    weights = []
    for node in consumers:
        weight = editor.value(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or weight.shape[1] != 3:
            return False
        weights.append(editor.constant(weight[:, ::-1] / np.float64(scale), np.float32))
    for node, folded in zip(consumers, weights, strict=True):
        node.input[1] = folded
    return True
