"""Build TensorRT's engines once for a network, a card and a range of shapes, and check them against float32.

`onnxruntime_session` opens them, and `pipeline.building` builds them first. A note beside the engine (`built.json`)
stores the precision that passed the check. A worker with a note reads the engine without a lock. Without a note, it
builds under the one lock of all engines and of the timing cache.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any

import numpy as np

from fastface.backends.cuda_session import CardSession
from fastface.backends.nvidia import load_tensorrt
from fastface.backends.onnxruntime_loading import PROVIDER_NAMES, load_runtime, open_inner, open_on_card
from fastface.backends.precision import LIMITS, disagreement
from fastface.backends.provider_options import engine_folder, tensorrt_options
from fastface.backends.session import DeviceInfo, Precision, ShapeRange
from fastface.errors import BackendError
from fastface.files import write_atomic

_NOTE = "built.json"


@dataclass(frozen=True, slots=True)
class EngineNote:
    """Facts about a built engine.

    Attributes:
        precision: Precision in force: the requested one, or float32 if that did not agree.
        reason: Result that did not agree; empty if all did.
        seconds: Seconds of building and comparing.
        files: Number of engine files; more than one if TensorRT leaves a part in the middle to CUDA.
    """

    precision: Precision
    reason: str
    seconds: float
    files: int


@dataclass(frozen=True, slots=True)
class _Order:
    """One engine: a network, a card with the requested precision, the profile, and the cache folder."""

    graph: Path
    device: DeviceInfo
    threads: int
    cache_folder: Path
    shapes: ShapeRange

    @property
    def folder(self) -> Path:
        """Return the folder of the engine."""
        return engine_folder(self.cache_folder, self.graph.read_bytes(), self.device, self.shapes)

    def in_precision(self, precision: Precision) -> "_Order":
        """Return the same order in another precision."""
        return replace(self, device=replace(self.device, precision=precision))


def engine_note(graph: Path, device: DeviceInfo, *, cache_folder: Path, shapes: ShapeRange) -> EngineNote | None:
    """Return the note of an existing engine; None if it must be built. Loads no runtime.

    Args:
        graph: The ONNX file.
        device: A card with TensorRT, and the requested precision.
        cache_folder: Folder of the engines.
        shapes: The engine's profile.
    """
    return _note(_Order(graph, device, 1, cache_folder, shapes))


def build_engine(
    graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
) -> EngineNote:
    """Build the engine of a network (minutes) and compare it with float32 on the CPU, unless it exists.

    If float16 does not agree, the engine is built again in float32. One process at a time builds; a process that waited
    finds the engine built.

    Args:
        graph: The ONNX file.
        device: A card with TensorRT, and the requested precision.
        threads: Number of CPU threads for the comparison.
        cache_folder: Folder of the engines; created if needed.
        shapes: The engine's profile.

    Raises:
        BackendError: TensorRT cannot build or run the network, or the cache cannot be written.
        SpaceError, ConfigError: The note cannot be written.
    """
    order = _Order(graph, device, threads, cache_folder, shapes)
    with _hold_lock(cache_folder / "tensorrt"):
        return _note(order) or _build(order)


def open_engine(
    graph: Path, device: DeviceInfo, *, threads: int, cache_folder: Path, shapes: ShapeRange
) -> CardSession:
    """Open a session on a network's engine, in the precision that agreed; build the engine if it is missing.

    Args:
        graph: The ONNX file.
        device: A card with TensorRT, and the requested precision.
        threads: Number of CPU threads that one call may use.
        cache_folder: Folder of the engines.
        shapes: The engine's profile.

    Raises:
        BackendError, SpaceError, ConfigError: See `build_engine`.
    """
    note = engine_note(graph, device, cache_folder=cache_folder, shapes=shapes) or build_engine(
        graph, device, threads=threads, cache_folder=cache_folder, shapes=shapes
    )
    runtime, order = _load(), _Order(graph, device, threads, cache_folder, shapes).in_precision(note.precision)
    session = CardSession(runtime, _open(runtime, order), order.device)
    if device.captures:
        session.capture_usual(partial(_open, runtime, order, captures=True), shapes.usual)
    return session


def _note(order: _Order) -> EngineNote | None:
    try:
        note = EngineNote(**json.loads((order.folder / _NOTE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return note if _num_files(order.in_precision(note.precision)) >= note.files else None


def _build(order: _Order) -> EngineNote:
    began = monotonic()
    runtime = _load()
    session = _open_built(runtime, order)
    reason = None if order.device.precision == "float32" else _difference(runtime, order, session)
    precision = order.device.precision
    if reason:
        precision = "float32"
        _open_built(runtime, order.in_precision(precision))
    files = _num_files(order.in_precision(precision))
    if not files:
        raise BackendError(f"TensorRT cannot run any part of {order.graph.name!r}")
    note = EngineNote(precision, reason or "", round(monotonic() - began, 1), files)
    write_atomic(order.folder / _NOTE, json.dumps(asdict(note)))
    return note


def _num_files(order: _Order) -> int:
    return len(list(order.folder.glob("*.engine")))


def _open_built(runtime: ModuleType, order: _Order) -> CardSession:
    """Open a session and run it once, which builds its engine."""
    session = CardSession(runtime, _open(runtime, order), order.device)
    session.infer(np.zeros(order.shapes.usual, np.uint8))
    return session


def _difference(runtime: ModuleType, order: _Order, session: CardSession) -> str | None:
    """Compare the engine's outputs with float32 on the CPU and describe the ones that differ too much."""
    from fastface.backends.trial_pictures import NUM_PICTURES, draw_pictures  # noqa: PLC0415 - OpenCV takes its time

    count, height, width = order.shapes.usual[:3]
    pictures = draw_pictures(max(NUM_PICTURES, count), height, width)
    cpu = replace(order.device, provider="CPU", precision="float32")
    inner = open_inner(runtime, order.graph, cpu, order.threads, [])
    exact = inner.run(None, {inner.get_inputs()[0].name: pictures[:NUM_PICTURES]})
    batches = [session.infer(pictures[begin : begin + count]) for begin in range(0, NUM_PICTURES, count)]
    quick = [np.concatenate(pieces)[:NUM_PICTURES] for pieces in zip(*batches, strict=True)]
    return disagreement(exact, quick, LIMITS[order.device.precision])


def _load() -> ModuleType:
    runtime = load_runtime("TensorRT")
    load_tensorrt()
    return runtime


def _open(runtime: ModuleType, order: _Order, *, captures: bool = False) -> Any:
    """Open the runtime's session, which reads the engine or builds it."""
    device, folder = order.device, order.folder
    folder.mkdir(parents=True, exist_ok=True)
    options = tensorrt_options(
        _input_name(order.graph), device.device_id, device.precision, order.shapes, folder, captures=captures
    )
    better = [(PROVIDER_NAMES["TensorRT"], options)]
    return open_on_card(runtime, order.graph, device, order.threads, better, captures=captures)


def _input_name(graph: Path) -> str:
    import onnx  # noqa: PLC0415 - loaded with a session only

    return str(onnx.load(graph, load_external_data=False).graph.input[0].name)


@contextmanager
def _hold_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of all engines and of their shared timing cache."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise BackendError(
            f"TensorRT's engines cannot be kept in {str(folder)!r}: {error.strerror}; "
            "make that place writable, or choose another by setting XDG_CACHE_HOME"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
