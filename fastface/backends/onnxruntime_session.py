"""Run networks through ONNX Runtime on the CPU, on CUDA or on TensorRT, never on another provider than requested.

`registry`, `probe` and `trial` call it. Providers are checked after a session is opened.
"""

import os
import platform
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.backends.cuda_session import CardSession
from fastface.backends.engines import open_engine
from fastface.backends.nvidia import load_tensorrt, query_card, require_driver
from fastface.backends.onnxruntime_loading import (
    load_runtime,
    one_line,
    open_inner,
    open_on_card,
    runtime_cuda_major,
    runtime_errors,
)
from fastface.backends.onnxruntime_loading import shortfall as shortfall  # noqa: PLC0414 - registry calls it here
from fastface.backends.session import DeviceInfo, Precision, Provider, Session, ShapeRange, Tensor
from fastface.errors import BackendError


def describe(provider: Provider, card: int = 0) -> DeviceInfo:
    """Describe the device of a provider after its libraries are loaded. TensorRT uses float16 first.

    Args:
        provider: The provider.
        card: Number of the card; ignored on a CPU.

    Raises:
        BackendError: Something is missing; the message gives the remedy.
    """
    runtime = load_runtime(provider)
    versions = [f"onnxruntime {runtime.__version__}"]
    if provider == "CPU":
        name = _processor_name()
        return DeviceInfo("onnxruntime", provider, "float32", name, versions[0], precisions=("float32",))
    facts = query_card(card)
    require_driver(facts, runtime_cuda_major(runtime))
    if provider == "TensorRT":
        versions.append(f"TensorRT {load_tensorrt()}")
    versions.append(f"CUDA driver {facts.driver_cuda}")
    precisions: tuple[Precision, ...] = ("float16", "float32") if provider == "TensorRT" else ("float32",)
    return DeviceInfo(
        backend="onnxruntime",
        provider=provider,
        precision=precisions[0],
        name=facts.name,
        versions=", ".join(versions),
        device_id=card,
        compute_capability=facts.compute_capability,
        precisions=precisions,
    )


class OnnxRuntimeSession:
    """A network on the CPU in one ONNX Runtime session. See `fastface.backends.session.Session`."""

    per_picture = False

    def __init__(self, inner: Any, device: DeviceInfo) -> None:
        self._inner = inner
        self.device = device
        entry = inner.get_inputs()[0]
        self._input_name = str(entry.name)
        self.input_shape = tuple(size if isinstance(size, int) else None for size in entry.shape)

    def infer(self, batch: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """Run the network on one batch: see `Session.infer`."""
        try:
            return tuple(self._inner.run(None, {self._input_name: np.ascontiguousarray(batch)}))
        except runtime_errors() as error:
            raise BackendError(f"ONNX Runtime failed on a batch of {batch.shape}: {one_line(error)}") from error


def open_session(graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange) -> Session:
    """Open a session on a device of `describe`. See `fastface.backends.open_session`."""
    if device.provider == "TensorRT":
        return open_engine(graph, device, threads=threads, cache_folder=cache_folder, shapes=shapes)
    runtime = load_runtime(device.provider)
    if device.provider == "CPU":
        return OnnxRuntimeSession(open_inner(runtime, graph, device, threads, []), device)
    session = CardSession(runtime, open_on_card(runtime, graph, device, threads, []), device)
    if device.captures:
        capturing = partial(open_on_card, runtime, graph, device, threads, [], captures=True)
        session.capture_usual(capturing, shapes.usual)
    return session


def _processor_name() -> str:
    """Return the CPU's model name from Linux."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or os.uname().machine
