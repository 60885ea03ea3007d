"""Read ONNX files, check that they can be used, and recognize them by their graphs.

`graph` imports it only if the cache has no answer, because it loads ONNX.
"""

from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import version_converter

from fastface.errors import ModelError
from fastface.models.detectors.graph_centerface import NUM_CENTER_OUTPUTS, find_center_heads
from fastface.models.detectors.graph_detector import find_heads
from fastface.models.detectors.graph_yunet import NUM_YUNET_OUTPUTS, find_yunet_levels
from fastface.models.dynamic_shapes import free_resizes
from fastface.models.facts import GraphFacts
from fastface.models.graph_edit import FLOAT, Shape, infer_shapes, network_inputs, read_shape
from fastface.models.graph_person import find_family
from fastface.types import ALIGNED_SIZE, ALIGNED_SIZES, OPENVINO_ALIGNED_SIZE

_LEAST_OPSET = 11
_OLDEST_OPSET = 9
"""Oldest opset that is converted to `_LEAST_OPSET`, as PyTorch 1.2 exported."""

_LEAST_DIMENSION = 64
_OPENVINO_DIMENSION = 256
"""Length of the embedding of face-reidentification-retail-0095: what other networks of its input expect is unknown."""

_COUNTS = "4, 6, 9, 10, 12 or 15"
_RECOGNISERS = (
    f"a recogniser reads (N, 3, 112, 112) or (N, 3, 150, 150) and gives (N, {_LEAST_DIMENSION} or more), "
    f"or reads (N, 3, 128, 128) and gives (N, {_OPENVINO_DIMENSION})"
)


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
    if not _OLDEST_OPSET <= opset <= newest or model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"{str(path)!r} is of ONNX opset {opset}, IR {model.ir_version}; this installation knows opsets "
            f"{_OLDEST_OPSET} to {newest} up to IR {onnx.IR_VERSION}: export it again, or update onnx"
        )
    return model if opset >= _LEAST_OPSET else _upgrade(path, model, opset)


def _upgrade(path: Path, model: Any, opset: int) -> Any:
    try:
        return version_converter.convert_version(model, _LEAST_OPSET)
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{str(path)!r} is of ONNX opset {opset}, which cannot be converted to {_LEAST_OPSET}: {error}; "
            "export it again"
        ) from error


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
    if len(outputs) in (NUM_CENTER_OUTPUTS, NUM_YUNET_OUTPUTS, 6, 9, 10, 15):
        return _detector_facts(model, size)
    if len(outputs) != 1:
        shapes = ", ".join(str(read_shape(output)) for output in outputs)
        return GraphFacts(
            "unknown",
            input_size=size,
            reason=f"a detector has {_COUNTS} outputs, a recogniser 1; this network has {len(outputs)}: {shapes}",
        )
    side = shape[3] or ALIGNED_SIZE
    is_aligned = size is None or (size[0] == size[1] and side in ALIGNED_SIZES)
    dimension = _dimension(model, side) if is_aligned else None
    if dimension is not None:
        return GraphFacts("recogniser", dimension=dimension, input_size=size)
    return _person_facts(model, shape, size)


def _detector_facts(model: Any, size: tuple[int, int] | None) -> GraphFacts:
    try:
        free_resizes(model)
        if len(model.graph.output) == NUM_CENTER_OUTPUTS:
            find_center_heads(model)
            return GraphFacts("detector", has_landmarks=True, input_size=size)
        if len(model.graph.output) == NUM_YUNET_OUTPUTS:
            find_yunet_levels(model)
            return GraphFacts("detector", has_landmarks=True, input_size=size)
        levels = find_heads(model)
    except ModelError as error:
        return GraphFacts("unknown", input_size=size, reason=str(error))
    return GraphFacts("detector", has_landmarks=levels[0].landmarks is not None, input_size=size)


def _dimension(model: Any, side: int) -> int | None:
    """Return the length of the embedding; None if the output is none, or the preprocessing is unknown."""
    shape = infer_shapes(model, (1, 3, side, side)).get(model.graph.output[0].name, ())
    if len(shape) < 2 or any(side != 1 for side in shape[2:]) or shape[1] is None:
        return None
    if side == OPENVINO_ALIGNED_SIZE and shape[1] != _OPENVINO_DIMENSION:
        return None
    return shape[1] if shape[1] >= _LEAST_DIMENSION else None


def _person_facts(model: Any, shape: Shape, size: tuple[int, int] | None) -> GraphFacts:
    try:
        return GraphFacts("person", family=find_family(model), input_size=size)
    except ModelError as error:
        output = infer_shapes(model).get(model.graph.output[0].name, ())
        reason = f"{error}; {_RECOGNISERS}; this network has input {shape} and output {output}"
        return GraphFacts("unknown", input_size=size, reason=reason)
