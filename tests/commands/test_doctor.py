"""What `doctor` tells of a machine, and how it ends."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import fastface

from fastface.config import load_config
from fastface.diagnostics import doctor as checkup
from fastface.diagnostics import preflight
from fastface.runtime.output_folder import OutputFolder

PARTS = ["python", "packages", "runtimes", "processor", "memory", "open files", "device cpu", "device cuda",
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
    assert "2 problems to fix" in done.stdout
    quiet = fastface("doctor", "--models", cartoon.models, "--ring-mb", "1", "-q")
    assert quiet.returncode == 1
    assert "--ring-mb: 1 MiB is too small" in quiet.stdout
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
    assert "make clean env EXTRA=cpu" in found.remedy
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in found.remedy


@pytest.mark.parametrize(("soft", "hard", "state"), [(64, 512, "fine"), (200, 200, "fine"), (64, 100, "fault")])
def test_descriptors_are_judged_as_a_run_judges_them(soft: int, hard: int, state: str) -> None:
    code = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from fastface.diagnostics.doctor import _descriptors\nfound = _descriptors()\nprint(found.state, found.facts)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert (told[0], str(hard) in told) == (state, True)


def test_space_is_judged_as_a_run_judges_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _one("output", tmp_path).state == "fine"
    monkeypatch.setattr(preflight, "_LEAST_SPACE", 1 << 60)
    for name in ("output", "cache"):
        found = _one(name, tmp_path)
        assert found.state == "fault"
        assert "no space left for" in found.facts


def _one(name: str, out: Path, **settings: dict[str, object]) -> checkup.Check:
    config = load_config(environment={}, flags=settings)
    (found,) = (check for check in checkup.examine(config, out) if check.name == name)
    return found


def test_an_output_folder_that_a_run_holds_is_in_the_way_of_another(tmp_path: Path) -> None:
    with OutputFolder(tmp_path).hold_lock():
        found = _one("output", tmp_path)
    assert found.state == "fault"
    assert "in use by another run" in found.facts
    assert _one("output", tmp_path).state == "fine"


def test_the_libraries_of_ffmpeg_must_write_h264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _one("ffmpeg", tmp_path)
    assert found.state == "fine"
    assert f"PyAV {version('av')}" in found.facts
    monkeypatch.setattr("av.codec.codecs_available", {"h264"})
    found = _one("ffmpeg", tmp_path)
    assert found.state == "fault"
    assert "libx264" in found.facts


def test_what_the_settings_ask_for_is_looked_at(cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = states(fastface("doctor", "--models", cartoon.models, "--json").stdout)
    assert not {"decoder", "cards"} & plain.keys()
    if checkup.card_present():
        pytest.skip("a card is here")
    done = fastface("doctor", "--models", cartoon.models, "--decoder", "nvdec", "--devices", "0,1")
    assert done.returncode == 1
    faults = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert any(line.startswith("FAULT decoder: --decoder: ") for line in faults)
    assert any(line.startswith("FAULT cards: --devices: 0,1 numbers NVIDIA cards") for line in faults)
    found = states(fastface("doctor", "--models", cartoon.models, "--decoder", "auto", "--json").stdout)
    assert found["decoder"] == "fine"


def test_cards_that_are_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from fastface.errors import BackendError, ModelError

    config = load_config(environment={}, flags={"models": {"devices": "0,7"}})
    cards = [SimpleNamespace(device_id=number, name="H200") for number in (0, 7)]
    monkeypatch.setattr(checkup, "open_networks", lambda _config: SimpleNamespace(cards=cards))
    (found,) = checkup._cards(config)
    assert (found.state, found.facts) == ("fine", "0 (H200), 7 (H200)")
    for error, state in ((BackendError("there is no card 7"), "fault"), (ModelError("no pack"), "fine")):

        def refuse(_config: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(checkup, "open_networks", refuse)
        assert [check.state for check in checkup._cards(config)] == [state]
