"""What session fixtures share is made once for all test processes; a failure is not shared."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from made_once import make_once


@dataclass(frozen=True)
class Factory:
    """Base folder of one test process: `tmp_path_factory` has more."""

    base: Path

    def getbasetemp(self) -> Path:
        return self.base


def test_the_second_process_gets_what_the_first_one_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    made: list[Path] = []

    def make(folder: Path) -> tuple[Path, int]:
        made.append(folder)
        (folder / "file").write_text("content")
        return folder, len(made)

    found = [make_once(cast("Any", Factory(tmp_path / name)), "thing", make) for name in ("popen-gw0", "popen-gw1")]
    assert found == [(made[0], 1)] * 2
    assert made[0].parent == tmp_path
    assert (made[0] / "file").read_text() == "content"
    assert make_once(cast("Any", Factory(tmp_path / "popen-gw1")), "other", lambda folder: folder.name[:5]) == "other"


def test_processes_of_another_run_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    for run in ("pytest-1", "pytest-2"):
        (tmp_path / run).mkdir()
        assert make_once(cast("Any", Factory(tmp_path / run)), "thing", str).startswith(str(tmp_path / run))


def test_after_a_failure_the_next_process_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)

    def fail(folder: Path) -> int:
        (folder / "half").touch()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        make_once(cast("Any", Factory(tmp_path)), "thing", fail)
    assert make_once(cast("Any", Factory(tmp_path)), "thing", lambda folder: list(folder.iterdir())) == []
