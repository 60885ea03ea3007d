"""TensorRT's engines without TensorRT: ONNX Runtime's CPU computes in its place and leaves an engine file."""

import fcntl
import json
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from backends_tools import SMALL, noise, write_small_graph

from fastface.backends import DeviceInfo, ShapeRange, build_engine, engine_note, engines, onnxruntime_session
from fastface.backends.cuda_session import CardSession
from fastface.backends.onnxruntime_loading import open_inner
from fastface.errors import BackendError

SHAPES = ShapeRange((1, 32, 32, 3), SMALL, (2, 640, 640, 3))
CARD = DeviceInfo("onnxruntime", "TensorRT", "float16", "H200", "TensorRT 10.13.3", compute_capability="9.0")


class FakeTensorRT:
    """Opens sessions in TensorRT's place: notes the options, writes an engine, and is wrong in float16 if told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[dict[str, str]] = []
        self.float16_is_off = 0.0
        monkeypatch.setattr(engines, "_load", lambda: onnxruntime)
        monkeypatch.setattr(engines, "open_on_card", self.open)
        monkeypatch.setattr(engines, "CardSession", partial(_Off, self))

    def open(self, runtime: Any, graph: Path, device: DeviceInfo, threads: int, better: list, *, captures: bool) -> Any:
        ((name, options),) = better
        assert name == "TensorrtExecutionProvider"
        assert options["trt_cuda_graph_enable"] == str(captures)
        self.opened.append(options)
        (Path(options["trt_engine_cache_path"]) / "network_sm90.engine").touch()
        return open_inner(runtime, graph, replace(device, provider="CPU"), threads, [])


class _Off(CardSession):
    def __init__(self, tensorrt: FakeTensorRT, runtime: Any, inner: Any, device: DeviceInfo) -> None:
        super().__init__(runtime, inner, device, memory="cpu")
        self._off = tensorrt.float16_is_off if device.precision == "float16" else 0.0

    def infer(self, batch: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(output + np.float32(self._off) for output in super().infer(batch))


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    return FakeTensorRT(monkeypatch)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_small_graph(tmp_path / "small.onnx")


def opened(graph: Path, cache: Path) -> CardSession:
    return onnxruntime_session.open_session(graph, CARD, threads=1, cache_folder=cache, shapes=SHAPES)


def note(graph: Path, cache: Path, device: DeviceInfo = CARD, shapes: ShapeRange = SHAPES) -> Any:
    return engine_note(graph, device, cache_folder=cache, shapes=shapes)


def test_an_engine_is_built_once_and_then_read(tensorrt: FakeTensorRT, graph: Path, tmp_path: Path) -> None:
    assert note(graph, tmp_path) is None
    built = build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    assert (built.precision, built.reason) == ("float16", "")
    assert note(graph, tmp_path) == built
    assert len(tensorrt.opened) == 1
    assert build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES) == built
    assert len(tensorrt.opened) == 1
    session = opened(graph, tmp_path)
    assert session.device.precision == "float16"
    assert len(tensorrt.opened) == 2
    assert session.infer(noise(SMALL))[1].shape == (2, 4)


def test_a_worker_tries_a_cuda_graph_with_the_engine_that_is_there(
    tensorrt: FakeTensorRT, graph: Path, tmp_path: Path
) -> None:
    build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    device = replace(CARD, captures=True)
    session = onnxruntime_session.open_session(graph, device, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    built, plain, capturing = tensorrt.opened
    assert [options["trt_cuda_graph_enable"] for options in tensorrt.opened] == ["False", "False", "True"]
    assert {**capturing, "trt_cuda_graph_enable": "False"} == plain == built
    assert "CUDA graph: 2 pictures take" in session.capture


def test_an_engine_that_tensorrt_did_not_build_is_an_error(
    tensorrt: FakeTensorRT, graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "touch", lambda _: None)
    with pytest.raises(BackendError, match=r"TensorRT cannot run any part of 'small\.onnx'"):
        build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    assert note(graph, tmp_path) is None
    assert len(tensorrt.opened) == 1


def test_the_profile_is_given_in_full_and_the_timing_cache_is_shared(
    tensorrt: FakeTensorRT, graph: Path, tmp_path: Path
) -> None:
    build_engine(graph, replace(CARD, device_id=3), threads=1, cache_folder=tmp_path, shapes=SHAPES)
    (options,) = tensorrt.opened
    assert options["trt_profile_min_shapes"] == "picture:1x32x32x3"
    assert options["trt_profile_opt_shapes"] == "picture:2x32x48x3"
    assert options["trt_profile_max_shapes"] == "picture:2x640x640x3"
    assert (options["device_id"], options["trt_fp16_enable"]) == ("3", "True")
    assert options["trt_timing_cache_path"] == str(tmp_path / "tensorrt")
    assert Path(options["trt_engine_cache_path"]).parent == tmp_path / "tensorrt"


def test_float16_that_does_not_agree_is_refused_with_its_reason(
    tensorrt: FakeTensorRT, graph: Path, tmp_path: Path
) -> None:
    tensorrt.float16_is_off = 1000.0
    built = build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    assert built.precision == "float32"
    assert "off" in built.reason
    assert [options["trt_fp16_enable"] for options in tensorrt.opened] == ["True", "False"]
    assert note(graph, tmp_path) == built
    session = opened(graph, tmp_path)
    assert session.device.precision == "float32"
    assert tensorrt.opened[-1]["trt_fp16_enable"] == "False"


def test_a_worker_builds_what_nobody_built(tensorrt: FakeTensorRT, graph: Path, tmp_path: Path) -> None:
    opened(graph, tmp_path)
    assert note(graph, tmp_path) is not None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"precision": "float16"}', "null"])
def test_a_damaged_note_is_none(content: str, tensorrt: FakeTensorRT, graph: Path, tmp_path: Path) -> None:
    build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    (path,) = tmp_path.glob("tensorrt/*/built.json")
    path.write_text(content)
    assert note(graph, tmp_path) is None


def test_a_note_without_its_engine_is_none(tensorrt: FakeTensorRT, graph: Path, tmp_path: Path) -> None:
    build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    assert json.loads(next(tmp_path.glob("tensorrt/*/built.json")).read_text())["precision"] == "float16"
    next(tmp_path.glob("tensorrt/*/*.engine")).unlink()
    assert note(graph, tmp_path) is None


def test_another_profile_or_card_has_another_engine(tensorrt: FakeTensorRT, graph: Path, tmp_path: Path) -> None:
    build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
    assert note(graph, tmp_path, replace(CARD, device_id=1)) is not None
    assert note(graph, tmp_path, replace(CARD, name="RTX 4090", compute_capability="8.9")) is None
    assert note(graph, tmp_path, shapes=replace(SHAPES, usual=(1, *SMALL[1:]))) is None


def test_who_waited_for_the_builder_finds_its_engine(tensorrt: FakeTensorRT, graph: Path, tmp_path: Path) -> None:
    """Two want it at once: the second waits for the lock that the first holds, and builds nothing."""
    held = threading.Event()
    go_on = threading.Event()
    build = engines._build

    def slow(order: Any) -> Any:
        held.set()
        assert go_on.wait(30)
        return build(order)

    engines._build = slow
    try:
        builders = [threading.Thread(target=opened, args=(graph, tmp_path)) for _ in range(2)]
        builders[0].start()
        assert held.wait(30)
        with (tmp_path / "tensorrt" / "lock").open("w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        builders[1].start()
        go_on.set()
        for builder in builders:
            builder.join(60)
            assert not builder.is_alive()
    finally:
        engines._build = build
    assert len(tensorrt.opened) == 3  # built once, opened by both


def test_a_cache_that_cannot_be_written_is_one_line(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "tensorrt").write_text("a file in the way")
    with pytest.raises(BackendError, match=r"cannot be kept .*XDG_CACHE_HOME"):
        build_engine(graph, CARD, threads=1, cache_folder=tmp_path, shapes=SHAPES)
