"""Read ONNX files, check that they can be used, and recognize them by their graphs.

`graph` imports it only if the cache has no answer, because it loads ONNX.
"""

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from fastface.errors import ModelError
from fastface.models.dynamic_shapes import free_resizes
from fastface.models.facts import GraphFacts
from fastface.models.graph_detector import find_heads
from fastface.models.graph_edit import FLOAT, infer_shapes, network_inputs, read_shape
from fastface.models.graph_person import find_family
from fastface.types import ALIGNED_SIZE

_LEAST_OPSET = 11
_LEAST_DIMENSION = 64


def parse_graph(path: Path, content: bytes) -> Any:
    """Parse the model in a file's content.

    Raises:
        ModelError: It is no ONNX, is cut, keeps weights in other files, or is newer than this installation.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(
            f"{str(path)!r} is not a complete ONNX file: it is cut, or of another format; download it again"
        ) from error
    if not model.graph.node or not model.graph.output or len(network_inputs(model.graph)) == 0:
        raise ModelError(f"{str(path)!r} contains no network: it is cut, or of another format; download it again")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{str(path)!r} keeps its weights in other files; export it as one file")
    if not _in_order(model.graph):
        raise ModelError(f"{str(path)!r} is damaged: a node has an input that does not exist; download it again")
    newest = onnx.defs.onnx_opset_version()
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if not _LEAST_OPSET <= opset <= newest or model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"{str(path)!r} is of ONNX opset {opset}, IR {model.ir_version}; this installation knows opsets "
            f"{_LEAST_OPSET} to {newest} up to IR {onnx.IR_VERSION}: export it again, or update onnx"
        )
    return model


def _in_order(graph: Any) -> bool:
    """Return whether each node reads only tensors defined before it, as ONNX requires; so there are no cycles."""
    known = {"", *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    for node in graph.node:
        if not known.issuperset(node.input):
            return False
        known.update(node.output)
    return known.issuperset(value.name for value in graph.output)


def judge_graph(model: Any) -> GraphFacts:
    """Recognize a network by inputs, outputs and operations, never by its name."""
    inputs = network_inputs(model.graph)
    shape = read_shape(inputs[0])
    if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type.tensor_type.elem_type != FLOAT:
        return GraphFacts("unknown", reason=f"its input is no float picture (N, 3, H, W), but {shape}")
    size = (shape[3], shape[2]) if shape[2] and shape[3] else None
    outputs = model.graph.output
    if len(outputs) in (6, 9, 10, 15):
        return _detector_facts(model, size)
    dimension = _dimension(model) if len(outputs) == 1 and size in (None, (ALIGNED_SIZE, ALIGNED_SIZE)) else None
    if dimension is not None:
        return GraphFacts("recogniser", dimension=dimension, input_size=size)
    if len(outputs) == 1:
        return _person_facts(model, size)
    shapes = ", ".join(str(read_shape(output)) for output in outputs)
    return GraphFacts("unknown", input_size=size, reason=f"its {len(outputs)} outputs are of no known kind: {shapes}")


def _detector_facts(model: Any, size: tuple[int, int] | None) -> GraphFacts:
    try:
        free_resizes(model)
        levels = find_heads(model)
    except ModelError as error:
        return GraphFacts("unknown", input_size=size, reason=str(error))
    return GraphFacts("detector", has_landmarks=levels[0].landmarks is not None, input_size=size)


def _dimension(model: Any) -> int | None:
    shape = infer_shapes(model, (1, 3, ALIGNED_SIZE, ALIGNED_SIZE)).get(model.graph.output[0].name, ())
    if len(shape) < 2 or any(side != 1 for side in shape[2:]) or shape[1] is None:
        return None
    return shape[1] if shape[1] >= _LEAST_DIMENSION else None


def _person_facts(model: Any, size: tuple[int, int] | None) -> GraphFacts:
    try:
        return GraphFacts("person", family=find_family(model), input_size=size)
    except ModelError as error:
        return GraphFacts("unknown", input_size=size, reason=str(error))
