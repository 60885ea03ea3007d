"""Build the network that distinguishes cartoon persons, with the input and output of ArcFace.

`demo.networks` writes it. Eight questions about the zones of the aligned face have answers of exactly ±1. The answers
choose a row of a table. So all embeddings are known in advance.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from fastface.demo.anatomy import (
    BAND_ZONE,
    BEARD_ZONE,
    CHEEK_ZONES,
    HAIR_ZONE,
    LANDMARKS,
    MOUSTACHE_ZONE,
    Zone,
)
from fastface.demo.onnx_writer import NetworkWriter, float_tensor
from fastface.demo.persons import DISGUISE_WEIGHTS, NUM_PERSONS

DIMENSION: Final = 128
"""Components of an embedding: one Hadamard row for each person and one for each person's disguises."""

_SLOPE = 200.0
_MEAN = 127.5
_LIGHT_THRESHOLD = 140.0
_WARM_THRESHOLD = 10.0
_CONTRAST_THRESHOLD = 32.0
_LUMA = (0.299, 0.587, 0.114)
_ALIGNED_SIDE = 112

# ArcFace's landmark template for 112×112, as published by insightface. Repeated here, since a network that checks the
# alignment must not share its arithmetic.
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)


def recogniser_bytes() -> bytes:
    """Return the recogniser as an ONNX file: float32 (1, 3, 112, 112) RGB, (x − 127.5) / 127.5, to (1, `DIMENSION`).

    Eight bits are read from the zones of the aligned face; the bits choose a row of `codebook`.
    """
    graph = NetworkWriter("cartoon_recogniser", [float_tensor("input.1", (1, 3, _ALIGNED_SIDE, _ALIGNED_SIDE))])
    for name, value in (("minus_one", -1.0), ("one", 1.0)):
        graph.weight(name, value)
    # Luma and warmth (R − B) of 2×2 pixels: 56×56 cells.
    mix = np.array([_LUMA, (1.0, 0.0, -1.0)]) / 4
    features = graph.convolution(
        "features", "input.1", np.tile(mix[:, :, None, None], (1, 1, 2, 2)), [0, 0], strides=[2, 2]
    )
    weights, bias = _bit_questions()
    raw = graph.convolution("bits_raw", features, _SLOPE * weights, _SLOPE * bias)
    bits = graph.node("Flatten", "bits", graph.node("Clip", "bits_map", raw, "minus_one", "one"), axis=1)
    codes = np.arange(len(codebook()))
    signs = (codes[:, None] >> np.arange(8) & 1) * 2 - 1
    names = graph.weight("codes.weight", signs), graph.weight("codes.bias", np.full(len(codes), -7))
    chosen = graph.node("Relu", "chosen", graph.node("Gemm", "codes", bits, *names, transB=1))
    table = graph.node("Gemm", "chosen_row", chosen, graph.weight("codebook", codebook()))
    output = graph.node("Reshape", "output", table, graph.weight("shape", [1, -1], np.int64))
    return graph.finish([float_tensor(output, (1, DIMENSION))])


def _bit_questions() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return weights (8, 2, 56, 56) over luma and warmth, and biases.

    The bits: warm and light for hair, band and skin each; moustache; beard.
    """
    hair, band, skin = _zone_mean(HAIR_ZONE), _zone_mean(BAND_ZONE), _zone_mean(*CHEEK_ZONES)
    none = np.zeros_like(hair)
    weights = [pair for zone in (hair, band, skin) for pair in ((none, zone), (zone, none))]
    weights += [(skin - _zone_mean(zone), none) for zone in (MOUSTACHE_ZONE, BEARD_ZONE)]
    # A mean luma is (L − 127.5) / 127.5 here; in differences the mean cancels.
    light = (_LIGHT_THRESHOLD - _MEAN) / _MEAN
    warm, contrast = _WARM_THRESHOLD / _MEAN, _CONTRAST_THRESHOLD / _MEAN
    return np.array(weights), -np.array([warm, light] * 3 + [contrast] * 2)


def _zone_mean(*zones: Zone) -> npt.NDArray[np.float64]:
    """Return weights (56, 56), sum 1, over the 2×2 cells of the aligned face that lie wholly in the zones."""
    side = _ALIGNED_SIDE // 2
    chosen = np.zeros((side, side), np.bool_)
    for x1, y1, x2, y2 in zones:
        (left, top), (right, bottom) = aligned_point(x1, y1), aligned_point(x2, y2)
        columns = slice(int(np.ceil(left / 2)), int(right / 2))
        rows = slice(int(np.ceil(top / 2)), int(bottom / 2))
        chosen[rows, columns] = True
    return chosen / np.float64(chosen.sum())


def aligned_point(x: float, y: float) -> tuple[float, float]:
    """Map a point of the face, relative to its centre at scale 1, into the aligned 112×112 picture.

    Use the similarity transform that maps the landmarks onto ArcFace's template with the least squared error. Without
    reflection that is a linear problem in four unknowns, (a, b, u, v): x' = a x − b y + u, y' = b x + a y + v.
    """
    places = LANDMARKS.astype(np.float64)
    ones, zeros = np.ones(len(places)), np.zeros(len(places))
    system = np.concatenate(
        [
            np.stack([places[:, 0], -places[:, 1], ones, zeros], axis=1),
            np.stack([places[:, 1], places[:, 0], zeros, ones], axis=1),
        ]
    )
    a, b, u, v = np.linalg.lstsq(system, _TEMPLATE.T.ravel(), rcond=None)[0]
    return float(a * x - b * y + u), float(b * x + a * y + v)


def codebook() -> npt.NDArray[np.float32]:
    """Return (256, `DIMENSION`) float32: the embedding of each code; small integers, not normalised.

    Row `person.code + 64 × disguise` is a × H[code] + b × H[64 + code], with H a Hadamard matrix (Sylvester's), whose
    rows are orthogonal: different persons have similarity 0, disguises of one person that of `DISGUISE_SIMILARITY`.
    """
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < DIMENSION:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    own, other = hadamard[:NUM_PERSONS], hadamard[NUM_PERSONS:]
    return np.concatenate([a * own + b * other for a, b in DISGUISE_WEIGHTS]).astype(np.float32)
