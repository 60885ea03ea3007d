"""Sessions and frames for the tests of networks and faces."""

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime

from fastface.backends import DeviceInfo

CPU = DeviceInfo(backend="onnxruntime", provider="CPU", precision="float32", name="test", versions="test")


class PlainSession:
    """ONNX Runtime on the CPU, plainly: a reference that shares no code with the backends under test."""

    def __init__(self, graph: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self.inner = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self.device = CPU
        self.input_shape: tuple[int | None, ...] = (None, None, None, 3)
        self.per_picture = False

    def infer(self, batch: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], ...]:
        return tuple(self.inner.run(None, {self.inner.get_inputs()[0].name: batch}))


class FixedSession:
    """Answers every batch with the first rows of what it was given."""

    def __init__(self, answer: npt.NDArray[np.float32]) -> None:
        self.answer = answer
        self.batches: list[int] = []
        self.device = CPU
        self.input_shape: tuple[int | None, ...] = (None, None, None, 3)
        self.per_picture = False

    def infer(self, batch: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], ...]:
        begin = sum(self.batches)
        self.batches.append(len(batch))
        return (self.answer[begin : begin + len(batch)],)


def frames_of(path: Path, positions: tuple[int, ...]) -> list[npt.NDArray[np.uint8]]:
    """BGR frames of a clip by their number, decoded by OpenCV."""
    capture = cv2.VideoCapture(str(path))
    frames: list[npt.NDArray[np.uint8]] = []
    for number in range(max(positions) + 1):
        if number in positions:
            frames.append(cast("npt.NDArray[np.uint8]", capture.read()[1]))
        else:
            capture.grab()
    capture.release()
    assert all(frame is not None for frame in frames)
    return frames


def planes_of(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A picture of even sides as flat I420."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
