"""The loop of `--watch`, with passes that the test answers and a clock that only its waits move."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fastface.commands.nights import watch as module
from fastface.commands.nights.night import Night as Report
from fastface.commands.nights.watch import watch
from fastface.config import Config, load_config
from fastface.errors import ConfigError, InterruptError, LockedError
from fastface.runtime.events.observer import Observer
from fastface.runtime.run_report import RunResult
from fastface.runtime.shutdown import StopRequest
from fastface.video.discover import Discovery

INTERVAL = 30


class Notes(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


class Night:
    """A folder, a clock, and what happens at each wait: the n-th function runs in the n-th wait."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.out, self.notes = root / "in", root / "out", Notes()
        self.folder.mkdir()
        self.out.mkdir()
        self.now = 0.0
        self.waits: list[float] = []
        self.passes: list[tuple[Config, list[str]]] = []
        self.events: list[Callable[[], object]] = []
        self.faults: dict[int, Exception] = {}  # {number of a try: its error}
        self.num_tries = 0
        # The wall clock stays at 0, long before any file: only the looks decide.
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now, time=lambda: 0.0))
        monkeypatch.setattr(StopRequest, "wait", lambda _, seconds: self._wait(seconds))

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if len(self.waits) <= len(self.events):
            self.events[len(self.waits) - 1]()

    def _search(self, config: Config, found: Discovery) -> RunResult:
        self.num_tries += 1
        if error := self.faults.get(self.num_tries):
            raise error
        self.passes.append((config, [file.path.name for file in found.videos]))
        self.now += 1
        result = RunResult("run", self.out, skipped=found.skipped)
        self.put_report(result.started)
        return result

    def put_report(self, started: datetime) -> None:
        """Write what matters here of a command's run.json."""
        report = {"started": started.isoformat(timespec="seconds"), "skipped": [], "videos": []}
        (self.out / "run.json").write_text(json.dumps(report))

    def run(self, **settings: object) -> RunResult:
        config = load_config(environment={}, flags={"run": {"watch": True, "watch_interval": INTERVAL, **settings}})
        return watch(config, [str(self.folder)], self.out, self.notes, self._search, night=Report(is_watch=True))

    def add(self, name: str) -> Callable[[], object]:
        return lambda: (self.folder / name).write_bytes(b"1")


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(tmp_path, monkeypatch)


def hours(seconds: float) -> float:
    return seconds / 3600


def test_new_files_are_searched_as_they_become_complete(night: Night) -> None:
    """Waits at 1, 31, … s: a.mp4 comes at 31 and is complete at 61, b.mp4 comes at 62 + 30 and waits one look more."""
    night.events = [night.add("a.mp4"), lambda: None, night.add("b.mp4")]
    result = night.run(max_hours=hours(200))
    assert [names for _, names in night.passes] == [[], ["a.mp4"], ["a.mp4", "b.mp4"]]
    assert (result.exit_code, result.skipped) == (0, ())
    assert night.now == 200
    assert night.waits[:4] == [30, 30, 30, 30]


def test_looks_without_anything_new_start_no_pass(night: Night) -> None:
    night.run(max_hours=hours(3000))
    assert (len(night.passes), len(night.waits)) == (1, 100)
    assert [line for line in night.notes.lines if "waiting for new videos" in line] == [
        "waiting for new videos, with a look every 30 s; Ctrl-C ends it"
    ]


@pytest.mark.parametrize(("shard", "passes"), [("1/2", [[]]), ("2/2", [[], ["a.mp4"]])])
def test_a_file_of_another_shard_starts_no_pass(night: Night, shard: str, passes: list[list[str]]) -> None:
    """The first 16 digits of `printf 1 | sha256sum` are 6b86b273ff34fce1, an odd number: the second shard of two."""
    night.events = [night.add("a.mp4")]
    assert night.run(max_hours=hours(200), shard=shard).exit_code == 0
    assert [names for _, names in night.passes] == passes


