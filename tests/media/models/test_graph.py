"""Published networks are recognised from their graphs, whatever their name."""

from pathlib import Path

import pytest

from fastface.models.graph import inspect_graph


@pytest.mark.parametrize(
    ("name", "kind", "dimension"),
    [
        ("buffalo_s/det_500m.onnx", "detector", None),
        ("single/scrfd_2.5g_bnkps.onnx", "detector", None),
        ("buffalo_s/w600k_mbf.onnx", "recogniser", 512),
        ("single/mobilefacenet.onnx", "recogniser", 128),
        ("person/yolo11n_int8_mwc.onnx", "person", None),
        ("person/yolox_nano.onnx", "person", None),
    ],
)
def test_real_networks_are_told_apart_whatever_their_name(
    shared_models: Path, tmp_path: Path, name: str, kind: str, dimension: int | None
) -> None:
    disguised = tmp_path / "det_10g.onnx"
    disguised.symlink_to(shared_models / name)
    facts = inspect_graph(disguised)
    assert (facts.kind, facts.dimension, facts.has_landmarks) == (kind, dimension, kind == "detector")
