"""Small graphs and helpers of the backend tests."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from fastface.backends import DeviceInfo, Session, ShapeRange, onnxruntime_session, open_session, openvino_session
from fastface.backends.cuda_session import CardSession
from fastface.backends.onnxruntime_loading import open_inner
from fastface.backends.precision import LIMITS, disagreement
from fastface.backends.session import Precision

SMALL = (2, 32, 48, 3)


def openvino_in(precision: Precision) -> DeviceInfo:
    """OpenVINO on the processor in a precision; skips the test where the processor lacks it."""
    device = openvino_session.describe("CPU")
    if precision not in device.precisions:
        pytest.skip(f"this processor has no {precision}")
    return replace(device, precision=precision)


CPU_DEVICES = {
    "onnxruntime": lambda: onnxruntime_session.describe("CPU"),
    "openvino": lambda: openvino_in("float32"),
}
"""Runtimes in float32, whatever else the processor has."""


def write_small_graph(path: Path) -> Path:
    """uint8 (N, H, W, 3) → cast → transpose → 3×3 convolution → relu; outputs the map and its mean (N, 4)."""
    rng = np.random.default_rng(7)
    weights = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["picture"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["features"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["map"]),
        helper.make_node("ReduceMean", ["map"], ["mean"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, ["N", "H", "W", 3])],
        [
            helper.make_tensor_value_info("map", TensorProto.FLOAT, ["N", 4, "H", "W"]),
            helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["N", 4]),
        ],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def write_real_graph(source: Path, path: Path) -> Path:
    """A published ArcFace network behind a cast from uint8 (N, 112, 112, 3)."""
    model = onnx.load(source)
    inner = model.graph.input[0].name
    head = [
        helper.make_node("Cast", ["picture"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["values", "mean_value"], ["centred"]),
        helper.make_node("Div", ["centred", "mean_value"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], [inner], perm=[0, 3, 1, 2]),
    ]
    nodes = list(model.graph.node)
    del model.graph.node[:], model.graph.input[:], model.graph.value_info[:]
    model.graph.node.extend(head + nodes)
    model.graph.initializer.append(numpy_helper.from_array(np.array(127.5, np.float32), "mean_value"))
    model.graph.input.append(helper.make_tensor_value_info("picture", TensorProto.UINT8, ["N", 112, 112, 3]))
    output = model.graph.output[0].name
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", "D"]))
    onnx.save(model, path)
    return path


def open_on(device: DeviceInfo, graph: Path, shape: tuple[int, ...], folder: Path, threads: int = 1) -> Session:
    return open_session(
        graph, device, threads=threads, cache_folder=folder, shapes=ShapeRange((1, *shape[1:]), shape, shape)
    )


def open_bound(graph: Path, threads: int = 1) -> CardSession:
    """A card's session with its buffers in the host's memory: the same path, without a card."""
    device = onnxruntime_session.describe("CPU")
    return CardSession(onnxruntime, open_inner(onnxruntime, graph, device, threads, []), device, memory="cpu")


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def judged(exact: np.ndarray, quick: np.ndarray, precision: Precision = "bfloat16") -> str:
    return disagreement([exact], [quick], LIMITS[precision]) or ""


CPU = DeviceInfo("openvino", "CPU", "float32", "EPYC", "openvino 2026.4.1")
