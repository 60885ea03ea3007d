"""Networks through ONNX Runtime: on the CPU, on CUDA, on TensorRT. Never on another provider than the one asked for.

ONNX Runtime itself goes on with the CPU when a provider does not load, and says so in a log line only. So a session
is opened with that forbidden where the graph allows it, and its providers are read back.
"""

import fcntl
import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.backends.nvidia import (
    card_present,
    installed_versions,
    load_tensorrt,
    missing_packages,
    query_card,
    require_library,
)
from fastface.backends.precision import agrees, probe_picture
from fastface.backends.provider_options import cuda_options, engine_folder, session_entries, tensorrt_options
from fastface.backends.session import DeviceInfo, Provider, ShapeRange, Tensor
from fastface.errors import BackendError

__all__ = ["OnnxRuntimeSession", "describe", "open_session", "shortfall"]

_PROVIDER_NAMES: dict[Provider, str] = {
    "CPU": "CPUExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
    "TensorRT": "TensorrtExecutionProvider",
}
_ERRORS_ONLY = 3
_logger = logging.getLogger(__name__)

Providers = list[tuple[str, dict[str, str]]]


def shortfall(provider: Provider) -> str | None:
    """One line of what is missing and the remedy, by what is installed alone; None if nothing is."""
    return missing_packages(provider, installed_versions(), has_driver=card_present())


def describe(provider: Provider) -> DeviceInfo:
    """The device behind a provider, its libraries loaded. TensorRT aims at float16.

    Raises:
        BackendError: Something is missing; says what, and the remedy.
    """
    runtime = _load(provider)
    versions = [f"onnxruntime {runtime.__version__}"]
    if provider == "CPU":
        return DeviceInfo("onnxruntime", provider, "float32", _processor_name(), versions[0])
    card = query_card(0)
    if provider == "TensorRT":
        versions.append(f"TensorRT {load_tensorrt()}")
    versions.append(f"CUDA driver {card.driver_cuda}")
    return DeviceInfo(
        backend="onnxruntime",
        provider=provider,
        precision="float16" if provider == "TensorRT" else "float32",
        name=card.name,
        versions=", ".join(versions),
        compute_capability=card.compute_capability,
    )


