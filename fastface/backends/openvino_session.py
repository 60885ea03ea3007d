"""Run networks on the CPU through OpenVINO, in float32 or, if the processor supports it, in bfloat16.

`registry`, `probe` and `trial` call it. Every picture is computed separately, each by one thread. Threads that share a
picture wait for each other at every layer. One that loses its core to a decoder delays all. Two pictures at once were
no faster than one after the other (2 cores, AVX2). So no picture waits for a full batch. Only if pictures come one at a
time do all threads share each.

Measured (2 cores, AVX2, SCRFD-500M at 640×384): with pinned threads, two processes of one thread use the same core.
Each then needs 54 ms a frame instead of 22, so pinning is off. Loading a compiled network takes 0.1 s of CPU time,
compiling it 0.4 s (2 cores, AVX-512). Compiled networks are therefore stored: see `compiled_store`.
"""

import sys
from collections import OrderedDict, deque
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.backends.compiled_store import CompiledStore
from fastface.backends.session import DeviceInfo, Precision, Provider, ShapeRange, Tensor
from fastface.errors import BackendError

_INSTALL = "install it: pip install openvino"  # the extra `cpu` would replace the onnxruntime of a card
_MAX_COMPILED = 12
"""Maximum number of networks compiled for one picture size; each needs 20 to 100 MB. A film needs up to four: its
canvas, half of it, and cuts around doubtful faces, which all films share."""

_TYPES: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
"""OpenVINO's name of each precision."""


def shortfall(provider: Provider) -> str | None:  # noqa: ARG001 - the seam's signature
    """Describe missing packages and the remedy in one line, without loading a runtime; None if none is missing."""
    return None if find_spec("openvino") else f"OpenVINO is not installed; {_INSTALL}"


def describe(provider: Provider, _card: int = 0) -> DeviceInfo:
    """Describe the CPU by OpenVINO; `precision` is the fastest one.

    Raises:
        BackendError: OpenVINO cannot be loaded, or has no CPU plug-in.
    """
    openvino = import_openvino()
    try:
        core = openvino.Core()
        name = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        has_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except RuntimeError as error:
        raise BackendError(f"OpenVINO finds no usable CPU: {_first_line(error)}") from error
    precisions: tuple[Precision, ...] = ("bfloat16", "float32") if has_bfloat16 else ("float32",)
    return DeviceInfo(
        backend="openvino",
        provider=provider,
        precision=precisions[0],
        name=name.strip(),
        versions=f"openvino {openvino.__version__.split('-')[0]}",
        precisions=precisions,
    )


