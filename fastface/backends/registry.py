"""Which runtimes there are, which one a device name means, and how to open a session on it."""

import functools
import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol, cast

from fastface.backends.nvidia import card_present
from fastface.backends.session import Backend, DeviceInfo, Provider, Session, ShapeRange
from fastface.errors import BackendError, FastfaceError
from fastface.files import write_atomic

__all__ = ["DEVICES", "open_session", "resolve_device"]

_PROBE_TIMEOUT_SECONDS = 180
"""A first start of CUDA on a cold machine compiles kernels; TensorRT builds the probe's engine in some ten seconds."""


class _Runtime(Protocol):
    """What the module of a runtime offers."""

    def shortfall(self, provider: Provider) -> str | None:
        """One line of what is missing and the remedy, by what is installed alone; None if nothing is."""
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
    card: int = 0


_MODULES: dict[Backend, str] = {
    "onnxruntime": "fastface.backends.onnxruntime_session",
    "openvino": "fastface.backends.openvino_session",
}

_DISTRIBUTIONS: dict[Backend, tuple[str, ...]] = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
}

_TENSORRT = _Candidate("onnxruntime", "TensorRT")
_CUDA = _Candidate("onnxruntime", "CUDA")
_OPENVINO = _Candidate("openvino", "CPU")
_CPU = _Candidate("onnxruntime", "CPU")

_CANDIDATES: dict[str, tuple[_Candidate, ...]] = {
    "auto": (_TENSORRT, _CUDA, _OPENVINO, _CPU),
    # OpenVINO computes a face or a frame in 0.5 to 0.8 of ONNX Runtime's time on AVX2, in 0.3 with bfloat16.
    "cpu": (_OPENVINO, _CPU),
    "cuda": (_CUDA,),
    "tensorrt": (_TENSORRT,),
    "openvino": (_OPENVINO,),
}

DEVICES = tuple(_CANDIDATES)
"""The device names that `resolve_device` takes."""


def resolve_device(name: str, cache_folder: Path, card: int = 0) -> DeviceInfo:
    """The device that a name means on this machine; it has been seen to work.

    `auto` is TensorRT, else CUDA, else OpenVINO, else ONNX Runtime on the CPU; `cpu` is OpenVINO, else ONNX Runtime.
    Every other name is that device or an error: nothing falls back in silence. For the main process; each check runs
    in a process of its own, half a second on a CPU, so that no runtime is loaded here.

    Args:
        name: One of `DEVICES`.
        cache_folder: Where it is noted that a runtime works on this processor, which is then not tried again. A card
            is tried each time: it can be taken away, or be full.
        card: Number of the card, where the name means one.

    Raises:
        BackendError: The name is unknown, or nothing that it means is there; says what is missing and the remedy.
    """
    if name not in _CANDIDATES:
        raise BackendError(f"unknown device {name!r}; there are: {', '.join(DEVICES)}")
    reasons: list[str] = []
    for candidate in _CANDIDATES[name]:
        found = _check(replace(candidate, card=card), cache_folder)
        if isinstance(found, DeviceInfo):
            # Without a card, that CUDA is not installed is no news.
            return replace(found, notes=tuple(reasons) if card_present() else ())
        reasons.append(found)
    raise BackendError("; ".join(dict.fromkeys(reasons)))


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


@functools.cache
def _check(candidate: _Candidate, cache_folder: Path) -> DeviceInfo | str:
    """The candidate's device once it has computed something, now or (a processor) before; else why it did not.

    A process asks once, whatever comes of it: a check may take minutes.
    """
    if reason := _runtime(candidate.backend).shortfall(candidate.provider):
        return reason
    try:
        return _seen_to_work(candidate, cache_folder)
    except BackendError as error:
        return str(error)


def _seen_to_work(candidate: _Candidate, cache_folder: Path) -> DeviceInfo:
    if candidate.provider != "CPU":
        return _probe(candidate)
    note = cache_folder / f"device-{_processor_key(candidate)}.json"
    if known := _noted(candidate, note):
        return known
    device = _probe(candidate)
    with suppress(FastfaceError):  # without the note the next command tries again, and nothing else is lost
        write_atomic(note, json.dumps(asdict(device)))
    return device


def _noted(candidate: _Candidate, note: Path) -> DeviceInfo | None:
    """The device of a note that an earlier check left; None if there is none, or what is there is no such note."""
    try:
        device = DeviceInfo(**{**json.loads(note.read_text(encoding="utf-8")), "notes": ()})
    except (OSError, ValueError, TypeError):
        return None
    return device if (device.backend, device.provider) == (candidate.backend, candidate.provider) else None


def _processor_key(candidate: _Candidate) -> str:
    """Digest of the processor, of fastface and of the runtime's version."""
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    stable = [line for line in facts.splitlines() if line.startswith(("model name", "flags", "Features", "CPU part"))]
    versions = [f"{name} {_version(name)}" for name in ("fastface", *_DISTRIBUTIONS[candidate.backend])]
    return hashlib.sha256("\n".join([*stable, *versions]).encode()).hexdigest()[:16]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "none"


def _probe(candidate: _Candidate) -> DeviceInfo:
    """Tries a candidate in a process that may crash or hang on its own."""
    command = [
        sys.executable,
        "-m",
        "fastface.backends.probe",
        candidate.backend,
        candidate.provider,
        str(candidate.card),
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{candidate.provider} did not answer within {_PROBE_TIMEOUT_SECONDS} s") from error
    return _read_answer(candidate, child)


def _read_answer(candidate: _Candidate, child: subprocess.CompletedProcess[str]) -> DeviceInfo:
    lines = child.stdout.strip().splitlines()
    if child.returncode != 0 or not lines:
        tail = child.stderr.strip().splitlines()[-1:]
        raise BackendError(
            f"checking {candidate.backend} on {candidate.provider} ended with {child.returncode}: {' '.join(tail)}"
        )
    answer = json.loads(lines[-1])
    if reason := answer.get("missing"):
        raise BackendError(reason)
    return DeviceInfo(**{**answer, "notes": ()})
