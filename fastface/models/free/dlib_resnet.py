"""Convert dlib's face recogniser to ONNX: read its .dat file, and build the network of `dnn_face_recognition_ex.cpp`.

`free.install` calls `convert_recogniser`. The file is a stream of dlib's `serialize`:

* an integer: one byte with the sign (0x80) and the number of bytes, then these bytes, the lowest first;
* a float: two integers, mantissa and exponent of two;
* a text: its length, then its bytes; a flag: the character 0 or 1;
* a tensor: version 2, four sides, then float32 values; an alias, the shape of a part of a tensor: version 1, four
  sides.

First come the loss and a version for each layer, then the input's mean colour. Then come the layers from the input to
the output. Each is a name, its own fields, three flags and three training tensors, which are empty.

Most layers form residual blocks: two convolutions, and `add_prev_`, the sum of the block's input and the second
convolution. In a block with an `avg_pool_2` layer, that layer shrinks the block's input. dlib adds tensors of different
sizes as if zeros were beyond their ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from fastface.errors import ModelError
from fastface.models.graph_edit import FLOAT

SIDE = 150

_OPSET = 13
_IR_VERSION = 8
_PIXEL_SCALE = 256.0
_SIGN, _LENGTH = 0x80, 0x0F
_HIGHEST_VERSION = 3
_NUM_FLAGS = _NUM_TENSORS = 3
_NUM_RATES = 4

_Array = npt.NDArray[np.float32]


_STEM = ["con_4", "affine_", "relu_", "max_pool_2"]

# fmt: off
MEAN_EMBEDDING = np.array([
    -0.1109, 0.0904, 0.0512, -0.058, -0.0994, -0.0015, -0.0155, -0.0763, 0.169, -0.0706, 0.1955, -0.0221,
    -0.241, -0.0288, -0.0071, 0.1164, -0.1811, -0.118, -0.1077, -0.0796, 0.0258, 0.0467, 0.0249, 0.0525,
    -0.136, -0.325, -0.0666, -0.1002, 0.0586, -0.1105, 0.0098, 0.0427, -0.1721, -0.0397, 0.0187, 0.0865,
    -0.0536, -0.087, 0.2017, 0.0108, -0.1698, -0.0055, 0.0453, 0.2631, 0.2159, 0.0082, 0.0138, -0.0656,
    0.1316, -0.2743, 0.0698, 0.159, 0.0836, 0.0835, 0.098, -0.1704, 0.0188, 0.1459, -0.1792, 0.0788,
    0.0594, -0.0854, -0.0116, -0.0473, 0.1887, 0.0951, -0.1121, -0.142, 0.14, -0.1527, -0.053, 0.0805,
    -0.1115, -0.1756, -0.2668, 0.0409, 0.3768, 0.1504, -0.1796, 0.0202, -0.0812, -0.0337, 0.0506, 0.0805,
    -0.0651, -0.0385, -0.1084, 0.0308, 0.1903, -0.0013, -0.0282, 0.2377, 0.0039, -0.0041, 0.0369, 0.046,
    -0.1341, -0.0177, -0.118, -0.0362, 0.043, -0.0871, -0.0107, 0.0977, -0.1816, 0.176, -0.0165, -0.0118,
    -0.016, -0.0381, -0.0886, 0.0093, 0.1814, -0.2614, 0.2085, 0.1691, 0.0271, 0.1569, 0.062, 0.0612,
    -0.0032, -0.0152, -0.1448, -0.071, 0.0266, -0.0233, 0.0358, 0.0366,
], np.float32)
# fmt: on
"""Mean of dlib's embeddings over 16 persons. Each is the mean of a person's photos, 1 to 12, aligned by `faces.align`.
The mean over 15 other persons has a cosine of 0.992 to it (`benchmarks/free_pack.py`)."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of the file: its name, weights and bias, and (y, x) of window, stride and padding."""

    name: str
    weights: _Array = field(default_factory=lambda: np.empty(0, np.float32))
    bias: _Array = field(default_factory=lambda: np.empty(0, np.float32))
    window: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)


