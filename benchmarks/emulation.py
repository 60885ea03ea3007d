"""Rewrite a prepared network so that it computes as a processor with bfloat16 does, on a processor that has none.

A runtime in bfloat16 keeps weights and tensors in bfloat16 and adds products up in float32. Here weights of
convolutions and matrix products are rounded once; a tensor is rounded wherever it is written to memory: at the input of
the first such operation, after each of them with the activation that is fused into it, and after every operation
between two of them. What follows the last of them stays in float32, as in OpenVINO.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fastface.models.graph import prepare_detector, prepare_person, prepare_recogniser

HEAVY = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
FUSED = {"BatchNormalization", "Relu", "PRelu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish"}
"""Operations that a runtime computes on the accumulators before it writes them."""

COMPUTING = (
    HEAVY | FUSED | {"Add", "Sub", "Mul", "Div", "Resize", "Upsample", "AveragePool", "GlobalAveragePool", "Tanh"}
)
"""Operations whose results have more digits than their inputs; others only choose or move values."""

DIGITS = {"bfloat16": 8, "float16": 11}
"""Significant bits of each arithmetic, the leading one with them. Its range is not emulated."""

PREPARE: dict[str, Callable[[Path, Path], Path]] = {
    "detector": prepare_detector,
    "recogniser": prepare_recogniser,
    "person": prepare_person,
}


def round_mantissa(values: np.ndarray, bits: int = 8) -> np.ndarray:
    """Float32 values rounded to so many significant bits, to nearest, ties to even; 8 are bfloat16's."""
    drop = 24 - bits
    whole = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    half = (1 << (drop - 1)) - 1 + ((whole >> drop) & 1)
    rounded = ((whole + half) >> drop << drop).astype(np.uint32).view(np.float32)
    return np.where(np.isfinite(values), rounded, values).astype(np.float32).reshape(values.shape)


def emulate(model: Any, precision: str = "bfloat16", weight_bits: int = 0) -> Any:
    """A copy of a model that computes as in a lower precision.

    Args:
        model: A prepared network; it is not changed.
        precision: One of `DIGITS`.
        weight_bits: Significant bits of the weights; 0: as many as the precision has.
    """
    bits = DIGITS[precision]
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    _round_weights(graph, weight_bits or bits)
    nodes = list(graph.node)
    written = _written(nodes, {value.name for value in graph.output})
    graph.initializer.append(numpy_helper.from_array(np.float32(2 ** (24 - bits) + 1), "emulation/splitter"))
    del graph.node[:], graph.value_info[:]
    for node in nodes:
        names = [name for name in node.output if name in written]
        for place, name in enumerate(node.output):
            if name in names:
                node.output[place] = f"{name}/exact"
        graph.node.append(node)
        for name in names:
            graph.node.extend(_rounding(f"{name}/exact", name))
    return model


def _round_weights(graph: Any, bits: int) -> None:
    weights = {name for node in graph.node if node.op_type in HEAVY for name in node.input[1:2]}
    for tensor in graph.initializer:
        if tensor.name in weights and tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(round_mantissa(numpy_helper.to_array(tensor), bits), tensor.name))


def _written(nodes: list[Any], outputs: set[str]) -> set[str]:
    """Tensors that a runtime writes in bfloat16."""
    before_heavy: set[str] = set()  # tensors from which a heavy operation is reached
    for node in reversed(nodes):
        if node.op_type in HEAVY or any(name in before_heavy for name in node.output):
            before_heavy.update(node.input)
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    written: set[str] = set()
    accumulators: set[str] = set()  # results of heavy operations, with what is fused into them
    for node in nodes:
        is_product = node.op_type in HEAVY or (node.op_type in FUSED and node.input[0] in accumulators)
        (name, *_) = node.output
        following = readers.get(name, [])
        is_fused = is_product and len(following) == 1 and following[0].op_type in FUSED and name not in outputs
        if is_product and is_fused:
            accumulators.add(name)
        elif is_product or (node.op_type in COMPUTING and name in before_heavy):
            written.add(name)
    return written


def _rounding(exact: str, name: str) -> list[Any]:
    """Nodes that round a tensor to fewer significant bits.

    T. J. Dekker, A floating-point technique for extending the available precision (1971): with c = (2^s + 1) x,
    c - (c - x) is x without its last s bits, to nearest. Unlike a cast to bfloat16, every opset and runtime has it.
    """
    return [
        helper.make_node("Mul", [exact, "emulation/splitter"], [f"{name}/large"]),
        helper.make_node("Sub", [f"{name}/large", exact], [f"{name}/rest"]),
        helper.make_node("Sub", [f"{name}/large", f"{name}/rest"], [name]),
    ]
