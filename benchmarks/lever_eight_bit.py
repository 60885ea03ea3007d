"""The lever that is not kept: networks in 8 bits, with their speed and how far they are from float32.

Static quantisation by ONNX Runtime (QDQ, inputs of convolutions, a scale a channel, MinMax), calibrated on every second
picture of the film's and judged on the others; run by OpenVINO as the float32 networks are. Called by levers.py.

This is the best of what was tried on det_500m: other ranges (MSE) and channels of equal range were less exact. Of a
NNCF network the depthwise convolutions stay in float32. First and last convolutions in float32 are the usual advice:
the second row of the detector shows what they cost.
"""

from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.version_converter
from lever_samples import Lever, Samples, milliseconds, open_graph, take_turns
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from fastface.backends.precision import pair_detections

__all__ = ["EightBit", "eight_bit_levers"]

OPSET = 17
"""A scale a channel needs opset 13; the exports are of 11."""

LEAST_SCORE, BAND = 0.5, 0.1
"""Smallest score of a face, and how far below it a face is not lost yet."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class EightBit:
    """A row, and the sentence on parity that belongs to it."""

    lever: Lever
    parity: str


def eight_bit_levers(samples: Samples, folder: Path, repeats: int) -> Iterator[EightBit]:
    """Both networks, and the detector with its first and last convolutions in float32."""
    detector, recogniser = samples.networks.detector, samples.networks.recogniser
    for name, graph, pictures, keeps_ends in (
        ("detector: 8 bits", detector, samples.canvases, False),
        ("detector: 8 bits, first and last convolutions in float32", detector, samples.canvases, True),
        ("recogniser: 8 bits", recogniser, samples.aligned, False),
    ):
        exact, quick = quantised(graph, pictures[::2], folder / f"{graph.stem}-{keeps_ends}", keeps_ends=keeps_ends)
        sessions = [open_graph(path, samples.device, pictures.shape[1:]) for path in (exact, quick)]
        ways = [lambda session=session, pictures=pictures: milliseconds(session, pictures) for session in sessions]
        finds_faces = graph == detector
        unit, compare = ("ms a frame", faces_apart) if finds_faces else ("ms a face", cosines)
        lever = Lever(f"{name} (not kept)", take_turns(repeats, *ways), unit)
        judged = np.ascontiguousarray(pictures[1::2])
        yield EightBit(lever, f"{name}: {compare(*(session.infer(judged)[0] for session in sessions))}")


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands out pictures one by one."""

    def __init__(self, name: str, pictures: Pixels) -> None:
        self._feeds = iter([{name: pictures[n : n + 1]} for n in range(len(pictures))])

    def get_next(self) -> dict[str, Any] | None:
        """The next picture; None after the last."""
        return next(self._feeds, None)


def quantised(graph: Path, pictures: Pixels, stem: Path, *, keeps_ends: bool) -> tuple[Path, Path]:
    """(the graph in the newer opset, the same in 8 bits but for its ends)."""
    exact, quick = stem.with_suffix(".exact.onnx"), stem.with_suffix(".quick.onnx")
    with redirect_stdout(StringIO()):
        quant_pre_process(str(graph), str(exact), skip_symbolic_shape=True)
        model = onnx.version_converter.convert_version(onnx.load(exact), OPSET)
        onnx.save(model, exact)
        quantize_static(
            str(exact),
            str(quick),
            _Reader(model.graph.input[0].name, pictures),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=ends(model.graph) if keeps_ends else [],
            calibrate_method=CalibrationMethod.MinMax,
            # Else values are rounded before an activation too: once more, and in a pass of its own.
            extra_options={"OpTypesToExcludeOutputQuantization": ["Conv"]},
        )
    return exact, quick


def ends(graph: Any) -> list[str]:
    """Names of the convolutions that come first, and of those that come last, in a graph in order."""
    after: set[str] = set()
    before: set[str] = set()
    for node in graph.node:
        if node.op_type == "Conv" or after.intersection(node.input):
            after.update(node.output)
    for node in reversed(graph.node):
        if node.op_type == "Conv" or before.intersection(node.output):
            before.update(node.input)
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    return [node.name for node in convolutions if node.input[0] not in after or node.output[0] not in before]


def faces_apart(exact: npt.NDArray[Any], quick: npt.NDArray[Any]) -> str:
    """How far the faces in the rows (N, K, 15) of a detector are apart, after suppression."""
    pairs = pair_detections(exact, quick, LEAST_SCORE)
    near = pair_detections(exact, quick, LEAST_SCORE - BAND)
    lost = int((near.missed[:, 0] >= LEAST_SCORE).sum())
    move, landmark = np.abs(near.score_moves).max(initial=0), np.median(near.landmark_moves)
    return (
        f"of {len(pairs.exact) + len(pairs.missed)} faces in {len(exact)} frames {len(pairs.missed)} are missed "
        f"({lost} also at {LEAST_SCORE - BAND:.1f}), {len(pairs.added)} are added; scores move by {move:.3f} at most, "
        f"landmarks by {landmark:.2%} of a face's width in the median."
    )


def cosines(exact: npt.NDArray[Any], quick: npt.NDArray[Any]) -> str:
    """How far embeddings (N, D) are apart."""
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
    cosine = (exact * quick).sum(axis=1) / lengths
    return (
        f"cosine with float32 {cosine.min():.3f} at the least and {np.median(cosine):.3f} in "
        f"the median over {len(exact)} faces."
    )
