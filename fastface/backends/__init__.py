"""Runtimes that compute networks, behind one `Session`. Imports no runtime until a session is opened."""

from fastface.backends.engines import EngineNote, build_engine, engine_note
from fastface.backends.nvidia import page_lock
from fastface.backends.registry import DEVICES, open_session, resolve_device
from fastface.backends.session import DeviceInfo, Session, ShapeRange

__all__ = [
    "DEVICES",
    "DeviceInfo",
    "EngineNote",
    "Session",
    "ShapeRange",
    "build_engine",
    "engine_note",
    "open_session",
    "page_lock",
    "resolve_device",
]
