"""Build the network that finds cartoon faces, with the inputs and outputs of SCRFD.

`demo.networks` writes it. A cell is pink or not; the pattern of cells fits or not. A steep slope between two bounds
pushes both values to ±1. So a face gives the same bits for any codec, batch, runtime or precision.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fastface.demo.anatomy import BOX, CELL, GLASSES, GLASSES_ORIGIN, LANDMARKS
from fastface.demo.onnx_writer import NetworkWriter, float_tensor

DET_SCORE: Final = float(1 / (1 + np.exp(-6.0)))
"""Score of every cartoon face, to the rounding of the runtime's sigmoid."""

_STRIDES = (8, 16, 32)
_COLUMNS = {"scores": 1, "boxes": 4, "landmarks": 10}
_QUARTERS = ((0, 0), (0, 1), (1, 0), (1, 1))
_LOGITS = (6.0, 4.0)
_FAINT_BOX_INSET = 4
_SLOPE = 200.0
_PINK_THRESHOLD = 110.0


def detector_bytes() -> bytes:
    """Return the detector as an ONNX file: float32 (1, 3, H, W) RGB, (x − 127.5) / 128, to SCRFD's nine outputs.

    Stride 8 finds faces of scale 1, stride 16 those of scale 2, stride 32 those of scale 4, in canvas pixels. The
    second anchor of each cell gets a lower score and a smaller box.
    """
    graph = NetworkWriter("cartoon_detector", [float_tensor("input.1", (1, 3, "H", "W"))])
    for name, value in (("minus_one", -1.0), ("one", 1.0)):
        graph.weight(name, value)
    parts = _add_parts(graph)
    heads = [_add_level(graph, stride, parts) for stride in _STRIDES]
    return graph.finish(
        [
            float_tensor(head[part], (f"anchors_{s}", c))
            for part, c in _COLUMNS.items()
            for s, head in zip(_STRIDES, heads, strict=True)
        ]
    )


def _add_parts(graph: NetworkWriter) -> str:
    """Add the mean pinkness of five parts of each 8×8 pixels, which all strides read: the middle, and the quarters.

    One convolution over the picture in place of three: it is most of the network's work.
    """
    middle, *quarters = places = np.zeros((1 + len(_QUARTERS), 8, 8))
    middle[2:6, 2:6] = 1 / 16
    for place, (row, column) in zip(quarters, _QUARTERS, strict=True):
        place[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 1 / 16
    pink = np.array([0.5, -1.0, 0.5])[:, None, None]
    return graph.convolution("parts", "input.1", pink * places[:, None], np.zeros(len(places)), strides=[8, 8])


def _add_level(graph: NetworkWriter, stride: int, parts: str) -> dict[str, str]:
    """Add one stride: is a cell pink (±1)? does the pattern of cells fit (±1)? then score, box and landmarks.

    A cell is pink if the middle half of its width and height is.
    """
    side = stride // 8
    weights = np.zeros((1 + len(_QUARTERS), side, side))
    if side == 1:
        weights[0] = 1
    else:
        core = np.zeros((2 * side, 2 * side))
        core[side // 2 : -side // 2, side // 2 : -side // 2] = 1 / side**2
        weights[1:] = [core[row::2, column::2] for row, column in _QUARTERS]
    raw = graph.convolution(
        f"pink_raw_{stride}", parts, [_SLOPE * weights], [-_SLOPE * _PINK_THRESHOLD / 128], strides=[side, side]
    )
    cells = graph.node("Clip", f"pink_{stride}", raw, "minus_one", "one")
    pattern = GLASSES.astype(np.float32) * 2 - 1
    rows, columns = pattern.shape
    left, top = -GLASSES_ORIGIN[0], -GLASSES_ORIGIN[1]
    raw = graph.convolution(
        f"fit_raw_{stride}",
        cells,
        [[pattern]],
        [1.0 - pattern.size],
        pads=[top, left, rows - 1 - top, columns - 1 - left],
    )
    fit = graph.node("Clip", f"fit_{stride}", raw, "minus_one", "one")
    return {
        "scores": _add_head(graph, f"scores_{stride}", fit, np.array(_LOGITS)[:, None], np.zeros(2)),
        "boxes": _add_head(graph, f"boxes_{stride}", fit, np.zeros((8, 1)), _box_distances()),
        "landmarks": _add_head(
            graph, f"landmarks_{stride}", fit, np.zeros((20, 1)), np.tile(LANDMARKS.ravel(), 2) / CELL
        ),
    }


def _add_head(graph: NetworkWriter, output: str, source: str, weights: npt.ArrayLike, bias: npt.ArrayLike) -> str:
    """Add a 1×1 convolution and the layout of the published exports: (1, 2 C, h, w) → (h × w × 2, C)."""
    columns = _COLUMNS[output.partition("_")[0]]
    maps = graph.convolution(f"{output}.maps", source, np.asarray(weights)[:, :, None, None], bias)
    last = graph.node("Transpose", f"{output}.last", maps, perm=[2, 3, 0, 1])
    shape = graph.weight(f"{output}.shape", [-1, columns], np.int64)
    if columns > 1:
        return graph.node("Reshape", output, last, shape)
    return graph.node("Sigmoid", output, graph.node("Reshape", f"{output}.flat", last, shape))


def _box_distances() -> npt.NDArray[np.float64]:
    """Return left, top, right, bottom of both anchors, in strides."""
    sides = np.array([-BOX[0], -BOX[1], BOX[2], BOX[3]], np.float64)
    return np.concatenate([sides, sides - _FAINT_BOX_INSET]) / CELL