def test_slow_looks_are_less_frequent(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look of 10 s may come once in 200 s. First a look, a pass of 1 s and another look, then 200 + 10 s a round."""
    find = module.discover_inputs

    def find_slowly(*arguments: Any, **settings: Any) -> Discovery:
        night.now += 10
        return find(*arguments, **settings)

    monkeypatch.setattr(module, "discover_inputs", find_slowly)
    night.run(max_hours=hours(640))
    assert night.waits == [200, 200, 640 - 21 - 2 * 210]


def test_each_pass_ends_with_the_watch_and_only_the_first_starts_over(night: Night) -> None:
    night.events = [night.add("a.mp4")]
    night.run(max_hours=hours(100), fresh=True)
    settings = [config.run for config, _ in night.passes]
    assert [(one.fresh, one.max_hours) for one in settings] == [
        (True, pytest.approx(hours(100))),
        (False, pytest.approx(hours(100 - 61))),  # a pass of 1 s, two waits of 30 s
    ]


def test_files_left_at_the_end_are_no_clean_end_and_stand_in_run_json(night: Night) -> None:
    night.events = [night.add("a.mp4"), lambda: None, lambda: None, night.add("late.mp4")]
    result = night.run(max_hours=hours(32 + 30 + 1 + 30 + 29))
    assert [names for _, names in night.passes] == [[], ["a.mp4"]]
    assert [(item.path.name, item.reason) for item in result.skipped] == [("late.mp4", "still being written")]
    assert result.exit_code == 3
    report = json.loads((night.out / "run.json").read_text())
    assert report["skipped"] == [{"path": str(night.folder / "late.mp4"), "reason": "still being written"}]


def test_the_run_json_of_another_command_stays_as_it_is(night: Night) -> None:
    night.events = [night.add("a.mp4"), lambda: night.put_report(datetime(2020, 1, 1, tzinfo=UTC))]
    assert night.run(max_hours=hours(50)).exit_code == 3
    assert json.loads((night.out / "run.json").read_text())["skipped"] == []


def test_a_file_that_becomes_complete_with_the_last_look_is_left(night: Night) -> None:
    night.events = [night.add("a.mp4"), lambda: setattr(night, "now", 64.0)]
    result = night.run(max_hours=hours(63))
    assert len(night.passes) == 1
    assert [item.reason for item in result.skipped] == ["new, and not searched before the time was up"]


def test_a_later_pass_waits_for_a_command_that_uses_the_folder(night: Night) -> None:
    night.events = [night.add("a.mp4")]
    night.faults = {2: LockedError("in use"), 3: LockedError("in use")}
    assert night.run(max_hours=hours(300)).exit_code == 0
    assert [names for _, names in night.passes] == [[], ["a.mp4"]]
    assert night.notes.lines.count("in use") == 1


def test_the_first_pass_that_finds_the_folder_in_use_ends_the_watch(night: Night) -> None:
    night.faults = {1: LockedError("in use")}
    with pytest.raises(LockedError):
        night.run()
    assert night.waits == []


def test_any_other_fault_of_a_later_pass_ends_the_watch(night: Night) -> None:
    night.events = [night.add("a.mp4")]
    night.faults = {2: ConfigError("no photos")}
    with pytest.raises(ConfigError, match="no photos"):
        night.run()


def test_an_input_that_is_missing_at_the_start_is_a_fault_and_later_is_waited_for(night: Night) -> None:
    night.events = [night.folder.rmdir, lambda: None, night.folder.mkdir, night.add("a.mp4")]
    night.run(max_hours=hours(300))
    assert [names for _, names in night.passes] == [[], ["a.mp4"]]
    assert sum("no such file or folder" in line for line in night.notes.lines) == 1
    (night.folder / "a.mp4").unlink()
    night.folder.rmdir()
    with pytest.raises(ConfigError, match="no such file or folder"):
        night.run()


def test_a_signal_ends_the_wait_at_once() -> None:
    """Without the stand-in of the wait: the handler itself ends it."""
    interruption = StopRequest()
    interruption.handle(2, None)
    with pytest.raises(InterruptError) as raised:
        interruption.wait(3600)
    assert raised.value.signal_number == 2