class OnnxRuntimeSession:
    """A network in one ONNX Runtime session. See `fastface.backends.session.Session`."""

    per_picture = False

    def __init__(self, inner: Any, device: DeviceInfo) -> None:
        self._inner = inner
        self.device = device
        entry = inner.get_inputs()[0]
        self._input_name = str(entry.name)
        self.input_shape = tuple(size if isinstance(size, int) else None for size in entry.shape)

    def run(self, batch: npt.NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """See `Session.run`."""
        try:
            return tuple(self._inner.run(None, {self._input_name: np.ascontiguousarray(batch)}))
        except _errors() as error:
            raise BackendError(f"ONNX Runtime failed on a batch of {batch.shape}: {_first_line(error)}") from error


def open_session(
    graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
) -> OnnxRuntimeSession:
    """A session on a device of `describe`. See `fastface.backends.open_session`.

    With TensorRT in float16, outputs are compared with float32 on the CPU; where they differ, float32 is built.
    """
    runtime = _load(device.provider)
    if device.provider == "CPU":
        return OnnxRuntimeSession(_open(runtime, graph, device, threads, []), device)
    if device.provider == "CUDA":
        return OnnxRuntimeSession(_open_on_card(runtime, graph, device, threads, []), device)
    load_tensorrt()
    build = partial(_open_tensorrt, runtime, graph, threads=threads, cache_folder=cache_folder, shapes=shapes)
    session = build(device)
    if device.precision == "float32" or _agrees_with_cpu(runtime, graph, session, threads, shapes):
        return session
    return build(replace(device, precision="float32"))


def _load(provider: Provider) -> ModuleType:
    """ONNX Runtime with what a provider links."""
    if reason := shortfall(provider):
        raise BackendError(reason)
    import onnxruntime  # noqa: PLC0415 - 25 MB, for the processes that compute only

    if provider != "CPU":
        with redirect_stdout(sys.stderr):  # it prints its complaints
            onnxruntime.preload_dlls()
        require_library("libcudnn.so.9", "cuDNN 9", provider)
    if _PROVIDER_NAMES[provider] not in onnxruntime.get_available_providers():
        raise BackendError(
            f"onnxruntime {onnxruntime.__version__} was built without {provider}; it has: "
            f"{', '.join(onnxruntime.get_available_providers())}; "
            "mend it: pip install --force-reinstall 'fastface[gpu]'"
        )
    return onnxruntime  # type: ignore[no-any-return]


def _open(
    runtime: ModuleType, graph: Path, device: DeviceInfo, threads: int, better: Providers, *, strict: bool = False
) -> Any:
    """The runtime's session, its first provider checked.

    Args:
        runtime: The module `onnxruntime`.
        graph: The ONNX file.
        device: What must compute.
        threads: Threads of one call.
        better: Providers with their options, best first; empty for the CPU.
        strict: See `session_entries`.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    for key, value in session_entries(strict=strict).items():
        options.add_session_config_entry(key, value)
    providers: list[Any] = better or [_PROVIDER_NAMES["CPU"]]
    try:
        session = runtime.InferenceSession(graph, options, providers=providers)
    except _errors() as error:
        raise BackendError(f"ONNX Runtime cannot load {str(graph)!r}: {_first_line(error)}") from error
    if session.get_providers()[0] != _PROVIDER_NAMES[device.provider]:
        raise BackendError(
            f"{device.provider} was asked for, but ONNX Runtime took {session.get_providers()[0]}; "
            "a library of the card is missing or does not match: pip install 'fastface[gpu]' brings those that do"
        )
    return session


def _open_on_card(runtime: ModuleType, graph: Path, device: DeviceInfo, threads: int, better: Providers) -> Any:
    """A session on a card: wholly there if the graph allows, else with its shape arithmetic on the CPU."""
    providers: Providers = [*better, (_PROVIDER_NAMES["CUDA"], cuda_options(device.device_id))]
    try:
        return _open(runtime, graph, device, threads, providers, strict=True)
    except BackendError as error:
        if "fallback to CPU EP" not in str(error):
            raise
    return _open(runtime, graph, device, threads, providers)


def _open_tensorrt(
    runtime: ModuleType, graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
) -> OnnxRuntimeSession:
    engines = engine_folder(cache_folder, graph.read_bytes(), device, shapes)
    cpu = _open(runtime, graph, replace(device, provider="CPU"), threads, [])
    options = tensorrt_options(cpu.get_inputs()[0].name, device.device_id, device.precision, shapes, engines)
    with _building(engines):
        inner = _open_on_card(runtime, graph, device, threads, [(_PROVIDER_NAMES["TensorRT"], options)])
        session = OnnxRuntimeSession(inner, device)
        # The engine is built, or read, by the first run.
        session.run(np.zeros(shapes.usual, np.uint8))
    return session


@contextmanager
def _building(engines: Path) -> Iterator[None]:
    """Holds a network's engine folder, so that of several workers one builds and the others then read."""
    engines.mkdir(parents=True, exist_ok=True)
    with (engines / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(engines.glob("*.engine")):
            _logger.warning("building the TensorRT engine, this takes minutes, once")
        yield


def _agrees_with_cpu(
    runtime: ModuleType, graph: Path, session: OnnxRuntimeSession, threads: int, shapes: ShapeRange
) -> bool:
    count, height, width = shapes.usual[:3]
    picture = np.repeat(probe_picture(height, width), count, axis=0)
    cpu = replace(session.device, provider="CPU", precision="float32")
    exact = OnnxRuntimeSession(_open(runtime, graph, cpu, threads, []), cpu)
    return agrees(exact.run(picture), session.run(picture))


def _errors() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions; they have no base of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - loaded with a session only

    return (
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
    )


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _processor_name() -> str:
    """The CPU's model, as Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or os.uname().machine
