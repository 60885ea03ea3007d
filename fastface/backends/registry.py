"""Which runtimes there are, which one a device name means, and how to open a session on it."""

from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from fastface.backends.session import Backend, DeviceInfo, Provider, Session, ShapeRange
from fastface.errors import BackendError

__all__ = ["DEVICES", "open_session", "resolve_device"]


class _Runtime(Protocol):
    """What a module of a runtime offers."""

    def resolve(self, provider: Provider) -> DeviceInfo:
        """The device, once it is known to work; else BackendError with one line of what is missing and the remedy."""
        ...

    def open_session(
        self, graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
    ) -> Session:
        """A session on a resolved device."""
        ...


@dataclass(frozen=True, slots=True)
class _Candidate:
    backend: Backend
    provider: Provider


_MODULES: dict[Backend, str] = {
    "onnxruntime": "fastface.backends.onnxruntime_session",
    "openvino": "fastface.backends.openvino_session",
}

_TENSORRT = _Candidate("onnxruntime", "TensorRT")
_CUDA = _Candidate("onnxruntime", "CUDA")
_OPENVINO = _Candidate("openvino", "CPU")
_CPU = _Candidate("onnxruntime", "CPU")

_CANDIDATES: dict[str, tuple[_Candidate, ...]] = {
    "auto": (_TENSORRT, _CUDA, _OPENVINO, _CPU),
    # OpenVINO was 1.4 to 4 times as fast as ONNX Runtime on every CPU that was measured, AMD's among them.
    "cpu": (_OPENVINO, _CPU),
    "cuda": (_CUDA,),
    "tensorrt": (_TENSORRT,),
    "openvino": (_OPENVINO,),
}

DEVICES = tuple(_CANDIDATES)
"""The device names that `resolve_device` takes."""


def resolve_device(name: str) -> DeviceInfo:
    """The device that a name means on this machine; it has been seen to work.

    `auto` is TensorRT, else CUDA, else OpenVINO, else ONNX Runtime on the CPU; `cpu` is OpenVINO, else ONNX Runtime.
    Every other name is that device or an error: nothing falls back in silence. Call it in the main process, once:
    checking a card takes seconds, in a process of its own.

    Raises:
        BackendError: The name is unknown, or nothing that it means is there; says what is missing and the remedy.
    """
    if name not in _CANDIDATES:
        raise BackendError(f"unknown device {name!r}; there are: {', '.join(DEVICES)}")
    missing: list[str] = []
    for candidate in _CANDIDATES[name]:
        try:
            device = _runtime(candidate.backend).resolve(candidate.provider)
        except BackendError as error:
            missing.append(str(error))
            continue
        return replace(device, notes=tuple(missing))
    raise BackendError("; ".join(dict.fromkeys(missing)))


def open_session(graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange) -> Session:
    """Loads a network on a resolved device, in the process that will run it.

    Args:
        graph: The ONNX file.
        device: From `resolve_device`.
        threads: Threads of the CPU that one call may use.
        cache_folder: Where compiled networks are kept between runs; made when needed. Several processes may share it.
        shapes: Input shapes that will come.

    Raises:
        BackendError: The runtime cannot load the network, or would not run it on this device.
    """
    return _runtime(device.backend).open_session(
        graph, device, threads=threads, cache_folder=cache_folder, shapes=shapes
    )


def _runtime(backend: Backend) -> _Runtime:
    return cast("_Runtime", import_module(_MODULES[backend]))
