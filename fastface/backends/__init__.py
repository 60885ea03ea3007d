"""Runtimes that compute networks, behind one `Session`. Imports no runtime until a session is opened."""

from fastface.backends.registry import DEVICES, open_session, resolve_device
from fastface.backends.session import DeviceInfo, Session, ShapeRange

__all__ = ["DEVICES", "DeviceInfo", "Session", "ShapeRange", "open_session", "resolve_device"]
