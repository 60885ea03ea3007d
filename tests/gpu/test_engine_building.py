"""Engines are built before workers start, once; cards are resolved by their numbers; all with faked cards."""

import os
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from places import python_path

from fastface.backends import DeviceInfo, EngineNote
from fastface.commands.run import scan
from fastface.config import Config, load_config
from fastface.errors import BackendError, ConfigError, InterruptError
from fastface.pipeline.building import EngineJob
from fastface.pipeline.coordinator import Coordinator
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.task_pool import serve_tasks
from fastface.runtime import engines, networks
from fastface.runtime.engines import engine_jobs, ready_networks
from fastface.runtime.events.observer import Observer
from fastface.runtime.networks import Networks, open_networks
from fastface.runtime.resources import choose_layout

H200 = DeviceInfo("onnxruntime", "TensorRT", "float16", "H200", "TensorRT 10.13.3", compute_capability="9.0")
CPU = DeviceInfo("openvino", "CPU", "float32", "EPYC", "openvino 2026.4.1")


def built_at_once(connection: Connection, _descriptor: int, _settings: None) -> None:
    """A builder that says what it was asked for."""
    serve_tasks(connection, lambda job: EngineNote("float32", f"what {job.name} was asked for", 1.0, 1))


def refused(connection: Connection, _descriptor: int, _settings: None) -> None:
    """A builder whose TensorRT cannot build."""

    def fail(_job: EngineJob) -> None:
        raise BackendError("no kernel for this layer")

    serve_tasks(connection, fail)


def crashed(connection: Connection, _descriptor: int, _settings: None) -> None:
    """A builder that TensorRT takes down."""
    serve_tasks(connection, lambda _job: os.abort())


