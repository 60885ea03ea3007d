"""Run a module in a separate process and read its JSON answer: a runtime or a driver may crash.

`registry` calls it for `probe` and `trial`. The module prints the answer as its last line.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from fastface.distribution import DISTRIBUTION
from fastface.errors import BackendError

_TIMEOUT_SECONDS = 180
"""Maximum seconds of a child. A first start of CUDA compiles kernels; TensorRT builds the probe's engine in about ten
seconds."""

_LIMITING = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Environment variables by which a user removes processor instructions from OpenVINO."""


def ask(what: str, module: str, arguments: Iterable[str], given: str = "") -> dict[str, Any]:
    """Run a module and return the JSON object that it prints as its last line.

    Args:
        what: Name of the check, for messages.
        module: Module to run.
        arguments: Its arguments.
        given: Its standard input.

    Raises:
        BackendError: It crashed, hung, or reports that something is missing.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        child = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"{what} did not answer within {_TIMEOUT_SECONDS} s") from error
    return read_answer(what, child)


def read_answer(what: str, child: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Return the answer of a module that has ended.

    Raises:
        BackendError: See `ask`.
    """
    lines = child.stdout.strip().splitlines()
    if child.returncode != 0 or not lines:
        tail = child.stderr.strip().splitlines()[-1:]
        raise BackendError(f"checking {what} ended with {child.returncode}: {' '.join(tail)}")
    answer: dict[str, Any] = json.loads(lines[-1])
    if reason := answer.get("missing"):
        raise BackendError(reason)
    return answer


def processor_key(distributions: Iterable[str]) -> str:
    """Digest the processor with its limits, and the versions of fastface and the runtime.

    Args:
        distributions: Packages that may provide the runtime.
    """
    facts = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    stable = [line for line in facts.splitlines() if line.startswith(("model name", "flags", "Features", "CPU part"))]
    versions = [f"{name} {_version(name)}" for name in (DISTRIBUTION, *distributions)]
    limits = [f"{name}={os.environ[name]}" for name in _LIMITING if name in os.environ]
    return hashlib.sha256("\n".join([*stable, *versions, *limits]).encode()).hexdigest()[:16]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "none"