def compile_options(threads: int, streams: int, precision: Precision) -> dict[str, Any]:
    """Return the properties that a network is compiled with; threads are divided among the streams."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": _TYPES[precision],
    }


class _Compiled:
    """A network compiled for pictures of one size."""

    def __init__(self, openvino: ModuleType, network: Any, streams: int) -> None:
        self._openvino = openvino
        # One request more than streams: a stream finds its next picture ready.
        self._requests = [network.create_infer_request() for _ in range(streams + 1)]

    def compute(self, pictures: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """Return the joined outputs of all pictures."""
        results: list[list[Tensor]] = []
        started: deque[Any] = deque()
        for index in range(len(pictures)):
            if len(started) == len(self._requests):
                results.append(_outputs(started.popleft()))
            request = self._requests[index % len(self._requests)]
            request.set_input_tensor(self._openvino.Tensor(pictures[index : index + 1], shared_memory=True))
            request.start_async()
            started.append(request)
        results += [_outputs(request) for request in started]
        return tuple(np.concatenate(pieces) for pieces in zip(*results, strict=True))


def _outputs(request: Any) -> list[Tensor]:
    """Copy the outputs of a request: it writes its next outputs into the same memory."""
    request.wait()
    return [tensor.data.copy() for tensor in request.output_tensors]


class OpenVinoSession:
    """A network on the CPU. On the first use of a picture size, it is loaded as stored, or compiled and stored.

    Args:
        graph: The ONNX file.
        device: Result of `describe`, with the precision to compute in.
        threads: Number of threads of one call.
        cache_folder: Folder of compiled networks.
        shapes: Input shapes; a usual batch of one means that pictures come one at a time.

    Raises:
        BackendError: OpenVINO cannot read the graph.
    """

    per_picture = True

    def __init__(
        self, graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
    ) -> None:
        self._openvino = import_openvino()
        self._core = self._openvino.Core()
        self._graph = graph
        self._threads = threads
        self._streams = threads if shapes.usual[0] > 1 else 1
        self._compiled: OrderedDict[tuple[int, ...], _Compiled] = OrderedDict()
        self._store = CompiledStore(graph, cache_folder)
        self.device = device
        if self._store.is_empty:
            _ = self._model  # an unusable graph fails now; one that was compiled before need not be read

    @cached_property
    def _model(self) -> Any:
        """The network as read from its file."""
        try:
            return self._core.read_model(self._graph)
        except RuntimeError as error:
            raise BackendError(f"OpenVINO cannot load {str(self._graph)!r}: {_first_line(error)}") from error

    @cached_property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the input in the graph; None for a free side."""
        dimensions = self._model.input(0).partial_shape
        return tuple(None if size.is_dynamic else int(size.get_length()) for size in dimensions)

    def infer(self, batch: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """Run the network on one batch: see `Session.infer`.

        The last pictures stay referenced until the next call with pictures of their size.
        """
        # OpenVINO reads writeable, contiguous memory in place, and never writes to it; other memory is copied.
        batch = np.require(batch, requirements=["C", "W"])
        try:
            return self._compile_model(batch.shape[1:]).compute(batch)
        except RuntimeError as error:
            raise BackendError(f"OpenVINO failed on a batch of {batch.shape}: {_first_line(error)}") from error

    def _compile_model(self, size: tuple[int, ...]) -> _Compiled:
        compiled = self._compiled.get(size)
        if compiled is None:
            compiled = self._compile(size)
            self._compiled[size] = compiled
            while len(self._compiled) > _MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(size)
        return compiled

    def _compile(self, size: tuple[int, ...]) -> _Compiled:
        wanted = self.device.precision
        options = compile_options(self._threads, self._streams, wanted)
        network = self._load(size, options)
        if network is None:
            model = self._model.clone()
            model.reshape([1, *size])
            network = self._core.compile_model(model, "CPU", options)
            if self._store.is_used:
                self._store.save(network.export_model().getvalue(), size, options)
        in_force = network.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if in_force != _TYPES[wanted]:  # OpenVINO accepts any hint, and uses a precision of the processor
            raise BackendError(f"OpenVINO computes in {in_force} instead of {wanted}")
        return _Compiled(self._openvino, network, self._streams)

    def _load(self, size: tuple[int, ...], options: dict[str, Any]) -> Any:
        """Return the stored network of a size; None if there is none that OpenVINO accepts."""
        if (compiled := self._store.load(size, options)) is None:
            return None
        try:
            return self._core.import_model(BytesIO(compiled), "CPU", options)
        except RuntimeError:
            return None


def open_session(
    graph: Path,
    device: DeviceInfo,
    *,
    threads: int,
    cache_folder: Path,
    shapes: ShapeRange,
) -> OpenVinoSession:
    """Open a session on a device of `describe`. See `fastface.backends.open_session`."""
    return OpenVinoSession(graph, device, threads=threads, cache_folder=cache_folder, shapes=shapes)


def import_openvino() -> ModuleType:
    """Import OpenVINO without its converter, whose import forks and sends a message to Google Analytics."""
    converter = "openvino.tools.ovc"
    blocked = "openvino" not in sys.modules and converter not in sys.modules
    if blocked:
        sys.modules[converter] = None  # type: ignore[assignment]  # an import of it then raises ImportError
    try:
        return import_module("openvino")
    except ImportError as error:
        raise BackendError(f"OpenVINO cannot be loaded ({error}); {_INSTALL}") from error
    finally:
        if blocked:
            del sys.modules[converter]


def _first_line(error: RuntimeError) -> str:
    """Return the error without the addresses in OpenVINO's own sources that come first."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    return lines[0].strip() if lines else str(error)
