"""The CPU of this machine is found by a child process, once; and finding it loads no runtime."""

import subprocess
import sys
from pathlib import Path

import pytest
from backends_tools import CPU
from places import ROOT

from fastface.backends import DeviceInfo, child, registry, resolve_device


@pytest.fixture(autouse=True)
def _fresh_checks() -> None:
    registry._check.cache_clear()


def test_this_machine_has_a_cpu(tmp_path: Path) -> None:
    device = resolve_device("cpu", tmp_path)
    assert device.provider == "CPU"
    assert device.name
    assert device.versions.split()[0] == device.backend


def test_a_processor_is_tried_once_and_again_with_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = resolve_device("cpu", tmp_path)
    tried = []

    def probe_again(candidate: registry._Candidate) -> DeviceInfo:
        tried.append(candidate.backend)
        return CPU

    monkeypatch.setattr(registry, "_probe", probe_again)
    registry._check.cache_clear()
    assert resolve_device("cpu", tmp_path) == first
    assert tried == []
    monkeypatch.setattr(child, "version", lambda name: f"another {name}")
    registry._check.cache_clear()
    assert resolve_device("cpu", tmp_path) == CPU
    assert tried == [first.backend]


def test_resolving_loads_no_runtime_and_sessions_no_converter() -> None:
    """OpenVINO's converter sends telemetry when imported: no socket may be asked for, no process forked."""
    code = """
import sys
import fastface.backends as backends
def audit(event, arguments):
    if event.startswith("socket.") or event == "os.fork":
        print("audited", event)
sys.addaudithook(audit)
heavy = {"openvino", "onnxruntime", "onnx", "pydantic", "pyarrow", "typer"}
print("loaded", sorted(heavy & set(sys.modules)))
from fastface.backends import openvino_session
openvino_session.describe("CPU")
print("loaded", [name for name in sys.modules if "telemetry" in name or name.startswith("openvino.tools")])
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert child.stdout.splitlines() == ["loaded []", "loaded []"]
