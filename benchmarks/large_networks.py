"""Networks of the size of the large pack (buffalo_l), with weights of chance: for speed alone, they see nothing.

    python benchmarks/large_networks.py FOLDER

* The detector has SCRFD-10G's layers: a ResNet of basic blocks (3, 4, 2, 3 of 56, 88, 88, 224 channels, a stem of three
  convolutions, average pooling in the shortcuts), a path-aggregating pyramid of 56 channels, three convolutions of 80
  channels a stride, and nine outputs in the order and layout of the published exports (Guo et al., ICLR 2022).
* The recogniser has IResNet-50's: blocks of 3, 4, 14, 3 with a batch normalisation before each, PReLU, and one product
  with 25,088 × 512 weights at the end (Duta et al., "Improved Residual Networks", ICPR 2020; ArcFace's variant).

`count_macs` counts multiplications over the finished graph; SCRFD's authors state 9.98 G at 640×480, and ArcFace's
6.3 G for one face.
"""

import argparse
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from fastface.demo.onnx_writer import NetworkWriter, float_tensor
from fastface.files import write_atomic
from fastface.models.graph_edit import infer_shapes

__all__ = ["PACK", "count_macs", "large_detector", "large_recogniser", "write_large_pack"]

PACK = "large_random"

_STEM = (28, 28, 56)
_DETECTOR_STAGES = ((3, 56), (4, 88), (2, 88), (3, 224))
_PYRAMID_CHANNELS, _HEAD_CHANNELS, _HEAD_LAYERS = 56, 80, 3
_ANCHORS = 2
_STRIDES = (8, 16, 32)
_COLUMNS = {"score": 1, "bbox": 4, "kps": 10}
_FACELESS = -6.0
"""Bias of the scores' logits: no anchor comes near a threshold, and float16 agrees with float32 about all of them."""

_RECOGNISER_STAGES = ((3, 64), (4, 128), (14, 256), (3, 512))
_DIMENSION = 512
_BRANCH_GAIN = 0.3
"""Share of a residual branch in the sum, so that fifty layers of chance stay within float16."""


