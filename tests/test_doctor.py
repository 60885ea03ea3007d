"""What `doctor` tells of a machine, and how it ends."""

import json
from pathlib import Path

import pytest
from cli_tools import fastface
from conftest import Cartoon

from fastface.config import load_config
from fastface.workflows import checkup

PARTS = ["python", "packages", "runtimes", "processor", "memory", "descriptors", "device cpu", "device cuda",
         "device tensorrt", "device openvino", "networks", "chosen networks", "processes", "ffmpeg", "cache",
         "output"]  # fmt: skip


def states(text: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in json.loads(text)["checks"]}


def test_a_machine_that_can_run_has_no_fault(cartoon: Cartoon, tmp_path: Path) -> None:
    done = fastface("doctor", "--models", cartoon.models, "-o", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stdout
    found = states(done.stdout)
    assert [name for name in PARTS if name not in found] == []
    assert found["device cpu"] == found["chosen networks"] == found["processes"] == "fine"
    assert not (tmp_path / "out").exists()  # nothing is left behind


def test_what_a_run_would_fail_at_is_a_fault_and_says_what_to_do(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = fastface("doctor", "--models", tmp_path / "empty", "-o", "/proc/out")
    assert done.returncode == 1
    faults = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert [line.split(":")[0] for line in faults] == ["FAULT chosen networks", "FAULT output"]
    assert "fastface models install" in faults[0]
    assert "in the way of a run: 2" in done.stdout
    quiet = fastface("doctor", "--models", cartoon.models, "--ring-mb", "1", "-q")
    assert quiet.returncode == 1
    assert "scan.ring_mb: 1 MiB is too small" in quiet.stdout
    assert "ok" not in quiet.stdout.split()


def test_a_device_that_was_asked_for_and_is_not_there_is_a_fault(cartoon: Cartoon) -> None:
    if checkup.card_present():
        pytest.skip("a card is here")
    found = states(fastface("doctor", "--models", cartoon.models, "--device", "cuda", "--json").stdout)
    assert found["device cuda"] == "fault"
    assert found["device tensorrt"] == "absent"


def test_two_runtimes_that_overwrite_each_other_are_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    both = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}
    monkeypatch.setattr(checkup, "installed_versions", lambda: both)
    monkeypatch.setattr(checkup, "_version", lambda name: both.get(name, ""))
    (found,) = (check for check in checkup.examine(load_config(), tmp_path) if check.name == "runtimes")
    assert found.state == "fault"
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found.remedy