@pytest.fixture(autouse=True)
def children_find_this(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    yield
    assert run_tools.children(os.getpid()) == []


def built_by(monkeypatch: pytest.MonkeyPatch, serve: str) -> None:
    pool = engines.ProcessPool
    monkeypatch.setattr(
        engines, "ProcessPool", lambda role, _serve, *more: pool(role, f"{Path(__file__).stem}:{serve}", *more)
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, DeviceInfo]:
    """The devices that there are, by name; notes every question."""
    there = {"auto": H200, "tensorrt": H200, "cuda": replace(H200, provider="CUDA", precision="float32"), "cpu": CPU}

    def resolve(name: str, _cache: Path, card: int = 0) -> DeviceInfo:
        if name not in there:
            raise BackendError(f"{name} is missing")
        if card > 3:
            raise BackendError(f"there is no card {card}")
        return replace(there[name], device_id=card) if there[name].is_gpu else there[name]

    monkeypatch.setattr(networks, "resolve_device", resolve)
    monkeypatch.setattr(networks, "cache_folder", lambda: tmp_path / "cache")
    return there


def config_for(cartoon: Cartoon, **models: Any) -> Config:
    return load_config(environment={}, flags={"models": {"dir": cartoon.models, **models}})


def ready(config: Config) -> tuple[Networks, list[str]]:
    notes: list[str] = []
    return ready_networks(config, notes.append, lambda: None), notes


@pytest.mark.usefixtures("machine")
def test_both_networks_are_built_each_with_a_note_before(cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch) -> None:
    built_by(monkeypatch, "built_at_once")
    found, notes = ready(config_for(cartoon))
    names = found.models.detector.name, found.models.recogniser.name
    assert notes == [
        f"building the TensorRT engine for {names[0]} on H200 (minutes, once)",
        f"{names[0]}: float16 gives what {names[0]} was asked for; float32 is used, which is slower",
        f"building the TensorRT engine for {names[1]} on H200 (minutes, once)",
        f"{names[1]}: float16 gives what {names[1]} was asked for; float32 is used, which is slower",
    ]


@pytest.mark.usefixtures("machine")
def test_what_is_built_is_not_built_again(cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineJob, "built", EngineNote("float16", "", 60.0, 1))
    built_by(monkeypatch, "crashed")
    _, notes = ready(config_for(cartoon))
    assert notes == []


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("builder", "said"), [("refused", "no kernel for this layer"), ("crashed", "was ended")])
def test_a_build_that_fails_is_an_error_for_tensorrt_and_a_note_for_auto(
    builder: str, said: str, cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_by(monkeypatch, builder)
    with pytest.raises(BackendError, match=rf"cannot be built: .*{said}.*--device cuda") as caught:
        ready(config_for(cartoon, device="tensorrt"))
    assert caught.value.exit_code == 4
    found, _ = ready(config_for(cartoon))
    assert found.device.provider == "CUDA"
    assert said in found.device.notes[-1]
    assert "TensorRT is not used" in found.device.notes[-1]


def test_auto_without_cuda_either_is_the_cpu_and_says_both_reasons(
    machine: dict[str, DeviceInfo], cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch
) -> None:
    del machine["cuda"]
    built_by(monkeypatch, "refused")
    found, _ = ready(config_for(cartoon))
    assert found.device.name == "EPYC"
    assert "no kernel" in found.device.notes[-1]
    assert "cuda is missing" in found.device.notes[-1]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_nothing_else_than_tensorrt_has_engines(device: str, cartoon: Cartoon, monkeypatch: pytest.MonkeyPatch) -> None:
    built_by(monkeypatch, "crashed")
    found, notes = ready(config_for(cartoon, device=device))
    assert engine_jobs(config_for(cartoon, device=device), found) == []
    assert notes == []


@pytest.mark.usefixtures("machine")
def test_the_profile_covers_every_canvas_of_videos_and_of_photos(cartoon: Cartoon) -> None:
    config = config_for(cartoon)
    detector, recogniser = engine_jobs(config, open_networks(config))
    assert (detector.shapes.smallest, detector.shapes.usual, detector.shapes.largest) == (
        (1, 32, 32, 3), (32, 384, 640, 3), (32, 640, 640, 3)
    )  # fmt: skip
    assert (recogniser.shapes.smallest[0], recogniser.shapes.largest) == (1, (32, 112, 112, 3))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("wanted", [True, False])
def test_workers_alone_capture_cuda_graphs_and_only_if_wanted(
    wanted: bool, cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[WorkerSettings] = []

    def start(coordinator: Coordinator) -> None:
        seen.append(coordinator.workers._settings)
        raise InterruptError(2)

    built_by(monkeypatch, "built_at_once")
    monkeypatch.setattr(Coordinator, "start", start)
    config = config_for(cartoon, devices="0,1")
    config = config.model_copy(update={"models": config.models.model_copy(update={"cuda_graphs": wanted})})
    with pytest.raises(InterruptError):
        scan(config, [str(cartoon.films)], tmp_path / "out", Observer())
    assert [settings.device.captures for settings in map(seen[0].at, range(2))] == [wanted, wanted]
    assert [card.captures for card in open_networks(config).cards] == [False, False]


@pytest.mark.usefixtures("machine")
def test_photos_are_looked_at_with_the_scans_engines(cartoon: Cartoon) -> None:
    from fastface.enrollment.photo_pool import picture_settings
    from fastface.pipeline.shapes import detector_shapes, recogniser_shapes

    config = config_for(cartoon)
    found = open_networks(config)
    settings = picture_settings(config, found, 0)
    detector, recogniser = engine_jobs(config, found)
    assert detector_shapes(settings.ring.batch, settings.canvas) == detector.shapes
    assert recogniser_shapes(112) == recogniser.shapes
    on_cpu = picture_settings(config, replace(found, cards=(CPU,)), 0)
    assert (on_cpu.ring.batch, on_cpu.canvas) == (1, (640, 640))


def test_cards_of_one_model_share_engines(machine: dict[str, DeviceInfo], cartoon: Cartoon) -> None:
    config = config_for(cartoon, devices="2,0,1")
    found = open_networks(config)
    assert [card.device_id for card in found.cards] == [2, 0, 1]
    assert found.device.device_id == 2
    assert len(engine_jobs(config, found)) == 2
    other = replace(found, cards=(found.cards[0], replace(found.cards[1], name="L4", compute_capability="8.9")))
    assert sorted({job.device.name for job in engine_jobs(config, other)}) == ["H200", "L4"]
    assert len(engine_jobs(config, other)) == 4


def test_numbered_cards_without_a_card_are_a_fault_of_the_settings(
    machine: dict[str, DeviceInfo], cartoon: Cartoon
) -> None:
    machine["auto"] = replace(CPU, notes=("TensorRT is not installed",))
    with pytest.raises(ConfigError, match=r"--devices: 0,1 .*EPYC.*TensorRT is not installed") as caught:
        open_networks(config_for(cartoon, devices="0,1"))
    assert len(caught.value.faults) == 1
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("machine")
def test_a_card_that_is_not_there_is_not_replaced_by_another(cartoon: Cartoon) -> None:
    with pytest.raises(BackendError, match="there is no card 7"):
        open_networks(config_for(cartoon, devices="0,7"))


@pytest.mark.parametrize(("asked", "cards", "workers"), [(0, 1, 2), (0, 3, 6), (5, 2, 5), (1, 1, 1)])
def test_workers_are_counted_over_all_cards(asked: int, cards: int, workers: int) -> None:
    scan = load_config(environment={}, flags={"scan": {"workers": asked, "batch": 1, "decoders": 1}}).scan
    assert choose_layout(scan, H200, cards).sizes.workers == workers


def test_a_card_without_a_worker_is_a_fault() -> None:
    scan = load_config(environment={}, flags={"scan": {"workers": 1}}).scan
    with pytest.raises(ConfigError, match="--workers: 1 is too few for 2 cards"):
        choose_layout(scan, H200, 2)


@pytest.mark.usefixtures("machine")
def test_no_process_of_a_scan_starts_before_the_engines_are_built(
    cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    class Watching(Observer):
        def note(self, text: str) -> None:
            steps.append(text)

    def start(_coordinator: Coordinator) -> None:
        steps.append("processes start")
        raise InterruptError(2)

    built_by(monkeypatch, "built_at_once")
    monkeypatch.setattr(Coordinator, "start", start)
    with pytest.raises(InterruptError):
        scan(config_for(cartoon), [str(cartoon.films)], tmp_path / "out", Watching())
    assert steps[0].startswith("building the TensorRT engine")
    assert steps[2].startswith("building the TensorRT engine")
    assert steps[-1] == "processes start"
    assert steps.count("processes start") == 1
