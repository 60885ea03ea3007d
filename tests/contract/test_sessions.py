"""The contract of a `Session`, run over every runtime and precision: it agrees with ONNX Runtime on the CPU."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from backends_tools import (
    CPU_DEVICES,
    SMALL,
    noise,
    open_bound,
    open_on,
    openvino_in,
    write_real_graph,
    write_small_graph,
)

from fastface.backends import Session
from fastface.backends.precision import LIMITS
from fastface.errors import BackendError

Opener = Callable[..., Session]


LOWER = "openvino-bfloat16"


@pytest.fixture(params=[*sorted(CPU_DEVICES), LOWER, "bound"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    if request.param == "bound":
        return lambda graph, shape, threads=1: open_bound(graph, threads)
    device = openvino_in("bfloat16") if request.param == LOWER else CPU_DEVICES[request.param]()
    return lambda graph, shape, threads=1: open_on(device, graph, shape, tmp_path / "cache", threads)


@pytest.fixture
def small_graph(tmp_path: Path) -> Path:
    return write_small_graph(tmp_path / "small.onnx")


def convolve_by_hand(graph_path: Path, batch: np.ndarray) -> np.ndarray:
    """The small graph in NumPy: what both runtimes must give."""
    import onnx
    from onnx import numpy_helper

    weights = numpy_helper.to_array(onnx.load(graph_path).graph.initializer[0])
    planes = np.pad(batch.transpose(0, 3, 1, 2).astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(planes, (3, 3), axis=(2, 3))
    return np.maximum(np.einsum("nchwij,ocij->nohw", windows, weights), 0)


def test_small_graph_is_computed_as_by_hand(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    batch = noise(SMALL)
    expected = convolve_by_hand(small_graph, batch)
    outputs = session.infer(batch)
    assert len(outputs) == 2
    # Of sums of 27 products of up to 255, bfloat16 keeps two digits.
    near = {"rtol": 1e-2, "atol": 8} if session.device.precision == "bfloat16" else {"rtol": 1e-4, "atol": 2e-2}
    np.testing.assert_allclose(outputs[0], expected, **near)
    np.testing.assert_allclose(outputs[1], expected.mean(axis=(2, 3)), **near)
    assert all(output.dtype == np.float32 for output in outputs)


def test_free_dimensions_are_none(opener: Opener, small_graph: Path) -> None:
    assert opener(small_graph, SMALL).input_shape == (None, None, None, 3)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_real_network_agrees_with_onnx_runtime(opener: Opener, shared_models: Path, tmp_path: Path, count: int) -> None:
    graph = write_real_graph(shared_models / "buffalo_s" / "w600k_mbf.onnx", tmp_path / "real.onnx")
    shape = (count, 112, 112, 3)
    reference = open_on(CPU_DEVICES["onnxruntime"](), graph, shape, tmp_path)
    (expected,) = reference.infer(noise(shape, seed=count))
    session = opener(graph, shape)
    (found,) = session.infer(noise(shape, seed=count))
    assert found.shape == expected.shape == (count, 512)
    cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    is_lower = session.device.precision == "bfloat16"
    assert cosine.min() > (LIMITS["bfloat16"].min_cosine if is_lower else 0.9999)


def test_any_batch_size_after_any_other(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    batch = noise((5, *SMALL[1:]))
    whole = session.infer(batch)
    for start in range(5):
        one = session.infer(batch[start : start + 1])
        np.testing.assert_allclose(one[0][0], whole[0][start], rtol=1e-5, atol=1e-3)


def test_more_shapes_than_are_kept_compiled(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    first = session.infer(noise((1, 32, 32, 3)))
    for width in range(33, 43):
        assert session.infer(noise((1, 32, width, 3)))[0].shape == (1, 4, 32, width)
    np.testing.assert_array_equal(session.infer(noise((1, 32, 32, 3)))[0], first[0])


def test_input_stays_as_it_was(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    batch = noise(SMALL)
    before = batch.copy()
    session.infer(batch)
    np.testing.assert_array_equal(batch, before)


def test_outputs_of_one_call_survive_the_next(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    outputs = session.infer(noise(SMALL, seed=1))
    kept = [output.copy() for output in outputs]
    others = session.infer(noise(SMALL, seed=2))
    assert not np.array_equal(outputs[0], others[0])
    for output, copy in zip(outputs, kept, strict=True):
        np.testing.assert_array_equal(output, copy)
        assert output.flags.writeable


@pytest.mark.parametrize("view", ["read-only", "strided", "reversed"])
def test_any_memory_layout_is_read_right(opener: Opener, small_graph: Path, view: str) -> None:
    session = opener(small_graph, SMALL)
    batch = noise((4, *SMALL[1:]))
    shown = {"read-only": batch[:2], "strided": batch[::2], "reversed": batch[:2, :, ::-1]}[view]
    expected = session.infer(shown.copy())
    shown.flags.writeable = view != "read-only"
    np.testing.assert_array_equal(session.infer(shown)[0], expected[0])


@pytest.mark.parametrize("threads", [1, 2])
def test_same_batch_gives_the_same_bytes(opener: Opener, shared_models: Path, tmp_path: Path, threads: int) -> None:
    graph = write_real_graph(shared_models / "buffalo_s" / "w600k_mbf.onnx", tmp_path / "real.onnx")
    shape = (4, 112, 112, 3)
    session = opener(graph, shape, threads)
    first = session.infer(noise(shape))[0].tobytes()
    session.infer(noise(shape, seed=9))
    assert session.infer(noise(shape))[0].tobytes() == first
    assert opener(graph, shape, threads).infer(noise(shape))[0].tobytes() == first


def test_wrong_shape_is_one_line(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    with pytest.raises(BackendError, match=r"\(2, 32, 48, 4\)") as caught:
        session.infer(noise((2, 32, 48, 4)))
    assert "\n" not in str(caught.value)


def test_damaged_graph_is_one_line(opener: Opener, small_graph: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    half.write_bytes(small_graph.read_bytes()[:200])
    with pytest.raises(BackendError, match=r"cannot load .*half\.onnx") as caught:
        opener(half, SMALL)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4


def test_device_tells_what_computes(opener: Opener, small_graph: Path) -> None:
    session = opener(small_graph, SMALL)
    assert session.device.provider == "CPU"
    assert session.device.name
