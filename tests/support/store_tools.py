"""Stores of identities as tests open them, a server of our own, and faces by hand."""

import math
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fastface.census.store.base import (
    Encounter,
    Identity,
    IdentityStore,
    Sighting,
    open_store,
)

D = 64
THRESHOLD = 0.6


@contextmanager
def served(folder: Path) -> Iterator[Path]:
    """A server of our own, that keeps nothing and listens to one socket in `folder`."""
    if shutil.which("redis-server") is None:
        assert not os.environ.get("CI"), "redis-server is not installed"
        pytest.skip("redis-server is not installed")
    socket = folder / "s"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    with subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert any("eady to accept connections" in line for line in server.stdout), "it did not start"
            yield socket
        finally:
            os.kill(server.pid, signal.SIGKILL)


def opened(where: str, **other: object) -> IdentityStore:
    settings = {"contract": "abc", "dimension": D, "threshold": THRESHOLD, **other}
    return open_store(where, **settings)  # type: ignore[arg-type]


def axis(number: int) -> np.ndarray:
    one: np.ndarray = np.eye(D, dtype=np.float32)[number]
    return one


def between(first: int, second: int, cosine: float) -> np.ndarray:
    """A unit vector of this cosine to the first axis, the rest along the second."""
    return (cosine * axis(first) + math.sqrt(1 - cosine**2) * axis(second)).astype(np.float32)


def unit(vector: np.ndarray) -> np.ndarray:
    one: np.ndarray = vector / np.linalg.norm(vector)
    return one


def tell(
    store: IdentityStore, face: np.ndarray, source: str, part: str = "0", *, count: int = 1, seen: float = 100.0
) -> int:
    (number,) = store.tell([Encounter(face, (Sighting(source, part, count),))], seen=seen)
    return number


def keep_only(store: IdentityStore, source: str, parts: list[str]) -> None:
    assert store.tell([], seen=1, kept={source: parts}) == []


def facts(store: IdentityStore) -> list[tuple[int, str, int, int]]:
    return [(one.number, one.name, one.count, one.sources) for one in store.identities()]


def only(store: IdentityStore) -> Identity:
    (one,) = store.identities()
    return one
