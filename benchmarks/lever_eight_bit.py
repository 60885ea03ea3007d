"""The lever that is not kept: networks in 8 bits, with their speed and how far they are from float32.

Static quantisation by ONNX Runtime (QDQ, convolutions, a scale a channel, MinMax), calibrated on every second picture
of the film's and judged on the others; run by OpenVINO as the float32 networks are. Called by levers.py.
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

__all__ = ["EightBit", "eight_bit_levers"]

OPSET = 17
"""A scale a channel needs opset 13; the exports are of 11."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class EightBit:
    """A row, and the sentence on parity that belongs to it."""

    lever: Lever
    parity: str


def eight_bit_levers(samples: Samples, folder: Path, repeats: int) -> Iterator[EightBit]:
    """Both networks."""
    parts = (
        ("detector", samples.networks.detector, samples.canvases),
        ("recogniser", samples.networks.recogniser, samples.aligned),
    )
    for name, graph, pictures in parts:
        exact, quick = quantised(graph, pictures[::2], folder / name)
        sessions = [open_graph(path, samples.device, pictures.shape[1:]) for path in (exact, quick)]
        ways = [lambda session=session, pictures=pictures: milliseconds(session, pictures) for session in sessions]
        unit = "ms a frame" if name == "detector" else "ms a face"
        lever = Lever(f"{name}: 8 bits (not kept)", take_turns(repeats, *ways), unit)
        judged = np.ascontiguousarray(pictures[1::2])
        outputs = [session.infer(judged)[0] for session in sessions]
        yield EightBit(lever, (scores_apart if name == "detector" else cosines)(*outputs))


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Hands out pictures one by one."""

    def __init__(self, name: str, pictures: Pixels) -> None:
        self._feeds = iter([{name: pictures[n : n + 1]} for n in range(len(pictures))])

    def get_next(self) -> dict[str, Any] | None:
        """The next picture; None after the last."""
        return next(self._feeds, None)


def quantised(graph: Path, pictures: Pixels, stem: Path) -> tuple[Path, Path]:
    """(the graph in the newer opset, the same in 8 bits)."""
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
            calibrate_method=CalibrationMethod.MinMax,
        )
    return exact, quick


def scores_apart(exact: npt.NDArray[Any], quick: npt.NDArray[Any]) -> str:
    """How far the detector's scores (N, K, 15) are apart, each picture's in order."""
    scores = [np.sort(rows[..., 0], axis=1)[:, ::-1] for rows in (exact, quick)]
    apart = np.abs(scores[0] - scores[1]).max()
    found = [int((each >= 0.5).sum()) for each in scores]
    return (
        f"The detector in 8 bits: largest difference of a score {apart:.3f} over {len(exact)} frames; "
        f"{found[1]} anchors at 0.5 or more instead of {found[0]}."
    )


def cosines(exact: npt.NDArray[Any], quick: npt.NDArray[Any]) -> str:
    """How far embeddings (N, D) are apart."""
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
    cosine = (exact * quick).sum(axis=1) / lengths
    return (
        f"The recogniser in 8 bits: cosine with float32 {cosine.min():.3f} at the least and {np.median(cosine):.3f} in "
        f"the median over {len(exact)} faces."
    )
