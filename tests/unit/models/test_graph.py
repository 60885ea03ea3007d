"""What a network is, told from its graph; damaged files in one line; the cache of rewritten networks."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from models_tools import edited, save, tiny_arcface, tiny_scrfd
from onnx import TensorProto, helper

from fastface.errors import ConfigError, ModelError
from fastface.models.graph import inspect_graph, prepare_detector, prepare_recogniser


@pytest.mark.parametrize("style", ["old", "new", "map"])
@pytest.mark.parametrize("landmarks", [True, False])
def test_every_export_style_is_a_detector(tmp_path: Path, style: str, landmarks: bool) -> None:
    facts = inspect_graph(tiny_scrfd(tmp_path / "x.onnx", style=style, landmarks=landmarks))
    assert (facts.kind, facts.has_landmarks) == ("detector", landmarks)


def test_other_networks_are_unknown_with_a_reason(tmp_path: Path) -> None:
    nodes = [helper.make_node("GlobalAveragePool", ["in"], ["pool"]), helper.make_node("Flatten", ["pool"], ["out"])]
    facts = inspect_graph(save(tmp_path / "x.onnx", nodes, {}, (1, 3, 96, 96), {"out": 2}))
    assert facts.kind == "unknown"
    assert facts.reason
    with pytest.raises(ModelError, match="is no detector"):
        prepare_detector(tmp_path / "x.onnx", tmp_path / "cache")


UNFAMILIAR = {
    "genderage": ((1, 3, 96, 96), [3], "this network has input (1, 3, 96, 96) and output (1, 3)"),
    "1k3d68": ((1, 3, 192, 192), [3309], "this network has input (1, 3, 192, 192) and output (1, 3309)"),
    "facenet": ((1, 160, 160, 3), [512], "no float picture (N, 3, H, W), but (1, 160, 160, 3)"),
    "lightcnn": ((1, 1, 128, 128), [256], "no float picture (N, 3, H, W), but (1, 1, 128, 128)"),
    "of 128 pixels": ((1, 3, 128, 128), [512], "reads (N, 3, 128, 128) and gives (N, 256)"),
    "old yunet": ((1, 3, 120, 160), [14, 2, 1], "a detector has 4, 6, 9, 10, 12 or 15 outputs, a recogniser 1; this"),
    "twelve": ((1, 3, 64, 64), [4] * 12, "a detector with twelve outputs has heads [(2, 1, 80, 48)"),
    "four": ((1, 3, 64, 64), [4] * 4, "a detector with four outputs has heads [(2, 1, 160, 96)"),
}
"""Networks of other kinds, as published: input, numbers of each output, and what is said of them."""


@pytest.mark.parametrize("name", UNFAMILIAR)
def test_an_unfamiliar_network_says_in_one_line_what_was_expected_and_found(tmp_path: Path, name: str) -> None:
    shape, sizes, told = UNFAMILIAR[name]
    nodes = [helper.make_node("GlobalAveragePool", ["in"], ["pool"]), helper.make_node("Flatten", ["pool"], ["flat"])]
    weights = {}
    for place, size in enumerate(sizes):
        weights[f"w{place}"] = np.zeros((shape[1], size), np.float32)
        nodes.append(helper.make_node("MatMul", ["flat", f"w{place}"], [f"out{place}"]))
    outputs: dict[str, int | None] = {f"out{place}": 2 for place in range(len(sizes))}
    facts = inspect_graph(save(tmp_path / "x.onnx", nodes, weights, shape, outputs))
    assert facts.kind == "unknown"
    assert told in facts.reason
    assert "\n" not in facts.reason


def test_nine_outputs_of_the_wrong_shape_are_no_detector(tmp_path: Path) -> None:
    def swap(model: onnx.ModelProto) -> None:
        names = [value.name for value in model.graph.output]
        for value, name in zip(model.graph.output, names[1:] + names[:1], strict=True):
            value.name = name

    facts = inspect_graph(edited(tiny_scrfd(tmp_path / "x.onnx"), tmp_path / "y.onnx", swap))
    assert facts.kind == "unknown"
    assert "heads" in facts.reason


def _newer(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 99


def _external(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[-1]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")


def _cyclic(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = model.graph.output[0].name


@pytest.mark.parametrize(
    ("edit", "told"), [(_newer, "opset 99"), (_external, "other files"), (_cyclic, "an input that does not exist")]
)
def test_networks_that_cannot_be_used_say_why_in_one_line(tmp_path: Path, edit, told: str) -> None:
    path = edited(tiny_scrfd(tmp_path / "x.onnx"), tmp_path / "y.onnx", edit)
    for use in (inspect_graph, lambda p: prepare_detector(p, tmp_path / "cache")):
        with pytest.raises(ModelError, match=told) as caught:
            use(path)
        assert "\n" not in str(caught.value)
        assert "y.onnx" in str(caught.value)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("content", [b"", b"no network at all", None])
def test_damaged_files_say_so_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.onnx"
    whole = tiny_arcface(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ModelError, match=r"x\.onnx.*cut") as caught:
        inspect_graph(path)
    assert "\n" not in str(caught.value)


def test_names_of_an_export_may_be_any(tmp_path: Path) -> None:
    def rename(model: onnx.ModelProto) -> None:
        for old, new in (("in", "pictures"), ("out", "embeddings")):
            for node in model.graph.node:
                for names in (node.input, node.output):
                    names[:] = [new if name == old else name for name in names]
        model.graph.input[0].name, model.graph.output[0].name = "pictures", "embeddings"

    renamed = edited(tiny_arcface(tmp_path / "x.onnx"), tmp_path / "y.onnx", rename)
    first, second = (onnx.load(str(prepare_recogniser(p, tmp_path))) for p in (tmp_path / "x.onnx", renamed))
    assert [node.op_type for node in first.graph.node] == [node.op_type for node in second.graph.node]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx.*No such file"):
        inspect_graph(tmp_path / "none.onnx")


def test_the_cache_is_made_once_and_is_the_same_everywhere(tmp_path: Path) -> None:
    source = tiny_arcface(tmp_path / "x.onnx")
    first = prepare_recogniser(source, tmp_path / "a")
    made = first.stat().st_mtime_ns
    assert prepare_recogniser(source, tmp_path / "a") == first
    assert first.stat().st_mtime_ns == made
    second = prepare_recogniser(source, tmp_path / "b")
    assert second.name == first.name
    assert second.read_bytes() == first.read_bytes()
    other = prepare_recogniser(tiny_arcface(tmp_path / "y.onnx", dimension=80), tmp_path / "a")
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted([first.name, other.name])


def test_with_its_digest_a_known_network_is_not_read_again(tmp_path: Path) -> None:
    source, cache = tiny_arcface(tmp_path / "x.onnx"), tmp_path / "cache"
    content = source.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    facts, graph = inspect_graph(source, cache), prepare_recogniser(source, cache)
    source.unlink()
    assert inspect_graph(source, cache, digest=digest) == facts
    assert prepare_recogniser(source, cache, digest=digest) == graph
    source.write_bytes(content)
    other = tmp_path / "other"
    assert inspect_graph(source, other, digest=digest) == facts
    assert prepare_recogniser(source, other, digest="0" * 64).name == graph.name  # replaced since it was digested


def test_the_caller_sees_bytes_in_and_floats_out(tmp_path: Path) -> None:
    detector = onnx.load(str(prepare_detector(tiny_scrfd(tmp_path / "x.onnx"), tmp_path))).graph
    recogniser = onnx.load(str(prepare_recogniser(tiny_arcface(tmp_path / "y.onnx"), tmp_path))).graph
    for graph in (detector, recogniser):
        assert (len(graph.input), len(graph.output)) == (1, 1)
        assert graph.input[0].type.tensor_type.elem_type == helper.np_dtype_to_tensor_dtype(np.dtype(np.uint8))
        assert graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert [d.dim_value for d in detector.output[0].type.tensor_type.shape.dim] == [0, 0, 15]
    assert [d.dim_value for d in recogniser.output[0].type.tensor_type.shape.dim] == [0, 64]


def test_the_mean_is_subtracted_where_the_channels_of_a_pixel_lie_side_by_side(tmp_path: Path) -> None:
    """After a transposition OpenVINO would put them side by side again, at a seventh of the time of a detector."""
    for path in (
        prepare_detector(tiny_scrfd(tmp_path / "x.onnx"), tmp_path),
        prepare_recogniser(tiny_arcface(tmp_path / "y.onnx"), tmp_path),
    ):
        assert [node.op_type for node in onnx.load(path).graph.node][:3] == ["Cast", "Sub", "Transpose"]


def test_two_runs_that_fill_one_cache_at_once_both_succeed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, cache = tiny_arcface(tmp_path / "x.onnx"), tmp_path / "cache"
    write, made = Path.write_bytes, []

    def write_while_another_does(path: Path, content: bytes) -> int:
        written = write(path, content)
        if not made:
            made.append(path)
            made.append(prepare_recogniser(source, cache))
        return written

    monkeypatch.setattr(Path, "write_bytes", write_while_another_does)
    graph = prepare_recogniser(source, cache)
    assert made[1] == graph
    assert list(cache.iterdir()) == [graph]
    onnx.checker.check_model(onnx.load(str(graph)))


def test_a_cache_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    source = tiny_arcface(tmp_path / "x.onnx")
    (tmp_path / "cache").touch()
    with pytest.raises(ConfigError, match=r"cannot write '.*/cache/fastface/recogniser-.*XDG_CACHE_HOME") as caught:
        prepare_recogniser(source, tmp_path / "cache" / "fastface")
    assert "\n" not in str(caught.value)


def test_a_cache_that_nobody_may_enter_is_told_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    source = tiny_arcface(tmp_path / "x.onnx")
    monkeypatch.setattr(Path, "is_file", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ConfigError, match=r"Permission denied.*XDG_CACHE_HOME"):
        prepare_recogniser(source, tmp_path / "cache")


def test_what_a_graph_tells_is_noted_by_content(tmp_path: Path) -> None:
    path, cache = tiny_arcface(tmp_path / "x.onnx", dimension=80), tmp_path / "cache"
    facts = inspect_graph(path, cache)
    assert facts.dimension == 80
    (note,) = cache.iterdir()
    noted = json.loads(note.read_text())
    note.write_text(json.dumps({**noted, "dimension": 96, "input_size": [112, 112]}))
    assert inspect_graph(path, cache) == replace(facts, dimension=96, input_size=(112, 112))  # the note is believed
    for broken in ("", "{}", '{"kind": "recogniser", "input_size": null, "new": 1}'):
        note.write_text(broken)
        assert inspect_graph(path, cache) == facts
    tiny_arcface(path, dimension=96)
    assert inspect_graph(path, cache).dimension == 96  # another content has another note
    assert inspect_graph(path).dimension == 96
    assert len(list(cache.iterdir())) == 2


def test_a_closed_cache_only_costs_the_note(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert inspect_graph(tiny_arcface(tmp_path / "x.onnx", dimension=80), tmp_path / "file" / "cache").dimension == 80
