"""Run a network on a card: input and output lie on it, and callers see host arrays only.

`engines` and `onnxruntime_session` open it. For each input shape there is one buffer on the card, and one binding of
the network to it. So a batch costs one copy up, the run, and one copy of small arrays down. The copy up reads the
ring's page-locked memory if there is any. All but a shape's first run release Python's lock and reuse the outputs'
memory.

For batches of the usual shape there may be a CUDA graph: one call replays the captured work. It belongs to a separate
session with no other shape. TensorRT's provider has one graph a session, and replays it for any input.

A card's failures are classified by ONNX Runtime's messages, because Python gets no error codes. The runtime writes
`CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; …`. Its arena writes `Failed to allocate memory
for requested buffer of size …`. TensorRT, cuDNN and cuBLAS have other messages.
"""

import ctypes
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.backends.nvidia import Copy, card_copy
from fastface.backends.onnxruntime_loading import one_line, runtime_errors
from fastface.backends.session import DeviceInfo, Tensor
from fastface.errors import BackendError, DeviceLostError

_OUT_OF_MEMORY = re.compile(
    r"CUDA (?:failure|error) 2\b|out of memory|OutOfMemory|Failed to allocate memory|_ALLOC_FAILED"
    r"|Available memory of \d+ is smaller than requested",
    re.IGNORECASE,
)

# cudaError_t of driver_types.h: errors after which every call of the process fails with the same error.
_LASTING = (
    "4|46|100|101|214|219|220|226"  # driver going down, card gone or unavailable, ECC, NVLink, contained by the driver
    "|700|702|709|710|714|715|716|717|718|719|721|999"  # illegal address … launch failure, unknown
)
_LOST = re.compile(
    rf"CUDA (?:failure|error) (?:{_LASTING})\b"
    r"|illegal memory access|illegal instruction|misaligned address|unspecified launch failure|launch timed out"
    r"|device-side assert|hardware stack error|uncorrectable (?:ECC|NVLink)|driver shutting down|GPU is lost"
    r"|CUDNN_STATUS_(?:EXECUTION_FAILED|MAPPING_ERROR|INTERNAL_ERROR)|CUBLAS_STATUS_(?:EXECUTION_FAILED|MAPPING_ERROR)",
    re.IGNORECASE,
)


def is_out_of_memory(message: str) -> bool:
    """Return whether the card had too little free memory: a smaller batch may fit."""
    return bool(_OUT_OF_MEMORY.search(message)) and not is_card_lost(message)


def is_card_lost(message: str) -> bool:
    """Return whether the process has lost the card for good ("sticky" error): only another process can continue."""
    return bool(_LOST.search(message))


_MAX_BOUND = 12
"""Maximum number of shapes whose buffers are kept. Faces have six batch sizes, canvases of a run two or three."""

_TIMED = 8
"""Number of runs, of which the fastest counts, with a CUDA graph and without one."""

_Batch = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Place:
    """Memory on one device, and the function that copies to and from it."""

    memory: str
    card: int
    copy: Copy


