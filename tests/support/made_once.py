"""Make what session fixtures share once for all test processes, not once for each."""

import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from filelock import FileLock

Made = TypeVar("Made")


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """Call `make` with an empty folder in the first test process that asks; return its result in all of them.

    The others wait meanwhile. If `make` fails, the next process tries again. No test may change the folder.

    Args:
        factory: pytest's folders. Those of pytest-xdist's processes lie side by side.
        name: Name of the folder, the same in all processes.
        make: Fills the folder; its result can be pickled.
    """
    own = factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    result = root / f"{name}.pickle"
    with FileLock(root / f"{name}.lock"):
        if not result.exists():
            made = make(Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root)))
            result.write_bytes(pickle.dumps(made))
        found: Made = pickle.loads(result.read_bytes())
    return found
