"""Published networks, rewritten: any batch, any canvas, both runtimes."""

from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
from faces_tools import PlainSession
from models_tools import edited, pictures
from onnx import numpy_helper

from fastface.models.graph import prepare_detector, prepare_recogniser

NETWORKS = (
    "buffalo_s/det_500m.onnx",
    "single/scrfd_2.5g_bnkps.onnx",
    "buffalo_s/w600k_mbf.onnx",
    "single/mobilefacenet.onnx",
)


def test_a_canvas_fixed_by_the_export_is_freed(shared_models: Path, tmp_path: Path) -> None:
    source = shared_models / "buffalo_s/det_500m.onnx"

    def fix(model: onnx.ModelProto) -> None:
        for value, side in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, 640, 640), strict=True):
            value.dim_value = side
        sides = iter((40, 80))
        for node in model.graph.node:
            if node.op_type == "Resize":
                side = next(sides)
                sizes = np.array([1, 16, side, side], np.int64)
                model.graph.initializer.append(numpy_helper.from_array(sizes, f"sizes_{side}"))
                node.input[3] = f"sizes_{side}"

    batch = pictures(2, 96, 160)
    (expected,) = PlainSession(prepare_detector(source, tmp_path)).infer(batch)
    fixed = edited(source, tmp_path / "fixed.onnx", fix)
    (found,) = PlainSession(prepare_detector(fixed, tmp_path)).infer(batch)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_runtimes_take_any_batch_and_canvas(shared_models: Path, tmp_path: Path, name: str) -> None:
    detects = "det" in name or "scrfd" in name
    graph = (prepare_detector if detects else prepare_recogniser)(shared_models / name, tmp_path)
    session = PlainSession(graph)
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    free = core.compile_model(str(graph), "CPU", settings)
    model = core.read_model(str(graph))
    height, width = (160, 96) if detects else (112, 112)
    model.reshape([-1, height, width, 3])
    canvas_fixed = core.compile_model(model, "CPU", settings)
    for count in (1, 3, 8):
        batch = pictures(count, height, width)
        (expected,) = session.infer(batch)
        single = np.concatenate([session.infer(picture[None])[0] for picture in batch])
        top = slice(0, 8)  # the tail of the ranking holds ties that each runtime breaks its own way
        for found in (free(batch)[0], canvas_fixed(batch)[0], single):
            assert found.shape == expected.shape
            np.testing.assert_allclose(found[:, top], expected[:, top], atol=2e-3)
    if detects:
        (expected,) = session.infer(pictures(2, 32, 64))
        np.testing.assert_allclose(free(pictures(2, 32, 64))[0][:, :8], expected[:, :8], atol=2e-3)