class _Stream:
    """Read the values of a serialized network, one after the other.

    Raises:
        ValueError: The bytes are not such a stream.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    @property
    def is_at_end(self) -> bool:
        return self._place == len(self._content)

    def take(self, count: int) -> bytes:
        end = self._place + count
        if count < 0 or end > len(self._content):
            raise ValueError(f"it ends at byte {len(self._content)}, within a value")
        part = self._content[self._place : end]
        self._place = end
        return part

    def integer(self) -> int:
        (control,) = self.take(1)
        size = control & _LENGTH
        if control & ~(_SIGN | _LENGTH) or not 1 <= size <= 8:
            raise ValueError(f"byte {self._place - 1} begins no integer: {control:#x}")
        value = int.from_bytes(self.take(size), "little")
        return -value if control & _SIGN else value

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def number(self) -> float:
        mantissa, exponent = self.integers(2)
        return float(np.ldexp(float(mantissa), exponent))

    def text(self) -> str:
        return self.take(self.integer()).decode("ascii")

    def flag(self) -> None:
        if self.take(1) not in (b"0", b"1"):
            raise ValueError(f"byte {self._place - 1} is no flag")

    def tensor(self) -> _Array:
        self._expect_version(2)
        shape = self.integers(4)
        values = np.frombuffer(self.take(4 * int(np.prod(shape))), "<f4")
        return values.astype(np.float32).reshape(shape)

    def alias(self) -> tuple[int, ...]:
        self._expect_version(1)
        return self.integers(4)

    def skip_versions(self) -> None:
        """Skip the versions of all layers, up to the first text: names are longer than versions are high."""
        place = self._place
        while self.integer() <= _HIGHEST_VERSION:
            place = self._place
        self._place = place

    def _expect_version(self, expected: int) -> None:
        if (version := self.integer()) != expected:
            raise ValueError(f"byte {self._place} has version {version}, not {expected}")


def convert_recogniser(content: bytes) -> bytes:
    """Convert the content of `dlib_face_recognition_resnet_model_v1.dat` to an ONNX file.

    The network reads float32 (N, 3, 150, 150) RGB, 0–255, and returns (N, 128). The affine layers are part of the
    convolutions. Embeddings of dlib have a common part, which makes all faces similar. `MEAN_EMBEDDING` is subtracted,
    so that the cosine of two strangers is near 0.

    Raises:
        ModelError: The content is not that network.
    """
    try:
        mean, layers = _read_layers(content)
        return _build(mean, layers)
    except (ValueError, IndexError, OverflowError) as error:
        raise ModelError(f"this is not dlib's face recogniser: {error}; install the pack again") from error


def _read_layers(content: bytes) -> tuple[list[float], list[_Layer]]:
    stream = _Stream(content)
    stream.integer()
    stream.text()
    stream.number(), stream.number()
    stream.skip_versions()
    if (name := stream.text()) != "input_rgb_image_sized":
        raise ValueError(f"its input is {name!r}")
    mean = [stream.number() for _ in range(3)]
    stream.integers(2)
    layers: list[_Layer] = []
    while not stream.is_at_end:
        layers.append(_read_layer(stream))
        for _ in range(_NUM_FLAGS):
            stream.flag()
        for _ in range(_NUM_TENSORS):
            stream.tensor()
        if len(layers) == 1:
            stream.integer()  # pictures a sample
    return mean, layers


def _read_layer(stream: _Stream) -> _Layer:
    match name := stream.text():
        case "con_4":
            values = stream.tensor().ravel()
            filters, *geometry = stream.integers(7)
            shape = stream.alias()
            stream.alias()
            _skip_rates(stream)
            weights = values[: -filters or None].reshape(shape)
            return _Layer(name, weights, values[weights.size :], *_pairs(geometry))
        case "affine_":
            values = stream.tensor().ravel()
            gain = stream.alias()
            stream.alias()
            stream.integer()
            return _Layer(name, values[: gain[1]], values[gain[1] :])
        case "fc_2":
            outputs, inputs = stream.integers(2)
            weights = stream.tensor().reshape(inputs, outputs)
            stream.alias()
            stream.alias()
            stream.integer()
            _skip_rates(stream)
            return _Layer(name, weights)
        case "max_pool_2" | "avg_pool_2":
            window, stride, padding = _pairs(stream.integers(6))
            return _Layer(name, window=window, stride=stride, padding=padding)
        case "relu_" | "add_prev_":
            return _Layer(name)
    raise ValueError(f"it has a layer {name!r}")


def _skip_rates(stream: _Stream) -> None:
    """Skip the learning rates and weight decays at the end of a layer with weights."""
    for _ in range(_NUM_RATES):
        stream.number()


def _pairs(values: Sequence[int]) -> list[tuple[int, int]]:
    return [(values[place], values[place + 1]) for place in (0, 2, 4)]


class _Builder:
    """Build the ONNX graph layer by layer."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        name = f"weights_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        name = f"{op_type}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def convolve(self, tensor: str, layer: _Layer, affine: _Layer, scale: float = 1.0) -> str:
        """Add a convolution and the affine layer after it, as one."""
        weights = layer.weights * affine.weights.reshape(-1, 1, 1, 1) / scale
        bias = layer.bias * affine.weights + affine.bias
        pads = [*layer.padding, *layer.padding]
        return self.add("Conv", tensor, self.constant(weights), self.constant(bias), strides=layer.stride, pads=pads)

    def pad(self, tensor: str, channels: int, side: int) -> str:
        """Add zeros behind the channels and at the right and lower edge."""
        if not channels and not side:
            return tensor
        return self.add("Pad", tensor, self.constant([0, 0, 0, 0, 0, channels, side, side], np.int64))


