"""Networks as files: what one is, told from its graph, and its rewritten form in a cache.

The rewriting itself is in `graph_detector` and `graph_recogniser`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from fastface.errors import ConfigError, ModelError
from fastface.files import atomic_path
from fastface.models.graph_detector import find_heads, rewrite_detector
from fastface.models.graph_edit import FLOAT, infer_shapes, network_inputs, shape_of
from fastface.models.graph_free import free_resizes
from fastface.models.graph_recogniser import ALIGNED_SIZE, rewrite_recogniser

__all__ = ["GraphFacts", "GraphKind", "inspect_graph", "prepare_detector", "prepare_recogniser"]

GraphKind = Literal["detector", "recogniser", "person", "unknown"]

REWRITE_VERSION = 2
"""Raised whenever a rewritten graph changes, so that an old cache is not taken for a new one."""

_LEAST_OPSET = 11
_LEAST_DIMENSION = 64
_COCO_CLASSES = 80


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """What a graph tells of itself.

    Attributes:
        kind: What the network is for.
        dimension: Components of an embedding; None for other kinds.
        has_landmarks: Whether a detector gives landmarks; without, they are the mean face's, placed in the box.
        input_size: (width, height) that the export is fixed to; None where it is free.
        reason: Why the kind is unknown; empty otherwise.
    """

    kind: GraphKind
    dimension: int | None = None
    has_landmarks: bool = False
    input_size: tuple[int, int] | None = None
    reason: str = ""


def inspect_graph(path: Path) -> GraphFacts:
    """Tells from inputs, outputs and operations what a network is; file names say nothing.

    Raises:
        ModelError: The file is no ONNX, is cut, keeps weights in other files, or is newer than this installation.
    """
    return _facts(_load(path))


def prepare_detector(path: Path, cache_folder: Path) -> Path:
    """The detector rewritten by `rewrite_detector`, from the cache or made now.

    Raises:
        ModelError: The file is damaged or no SCRFD.
        SpaceError: No space is left for the cache.
        ConfigError: The cache cannot be written.
    """
    return _prepared(path, cache_folder, "detector", rewrite_detector)


def prepare_recogniser(path: Path, cache_folder: Path) -> Path:
    """The recogniser rewritten by `rewrite_recogniser`, from the cache or made now.

    Raises:
        ModelError: The file is damaged or no ArcFace network.
        SpaceError: No space is left for the cache.
        ConfigError: The cache cannot be written.
    """
    return _prepared(path, cache_folder, "recogniser", rewrite_recogniser)


def _prepared(path: Path, cache_folder: Path, kind: GraphKind, rewrite: Callable[[Any], None]) -> Path:
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()[:16]
    cached = cache_folder / f"{kind}-{digest}-v{REWRITE_VERSION}.onnx"
    if _is_there(cached):
        return cached
    model = _parsed(path, content)
    facts = _facts(model)
    if facts.kind != kind:
        raise ModelError(f"{str(path)!r} is no {kind}: {facts.reason or f'it is a {facts.kind}'}")
    rewrite(model)
    try:
        with atomic_path(cached) as part:
            part.write_bytes(model.SerializeToString())
    except ConfigError as error:
        raise ConfigError(f"{error} by setting XDG_CACHE_HOME: networks are kept there in a faster form") from error
    return cached


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a closed folder; what is wrong with it is told when it is written to
        return False


def _load(path: Path) -> Any:
    return _parsed(path, _read(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the network {str(path)!r}: {error.strerror}") from error


def _parsed(path: Path, content: bytes) -> Any:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise ModelError(f"{str(path)!r} is no whole ONNX file: cut, or of another format; fetch it again") from error
    if not model.graph.node or not model.graph.output or len(network_inputs(model.graph)) == 0:
        raise ModelError(f"{str(path)!r} holds no network: cut, or of another format; fetch it again")
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ModelError(f"{str(path)!r} keeps its weights in other files; export it as one file")
    if not _in_order(model.graph):
        raise ModelError(f"{str(path)!r} is damaged: a node reads what no node before it makes; fetch it again")
    newest = onnx.defs.onnx_opset_version()
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if not _LEAST_OPSET <= opset <= newest or model.ir_version > onnx.IR_VERSION:
        raise ModelError(
            f"{str(path)!r} is of ONNX opset {opset}, IR {model.ir_version}; this installation knows opsets "
            f"{_LEAST_OPSET} to {newest} up to IR {onnx.IR_VERSION}: export it again, or update onnx"
        )
    return model


def _in_order(graph: Any) -> bool:
    """Whether each node reads only what is known before it, as ONNX asks; so there are no cycles either."""
    known = {"", *(value.name for value in graph.input), *(tensor.name for tensor in graph.initializer)}
    for node in graph.node:
        if not known.issuperset(node.input):
            return False
        known.update(node.output)
    return known.issuperset(value.name for value in graph.output)


def _facts(model: Any) -> GraphFacts:
    inputs = network_inputs(model.graph)
    shape = shape_of(inputs[0])
    if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type.tensor_type.elem_type != FLOAT:
        return GraphFacts("unknown", reason=f"its input is no float picture (N, 3, H, W), but {shape}")
    size = (shape[3], shape[2]) if shape[2] and shape[3] else None
    outputs = model.graph.output
    if len(outputs) in (6, 9, 10, 15):
        return _detector_facts(model, size)
    dimension = _dimension(model) if len(outputs) == 1 and size in (None, (ALIGNED_SIZE, ALIGNED_SIZE)) else None
    if dimension is not None:
        return GraphFacts("recogniser", dimension=dimension, input_size=size)
    if _sees_persons(model):
        return GraphFacts("person", input_size=size)
    return GraphFacts("unknown", input_size=size, reason=f"its {len(outputs)} output(s) are of no known kind")


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


def _sees_persons(model: Any) -> bool:
    """YOLO on COCO: rows of a box and 80 classes, with or without an objectness, in either order of axes."""
    shape = shape_of(model.graph.output[0])
    return len(shape) == 3 and not {_COCO_CLASSES + 4, _COCO_CLASSES + 5}.isdisjoint(shape[1:])
