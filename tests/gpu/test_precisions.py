"""In which precision each network computes is settled before any process starts, and shown as it is in force."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cartoon_tools import Cartoon
from cli_tools import errors, fastface
from places import BFLOAT16_MACHINE

from fastface.backends import DeviceInfo, EngineNote
from fastface.config import Config, load_config
from fastface.errors import BackendError
from fastface.pipeline.building import EngineJob
from fastface.pipeline.messages import Precisions, with_network_precision
from fastface.runtime import networks as networks_module
from fastface.runtime import precisions
from fastface.runtime.engines import preview_networks, ready_networks
from fastface.runtime.networks import open_networks
from fastface.runtime.precisions import describe_precisions, settle_precisions

CPU = DeviceInfo("openvino", "CPU", "bfloat16", "EPYC", "openvino 2026.4.1", precisions=("bfloat16", "float32"))
H200 = DeviceInfo("onnxruntime", "TensorRT", "float16", "H200", "TensorRT 10.13.3", precisions=("float16", "float32"))


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, DeviceInfo]:
    """What every device name means; bfloat16, until a test changes it."""
    there = {"found": CPU}
    monkeypatch.setattr(networks_module, "resolve_device", lambda *_: there["found"])
    monkeypatch.setattr(networks_module, "cache_folder", lambda: tmp_path / "cache")
    return there


@pytest.fixture
def reasons(device: dict[str, DeviceInfo], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """{part of a graph's name: why it does not agree}; notes the sizes of the pictures."""
    given: dict[str, str] = {}

    def judge(graph: Path, found: DeviceInfo, size: tuple[int, int], _cache: Path) -> str:
        if found.precision == "float32":
            return ""
        given[f"size of {graph.name.partition('-')[0]}"] = str(size)
        return next((reason for part, reason in given.items() if graph.name.startswith(part)), "")

    monkeypatch.setattr(precisions, "judge_precision", judge)
    return given


def config_for(cartoon: Cartoon, **models: Any) -> Config:
    return load_config(environment={}, flags={"models": {"dir": cartoon.models, **models}})


def test_auto_takes_the_fastest_that_each_network_bears(cartoon: Cartoon, reasons: dict[str, str]) -> None:
    reasons["detector"] = "a score 0.300 off"
    told: list[str] = []
    networks = ready_networks(config_for(cartoon), told.append, lambda: None)
    name = networks.models.detector.name
    remark = f"{name}: bfloat16 gives a score 0.300 off; float32 is used, which is slower"
    assert networks.precisions == Precisions("float32", "bfloat16", None, (remark,))
    assert told == [remark]
    assert describe_precisions(networks) == f"{name} float32, {networks.models.recogniser.name} bfloat16"
    assert (reasons["size of detector"], reasons["size of recogniser"]) == ("(384, 640)", "(112, 112)")
    in_force = [
        with_network_precision(networks.device, networks.precisions, role).precision
        for role in ("detector", "recogniser")
    ]
    assert in_force == ["float32", "bfloat16"]


def test_a_named_precision_that_a_network_does_not_bear_is_an_error(cartoon: Cartoon, reasons: dict[str, str]) -> None:
    reasons["recogniser"] = "an embedding with a cosine of 0.9000 to its own"
    config = config_for(cartoon, precision="bfloat16")
    with pytest.raises(
        BackendError, match=r"recogniser does not agree .* in bfloat16: .*0\.9000.*--precision auto"
    ) as e:
        settle_precisions(config, open_networks(config))
    assert e.value.exit_code == 4


def test_float32_is_float32_everywhere_and_nothing_is_tried(cartoon: Cartoon, reasons: dict[str, str]) -> None:
    reasons["detector"] = "off"
    config = config_for(cartoon, precision="float32")
    networks = settle_precisions(config, open_networks(config))
    assert networks.device.precision == "float32"
    assert networks.precisions == Precisions("float32", "float32")
    assert set(reasons) == {"detector"}


@pytest.mark.usefixtures("device")
def test_a_precision_that_the_device_lacks_is_an_error(cartoon: Cartoon) -> None:
    with pytest.raises(BackendError, match=r"has no float16 .*there are: auto, bfloat16, float32"):
        open_networks(config_for(cartoon, precision="float16"))


def test_engines_say_the_precision_that_they_were_built_in(
    device: dict[str, DeviceInfo], cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    device["found"] = H200
    monkeypatch.setattr(
        EngineJob,
        "built",
        property(lambda job: EngineNote("float32" if "detector" in job.name else "float16", "", 1.0, 1)),
    )
    networks = ready_networks(config_for(cartoon), lambda _: None, lambda: None)
    assert networks.precisions == Precisions("float32", "float16")
    # The engine is found by what was aimed at, and its note says the rest.
    assert with_network_precision(networks.device, networks.precisions, "detector").precision == "float16"
    assert preview_networks(config_for(cartoon)).precisions == networks.precisions


def test_an_engine_that_is_to_be_built_has_no_precision_yet(device: dict[str, DeviceInfo], cartoon: Cartoon) -> None:
    device["found"] = replace(H200, compute_capability="9.0")
    assert preview_networks(config_for(cartoon)).precisions is None


def test_a_named_float16_that_an_engine_does_not_bear_is_an_error(
    device: dict[str, DeviceInfo], cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    device["found"] = H200
    monkeypatch.setattr(EngineJob, "built", EngineNote("float32", "a score 0.300 off", 1.0, 1))
    with pytest.raises(BackendError, match=r"does not agree with float32 in float16: it gives a score 0\.300 off"):
        ready_networks(config_for(cartoon, precision="float16"), lambda _: None, lambda: None)


# ── the command, on a processor with bfloat16 that is emulated ──────────────────────────────────────────────────────


def on_bfloat16(cache: Path) -> dict[str, str]:
    """Variables of a command that finds such a processor; what is noted of it stays in its own cache."""
    places = (str(BFLOAT16_MACHINE), os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, places)), "XDG_CACHE_HOME": str(cache)}


def scanned(cartoon: Cartoon, out: Path, variables: dict[str, str], *more: object) -> tuple[list[str], dict[str, Any]]:
    """The lines of a scan's header, and its report."""
    film = cartoon.films / "film3.mp4"
    done = fastface("scan", film, "--models", cartoon.models, "-o", out, *more, **variables)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines(), json.loads((out / "run.json").read_text(encoding="utf-8"))


def test_the_header_and_the_report_name_each_network_s_precision(cartoon: Cartoon, tmp_path: Path) -> None:
    variables = on_bfloat16(tmp_path / "cache")
    counts = []
    for wanted, lower in (("auto", "bfloat16"), ("float32", "float32")):
        lines, report = scanned(cartoon, tmp_path / wanted, variables, "--precision", wanted)
        assert f"precision: cartoon_detector {lower}, cartoon_recogniser {lower}" in lines
        assert [report["models"][role]["precision"] for role in ("detector", "recogniser")] == [lower, lower]
        assert report["device"]["precision"] == lower
        counts.append(report["counts"]["faces"])
    assert counts[0] == counts[1] > 10  # these networks are exact in any precision
    verdicts = sorted((tmp_path / "cache").rglob("precision-*.json"))
    assert [json.loads(path.read_text()) for path in verdicts] == [{"reason": ""}] * 2


def test_bfloat16_that_is_only_claimed_is_one_line_and_float32(cartoon: Cartoon, tmp_path: Path) -> None:
    """OpenVINO offers bfloat16 where oneDNN has been denied its instructions, and then compiles nothing in it."""
    variables = {**on_bfloat16(tmp_path / "cache"), "ONEDNN_MAX_CPU_ISA": "AVX2"}
    lines, report = scanned(cartoon, tmp_path / "out", variables)
    assert len([line for line in lines if line.startswith("bfloat16 is not used: ")]) == 1
    assert "precision: cartoon_detector float32, cartoon_recogniser float32" in lines
    assert report["device"]["backend"] == "openvino"
    given = ("--models", cartoon.models, "-o", tmp_path / "other", "--precision", "bfloat16")
    (line,) = errors(fastface("scan", cartoon.films, *given, **variables), 4, 1)
    assert "has no bfloat16" in line
    assert "there are: auto, float32" in line
