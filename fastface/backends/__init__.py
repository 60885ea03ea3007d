"""Run a network on a device: one `Session` for all runtimes.

This package exports what the other packages may import. It loads no runtime until a session is opened. To add a
backend, see `registry`.
"""

from fastface.backends.engines import EngineNote, build_engine, engine_note
from fastface.backends.nvidia import page_lock
from fastface.backends.registry import DEVICES, judge_precision, open_session, resolve_device, select_device
from fastface.backends.session import DeviceInfo, Precision, Session, ShapeRange

__all__ = [
    "DEVICES",
    "DeviceInfo",
    "EngineNote",
    "Precision",
    "Session",
    "ShapeRange",
    "build_engine",
    "engine_note",
    "judge_precision",
    "open_session",
    "page_lock",
    "resolve_device",
    "select_device",
]
