"""Ask a question of a module in a process of its own, which may crash or hang: a runtime or a driver may do both."""

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
"""A first start of CUDA on a cold machine compiles kernels; TensorRT builds the probe's engine in some ten seconds."""

_LIMITING = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
"""Variables by which a user takes instructions away from OpenVINO."""


def ask(what: str, module: str, arguments: Iterable[str], given: str = "") -> dict[str, Any]:
    """The JSON object that a module prints as its last line.

    Args:
        what: What is checked, for messages.
        module: The module that is run.
        arguments: Its arguments.
        given: Its standard input.

    Raises:
        BackendError: It crashed, hung, or says that something is missing.
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
    """The answer of a module that has ended.

    Raises:
        BackendError: As `ask`.
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
    """Digest of the processor with what is taken away from it, of fastface and of the runtime's version.

    Args:
        distributions: The packages that the runtime may be installed as.
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
