"""Export the weights of a YOLO to ONNX, with ultralytics in its own process (`ultralytics_export`).

`fastface models` calls it once; the exported network then runs on the same backends as all others. Ultralytics loads
weights by unpickling, which can run any code in the file. So it receives only files that the user names.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from fastface.choices import PERSON_SIDES
from fastface.distribution import describe_install
from fastface.errors import ConfigError, ModelError
from fastface.files import atomic_path
from fastface.models.graph import inspect_graph
from fastface.models.selection import PERSON_FOLDER

_TIMEOUT_SECONDS = 900
"""Seconds; the largest network takes a minute. The first import of torch from a cold disk takes another."""


def exported_path(weights: Path, folder: Path, size: int) -> Path:
    """Return the file to which `export_person` writes the network.

    Args:
        weights: See `export_person`.
        folder: Folder of the export.
        size: Side of the canvas in pixels.

    Raises:
        ConfigError: The size is none of `choices.PERSON_SIDES`.
        ModelError: There are no such weights, or ultralytics is not installed.
    """
    if size % 32 or not 64 <= size <= 2048:
        raise ConfigError(f"--size {size}: the canvas' side must be {PERSON_SIDES}")
    if weights.suffix != ".pt" or not weights.is_file():
        raise ModelError(f"no weights {str(weights)!r}: name a .pt file on this machine; nothing is downloaded")
    if find_spec("ultralytics") is None:
        raise ModelError(f"ultralytics is not installed; {describe_install('person')}")
    return folder / PERSON_FOLDER / f"{weights.stem}.onnx"


def export_person(weights: Path, folder: Path, size: int) -> Path:
    """Export a YOLO into the folder `person` of a folder of packs, where runs find it.

    Args:
        weights: File of ultralytics, ending in .pt.
        folder: The folder of packs; created if needed.
        size: Side of the canvas of the network, in pixels.

    Returns:
        The ONNX file.

    Raises:
        ConfigError, ModelError: See `exported_path`; or the weights are not a YOLO that detects persons.
        SpaceError: No space is left for the network.
    """
    target = exported_path(weights, folder, size)
    with tempfile.TemporaryDirectory(prefix="fastface-") as place:
        # The network is written beside its weights, and the user's folder must stay clean.
        link = Path(place) / weights.name
        link.symlink_to(weights.absolute())
        exported = _export(link, size)
        facts = inspect_graph(exported)
        if facts.kind != "person":
            raise ModelError(f"{str(weights)!r} is no person network: {facts.reason or facts.kind}")
        with atomic_path(target) as part:
            shutil.copyfile(exported, part)
    return target


def _export(weights: Path, size: int) -> Path:
    """Run the exporting process, and return its file.

    Raises:
        ModelError: The process failed; the message has its last output.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(weights.parent),
    }
    command = [sys.executable, "-m", "fastface.persons.ultralytics_export", str(weights), str(size)]
    try:
        child = subprocess.run(
            command,
            env=environment,
            cwd=weights.parent,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"exporting {weights.name!r} took more than {_TIMEOUT_SECONDS} s") from error
    exported = weights.with_suffix(".onnx")
    if child.returncode != 0 or not exported.is_file():
        tail = " ".join(child.stderr.strip().splitlines()[-1:])
        raise ModelError(f"ultralytics cannot export {weights.name!r}: it ended with {child.returncode}: {tail}")
    return exported
