"""Grouped convolutions of two channels a group, as two depthwise ones: the same sums, by kernels that are fast.

Runtimes have fast kernels for dense and for depthwise convolutions; what lies between runs many small products.
In MobileFaceNet's large form (w600k_mbf) one layer of 64 groups of two took a fifth of the whole network's time on a
CPU; split, the network takes 11 % less on OpenVINO and no more on ONNX Runtime.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from fastface.models.graph_edit import GraphEditor

__all__ = ["split_pairs"]


def split_pairs(editor: GraphEditor) -> None:
    """Splits every convolution of two input and two output channels a group.

    With x' the input with the channels of each pair exchanged, out = depthwise(x, own) + depthwise(x', other).
    """
    for node in list(editor.graph.node):
        if node.op_type != "Conv":
            continue
        weight = editor.value(node.input[1])
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if weight is not None and weight.shape[1] == 2 and weight.shape[0] == 2 * attributes.get("group", 1):
            _split(editor, node, weight, attributes)


def _split(editor: GraphEditor, node: Any, weight: npt.NDArray[Any], attributes: dict[str, Any]) -> None:
    channels = np.arange(len(weight))
    side = channels % 2
    own, other = (editor.constant(weight[channels, which][:, None], np.float32) for which in (side, 1 - side))
    exchanged = editor.add("Gather", node.input[0], editor.constant(channels ^ 1, np.int64), axis=1)
    attributes["group"] = len(weight)
    first = editor.add("Conv", node.input[0], own, *node.input[2:], **attributes)
    second = editor.add("Conv", exchanged, other, **attributes)
    editor.add("Add", first, second, output=node.output[0])
