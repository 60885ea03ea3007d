"""A disk or share that fails for a while: what could not be read is told, and the next run tries it again."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import fastface
from run_tools import arguments, finish, run, tables

from fastface.index.records import UnitRecord
from fastface.index.video_state import judge, was_unread

READS_OF_PROBE = 3
"""By a decoder, after those of the fingerprint. Then each unit of two seconds opens the film."""


def _reads_of_fingerprint(film: Path) -> int:
    """A read for each 64 KiB; the end of the file is met twice if the last block is shorter."""
    size = film.stat().st_size
    return size // 65536 + (2 if size % 65536 else 0)


def _states(out: Path) -> list[tuple[str, str]]:
    return [(video["state"], video["reason"]) for video in json.loads((out / "run.json").read_text())["videos"]]


@pytest.fixture(scope="module")
def film1(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """The longest film alone."""
    films = tmp_path_factory.mktemp("films")
    shutil.copy2(cartoon.films / "film1.mp4", films)
    return replace(cartoon, films=films)


@pytest.fixture(scope="module")
def undisturbed(film1: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert run(film1, out).returncode == 0
    return out


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        pytest.param(8, "cannot be read: Input/output error", id="while it is decoded"),
        pytest.param(
            10,
            "1 of 6 parts could not be scanned (failed: cannot be read: Input/output error)",
            id="while it is opened",
        ),
    ],
)
def test_what_could_not_be_read_is_tried_again(
    film1: Cartoon, undisturbed: Path, tmp_path: Path, failing: int, told: str
) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is needed: apt-get install strace"
    out, log = tmp_path / "out", tmp_path / "log"
    (film,) = film1.films.iterdir()
    command = arguments(film1, out, "--decoders", "1", "--workers", "1")
    fault = f"read:error=EIO:when={_reads_of_fingerprint(film) + READS_OF_PROBE + failing}"
    traced = [strace, "-f", "-qq", "-P", str(film), "-e", "trace=read", "-e", f"inject={fault}", "-o", str(log)]
    first = subprocess.run([*traced, *command], capture_output=True, text=True, timeout=120, check=False)
    assert first.returncode == 3, first.stderr
    assert len(re.findall(r"EIO .*INJECTED", log.read_text(errors="replace"))) == 1
    ((state, reason),) = _states(out)
    assert state == "partial"
    assert reason.startswith(told)
    # What was found in the rest of it is shown: the film is still the one that was scanned.
    asked = ("-t", film1.bank, "--models", film1.models, "-o", out, "--clips", "none", "--crops", "face")
    shown = fastface("find", *asked)
    assert "changed since it was scanned" not in shown.stderr
    assert list(out.glob("crops/*/*.jpg"))
    again = finish(arguments(film1, out))
    assert again.returncode == 0, again.stderr
    assert _states(out) == [("done", "")]
    assert len((out / "hits.csv").read_text().splitlines()) > 50
    assert tables(out) == tables(undisturbed)


@pytest.mark.parametrize(
    ("lost", "unread"),
    [
        ("failed: cannot be read: Input/output error", True),
        ("failed: cannot be read: Stale file handle", True),
        ("quarantined: decoding it crashed several processes: it was ended (status 9)", False),
        ("failed: its frames of 9000x9000 are above max_pixels, 1", False),
    ],
)
def test_only_what_was_not_read_is_worth_another_try(lost: str, unread: bool) -> None:
    seen = UnitRecord("000000", Fraction(0), Fraction(4), dense=False, decoded=100, sampled=20, covered=Fraction(4))
    gone = UnitRecord("000001", Fraction(4), None, dense=False, lost=lost)
    assert was_unread(seen) is False
    cut = replace(seen, key="000001", start=Fraction(4), covered=Fraction(1), errors=1, unread="cannot be read: x")
    verdict = judge([seen, cut], Fraction(8))
    assert (verdict.state, verdict.coverage) == ("partial", 0.625)
    assert was_unread(cut) is True
    assert verdict.reason == "cannot be read: x; only 62% of the declared 8.0 s could be decoded"
    assert was_unread(gone) is unread
    assert judge([seen, gone], Fraction(8)).state == "partial"
