"""Exports of whole runs over drawn films: what is there, what it shows, and what a second run does about it."""

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import av
import cv2
import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from export_tools import keyframes

from fastface.config import BodyConfig
from fastface.export.crops.framing import PARTS

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


def test_body_crops_have_the_ratio_and_the_place_that_the_table_tells(
    cartoon: Cartoon, exported: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    more = ["--clips", "none", "--crops", "body", "--ratio", "2:3,1:1", "--crop-format", "png"]
    assert _export(cartoon, out, *more).returncode == 0
    crops = run_tools.rows(out / "crops" / "crops.csv")
    assert len(crops) > 5
    weights = BodyConfig().model_dump()
    for crop in crops:
        picture = cv2.imread(str(out / crop["file"]))
        assert picture is not None
        drawn = cartoon.scripts[crop["video"]].draw(round(float(crop["time"]) * RATE))
        x1, y1, x2, y2 = (int(side) for side in crop["crop"].split())
        assert 0 <= x1 < x2 <= drawn.shape[1]
        assert 0 <= y1 < y2 <= drawn.shape[0]
        assert picture.shape[:2] == (y2 - y1, x2 - x1)
        assert np.abs(picture.astype(int) - drawn[y1:y2, x1:x2]).mean() < 12
        across, down = (int(part) for part in crop["ratio"].split(":"))
        assert crop["ratio"] in {"2:3", "1:1"}
        assert (x2 - x1) * down == (y2 - y1) * across
        assert crop["estimated"] == "yes"  # the cartoon has no person network
        # The parts are rounded to four decimals in the table.
        assert float(crop["score"]) == pytest.approx(sum(weights[part] * float(crop[part]) for part in PARTS), abs=5e-3)
        assert crop["framing"] in {"close-up", "portrait", "half", "full"}


def test_boxes_are_a_film_of_each_span(cartoon: Cartoon, exported: Path, tmp_path: Path) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    assert _export(cartoon, out, "--clips", "none", "--crops", "none", "--boxes").returncode == 0
    spans = run_tools.rows(out / "spans.csv")
    films = sorted(path.relative_to(out).as_posix() for path in (out / "clips").glob("*/*.mp4"))
    names = [f"clips/{one['video']}/{one['target']}_{one['start']}-{one['end']}_boxes.mp4" for one in spans]
    assert films == sorted(names)
    assert len(films) > 2
    assert {span["clip"] for span in spans} == {""}


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
    plain = ("--crop-format", "jpg", "-s", "export.snapshots=false")  # the folder remembers what it was made with
    assert _export(cartoon, out, "--clips", "copy", "--crops", "face", *plain).returncode == 0
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


def _own_films(cartoon: Cartoon, folder: Path) -> Cartoon:
    """Two of the films, to be changed."""
    folder.mkdir()
    for name in ("film1.mp4", "film2.mp4"):
        shutil.copy(cartoon.films / name, folder / name)
    return replace(cartoon, films=folder)


def _find(cartoon: Cartoon, out: Path, *more: str) -> CompletedProcess[str]:
    command = [*run_tools.COMMAND, "find", "-t", str(cartoon.bank), "-o", str(out)]
    return run_tools.finish([*command, "--models", str(cartoon.models), "--pad", "0.2,0.2", "-q", *more])


def _failures(out: Path) -> list[str]:
    failures: list[str] = json.loads((out / "run.json").read_text())["export_failures"]
    return failures


def _clips(out: Path, video: str) -> list[str]:
    return sorted(name for name in _made(out) if name.startswith(f"clips/{video}/"))


@pytest.mark.parametrize("is_gone", [False, True])
def test_nothing_is_made_of_a_video_that_is_not_the_scanned_one(
    cartoon: Cartoon, tmp_path: Path, is_gone: bool
) -> None:
    mine, out = _own_films(cartoon, tmp_path / "films"), tmp_path / "out"
    assert _export(mine, out, "--clips", "copy").returncode == 0
    before = {video: _clips(out, video) for video in ("film1.mp4", "film2.mp4")}
    assert min(map(len, before.values())) > 1
    for clips in before.values():
        (out / clips[0]).unlink()
    (mine.films / "film1.mp4").unlink()
    if not is_gone:
        shutil.copy(cartoon.films / "film3.mp4", mine.films / "film1.mp4")
    done = _find(mine, out, "--clips", "copy", "--crops", "face")
    assert done.returncode == 3, done.stderr
    (failure,) = _failures(out)
    if is_gone:
        assert failure.startswith("film1.mp4 cannot be read: No such file")
        assert failure.endswith(": put it back, or run again with where it is now")
    else:
        assert failure == "film1.mp4 changed since it was scanned: run again to scan it"
    assert failure in done.stderr
    # What was made of the scanned video is still of it; the other video is none the worse.
    assert _clips(out, "film1.mp4") == before["film1.mp4"][1:]
    assert _clips(out, "film2.mp4") == before["film2.mp4"]
    spans = run_tools.rows(out / "spans.csv")
    assert {span["clip"] for span in spans} == {*before["film1.mp4"][1:], *before["film2.mp4"], ""}
    assert {crop["video"] for crop in run_tools.rows(out / "crops" / "crops.csv")} == {"film2.mp4"}


def test_a_full_disk_ends_the_command_as_such(
    cartoon: Cartoon, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    monkeypatch.setenv("FASTFACE_FAILPOINT", "clip.packet:enospc:3")
    done = _find(cartoon, out, "--clips", "copy", "--crops", "none")
    assert done.returncode == 28
    assert "no space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_older_clip_is_not_listed_as_the_one_that_failed(
    cartoon: Cartoon, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(exported, tmp_path / "out")
    before = {name: when for name, when in _made(out).items() if name.startswith("clips/")}
    assert len(before) > 5
    with monkeypatch.context() as patched:
        patched.setenv("FASTFACE_FAILPOINT", "clip.packet:eio:every")
        done = _find(cartoon, out, "--clips", "copy", "--crops", "none")
    assert done.returncode == 3
    assert len(_failures(out)) == len(before)
    assert {span["clip"] for span in run_tools.rows(out / "spans.csv")} == {""}
    assert json.loads((out / "run.json").read_text())["counts"]["clips"] == 0
    assert {name: when for name, when in _made(out).items() if name.startswith("clips/")} == before
    # As soon as they can be made, they are, and are listed.
    assert _find(cartoon, out, "--clips", "copy", "--crops", "none").returncode == 0
    assert {span["clip"] for span in run_tools.rows(out / "spans.csv")} == set(before)


def test_pictures_made_before_one_that_failed_are_not_forgotten(cartoon: Cartoon, tmp_path: Path) -> None:
    mine, out = _own_films(cartoon, tmp_path / "films"), tmp_path / "out"
    (mine.films / "film2.mp4").unlink()
    assert _export(mine, out, "--crops", "face").returncode == 0
    crops = sorted(run_tools.rows(out / "crops" / "crops.csv"), key=lambda crop: float(crop["time"]))
    assert len(crops) > 2
    last = [crop for crop in crops if crop["time"] == crops[-1]["time"]]
    assert len(last) == 1
    assert _find(mine, out, "--clips", "none", "--crops", "none").returncode == 0
    assert list((out / "crops").rglob("*.jpg")) == []
    # Asked for again, the last cannot be written: a folder of the user's has its name.
    (out / last[0]["file"] / "mine").mkdir(parents=True)
    done = _find(mine, out, "--clips", "none", "--crops", "face")
    assert done.returncode == 3
    assert len(_failures(out)) == 1
    listed = {crop["file"] for crop in run_tools.rows(out / "crops" / "crops.csv")}
    assert listed == {crop["file"] for crop in crops[:-1]}
    # No longer wanted, they go, as all others do.
    assert _find(mine, out, "--clips", "none", "--crops", "none").returncode == 0
    assert [path.name for path in (out / "crops").rglob("*.jpg")] == [Path(last[0]["file"]).name]
    assert (out / last[0]["file"] / "mine").is_dir()


def test_a_clip_that_cannot_be_made_is_named_and_the_others_are_there(cartoon: Cartoon, tmp_path: Path) -> None:
    mine, out = _own_films(cartoon, tmp_path / "films"), tmp_path / "out"
    assert _export(mine, out).returncode == 0
    (mine.films / "film1.mp4").unlink()
    done = _find(mine, out, "--clips", "copy", "--crops", "none")
    assert done.returncode == 3
    assert "film1.mp4" in done.stderr
    assert "Traceback" not in done.stderr
    spans = run_tools.rows(out / "spans.csv")
    assert {span["video"] for span in spans} == {"film1.mp4", "film2.mp4"}
    assert all(bool(span["clip"]) == (span["video"] == "film2.mp4") for span in spans)
    assert run_tools.leftovers(out) == []
