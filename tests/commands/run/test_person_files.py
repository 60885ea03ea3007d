"""Reels and contact sheets of whole runs over drawn films: what they show, and what later commands do about them."""

import json
import shutil
import stat
import subprocess
from pathlib import Path

import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import fastface, labels
from PIL import Image

OPTIONS = ("--pad", "0.2", "--clips", "none", "--crops", "none", "--reel")


@pytest.fixture(scope="module")
def gathered(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a run with reels and contact sheets."""
    out = tmp_path_factory.mktemp("gathered") / "out"
    done = run_tools.run(cartoon, out, *OPTIONS, "--contact-sheet")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def out(gathered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(gathered, tmp_path / "out"))


def spans_of(out: Path) -> dict[str, list[dict[str, str]]]:
    spans: dict[str, list[dict[str, str]]] = {}
    for row in run_tools.rows(out / "spans.csv"):
        spans.setdefault(row["target"], []).append(row)
    return spans


def files_in(out: Path) -> dict[str, int]:
    """{path below OUT: when it was written, in ns} of all reels and sheets."""
    files = [path for name in ("reels", "sheets") for path in (out / name).iterdir()]
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in files}


def probed(path: Path) -> dict[str, list[dict[str, object]]]:
    command = ["ffprobe", "-v", "error", "-show_chapters", "-show_streams", "-of", "json", path]
    printed = subprocess.run(command, check=True, capture_output=True).stdout
    found: dict[str, list[dict[str, object]]] = json.loads(printed)
    return found


def test_each_person_has_a_reel_with_a_chapter_for_each_span(gathered: Path) -> None:
    spans = spans_of(gathered)
    assert len(spans) > 2
    assert {path.stem for path in (gathered / "reels").iterdir()} == set(spans)
    for name, rows in spans.items():
        found = probed(gathered / "reels" / f"{name}.mp4")
        chapters = found["chapters"]
        titles = [chapter["tags"]["title"] for chapter in chapters]  # type: ignore[index]
        assert titles == [f"{row['video']} {row['start_hms']}" for row in rows]
        lengths = [float(str(one["end_time"])) - float(str(one["start_time"])) for one in chapters]
        assert lengths == pytest.approx([float(row["end"]) - float(row["start"]) for row in rows], abs=0.003)
        assert float(str(found["streams"][0]["duration"])) == pytest.approx(sum(lengths), abs=0.05)


def test_each_span_has_a_picture_in_the_contact_sheet(cartoon: Cartoon, gathered: Path) -> None:
    spans = spans_of(gathered)
    assert {path.name for path in (gathered / "sheets").iterdir()} == {f"{name}-1.jpg" for name in spans}
    for name, rows in spans.items():
        with Image.open(gathered / "sheets" / f"{name}-1.jpg") as sheet:
            pixels = np.asarray(sheet.convert("RGB")).astype(int)
        # Four columns of 320 × 180 in steps of 330, below a heading; the box around the face is green.
        for number in range(len(rows)):
            left, top = 16 + 330 * (number % 4), 16 + 30 + (180 + 2 * 16 + 10) * (number // 4)
            cell = pixels[top : top + 180, left : left + 320]
            assert cell.std() > 20
            is_green = (abs(cell - (80, 220, 100)).sum(axis=2) < 60).sum()
            assert is_green > 20


def test_they_are_readable_for_their_owner_alone(gathered: Path) -> None:
    files = files_in(gathered)
    assert len(files) > 4
    assert {stat.S_IMODE((gathered / path).stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE((gathered / name).stat().st_mode) for name in ("reels", "sheets")} == {0o700}


def test_a_second_run_makes_only_what_is_missing_or_wanted(cartoon: Cartoon, out: Path) -> None:
    options = ("--pad", "0.2", "--clips", "none", "--crops", "none", "--contact-sheet")
    assert run_tools.run(cartoon, out, *options, "--reel").returncode == 0
    before = files_in(out)
    gone = sorted(before)[0]
    (out / gone).unlink()
    assert run_tools.run(cartoon, out, *options, "--reel").returncode == 0
    after = files_in(out)
    assert after.keys() == before.keys()
    assert {path for path in before if after[path] != before[path]} == {gone}
    # OUT remembers what was asked for.
    assert run_tools.run(cartoon, out, *options, "-s", "export.reel=false").returncode == 0
    assert not (out / "reels").exists()
    assert {path for path in before if path.startswith("sheets/")} == {
        path.relative_to(out).as_posix() for path in (out / "sheets").iterdir()
    }


@pytest.mark.parametrize("place", ["clip.packet:kill:40", "file.synced:kill:2"])
def test_a_killed_run_leaves_no_part_and_the_next_one_ends_with_the_same_files(
    cartoon: Cartoon, gathered: Path, out: Path, place: str
) -> None:
    """Processes of the export are replaced, and a reel that ends three of them is left out and named."""
    shutil.rmtree(out / "reels")
    command = run_tools.arguments(cartoon, out, *OPTIONS)
    run_tools.finish(command, FASTFACE_FAILPOINT=place)
    assert run_tools.finish(command).returncode == 0
    assert [path.name for path in out.rglob(".part-*")] == []
    assert files_in(out).keys() == files_in(gathered).keys()
    for path in sorted((out / "reels").iterdir()):
        assert path.read_bytes() == (gathered / "reels" / path.name).read_bytes()


def test_another_question_moves_them_away(cartoon: Cartoon, out: Path) -> None:
    before = files_in(out)
    photo = cartoon.photos / f"{labels(cartoon)[0]}.png"
    done = fastface("find", "-t", photo, "-o", out, "--models", cartoon.models)
    assert done.returncode == 0, done.stderr
    (folder,) = (out / "earlier").iterdir()
    assert files_in(folder) == before
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("reels", "sheets")} == {0o700}


def test_forget_removes_those_that_show_the_film(cartoon: Cartoon, out: Path) -> None:
    spans = spans_of(out)
    video = "film3.mp4"
    shows = {name for name, rows in spans.items() if any(row["video"] == video for row in rows)}
    assert shows
    assert fastface("forget", video, "--yes", "-o", out, "--models", cartoon.models).returncode == 0
    left = {path.stem for path in (out / "reels").glob("*")}
    assert left == set(spans) - shows
    assert {path.name for path in (out / "sheets").glob("*")} == {f"{name}-1.jpg" for name in left}


def test_purge_removes_them(out: Path) -> None:
    assert fastface("purge", "-o", out, "--yes").returncode == 0
    assert not (out / "reels").exists()
    assert not (out / "sheets").exists()


def test_smart_clips_of_a_run_say_how_they_were_cut(cartoon: Cartoon, out: Path) -> None:
    done = run_tools.run(cartoon, out, "--pad", "0.2", "--clips", "smart", "--crops", "none")
    assert done.returncode == 0, done.stderr
    spans = json.loads((out / "spans.json").read_text())
    modes = {span["clip_mode"] for span in spans}
    assert modes <= {"smart", "precise"}
    assert "smart" in modes
    for span in spans:
        assert (span["clip_reason"] is None) == (span["clip_mode"] == "smart")
        assert span["start"] - 1e-3 <= span["clip_start"] < span["start"] + 0.04
    refused = {(span["video"], span["clip_reason"]) for span in spans if span["clip_reason"]}
    lines = [line for line in json.loads((out / "run.json").read_text())["remarks"] if "not smart" in line]
    assert len(lines) == len(refused)
