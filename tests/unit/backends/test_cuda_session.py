"""A card's session: bound buffers, too little memory, cards that are lost; with ONNX Runtime itself on host memory."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from backends_tools import CPU_DEVICES, SMALL, noise, open_bound, open_on, write_small_graph

from fastface.backends import cuda_session as card_session
from fastface.backends.cuda_session import CardSession, is_card_lost, is_out_of_memory
from fastface.errors import BackendError, DeviceLostError

OUT_OF_MEMORY = (
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running Conv node. Name:'Conv_3' "
    + "path " * 80
    + "Failed to allocate memory for requested buffer of size 939524096"
)
ILLEGAL = "CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; hostname=x ; expr=cudaStreamSynchronize"


@pytest.mark.parametrize(
    "message",
    [
        OUT_OF_MEMORY,
        "CUDA failure 2: out of memory ; GPU=0 ; hostname=x",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0",
        "IExecutionContext::enqueueV3: Error Code 2: OutOfMemory (Requested size was 1073741824 bytes.)",
        "Available memory of 5 is smaller than requested bytes of 7",
    ],
)
def test_too_little_memory_is_known(message: str) -> None:
    assert is_out_of_memory(message)
    assert not is_card_lost(message)


@pytest.mark.parametrize(
    "message",
    [
        ILLEGAL,
        "CUDA failure 719: unspecified launch failure ; GPU=1",
        "CUDA failure 214: uncorrectable ECC error encountered ; GPU=1",
        "CUDA error 715 executing",
        "CUDNN failure 5000: CUDNN_STATUS_EXECUTION_FAILED ; GPU=0",
        "cudaEventRecord: an illegal memory access was encountered while out of memory",
    ],
)
def test_a_lost_card_is_known(message: str) -> None:
    assert is_card_lost(message)
    assert not is_out_of_memory(message)


@pytest.mark.parametrize(
    "message", ["Got invalid dimensions for input", "CUDA failure 7000", "CUDA failure 1: invalid"]
)
def test_other_failures_are_neither(message: str) -> None:
    assert not is_card_lost(message)
    assert not is_out_of_memory(message)


def test_bound_and_plain_runs_give_the_same_bits(tmp_path: Path) -> None:
    graph = write_small_graph(tmp_path / "small.onnx")
    bound, plain = open_bound(graph), open_on(CPU_DEVICES["onnxruntime"](), graph, SMALL, tmp_path)
    for seed, count in enumerate((4, 1, 4, 32, 2, 4)):
        batch = noise((count, *SMALL[1:]), seed)
        for one, other in zip(bound.infer(batch), plain.infer(batch), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_shape_has_one_buffer_for_good_and_few_shapes_are_kept(tmp_path: Path) -> None:
    session = open_bound(write_small_graph(tmp_path / "small.onnx"))
    session.infer(noise(SMALL))
    first = session._bound[SMALL]._input.data_ptr()
    outputs = [value.data_ptr() for value in session._bound[SMALL]._binding.get_outputs()]
    session.infer(noise(SMALL, seed=1))
    assert session._bound[SMALL]._input.data_ptr() == first
    assert [value.data_ptr() for value in session._bound[SMALL]._binding.get_outputs()] == outputs
    for width in range(40, 40 + 2 * card_session._MAX_BOUND):
        session.infer(noise((1, 32, width, 3)))
    assert len(session._bound) == card_session._MAX_BOUND
    assert SMALL not in session._bound


class Narrow:
    """ONNX Runtime's session on a card that fails as told: `fails(pictures)` gives the message, or nothing."""

    def __init__(self, inner: Any, fails: Any) -> None:
        self.inner = inner
        self.fails = fails
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def run_with_iobinding(self, binding: Any) -> None:
        from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

        self.inner.run_with_iobinding(binding)
        self.batches.append(binding.get_outputs()[0].shape()[0])
        if message := self.fails(self.batches[-1]):
            raise RuntimeException(message)


def narrow(tmp_path: Path, fails: Any) -> tuple[CardSession, Narrow]:
    session = open_bound(write_small_graph(tmp_path / "small.onnx"))
    inner = Narrow(session._inner, fails)
    session._inner = inner
    return session, inner


def test_a_batch_that_does_not_fit_is_halved_and_the_size_is_remembered(tmp_path: Path) -> None:
    session, inner = narrow(tmp_path, lambda count: OUT_OF_MEMORY if count > 2 else "")
    plain = open_bound(tmp_path / "small.onnx")
    batch = noise((9, *SMALL[1:]))
    for one, other in zip(session.infer(batch), plain.infer(batch), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-3)
    assert inner.batches == [9, 4, 2, 2, 2, 2, 1]
    inner.batches.clear()
    session.infer(batch[:5])
    assert inner.batches == [2, 2, 1]


def test_when_not_even_one_picture_fits_it_is_an_error_in_one_line(tmp_path: Path) -> None:
    session, inner = narrow(tmp_path, lambda count: OUT_OF_MEMORY)
    with pytest.raises(BackendError, match=r"too little free memory .*--workers") as caught:
        session.infer(noise((4, *SMALL[1:])))
    assert inner.batches == [4, 2, 1]
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, DeviceLostError)


def test_a_buffer_that_cannot_be_made_halves_too(tmp_path: Path) -> None:
    session = open_bound(write_small_graph(tmp_path / "small.onnx"))
    value = session._runtime.OrtValue

    def make(shape: list[int], *more: Any) -> Any:
        if shape[0] > 1:
            raise RuntimeError("CUDA failure 2: out of memory ; GPU=0")
        return value.ortvalue_from_shape_and_type(shape, *more)

    session._runtime = SimpleNamespace(OrtValue=SimpleNamespace(ortvalue_from_shape_and_type=make))
    assert session.infer(noise(SMALL))[1].shape == (2, 4)


def test_a_lost_card_is_an_error_of_its_own_and_is_not_tried_again(tmp_path: Path) -> None:
    session, inner = narrow(tmp_path, lambda count: ILLEGAL)
    with pytest.raises(DeviceLostError, match="card 0\\) was lost: CUDA failure 700"):
        session.infer(noise((4, *SMALL[1:])))
    assert inner.batches == [4]