class _Layers:
    """Layers with weights of chance, named in the order in which they are added."""

    def __init__(self, name: str, inputs: Sequence[object], seed: int) -> None:
        self.graph = NetworkWriter(name, inputs)
        self._chance = np.random.default_rng(seed)
        self._count = 0

    def name(self, kind: str) -> str:
        """A name that no other layer has."""
        self._count += 1
        return f"{kind}_{self._count}"

    def weights(self, *shape: int, gain: float = 1.0) -> np.ndarray:
        """He initialisation: what comes out varies as much as what went in."""
        return self._chance.standard_normal(shape, np.float32) * np.float32(gain * (2 / prod(shape[1:])) ** 0.5)

    def convolution(
        self,
        source: str,
        channels: tuple[int, int],
        side: int = 3,
        *,
        stride: int = 1,
        bias: float = 0,
        gain: float = 1,
    ) -> str:
        """A convolution from so many channels to so many, its batch normalisation folded in as exporters do."""
        weights = self.weights(channels[1], channels[0], side, side, gain=gain)
        pads, biases = [side // 2] * 4, np.full(channels[1], bias)
        return self.graph.convolution(self.name("conv"), source, weights, biases, strides=[stride, stride], pads=pads)

    def relu(self, source: str) -> str:
        """A ReLU."""
        return self.graph.node("Relu", self.name("relu"), source)

    def prelu(self, source: str, channels: int) -> str:
        """A PReLU with a slope a channel."""
        name = self.name("prelu")
        slopes = self.graph.weight(f"{name}.slope", np.full((channels, 1, 1), 0.25))
        return self.graph.node("PRelu", name, source, slopes)

    def normalisation(self, source: str, channels: int) -> str:
        """A batch normalisation that stays a layer of its own."""
        name, one = self.name("bn"), np.ones(channels)
        values = {"scale": one, "shift": one * 0.01, "mean": one * 0.01, "var": one}
        weights = [self.graph.weight(f"{name}.{part}", value) for part, value in values.items()]
        return self.graph.node("BatchNormalization", name, source, *weights, epsilon=1e-5)

    def add(self, one: str, other: str) -> str:
        """A sum."""
        return self.graph.node("Add", self.name("add"), one, other)


def large_detector() -> bytes:
    """A network of SCRFD-10G's shape: float32 (1, 3, H, W) → nine outputs, scores near zero everywhere."""
    layers = _Layers("large_detector", [float_tensor("input.1", (1, 3, "H", "W"))], seed=10)
    maps = _pyramid(layers, _backbone(layers, "input.1"))
    heads = [_head(layers, feature, stride) for feature, stride in zip(maps, _STRIDES, strict=True)]
    outputs = [
        float_tensor(head[part], (f"anchors_{stride}", columns))
        for part, columns in _COLUMNS.items()
        for stride, head in zip(_STRIDES, heads, strict=True)
    ]
    return layers.graph.finish(outputs)


def _backbone(layers: _Layers, source: str) -> list[str]:
    """The feature maps of strides 8, 16, 32."""
    channels = 3
    for number, width in enumerate(_STEM):
        source = layers.relu(layers.convolution(source, (channels, width), stride=1 + (number == 0)))
        channels = width
    pooling = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    source = layers.graph.node("MaxPool", layers.name("pool"), source, **pooling)
    maps = []
    for stage, (blocks, width) in enumerate(_DETECTOR_STAGES):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            source = _basic_block(layers, source, (channels, width), stride)
            channels = width
        maps.append(source)
    return maps[1:]


def _basic_block(layers: _Layers, source: str, channels: tuple[int, int], stride: int) -> str:
    inner = layers.relu(layers.convolution(source, channels, stride=stride))
    branch = layers.convolution(inner, (channels[1], channels[1]), gain=_BRANCH_GAIN)
    shortcut = source
    if stride > 1:
        pooling = {"kernel_shape": [2, 2], "strides": [2, 2]}
        shortcut = layers.graph.node("AveragePool", layers.name("pool"), source, **pooling)
    if stride > 1 or channels[0] != channels[1]:
        shortcut = layers.convolution(shortcut, channels, side=1)
    return layers.relu(layers.add(branch, shortcut))


def _pyramid(layers: _Layers, maps: list[str]) -> list[str]:
    """PAFPN: coarse maps added to finer ones, then finer ones to coarser ones."""
    width = _PYRAMID_CHANNELS
    depths = [depth for _, depth in _DETECTOR_STAGES[1:]]
    merged = [layers.convolution(m, (depth, width), side=1) for m, depth in zip(maps, depths, strict=True)]
    for level in (1, 0):
        merged[level] = layers.add(merged[level], _doubled(layers, merged[level + 1]))
    merged = [layers.convolution(m, (width, width)) for m in merged]
    for level in (1, 2):
        merged[level] = layers.add(merged[level], layers.convolution(merged[level - 1], (width, width), stride=2))
    return [merged[0], *(layers.convolution(m, (width, width)) for m in merged[1:])]


def _doubled(layers: _Layers, source: str) -> str:
    name = layers.name("resize")
    nothing = layers.graph.weight(f"{name}.roi", [])
    factors = layers.graph.weight(f"{name}.factors", [1, 1, 2, 2])
    how = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    return layers.graph.node("Resize", name, source, nothing, factors, **how)


def _head(layers: _Layers, source: str, stride: int) -> dict[str, str]:
    """One stride's outputs, in the layout of the published exports: (1, 2 C, h, w) → (h × w × 2, C)."""
    channels = _PYRAMID_CHANNELS
    for _ in range(_HEAD_LAYERS):
        source = layers.relu(layers.convolution(source, (channels, _HEAD_CHANNELS)))
        channels = _HEAD_CHANNELS
    outputs = {}
    for part, columns in _COLUMNS.items():
        name, bias = f"{part}_{stride}", _FACELESS if part == "score" else 1.0
        maps = layers.convolution(source, (channels, _ANCHORS * columns), bias=bias, gain=0.01)
        last = layers.graph.node("Transpose", f"{name}.last", maps, perm=[2, 3, 0, 1])
        shape = layers.graph.weight(f"{name}.shape", [-1, columns], np.int64)
        flat = layers.graph.node("Reshape", f"{name}.flat" if part == "score" else name, last, shape)
        outputs[part] = layers.graph.node("Sigmoid", name, flat) if part == "score" else flat
    return outputs


def large_recogniser() -> bytes:
    """A network of IResNet-50's shape: float32 (N, 3, 112, 112) → (N, 512)."""
    layers = _Layers("large_recogniser", [float_tensor("input.1", ("N", 3, 112, 112))], seed=50)
    channels = _RECOGNISER_STAGES[0][1]
    source = layers.prelu(layers.convolution("input.1", (3, channels)), channels)
    for blocks, width in _RECOGNISER_STAGES:
        for block in range(blocks):
            source = _improved_block(layers, source, (channels, width), stride=1 + (block == 0))
            channels = width
    flat = layers.graph.node("Flatten", "flat", layers.normalisation(source, channels), axis=1)
    columns = channels * (112 // 2 ** len(_RECOGNISER_STAGES)) ** 2
    weights = layers.graph.weight("fc.weight", layers.weights(_DIMENSION, columns))
    bias = layers.graph.weight("fc.bias", np.zeros(_DIMENSION))
    product = layers.graph.node("Gemm", "fc", flat, weights, bias, transB=1)
    return layers.graph.finish([float_tensor(layers.normalisation(product, _DIMENSION), ("N", _DIMENSION))])


def _improved_block(layers: _Layers, source: str, channels: tuple[int, int], stride: int) -> str:
    """BN → 3×3 → PReLU → 3×3 with the stride, beside the source or a 1×1 with the stride."""
    inner = layers.convolution(layers.normalisation(source, channels[0]), channels)
    inner = layers.prelu(inner, channels[1])
    branch = layers.convolution(inner, (channels[1], channels[1]), stride=stride, gain=_BRANCH_GAIN)
    return layers.add(branch, source if stride == 1 else layers.convolution(source, channels, side=1, stride=stride))


def count_macs(network: bytes, input_shape: Sequence[int]) -> int:
    """Multiplications with weights (convolutions and matrix products) of one run of a network.

    Args:
        network: The ONNX file.
        input_shape: What its input is taken to be, as (1, 3, 480, 640).
    """
    model = onnx.load_model_from_string(network)
    shapes = infer_shapes(model, input_shape)
    total = 0
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm"):
            continue
        produced, weight = shapes[node.output[0]], shapes[node.input[1]]
        assert None not in produced, (node.name, produced)
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        # Conv weights are (out, in / group, h, w); Gemm's (out, in), or (in, out) where they are not transposed.
        each = weight[0] if node.op_type == "Gemm" and not attributes.get("transB") else prod(weight[1:])
        total += prod(produced) * each
    return total


def write_large_pack(folder: Path) -> Path:
    """Writes both networks to a pack of `folder`, always the same bytes, and returns the pack's folder.

    Raises:
        SpaceError: No space is left; it takes 190 MB.
    """
    pack = folder / PACK
    write_atomic(pack / "large_detector.onnx", large_detector())
    write_atomic(pack / "large_recogniser.onnx", large_recogniser())
    return pack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    pack = write_large_pack(parser.parse_args().folder)
    shapes = {"large_detector": (1, 3, 480, 640), "large_recogniser": (1, 3, 112, 112)}
    for name, shape in shapes.items():
        network = (pack / f"{name}.onnx").read_bytes()
        print(f"{name}: {count_macs(network, shape) / 1e9:.2f} GMACs at {shape}, {len(network) / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
