"""Folders that tests and their helpers use, and the import path of child processes."""

import os
from pathlib import Path

SUPPORT = Path(__file__).resolve().parent
TESTS = SUPPORT.parent
ROOT = TESTS.parent
SHARED = ROOT.parent / "shared"  # networks and media of third parties, beside the checkout
BENCHMARKS = ROOT / "benchmarks"
FAKE_NVDEC = SUPPORT / "fake_nvdec"
BFLOAT16_MACHINE = SUPPORT / "bfloat16_machine"


def python_path(test_file: str) -> str:
    """Return a `PYTHONPATH` under which a child process can import a test module and all helpers."""
    return os.pathsep.join((str(Path(test_file).parent), str(SUPPORT)))
