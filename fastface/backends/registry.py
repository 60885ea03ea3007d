"""List the runtimes, choose one by the name of a device, and open sessions on it.

`runtime.networks` and the workers call it through `fastface.backends`. To add a runtime, add a module with the
functions of `_Runtime` and an entry in `_MODULES`, `_DISTRIBUTIONS` and `_CANDIDATES`.
"""

import functools
import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from fastface.backends.child import ask, processor_key
from fastface.backends.nvidia import card_present
from fastface.backends.session import Backend, DeviceInfo, Precision, Provider, Session, ShapeRange
from fastface.errors import BackendError, FastfaceError
from fastface.files import write_atomic

_NOTE_VERSION = 2
"""Version of the notes. Raise it if the same device or network gets another result, so that old notes are ignored."""


class _Runtime(Protocol):
    """Functions that the module of a runtime offers."""

    def shortfall(self, provider: Provider) -> str | None:
        """Describe missing packages and the remedy in one line, without loading a runtime; None if none is missing."""
        ...

    def open_session(
        self, graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
    ) -> Session:
        """Open a session on a resolved device."""
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
"""Device names that `resolve_device` accepts."""


def resolve_device(name: str, cache_folder: Path, card: int = 0) -> DeviceInfo:
    """Return the device of a name on this machine, after a test run.

    `auto` is TensorRT, else CUDA, else OpenVINO, else ONNX Runtime on the CPU; `cpu` is OpenVINO, else ONNX Runtime.
    Any other name is that device or an error: there is no silent fallback. Only the main process calls it. Each check
    runs in a separate process, half a second on a CPU, so that no runtime is loaded here.

    Args:
        name: One of `DEVICES`.
        cache_folder: Folder of the notes on working CPU runtimes, which are not tested again. A card is tested each
            time: it can be removed, or be full.
        card: Number of the card, if the name means a card.

    Raises:
        BackendError: The name is unknown, or none of its runtimes works; the message gives the remedy.
    """
    if name not in _CANDIDATES:
        raise BackendError(f"unknown device {name!r}; there are: {', '.join(DEVICES)}")
    reasons: list[str] = []
    for candidate in _CANDIDATES[name]:
        found = _check(replace(candidate, card=card), cache_folder)
        if isinstance(found, DeviceInfo):
            # Without a card, the user need not know that CUDA is not installed.
            return replace(found, notes=(*found.notes, *(reasons if card_present() else ())))
        reasons.append(found)
    raise BackendError("; ".join(dict.fromkeys(reasons)))


def select_device(device: DeviceInfo, precision: Precision | Literal["auto"]) -> DeviceInfo:
    """Return the device with the requested precision; `auto` is its fastest.

    Raises:
        BackendError: The device does not support it.
    """
    offered = device.precisions or (device.precision,)
    wanted = offered[0] if precision == "auto" else precision
    if wanted not in offered:
        raise BackendError(
            f"--precision: {device.name} has no {wanted} through {device.versions} ({device.provider}); "
            f"there are: auto, {', '.join(offered)}"
        )
    return replace(device, precision=wanted)


def judge_precision(graph: Path, device: DeviceInfo, size: tuple[int, int], cache_folder: Path) -> str:
    """Return why a network cannot run in the device's precision; empty if it can. Only the main process calls it.

    The network is tested in a separate process, in two to three seconds. The result is stored for every later command.
    A process that crashed stores no result, and the next command tests again.

    Args:
        graph: The prepared ONNX file.
        device: A processor, with the precision to compute in.
        size: (height, width) of the usual picture.
        cache_folder: Folder of the results.

    Raises:
        BackendError: The network does not run in float32 either.
    """
    if device.precision == "float32":
        return ""
    digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    facts = (digest, processor_key(_DISTRIBUTIONS[device.backend]), device.precision, *size, _NOTE_VERSION)
    key = hashlib.sha256(repr(facts).encode()).hexdigest()[:24]
    return _judge(graph, device, size, cache_folder / f"precision-{key}.json")


@functools.cache
def _judge(graph: Path, device: DeviceInfo, size: tuple[int, int], note: Path) -> str:
    known = _read_note(note)
    if isinstance(reason := known.get("reason"), str):
        return reason
    what = f"{graph.name} in {device.precision}"
    arguments = (str(graph), *map(str, size))
    try:
        answer = ask(what, "fastface.backends.trial", arguments, json.dumps(asdict(device)))
    except BackendError as error:
        return str(error)
    with suppress(FastfaceError):  # without the note the next command tests again
        write_atomic(note, json.dumps(answer))
    return str(answer["reason"])


def open_session(graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange) -> Session:
    """Load a network on a resolved device, in the process that will run it.

    Args:
        graph: The ONNX file.
        device: Result of `resolve_device`, with the precision to compute in. TensorRT's engine may still be in float32
            if its check requires that: see `engines`.
        threads: Number of CPU threads that one call may use.
        cache_folder: Folder of compiled networks; created if needed. Several processes may share it.
        shapes: Input shapes that the session will get.

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
    """Return the candidate's device if it works, now or (for a processor) by an earlier note; else the reason.

    A process checks a candidate once, whatever the result: a check may take minutes.
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
    key = processor_key(_DISTRIBUTIONS[candidate.backend])
    note = cache_folder / f"device-{key}-v{_NOTE_VERSION}.json"
    if known := _note_answer(candidate, note):
        return known
    device = _probe(candidate)
    with suppress(FastfaceError):  # without the note the next command tests again, and nothing else is lost
        write_atomic(note, json.dumps(asdict(device)))
    return device


def _note_answer(candidate: _Candidate, note: Path) -> DeviceInfo | None:
    """Return the device of a note of an earlier check; None without a valid note."""
    try:
        device = _device(_read_note(note))
    except TypeError:
        return None
    return device if (device.backend, device.provider) == (candidate.backend, candidate.provider) else None


def _read_note(note: Path) -> dict[str, Any]:
    """Read a note; return nothing if it is missing or damaged."""
    try:
        known = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _device(answer: dict[str, Any]) -> DeviceInfo:
    lists = {name: tuple(answer.get(name, ())) for name in ("notes", "precisions")}
    return DeviceInfo(**{**answer, **lists})


def _probe(candidate: _Candidate) -> DeviceInfo:
    """Test a candidate in a child process, which may crash or hang."""
    what = f"{candidate.backend} on {candidate.provider}"
    arguments = (candidate.backend, candidate.provider, str(candidate.card))
    return _device(ask(what, "fastface.backends.probe", arguments))
