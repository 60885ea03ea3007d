"""ArcFace rewritten: any batch of aligned pictures in, one embedding a row out."""

from typing import Any

from fastface.errors import ModelError
from fastface.models.dynamic_shapes import free_batch
from fastface.models.graph_edit import FLOAT, SCOPE, UINT8, GraphEditor, infer_shapes, network_inputs, tensor_info
from fastface.models.graph_input import PICTURES, attach_picture_input
from fastface.models.split_grouped_conv import split_pairs
from fastface.types import ALIGNED_SIZE

__all__ = ["normalises_itself", "rewrite_recogniser"]

"""Side of an aligned face in pixels."""

EMBEDDINGS = f"{SCOPE}embeddings"

_SCALE = 127.5
_LEAST_MEAN = 64.0
"""A network that first subtracts this or more takes values of 0–255: normalised ones lie between -1 and 1."""


def normalises_itself(editor: GraphEditor, input_name: str) -> bool:
    """Return whether the network subtracts the mean itself, as the exports of MXNet do."""
    consumers = editor.consumers(input_name)
    if len(consumers) != 1 or consumers[0].op_type != "Sub":
        return False
    mean = editor.value(consumers[0].input[1])
    return mean is not None and bool((mean >= _LEAST_MEAN).all())


def rewrite_recogniser(model: Any) -> None:
    """Rewrites an ArcFace network in place: uint8 (N, 112, 112, 3) BGR → float32 (N, D), not normalised.

    Raises:
        ModelError: The batch cannot be freed.
    """
    free_batch(model)
    probe = (2, 3, ALIGNED_SIZE, ALIGNED_SIZE)
    shape = infer_shapes(model, probe).get(model.graph.output[0].name, ())
    if len(shape) < 2 or shape[0] not in (2, None) or not shape[1]:
        raise ModelError(f"a recogniser gives (N, D) embeddings, this network gives {shape} for two faces")
    editor = GraphEditor(model.graph)
    source = network_inputs(model.graph)[0].name
    attach_picture_input(editor, source, _SCALE, normalised=normalises_itself(editor, source))
    split_pairs(editor)
    editor.add("Flatten", model.graph.output[0].name, output=EMBEDDINGS, axis=1)
    editor.finish(
        [tensor_info(PICTURES, UINT8, ("N", ALIGNED_SIZE, ALIGNED_SIZE, 3))],
        [tensor_info(EMBEDDINGS, FLOAT, ("N", shape[1]))],
    )
