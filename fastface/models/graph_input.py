"""Attach the input of every rewritten network: uint8 pictures as stored in memory, with normalisation in the graph.

`graph_detector` and `graph_recogniser` call it. The mean must stay a separate node, see `attach_picture_input`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastface.models.graph_edit import FLOAT, SCOPE, GraphEditor

PICTURES = f"{SCOPE}pictures"
"""Name of the only input: uint8 (N, H, W, 3), BGR."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """Values that a network reads: (x − mean) / scale for x of 0–255.

    Attributes:
        mean: Mean to subtract; 0 if the network normalises itself.
        scale: Divisor.
        is_bgr: True for BGR, False for RGB.
    """

    mean: float
    scale: float
    is_bgr: bool = False


RAW_RGB = Pixels(mean=0.0, scale=1.0)
"""Pixels of networks that normalise RGB values of 0–255 themselves."""


def attach_picture_input(editor: GraphEditor, old_input: str, pixels: Pixels) -> None:
    """Make the network read uint8 (N, H, W, 3) BGR pictures from `PICTURES`.

    The channel swap and the division go into the first convolution's weights. The mean stays a separate node, because
    the convolution pads with zeros *after* normalisation. Pictures and their difference to the mean are integers and
    halves of up to 8 bits. Bfloat16 stores these exactly too.

    The mean is subtracted before the transposition. OpenVINO's convolutions read the channels of a pixel side by side,
    so the transposition is then a name for what lies there already. After it, the pixels were reordered back: a
    seventh of the time of SCRFD-500M.

    Args:
        editor: Editor of the graph.
        old_input: Name of its float (N, 3, H, W) input.
        pixels: Values that this input expects.
    """
    values = editor.add("Cast", PICTURES, to=FLOAT)
    if pixels.mean:
        values = editor.add("Sub", values, editor.constant(pixels.mean, np.float32))
    planes = editor.add("Transpose", values, perm=[0, 3, 1, 2])
    consumers = editor.consumers(old_input)
    if not _fold_into_convolutions(editor, consumers, pixels):
        if not pixels.is_bgr:
            planes = editor.add("Gather", planes, editor.constant([2, 1, 0], np.int64), axis=1)
        if pixels.scale != 1:
            planes = editor.add("Div", planes, editor.constant(pixels.scale, np.float32))
    editor.redirect(old_input, planes, consumers)


def _fold_into_convolutions(editor: GraphEditor, consumers: list[Any], pixels: Pixels) -> bool:
    """Rewrite the weights of the convolutions that read the input; return False if another node reads it too."""
    weights = []
    for node in consumers:
        weight = editor.value(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or weight.shape[1] != 3:
            return False
        in_bgr = weight if pixels.is_bgr else weight[:, ::-1]
        weights.append(editor.constant(in_bgr / np.float64(pixels.scale), np.float32))
    for node, folded in zip(consumers, weights, strict=True):
        node.input[1] = folded
    return True
