"""Stand-ins for published networks that cannot be had here: their inputs, outputs and arithmetic, with other weights.

The interfaces follow OpenCV's `face_detect.cpp` and `face_recognize.cpp`, YuNet's export script, and the description of
face-reidentification-retail-0095 in the Open Model Zoo.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
YUNET_OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


class Graph:
    """Nodes and weights of a network under construction."""

    def __init__(self, *sources: onnx.ModelProto) -> None:
        self.nodes: list[Any] = [node for source in sources for node in source.graph.node]
        self.weights: list[Any] = [tensor for source in sources for tensor in source.graph.initializer]

    def weight(self, value: Any, dtype: Any = np.float32) -> str:
        tensor = numpy_helper.from_array(np.asarray(value, dtype), f"stand_in_weight_{len(self.weights)}")
        self.weights.append(tensor)
        return str(tensor.name)

    def add(self, op_type: str, *inputs: str, output: str = "", first: bool = False, **attributes: Any) -> str:
        name = output or f"stand_in_{len(self.nodes)}"
        node = helper.make_node(op_type, list(inputs), [name], name=name, **attributes)
        self.nodes.insert(0 if first else len(self.nodes), node)
        return name

    def save(self, path: Path, source: tuple[str, tuple[int, ...]], outputs: dict[str, tuple[Any, ...]]) -> Path:
        def value(name: str, shape: tuple[Any, ...]) -> Any:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        results = [value(name, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "stand_in", [value(*source)], results, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
        path.write_bytes(model.SerializeToString())
        return path


def tiny_yunet(path: Path, side: int = 640) -> Path:
    """YuNet's interface on three feature maps of random weights; the canvas is fixed, as in the published file."""
    rng, graph = np.random.default_rng(5), Graph()
    maps, source = {}, "input"
    for stride, kernel, channels in ((8, 8, 3), (16, 2, 8), (32, 2, 8)):
        scale = 0.0004 if stride == 8 else 0.2
        weights = graph.weight(rng.normal(0, scale, (8, channels, kernel, kernel)))
        source = maps[stride] = graph.add("Conv", source, weights, strides=[kernel, kernel])
    larger = graph.add("Resize", maps[32], graph.weight([]), graph.weight([1, 1, 2, 2]), mode="nearest")
    maps[16] = graph.add("Add", maps[16], larger)
    heads = {
        (kind, stride): graph.add("Conv", maps[stride], graph.weight(rng.normal(0, 0.3, (channels, 8, 1, 1))))
        for kind, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
        for stride in STRIDES
    }
    return _save_yunet(graph, heads, path, "input", side)


def yunet_of_scrfd(scrfd: Path, path: Path, side: int = 640) -> Path:
    """A real SCRFD in YuNet's clothes: of the two anchors of each cell the better one, its box by centre and size."""
    model = onnx.load(str(scrfd))
    graph = Graph(model)
    old = model.graph.input[0].name
    swapped = graph.add("Gather", "input", graph.weight([2, 1, 0], np.int64), axis=1)
    centred = graph.add("Sub", swapped, graph.weight(127.5))
    graph.add("Div", centred, graph.weight(128.0), output=old)
    front = graph.nodes[-3:]
    graph.nodes[:] = [*front, *graph.nodes[:-3]]
    producers = {name: node for node in graph.nodes for name in node.output}
    heads: dict[tuple[str, int], str] = {}
    names = [value.name for value in model.graph.output]
    for place, stride in enumerate(STRIDES):
        scores, boxes, points = (_head_of(producers, name) for name in names[place::3])
        logits = [_take(graph, scores, anchor, 1) for anchor in (0, 1)]
        is_first = graph.add("Greater", *logits)
        heads["cls", stride] = heads["obj", stride] = graph.add("Where", is_first, *logits)
        pairs = [[_take(graph, head, anchor, c) for anchor in (0, 1)] for head, c in ((boxes, 4), (points, 10))]
        distances, heads["kps", stride] = (graph.add("Where", is_first, *pair) for pair in pairs)
        before, after = (graph.add("Slice", distances, *_bounds(graph, begin, begin + 2)) for begin in (0, 2))
        half = graph.add("Mul", graph.add("Sub", after, before), graph.weight(0.5))
        size = graph.add("Log", graph.add("Max", graph.add("Add", before, after), graph.weight(1e-6)))
        heads["bbox", stride] = graph.add("Concat", half, size, axis=1)
    # YuNet's heads end in convolutions: one that changes nothing.
    for (kind, stride), head in list(heads.items()):
        channels = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}[kind]
        heads[kind, stride] = graph.add("Conv", head, graph.weight(np.eye(channels)[:, :, None, None]))
    return _save_yunet(graph, heads, path, "input", side)


