"""Which ONNX Runtime packages a process finds on its path."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from places import ROOT


def packages(folder: Path, *names: str) -> Path:
    """A folder of installed packages of ONNX Runtime."""
    (folder / "onnxruntime").mkdir(parents=True)
    (folder / "onnxruntime" / "__init__.py").touch()
    for number, name in enumerate(names):
        noted = folder / f"{name.replace('-', '_')}-1.{number}.dist-info"
        noted.mkdir()
        (noted / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}\n")
    return folder


def installed(*folders: Path) -> dict[str, str]:
    """What a process that has these folders before all others takes for installed."""
    code = "from fastface.backends.nvidia import installed_versions; print(installed_versions())"
    path = os.pathsep.join(map(str, (*folders, ROOT)))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    found: dict[str, str] = ast.literal_eval(done.stdout)
    return found


def test_of_two_runtimes_in_two_folders_only_the_first_counts(tmp_path: Path) -> None:
    cpu, card = packages(tmp_path / "cpu", "onnxruntime"), packages(tmp_path / "card", "onnxruntime-gpu")
    assert installed(card, cpu) == {"onnxruntime-gpu": "1.0"}
    assert installed(cpu, card) == {"onnxruntime": "1.0"}


def test_two_runtimes_in_one_folder_are_both_there(tmp_path: Path) -> None:
    both = packages(tmp_path, "onnxruntime", "onnxruntime-gpu")
    assert installed(both) == {"onnxruntime": "1.0", "onnxruntime-gpu": "1.1"}