def _build(mean: list[float], layers: list[_Layer]) -> bytes:
    names = [layer.name for layer in layers]
    if names[: len(_STEM)] != _STEM or names[-2:] != ["avg_pool_2", "fc_2"]:
        raise ValueError(f"its layers begin with {names[:4]} and end with {names[-2:]}")
    builder = _Builder()
    tensor = builder.add("Sub", "pictures", builder.constant(np.reshape(mean, (1, 3, 1, 1))))
    tensor = builder.add("Relu", builder.convolve(tensor, layers[0], layers[1], _PIXEL_SCALE))
    pool = layers[3]
    tensor = builder.add("MaxPool", tensor, kernel_shape=pool.window, strides=pool.stride)
    side = _shrink(_shrink(SIDE, layers[0]), pool)
    place = len(_STEM)
    while place < len(layers) - 2:
        block = layers[place : names.index("add_prev_", place) + 2]
        tensor, side = _add_block(builder, tensor, side, block)
        place += len(block)
    pooled = builder.add("Flatten", builder.add("GlobalAveragePool", tensor))
    raw = builder.add("MatMul", pooled, builder.constant(layers[-1].weights))
    output = builder.add("Sub", raw, builder.constant(MEAN_EMBEDDING))
    graph = helper.make_graph(
        builder.nodes,
        "dlib_resnet",
        [helper.make_tensor_value_info("pictures", FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(output, FLOAT, ["N", len(MEAN_EMBEDDING)])],
        builder.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _add_block(builder: _Builder, tensor: str, side: int, block: list[_Layer]) -> tuple[str, int]:
    """Add a residual block; return its output and the side of its feature map."""
    first, affine, _, second, second_affine, *rest = block
    inner = builder.add("Relu", builder.convolve(tensor, first, affine))
    inner = builder.convolve(inner, second, second_affine)
    if rest[0].name == "avg_pool_2":
        pool = rest[0]
        inner_side, outer_side = _shrink(side, first), _shrink(side, pool)
        side = max(inner_side, outer_side)
        tensor = builder.add("AveragePool", tensor, kernel_shape=pool.window, strides=pool.stride)
        tensor = builder.pad(tensor, len(first.weights) - first.weights.shape[1], side - outer_side)
        inner = builder.pad(inner, 0, side - inner_side)
    return builder.add("Relu", builder.add("Add", inner, tensor)), side


def _shrink(side: int, layer: _Layer) -> int:
    """Return the side of the feature map after a convolution or pool."""
    window = layer.weights.shape[2] if layer.weights.size else layer.window[0]
    return (side + 2 * layer.padding[0] - window) // layer.stride[0] + 1
