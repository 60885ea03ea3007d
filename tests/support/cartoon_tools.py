"""What the tests of the cartoon rooms share: decoding, and runtimes used plainly, without any of fastface's code."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from fastface.demo.script import Script

Run = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Cartoon:
    """Drawn films with known truth, photos of the persons in them, and the networks that see them."""

    films: Path
    photos: Path
    bank: Path  # the persons of these photos, enrolled
    models: Path
    scripts: dict[str, Script]


def without_longest(cartoon: Cartoon, folder: Path) -> Cartoon:
    """Half of the cartoon's frames: its films but the longest, linked into a folder."""
    short = sorted(cartoon.scripts, key=lambda name: cartoon.scripts[name].num_frames)[:-1]
    for name in short:
        os.link(cartoon.films / name, folder / name)
    return replace(cartoon, films=folder, scripts={name: cartoon.scripts[name] for name in short})


def decoded(path: Path) -> list[tuple[av.VideoFrame, np.ndarray]]:
    """Every frame of a film with its BGR picture."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [(one, cv2.cvtColor(one.to_ndarray(format="yuv420p"), cv2.COLOR_YUV2BGR_I420)) for one in frames]


def plain_onnxruntime(graph: Path) -> Callable[[np.ndarray], list[np.ndarray]]:
    """All outputs of a network on ONNX Runtime."""
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    session: Any = runtime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {session.get_inputs()[0].name: batch})


def _first_of_onnxruntime(graph: Path) -> Run:
    run = plain_onnxruntime(graph)
    return lambda batch: run(batch)[0]


def _openvino(precision: str) -> Callable[[Path], Run]:
    def load(graph: Path) -> Run:
        core = pytest.importorskip("openvino").Core()
        network = core.compile_model(core.read_model(graph), "CPU", {"INFERENCE_PRECISION_HINT": precision})
        return lambda batch: np.array(network({0: batch})[0])

    return load


RUNTIMES: dict[str, Callable[[Path], Run]] = {
    "onnxruntime": _first_of_onnxruntime,
    "openvino-float32": _openvino("f32"),
    "openvino-bfloat16": _openvino("bf16"),
}
"""name → a function that loads a rewritten graph and returns what runs its only output."""
