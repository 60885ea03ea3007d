"""Small networks in the layouts that face networks are exported in, with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ANCHORS = 2
RANKS = {"old": 2, "new": 3, "map": 4}


def save(
    path: Path, nodes: list[Any], weights: dict[str, np.ndarray], shape: tuple[Any, ...], outputs: dict[str, int | None]
) -> Path:
    """Writes a network of one input `in`; `outputs` maps each output's name to its rank, None if undeclared."""
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None if rank is None else [None] * rank)
            for name, rank in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in weights.items() if name in used],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6).SerializeToString()
    )
    return path


def tiny_scrfd(path: Path, *, style: str = "old", landmarks: bool = True, sigmoid: bool = True) -> Path:
    """Three feature maps by strided convolutions, with SCRFD's heads.

    Args:
        path: Where it goes.
        style: `old`: (T, C) outputs of one picture; `new`: (N, T, C); `map`: the feature maps as they are.
        landmarks: Nine outputs, else six.
        sigmoid: Whether the export holds the scores' sigmoid.
    """
    rng = np.random.default_rng(7)
    targets = {"old_1": [-1, 1], "old_4": [-1, 4], "old_10": [-1, 10]}
    targets |= {"new_1": [0, -1, 1], "new_4": [0, -1, 4], "new_10": [0, -1, 10]}
    weights: dict[str, np.ndarray] = {name: np.array(value, np.int64) for name, value in targets.items()}
    outputs: dict[int, list[str]] = {1: [], 4: [], 10: []}
    nodes, source = [], "in"
    for stride, kernel, channels in ((8, 8, 3), (16, 2, 8), (32, 2, 8)):
        feature = f"feature_{stride}"
        weights[f"w_{stride}"] = rng.normal(0, 0.5 / kernel, (8, channels, kernel, kernel)).astype(np.float32)
        nodes.append(helper.make_node("Conv", [source, f"w_{stride}"], [feature], strides=[kernel, kernel]))
        source = feature
        for size in (1, 4, 10) if landmarks else (1, 4):
            head, out = f"head_{stride}_{size}", f"out_{stride}_{size}"
            weights[head + "_w"] = rng.normal(0, 0.5, (ANCHORS * size, 8, 1, 1)).astype(np.float32)
            nodes.append(helper.make_node("Conv", [feature, head + "_w"], [head]))
            last = head
            if style != "map":
                perm = [2, 3, 0, 1] if style == "old" else [0, 2, 3, 1]
                nodes.append(helper.make_node("Transpose", [head], [head + "_t"], perm=perm))
                nodes.append(helper.make_node("Reshape", [head + "_t", f"{style}_{size}"], [head + "_r"]))
                last = head + "_r"
            final = "Sigmoid" if size == 1 and sigmoid else "Identity"
            nodes.append(helper.make_node(final, [last], [out]))
            outputs[size].append(out)
    batch = 1 if style == "old" else "N"
    return save(
        path,
        nodes,
        weights,
        (batch, 3, "h", "w"),
        {name: RANKS[style] for size in (1, 4, 10) for name in outputs[size]},
    )


def tiny_arcface(path: Path, dimension: int = 64, *, fixed: bool = True, normalises: bool = False) -> Path:
    """One convolution over the whole face and a reshape, with or without a fixed batch or a normalisation inside."""
    rng = np.random.default_rng(3)
    weights: dict[str, np.ndarray] = {
        "mean": np.array(127.5, np.float32),
        "factor": np.array(1 / 127.5, np.float32),
        "w": rng.normal(0, 0.01, (dimension, 3, 112, 112)).astype(np.float32),
        "flat": np.array([1, -1] if fixed else [0, -1], np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["in", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "factor"], ["scaled"]),
        helper.make_node("Conv", ["scaled" if normalises else "in", "w"], ["feature"]),
        helper.make_node("Reshape", ["feature", "flat"], ["out"]),
    ]
    return save(path, nodes if normalises else nodes[2:], weights, (1 if fixed else "N", 3, 112, 112), {"out": 2})


def edited(source: Path, target: Path, edit: Any) -> Path:
    """A copy of a network that a function changed."""
    model = onnx.load(str(source))
    edit(model)
    target.write_bytes(model.SerializeToString())
    return target


CLASSES = 80

SIDE = 64

NAMES = str({0: "person", **{number: f"thing {number}" for number in range(1, CLASSES)}})


def tiny_yolo(path: Path, family: str, *, names: str = "", side: int | None = SIDE, classes: int = CLASSES) -> Path:
    """Three feature maps by strided convolutions, their cells joined as the family's exports have them."""
    rng = np.random.default_rng(11)
    rows = classes + (4 if family == "yolo" else 5)
    weights: dict[str, Any] = {"flat": np.array([1, rows, -1], np.int64), "begin": np.array([0], np.int64)}
    weights |= {"four": np.array([4], np.int64), "end": np.array([rows], np.int64), "axis": np.array([1], np.int64)}
    nodes, flat = [], []
    for stride in (8, 16, 32):
        weights[f"w_{stride}"] = rng.normal(0, 0.002, (rows, 3, stride, stride)).astype(np.float32)
        nodes.append(helper.make_node("Conv", ["in", f"w_{stride}"], [f"map_{stride}"], strides=[stride, stride]))
        nodes.append(helper.make_node("Reshape", [f"map_{stride}", "flat"], [f"flat_{stride}"]))
        flat.append(f"flat_{stride}")
    joined = "joined" if family == "yolox" else "all"
    nodes.append(helper.make_node("Concat", flat, [joined], axis=2))
    nodes.append(helper.make_node("Slice", [joined, "begin", "four", "axis"], ["boxes"]))
    nodes.append(helper.make_node("Slice", [joined, "four", "end", "axis"], ["logits"]))
    nodes.append(helper.make_node("Sigmoid", ["logits"], ["shares"]))
    last = "out" if family == "yolo" else "columns"
    nodes.append(helper.make_node("Concat", ["boxes", "shares"], [last], axis=1))
    if family == "yolox":
        nodes.append(helper.make_node("Transpose", ["columns"], ["out"], perm=[0, 2, 1]))
    save(path, nodes, weights, (1, 3, side or "h", side or "w"), {"out": 3})
    return edited(path, path, lambda model: model.metadata_props.add(key="names", value=names)) if names else path


def original_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def decoded(path: Path, family: str, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Rows of score and corners of all anchors by falling score, by the arithmetic that the families publish."""
    session = original_session(path)
    values = picture.astype(np.float32)
    if family == "yolo":  # RGB, 0 to 1; centre, size, then a share for each class, a column an anchor
        values = values[..., ::-1] / np.float32(255)
    (out,) = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(values.transpose(2, 0, 1)[None])})
    if family == "yolo":
        x, y, w, h, score = out[0, :5].astype(np.float64)
    else:  # exp and grid of YOLOX' decode_outputs, one cell after the other
        side = picture.shape[0]
        cells = [(c, r, s) for s in (8, 16, 32) for r in range(side // s) for c in range(side // s)]
        column, row, stride = np.array(cells, np.float64).T
        dx, dy, log_w, log_h, share, person = out[0, :, :6].astype(np.float64).T
        x, y, w, h = (dx + column) * stride, (dy + row) * stride, np.exp(log_w) * stride, np.exp(log_h) * stride
        score = share * person
    rows = np.stack([score, x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    return rows[np.argsort(-score, kind="stable")]


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, height, width, 3), np.uint8)