def _head_of(producers: dict[str, Any], name: str) -> str:
    while producers[name].op_type in ("Sigmoid", "Reshape", "Transpose"):
        name = producers[name].input[0]
    return name


def _bounds(graph: Graph, begin: int, end: int) -> tuple[str, str, str]:
    return graph.weight([begin], np.int64), graph.weight([end], np.int64), graph.weight([1], np.int64)


def _take(graph: Graph, head: str, anchor: int, channels: int) -> str:
    return graph.add("Slice", head, *_bounds(graph, anchor * channels, (anchor + 1) * channels))


def _save_yunet(graph: Graph, heads: dict[tuple[str, int], str], path: Path, source: str, side: int) -> Path:
    outputs: dict[str, tuple[Any, ...]] = {}
    for name in YUNET_OUTPUTS:
        kind, _, stride = name.partition("_")
        channels = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}[kind]
        last = graph.add("Transpose", heads[kind, int(stride)], perm=[0, 2, 3, 1])
        shape = graph.weight([1, -1, channels], np.int64)
        if kind in ("cls", "obj"):
            graph.add("Sigmoid", graph.add("Reshape", last, shape), output=name)
        else:
            graph.add("Reshape", last, shape, output=name)
        outputs[name] = (1, (side // int(stride)) ** 2, channels)
    return graph.save(path, (source, (1, 3, side, side)), outputs)


def sface_of_arcface(arcface: Path, path: Path) -> Path:
    """A real ArcFace with SFace's interface: RGB of 0–255, normalised inside; 128 numbers."""
    model = onnx.load(str(arcface))
    graph = Graph(model)
    graph.add("Mul", "centred", graph.weight(1 / 127.5), output=model.graph.input[0].name, first=True)
    graph.add("Sub", "data", graph.weight(127.5), output="centred", first=True)
    _project(graph, model.graph.output[0].name, 128, "fc1")
    return graph.save(path, ("data", (1, 3, 112, 112)), {"fc1": (1, 128)})


def openvino_of_arcface(arcface: Path, path: Path) -> Path:
    """A real ArcFace with the interface of face-reidentification-retail-0095: BGR of 0–255 at 128×128; (1, 256, 1, 1).

    The square is squeezed to 96×112, of which its landmarks are a stretched template, and set into 112×112.
    """
    model = onnx.load(str(arcface))
    graph = Graph(model)
    front = Graph()
    front.weights = graph.weights
    rgb = front.add("Gather", "0", front.weight([2, 1, 0], np.int64), axis=1)
    centred = front.add("Div", front.add("Sub", rgb, front.weight(127.5)), front.weight(127.5))
    shares = front.weight([1, 1, 112 / 128, 96 / 128])
    narrow = front.add("Resize", centred, front.weight([]), shares, mode="linear")
    margins = front.weight([0, 0, 0, 8, 0, 0, 0, 8], np.int64)
    front.add("Pad", narrow, margins, front.weight(-1.0), output=model.graph.input[0].name)
    graph.nodes[:0] = front.nodes
    flat = _project(graph, model.graph.output[0].name, 256, "projected")
    graph.add("Reshape", flat, graph.weight([1, 256, 1, 1], np.int64), output="embedding")
    return graph.save(path, ("0", (1, 3, 128, 128)), {"embedding": (1, 256, 1, 1)})


def _project(graph: Graph, embedding: str, dimension: int, output: str) -> str:
    """Project an embedding of 512 numbers onto fewer by random directions, which keeps cosines nearly."""
    directions = np.random.default_rng(1).normal(0, dimension**-0.5, (512, dimension))
    return graph.add("MatMul", embedding, graph.weight(directions), output=output)
