"""Metrics of a run, read back by Prometheus' own parser."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fastface.errors import ConfigError, InterruptError, LockedError
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.runtime.events.metrics import MetricsObserver, format_metrics, observe_metrics
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder

ABBREVIATED = ("ms", "mins", "hours", "kb", "mb", "percent", "secs")


class Notes(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder whose name must be escaped: with a done, a failed and a waiting video."""
    out = tmp_path / 'a "b" \\ c'
    folder = OutputFolder(out)
    with Ledger(folder.ledger) as ledger:
        for name, state in (("a.mp4", "done"), ("b.mp4", "done"), ("c.mp4", "failed")):
            ledger.put_video(VideoRecord(name, Path("/") / name, "1-a-b", "key", state))
        ledger.put_waiting({"d.mp4": Path("/d.mp4")})
    return out


def read(path: Path, out: Path) -> dict[str, float]:
    """{name, or name and state: value}; every sample has the label of the output folder."""
    found = {}
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        assert family.documentation
        assert family.samples
        for sample in family.samples:
            assert sample.labels["out"] == str(out)
            state = sample.labels.get("state")
            found[f"{sample.name} {state}" if state else sample.name] = sample.value
    return found


def _names(path: Path) -> Iterator[tuple[str, str]]:
    for family in text_string_to_metric_families(path.read_text(encoding="utf-8")):
        yield from ((sample.name, family.type) for sample in family.samples)


def _scan(observer: Observer) -> None:
    observer.begin(4)
    observer.video_kept("a.mp4")
    observer.video_begun("b.mp4", Fraction(100), 40.0)
    observer.add_progress("b.mp4", 20.0, 3)
    observer.add_hits("b.mp4", 2)
    observer.process_replaced()


def test_the_file_has_the_state_of_a_run(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "fastface.prom"
    observer = MetricsObserver(path, "run", out, Observer())
    observer.write()
    assert "fastface_progress_ratio" not in read(path, out)  # before the scan begins
    _scan(observer)
    observer.write()
    found = read(path, out)
    # 60 of 100 s of the opened video; two others count as much as it.
    assert found["fastface_progress_ratio"] == pytest.approx(60 / 300)
    assert found["fastface_scanned_video_seconds_total"] == 20
    assert (found["fastface_faces_total"], found["fastface_hits"]) == (3, 2)
    assert found["fastface_process_restarts_total"] == 1
    assert [found[f"fastface_videos {state}"] for state in ("done", "failed", "waiting", "partial")] == [2, 1, 1, 0]
    assert "fastface_exit_code" not in found
    assert "fastface_end_time_seconds" not in found
    observer.conclude(3, 17)
    observer.write(is_over=True)
    found = read(path, out)
    assert (found["fastface_exit_code"], found["fastface_hits"]) == (3, 17)
    assert found["fastface_end_time_seconds"] >= found["fastface_start_time_seconds"] > 1.7e9


def test_names_follow_the_rules_of_prometheus(out: Path, tmp_path: Path) -> None:
    """As promtool checks them: base units at the end of a name, `_total` for counters alone, no abbreviations."""
    path = tmp_path / "fastface.prom"
    observer = MetricsObserver(path, "run", out, Observer())
    _scan(observer)
    observer.write(is_over=True)
    names = dict(_names(path))
    assert len(names) >= 8
    for name, kind in names.items():
        assert name.startswith("fastface_")
        assert name.endswith("_total") == (kind == "counter"), name
        assert not set(name.split("_")) & {*ABBREVIATED, "gauge", "counter"}, name


def test_the_end_has_the_exit_code_however_the_run_ends(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "fastface.prom"
    with observe_metrics(path, "scan", out, Observer()) as observer:
        assert "fastface_exit_code" not in read(path, out)
        observer.conclude(0, 0)
    assert read(path, out)["fastface_exit_code"] == 0
    with pytest.raises(InterruptError), observe_metrics(path, "scan", out, Observer()):
        raise InterruptError(2)
    assert read(path, out)["fastface_exit_code"] == 130
    with pytest.raises(ZeroDivisionError), observe_metrics(path, "scan", out, Observer()):
        _ = 1 / 0
    assert read(path, out)["fastface_exit_code"] == 1
    assert [file.name for file in tmp_path.iterdir() if file != out] == ["fastface.prom"]


def test_other_users_may_read_the_file_whatever_the_umask(out: Path, tmp_path: Path) -> None:
    path, before = tmp_path / "fastface.prom", os.umask(0o077)
    try:
        with observe_metrics(path, "scan", out, Observer()):
            modes = [path.stat().st_mode & 0o777]
    finally:
        os.umask(before)
    assert [*modes, path.stat().st_mode & 0o777] == [0o644, 0o644]


def test_a_run_that_another_one_keeps_out_leaves_the_file_of_that_one(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "fastface.prom"
    with observe_metrics(path, "run", out, Observer()) as observer:
        observer.conclude(0, 7)
    before = path.read_text(encoding="utf-8")
    with (
        OutputFolder(out).hold_lock(),
        pytest.raises(LockedError),
        observe_metrics(path, "run", out, Observer()),
    ):
        pytest.fail("it must not start")
    assert path.read_text(encoding="utf-8") == before


def test_events_reach_the_observer_behind_it(out: Path, tmp_path: Path) -> None:
    inner = Notes()
    with observe_metrics(tmp_path / "fastface.prom", "scan", out, inner) as observer:
        observer.note("a line")
    with observe_metrics(None, "scan", out, inner) as same:
        assert same is inner
    assert inner.notes == ["a line"]


def test_a_file_that_cannot_be_written_ends_the_command_at_its_start_only(out: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="'/no such folder' is no folder"),
        observe_metrics(Path("/no such folder/fastface.prom"), "scan", out, Observer()),
    ):
        pytest.fail("it must not start")
    folder = tmp_path / "collector"
    folder.mkdir()
    inner = Notes()
    with observe_metrics(folder / "fastface.prom", "scan", out, inner):
        (folder / "fastface.prom").unlink()
        folder.rmdir()
        folder.write_text("now a file")
    assert [note.partition(":")[0] for note in inner.notes] == ["the metrics are not those of the end"]


def test_no_metric_is_an_empty_file() -> None:
    assert format_metrics([]) == ""


def test_the_speed_of_a_scan_stays_while_the_answer_is_written(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    for module in ("metrics", "progress"):
        monkeypatch.setattr(f"fastface.runtime.events.{module}.monotonic", lambda: now)
    observer = MetricsObserver(tmp_path / "fastface.prom", "run", out, Observer())
    observer.begin(1)
    observer.video_begun("a.mp4", Fraction(100), 0.0)
    observer.add_progress("a.mp4", 10.0, 0)  # from here, networks are loaded
    now = 110.0
    observer.add_progress("a.mp4", 40.0, 0)
    observer.write()
    found = read(tmp_path / "fastface.prom", out)
    assert (found["fastface_scan_speed_ratio"], found["fastface_scan_remaining_seconds"]) == (4.0, 12.5)
    observer.end()
    now = 1000.0
    observer.write()
    assert read(tmp_path / "fastface.prom", out)["fastface_scan_speed_ratio"] == 4.0
