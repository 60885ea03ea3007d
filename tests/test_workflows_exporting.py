"""Exports of whole runs over drawn films: what is there, what it shows, and what a second run does about it."""

import json
import os
import shutil
import stat
from pathlib import Path
from subprocess import CompletedProcess

import av
import cv2
import numpy as np
import pytest
import run_tools
from conftest import Cartoon
from export_tools import keyframes

RATE = 25
"""Frames a second of the drawn films."""


def _export(cartoon: Cartoon, out: Path, *more: str) -> CompletedProcess[str]:
    return run_tools.run(cartoon, out, "--pad", "0.2,0.2", *more)


@pytest.fixture(scope="module")
def exported(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a run with everything that can be asked."""
    out = tmp_path_factory.mktemp("exported") / "out"
    done = _export(cartoon, out, "--clips", "precise", "--crops", "face", "--snapshots", "--crop-format", "png")
    assert done.returncode == 0, done.stderr
    return out


def _is_playable(path: Path) -> bool:
    with av.open(str(path)) as container:
        return next(container.decode(video=0), None) is not None


def _made(out: Path) -> dict[str, int]:
    """{path below OUT: when it was written, in ns} of all exports."""
    found = (path for name in ("clips", "crops", "snapshots") for path in (out / name).rglob("*.*"))
    return {path.relative_to(out).as_posix(): path.stat().st_mtime_ns for path in found if path.is_file()}


def test_each_span_has_its_clip_of_exactly_its_frames(exported: Path) -> None:
    spans = run_tools.rows(exported / "spans.csv")
    assert len(spans) > 5
    assert len({span["clip"] for span in spans}) == len(spans) == len(list((exported / "clips").glob("*/*.mp4")))
    for span in spans:
        start, end = (round(float(span[key]) * RATE, 3) for key in ("start", "end"))
        name = f"{span['target']}_{span['start']}-{span['end']}.mp4"
        assert span["clip"] == f"clips/{span['video']}/{name}"
        with av.open(str(exported / span["clip"])) as container:
            shown = sum(1 for _ in container.decode(video=0))
        # Frame n is shown at n/25; the table rounds to a millisecond, far less than a frame.
        assert shown == np.ceil(end - 0.1) - np.ceil(start - 0.1)


def test_the_json_says_what_a_clip_really_shows(cartoon: Cartoon, exported: Path, tmp_path: Path) -> None:
    precise = json.loads((exported / "spans.json").read_text())
    assert len(precise) > 5
    for span in precise:
        assert span["clip_mode"] == "precise"
        assert span["start"] - 1e-3 <= span["clip_start"] < span["start"] + 1 / RATE
        assert span["end"] - 1e-3 <= span["clip_end"] < span["end"] + 1 / RATE
    shutil.copytree(exported, tmp_path / "out")
    assert _export(cartoon, tmp_path / "out", "--clips", "copy").returncode == 0
    copied = json.loads((tmp_path / "out" / "spans.json").read_text())
    assert [(span["video"], span["start"]) for span in copied] == [(span["video"], span["start"]) for span in precise]
    for span in copied:
        assert span["clip_mode"] == "copy"
        before = [time for time in keyframes(cartoon.films / span["video"]) if time <= span["start"] + 1e-3]
        assert span["clip_start"] == pytest.approx(float(max(before)), abs=1e-3)
        assert span["clip_end"] >= span["end"] - 1e-3


def test_each_crop_shows_the_drawn_face(cartoon: Cartoon, exported: Path) -> None:
    crops = run_tools.rows(exported / "crops" / "crops.csv")
    assert len(crops) > 5
    assert {crop["file"] for crop in crops} == {name for name in _made(exported) if name.endswith(".png")} - {
        name for name in _made(exported) if name.startswith("snapshots/")
    }
    for crop in crops:
        picture = cv2.imread(str(exported / crop["file"]))
        assert picture is not None
        drawn = cartoon.scripts[crop["video"]].draw(round(float(crop["time"]) * RATE))
        x1, y1, x2, y2 = (float(side) for side in crop["box"].split())
        side = picture.shape[0]
        assert side == picture.shape[1] == round(max(x2 - x1, y2 - y1) * 1.6)
        left = min(max(0, round((x1 + x2 - side) / 2)), drawn.shape[1] - side)
        top = min(max(0, round((y1 + y2 - side) / 2)), drawn.shape[0] - side)
        # H.264 in between: alike, not equal.
        assert np.abs(picture.astype(int) - drawn[top : top + side, left : left + side]).mean() < 12
        assert stat.S_IMODE((exported / crop["file"]).stat().st_mode) == 0o600


def test_each_span_has_a_snapshot_with_a_box(cartoon: Cartoon, exported: Path) -> None:
    snapshots = sorted((exported / "snapshots").rglob("*.png"))
    spans = run_tools.rows(exported / "spans.csv")
    assert 0 < len(snapshots) <= len(spans)
    for path in snapshots:
        video, time = path.parent.name, float(path.stem)
        assert any(span["video"] == video and float(span["start"]) <= time < float(span["end"]) for span in spans)
        picture, drawn = cv2.imread(str(path)), cartoon.scripts[video].draw(round(time * RATE))
        assert picture is not None
        assert picture.shape == drawn.shape
        difference = np.abs(picture.astype(int) - drawn).max(axis=2)
        assert 0.001 < (difference > 60).mean() < 0.1  # the box and its text, and nothing else


def test_asked_again_nothing_is_made_again(cartoon: Cartoon, exported: Path) -> None:
    before = _made(exported)
    tables = run_tools.tables(exported)
    more = ["--clips", "precise", "--crops", "face", "--snapshots", "--crop-format", "png"]
    assert _export(cartoon, exported, *more).returncode == 0
    assert _made(exported).keys() == before.keys()
    touched = {name for name, when in _made(exported).items() if before[name] != when}
    assert touched == {"crops/crops.csv"}
    assert run_tools.tables(exported) == tables


def test_what_is_missing_or_no_longer_wanted_is_mended(cartoon: Cartoon, exported: Path, tmp_path: Path) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    assert _export(cartoon, out, "--clips", "copy", "--crops", "face").returncode == 0
    first = _made(out)
    clips = sorted(name for name in first if name.startswith("clips/"))
    crops = sorted(name for name in first if name.endswith(".jpg"))
    assert len(clips) > 2
    assert len(crops) > 2
    (out / clips[0]).unlink()
    own = out / "clips" / "film1.mp4" / "my own notes.txt"
    own.write_text("kept")
    (out / "crops" / "empty folder of mine").mkdir()
    done = _export(cartoon, out, "--clips", "copy", "--crops", "none")
    assert done.returncode == 0, done.stderr
    second = _made(out)
    assert sorted(second) == sorted([*clips, "clips/film1.mp4/my own notes.txt", "crops/crops.csv"])
    assert {name for name in clips[1:] if second[name] != first[name]} == set()
    assert _is_playable(out / clips[0])
    assert (out / "crops" / "empty folder of mine").is_dir()
    # Another padding: other clips, the old ones are gone.
    assert run_tools.run(cartoon, out, "--clips", "copy", "--pad", "0.4,0.4").returncode == 0
    third = {name for name in _made(out) if name.startswith("clips/")}
    assert len(third) > 2
    assert not third & set(clips)
    assert own.read_text() == "kept"


def test_a_clip_that_cannot_be_made_is_named_and_the_others_are_there(cartoon: Cartoon, tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    for name in ("film1.mp4", "film2.mp4"):
        os.link(cartoon.films / name, films / name)
    mine = Cartoon(films, cartoon.photos, cartoon.models, cartoon.scripts)
    assert _export(mine, out).returncode == 0
    (films / "film1.mp4").unlink()
    command = [*run_tools.COMMAND, "find", "-t", str(cartoon.photos), "-o", str(out)]
    options = ["--models", str(cartoon.models), "--pad", "0.2,0.2", "--clips", "copy", "--crops", "none", "-q"]
    done = run_tools.finish([*command, *options])
    assert done.returncode == 3
    assert "film1.mp4" in done.stderr
    assert "Traceback" not in done.stderr
    spans = run_tools.rows(out / "spans.csv")
    assert {span["video"] for span in spans} == {"film1.mp4", "film2.mp4"}
    assert all(bool(span["clip"]) == (span["video"] == "film2.mp4") for span in spans)
    assert run_tools.leftovers(out) == []
