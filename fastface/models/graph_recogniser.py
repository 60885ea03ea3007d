"""Rewrite a recogniser (ArcFace, dlib's, OpenVINO's): any batch of aligned pictures in, one embedding a row out.

`graph` calls `rewrite_recogniser`; a change of its result needs a new `REWRITE_VERSION`.

Grouped convolutions of two channels a group become two depthwise ones with the same sums. Runtimes have fast kernels
for dense and for depthwise convolutions; others run many small products. One layer of 64 groups of two took a fifth of
the time of w600k_mbf (MobileFaceNet's large form) on a CPU. Split, the network takes 11 % less on OpenVINO and no more
on ONNX Runtime.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from fastface.errors import ModelError
from fastface.models.dynamic_shapes import free_batch
from fastface.models.graph_edit import (
    FLOAT,
    SCOPE,
    UINT8,
    GraphEditor,
    infer_shapes,
    network_inputs,
    read_shape,
    tensor_info,
)
from fastface.models.graph_input import PICTURES, RAW_RGB, Pixels, attach_picture_input
from fastface.types import ALIGNED_SIZE, OPENVINO_ALIGNED_SIZE

EMBEDDINGS = f"{SCOPE}embeddings"

_NORMALISED = Pixels(mean=127.5, scale=127.5)
_RAW_BGR = Pixels(mean=0.0, scale=1.0, is_bgr=True)
_LEAST_MEAN = 64.0
"""Minimum mean that a network with values of 0–255 subtracts: normalised values lie between -1 and 1."""


def normalises_itself(editor: GraphEditor, input_name: str) -> bool:
    """Return whether the network subtracts the mean itself, as exports of MXNet do."""
    consumers = editor.consumers(input_name)
    if len(consumers) != 1 or consumers[0].op_type != "Sub":
        return False
    mean = editor.value(consumers[0].input[1])
    return mean is not None and bool((mean >= _LEAST_MEAN).all())


def _find_pixels(editor: GraphEditor, source: str, side: int) -> Pixels:
    if side == OPENVINO_ALIGNED_SIZE:
        return _RAW_BGR
    return RAW_RGB if normalises_itself(editor, source) else _NORMALISED


def rewrite_recogniser(model: Any) -> None:
    """Rewrite a recogniser in place: uint8 (N, side, side, 3) BGR → float32 (N, D), not normalised.

    The side is that of the export, or 112 if the export leaves it free.

    Raises:
        ModelError: The batch cannot be freed.
    """
    free_batch(model)
    side = read_shape(network_inputs(model.graph)[0])[3] or ALIGNED_SIZE
    probe = (2, 3, side, side)
    shape = infer_shapes(model, probe).get(model.graph.output[0].name, ())
    if len(shape) < 2 or shape[0] not in (2, None) or not shape[1]:
        raise ModelError(f"a recogniser gives (N, D) embeddings, this network gives {shape} for two faces")
    editor = GraphEditor(model.graph)
    source = network_inputs(model.graph)[0].name
    attach_picture_input(editor, source, _find_pixels(editor, source, side))
    split_pairs(editor)
    editor.add("Flatten", model.graph.output[0].name, output=EMBEDDINGS, axis=1)
    editor.finish(
        [tensor_info(PICTURES, UINT8, ("N", side, side, 3))],
        [tensor_info(EMBEDDINGS, FLOAT, ("N", shape[1]))],
    )


def split_pairs(editor: GraphEditor) -> None:
    """Split every convolution with two input and two output channels a group.

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