class _Bound:
    """The network bound to one buffer of the input's shape, and to buffers for outputs like the given ones.

    Without given ones, the outputs' shapes are those of the first run: they follow from the input's shape.
    """

    def __init__(
        self, runtime: ModuleType, inner: Any, shape: tuple[int, ...], place: _Place, like: Sequence[Tensor] = ()
    ) -> None:
        self._runtime = runtime
        self._inner = inner
        self._place = place
        self._binding = inner.io_binding()
        self._input = self._buffer(shape, np.uint8)
        self._binding.bind_ortvalue_input(inner.get_inputs()[0].name, self._input)
        self._outputs: list[tuple[Any, tuple[int, ...], np.dtype[Any]]] = []
        if like:
            self._bind_outputs(like)
            return
        for output in inner.get_outputs():
            self._binding.bind_output(output.name, place.memory, place.card)

    def compute(self, batch: _Batch) -> tuple[Tensor, ...]:
        """Run the network and copy the outputs to the host. Each step ends before the next one: no event is needed."""
        self._place.copy(self._input.data_ptr(), batch.ctypes.data, batch.nbytes)
        self._inner.run_with_iobinding(self._binding)
        if not self._outputs:
            found = tuple(self._binding.copy_outputs_to_cpu())
            self._binding.clear_binding_outputs()
            self._bind_outputs(found)
            return found
        return tuple(self._copied_down(*output) for output in self._outputs)

    def _copied_down(self, buffer: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Tensor:
        output = np.empty(shape, dtype)
        self._place.copy(output.ctypes.data, buffer.data_ptr(), output.nbytes)
        return output

    def _bind_outputs(self, like: Sequence[Tensor]) -> None:
        for output, model in zip(self._inner.get_outputs(), like, strict=True):
            buffer = self._buffer(model.shape, model.dtype.type)
            self._binding.bind_ortvalue_output(output.name, buffer)
            self._outputs.append((buffer, model.shape, model.dtype))

    def _buffer(self, shape: Sequence[int], dtype: type[np.generic]) -> Any:
        place = self._place
        return self._runtime.OrtValue.ortvalue_from_shape_and_type(list(shape), dtype, place.memory, place.card)


class CardSession:
    """A network in one ONNX Runtime session on a card. See `fastface.backends.session.Session`.

    A batch that does not fit the card's memory is run in halves. Later batches are no larger than what fitted.

    Args:
        runtime: The module `onnxruntime`.
        inner: The runtime's session.
        device: The card, with the precision in force.
        memory: Memory of the buffers: `cuda`; `cpu` takes the same path without a card.

    Attributes:
        capture: Result of `capture_usual`, in one line; empty before it is called.
    """

    per_picture = False

    def __init__(self, runtime: ModuleType, inner: Any, device: DeviceInfo, memory: str = "cuda") -> None:
        self.device = device
        self.input_shape = tuple(size if isinstance(size, int) else None for size in inner.get_inputs()[0].shape)
        self._runtime = runtime
        self._inner = inner
        copy = card_copy(device.device_id) if memory == "cuda" else _copy_on_host
        self._place = _Place(memory, device.device_id, copy)
        self._bound: OrderedDict[tuple[int, ...], _Bound] = OrderedDict()
        self._captured: dict[tuple[int, ...], _Bound] = {}
        self._most: int | None = None
        self.capture = ""

    def capture_usual(self, open_capturing: Callable[[], Any], usual: tuple[int, ...]) -> None:
        """Capture the card's work for a batch, and use it only if it gives the same bits in less time.

        No other thread may use a card meanwhile: CUDA forbids it.

        Args:
            open_capturing: Opens the runtime's session of the same network that captures its first run.
            usual: Shape of the batch, (N, H, W, 3).

        Raises:
            BackendError: The network failed without a CUDA graph.
            DeviceLostError: The card is lost to this process.
        """
        from fastface.backends.trial_pictures import draw_pictures  # noqa: PLC0415 - OpenCV takes its time

        pictures = draw_pictures(*usual[:3])
        batches = [pictures, np.zeros_like(pictures), pictures]
        expected = [self.infer(batch) for batch in batches]
        if self._most is not None:
            self.capture = f"no CUDA graph: {len(pictures)} pictures at once do not fit the card's memory"
            return
        plain = _least_seconds(self.infer, pictures)
        failures: tuple[type[Exception], ...] = (BackendError, *runtime_errors())
        try:
            captured = _Bound(self._runtime, open_capturing(), usual, self._place, expected[0])
            found = [captured.compute(batch) for batch in batches]
            quick = _least_seconds(captured.compute, pictures)
        except failures as error:
            if is_card_lost(str(error.__cause__ or error)):
                raise self._translate(error, usual) from error
            self.capture = f"no CUDA graph: {one_line(error)}"
            return
        if not all(map(_are_equal, expected, found)):
            self.capture = "no CUDA graph: its outputs are not those without it"
            return
        if quick < plain:
            self._captured[usual] = captured
            del self._bound[usual]
        self.capture = (
            f"{'a' if quick < plain else 'no'} CUDA graph: {len(pictures)} pictures take {quick * 1e3:.2f} ms with it, "
            f"{plain * 1e3:.2f} without"
        )

    def infer(self, batch: _Batch) -> tuple[Tensor, ...]:
        """Run the network on one batch: see `Session.infer`.

        Raises:
            BackendError: The network failed, or not even one picture fits the card's memory.
            DeviceLostError: The card is lost to this process.
        """
        most = min(len(batch), self._most or len(batch))
        while True:
            try:
                return self._in_parts(batch, most)
            except _OutOfMemoryError as error:
                self._bound.clear()
                if self._captured:  # its session has separate memory, which may suffice
                    self._captured.clear()
                    self.capture = f"no CUDA graph any more: {error}"
                    continue
                if most <= 1:
                    raise BackendError(
                        f"{self.device.name} has too little free memory for one frame of {batch.shape[1:]}: {error}; "
                        "use fewer --workers, or end other programs on the card"
                    ) from error
            self._most = most = most // 2

    def _in_parts(self, batch: _Batch, most: int) -> tuple[Tensor, ...]:
        if len(batch) <= most:
            return self._compute(batch)
        parts = [self._compute(batch[begin : begin + most]) for begin in range(0, len(batch), most)]
        return tuple(np.concatenate(pieces) for pieces in zip(*parts, strict=True))

    def _compute(self, batch: _Batch) -> tuple[Tensor, ...]:
        try:
            return self._bound_to(batch.shape).compute(np.ascontiguousarray(batch))
        except runtime_errors() as error:
            raise self._translate(error, batch.shape) from error

    def _translate(self, error: Exception, shape: tuple[int, ...]) -> Exception:
        message, reason = str(error.__cause__ or error), one_line(error)
        if is_out_of_memory(message):
            return _OutOfMemoryError(reason)
        if is_card_lost(message):
            return DeviceLostError(f"{self.device.name} (card {self.device.device_id}) was lost: {reason}")
        return BackendError(f"ONNX Runtime failed on a batch of {shape}: {reason}")

    def _bound_to(self, shape: tuple[int, ...]) -> _Bound:
        if shape in self._captured:
            return self._captured[shape]
        bound = self._bound.get(shape)
        if bound is None:
            bound = self._bound[shape] = _Bound(self._runtime, self._inner, shape, self._place)
            while len(self._bound) > _MAX_BOUND:
                self._bound.popitem(last=False)
        self._bound.move_to_end(shape)
        return bound


def _copy_on_host(target: int, source: int, num_bytes: int) -> None:
    ctypes.memmove(target, source, num_bytes)


def _are_equal(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return all(map(np.array_equal, some, others))


def _least_seconds(compute: Callable[[_Batch], object], batch: _Batch) -> float:
    seconds = []
    for _ in range(_TIMED):
        began = perf_counter()
        compute(batch)
        seconds.append(perf_counter() - began)
    return min(seconds)


class _OutOfMemoryError(Exception):
    """The card has no memory for a batch; never leaves this module."""
