"""Networks on the CPU through OpenVINO, in bfloat16 where the processor has it and the network bears it.

With several threads, each computes a part of the batch by itself where there are parts enough: threads that share a
picture wait for each other at every layer, so that one that loses its core to a decoder holds all of them up.

Measured (2 cores, AVX2, SCRFD-500M at 640×384): with threads pinned, two processes of one thread take the same core
and each needs 54 ms a frame instead of 22; so pinning is off. OpenVINO's own model cache saved 0.2 s of a 0.4 s start
and is not safe against several processes that write it at once; so it is not used.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.backends.precision import agrees, probe_picture
from fastface.backends.session import DeviceInfo, Precision, Provider, ShapeRange, Tensor
from fastface.errors import BackendError

__all__ = ["OpenVinoSession", "choose_precision", "compile_options", "describe", "open_session", "shortfall"]

_INSTALL = "install it: pip install 'fastface[cpu]'"
_MAX_COMPILED = 6
"""Networks compiled for one input shape each that are kept; each holds 20 to 100 MB. A run meets two or three."""

Run = Callable[[npt.NDArray[np.uint8]], tuple[Tensor, ...]]


def shortfall(provider: Provider) -> str | None:  # noqa: ARG001 - the seam's signature
    """One line of what is missing and the remedy, by what is installed alone; None if nothing is."""
    return None if find_spec("openvino") else f"OpenVINO is not installed; {_INSTALL}"


def describe(provider: Provider) -> DeviceInfo:
    """The CPU as OpenVINO sees it; `precision` is the one to aim at.

    Raises:
        BackendError: OpenVINO cannot be loaded, or has no CPU plug-in.
    """
    openvino = _import_openvino()
    try:
        core = openvino.Core()
        name = str(core.get_property("CPU", "FULL_DEVICE_NAME"))
        has_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except RuntimeError as error:
        raise BackendError(f"OpenVINO finds no usable CPU: {_first_line(error)}") from error
    precision: Precision = "bfloat16" if has_bfloat16 else "float32"
    version = openvino.__version__.split("-")[0]
    return DeviceInfo("openvino", provider, precision, name.strip(), f"openvino {version}")


def compile_options(threads: int, streams: int, precision: Precision) -> dict[str, Any]:
    """The properties that a network is compiled with; threads are shared out to the streams."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": streams,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
    }


def choose_precision(wanted: Precision, compute: Callable[[Precision], tuple[Tensor, ...]]) -> Precision:
    """The wanted precision if its outputs agree with float32, else float32.

    Args:
        wanted: The precision aimed at.
        compute: Gives the network's outputs for the probe picture in a precision.
    """
    if wanted == "float32" or agrees(compute("float32"), compute(wanted)):
        return wanted
    return "float32"


@dataclass(slots=True)
class _Compiled:
    """A network compiled for one input shape, and a request for each stream that computes one."""

    openvino: ModuleType
    requests: list[Any]

    def start(self, stream: int, part: npt.NDArray[np.uint8]) -> Any:
        """Begins to compute a part on a stream; gives the request to wait for."""
        request = self.requests[stream]
        request.set_input_tensor(self.openvino.Tensor(part, shared_memory=True))
        request.start_async()
        return request


class OpenVinoSession:
    """A network on the CPU. It is compiled for each input shape when that first comes (0.3 to 0.6 s).

    Args:
        graph: The ONNX file.
        device: From `describe`; its precision is tried against float32 first.
        threads: Threads of one call.
        shapes: The usual shape is what the precision is tried with.

    Raises:
        BackendError: OpenVINO cannot read or compile the graph.
    """

    def __init__(self, graph: Path, device: DeviceInfo, *, threads: int, shapes: ShapeRange) -> None:
        self._openvino = _import_openvino()
        self._core = self._openvino.Core()
        self._threads = threads
        self._compiled: OrderedDict[tuple[int, ...], _Compiled] = OrderedDict()
        try:
            self._model = self._core.read_model(graph)
            dimensions = list(self._model.input(0).partial_shape)
        except RuntimeError as error:
            raise BackendError(f"OpenVINO cannot load {str(graph)!r}: {_first_line(error)}") from error
        self.input_shape = tuple(None if size.is_dynamic else int(size.get_length()) for size in dimensions)
        precision = device.precision
        if precision != "float32":
            picture = probe_picture(*shapes.usual[1:3])
            precision = choose_precision(
                precision, lambda tried: _computed([self._compile(picture.shape, 1, tried)], [picture])
            )
        self.device = replace(device, precision=precision)

    def run(self, batch: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """See `Session.run`. The last batch stays referenced until the next call of the same shape."""
        # OpenVINO reads writeable, contiguous memory in place, and never writes to it; else this copies.
        batch = np.require(batch, requirements=["C", "W"])
        streams = min(self._threads, len(batch))
        parts = np.array_split(batch, streams)
        compiled = [self._compiled_for(part.shape, streams) for part in parts]
        try:
            return _computed(compiled, parts)
        except RuntimeError as error:
            raise BackendError(f"OpenVINO failed on a batch of {batch.shape}: {_first_line(error)}") from error

    def _compiled_for(self, shape: tuple[int, ...], streams: int) -> _Compiled:
        key = (*shape, streams)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compile(shape, streams, self.device.precision)
            self._compiled[key] = compiled
            while len(self._compiled) > _MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return compiled

    def _compile(self, shape: tuple[int, ...], streams: int, precision: Precision) -> _Compiled:
        try:
            model = self._model.clone()
            model.reshape(list(shape))
            compiled = self._core.compile_model(model, "CPU", compile_options(self._threads, streams, precision))
            return _Compiled(self._openvino, [compiled.create_infer_request() for _ in range(streams)])
        except RuntimeError as error:
            raise BackendError(f"the network does not take an input of {shape}: {_first_line(error)}") from error


def open_session(
    graph: Path,
    device: DeviceInfo,
    *,
    threads: int,
    cache_folder: Path,  # noqa: ARG001 - the seam's signature; why it is unused: see above
    shapes: ShapeRange,
) -> OpenVinoSession:
    """A session on a device of `describe`. See `fastface.backends.open_session`."""
    return OpenVinoSession(graph, device, threads=threads, shapes=shapes)


def _computed(compiled: list[_Compiled], parts: list[npt.NDArray[np.uint8]]) -> tuple[Tensor, ...]:
    """The outputs of all parts, joined; each part is computed on a stream of its own."""
    requests = [network.start(stream, part) for stream, (network, part) in enumerate(zip(compiled, parts, strict=True))]
    for request in requests:
        request.wait()
    # The requests write their next outputs into the same memory, so this must be a copy.
    outputs = zip(*([tensor.data for tensor in request.output_tensors] for request in requests), strict=True)
    return tuple(np.concatenate(pieces) for pieces in outputs)


def _import_openvino() -> ModuleType:
    """OpenVINO without its converter, whose import sends a message to Google Analytics and forks to do so."""
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
    """What failed, without the addresses in OpenVINO's own sources that come first."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Exception from")]
    return lines[0].strip() if lines else str(error)
