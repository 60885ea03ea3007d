"""One output folder over many runs: names, moved and changed files, what is kept, what is tried again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import DURATIONS, Ran, copy_of_out, environment, fastface
from media_tools import ffmpeg

NO_EXPORTS = ("--clips", "none", "--crops", "none")


def _run(cartoon: Cartoon, out: Path, *inputs: object, code: int = 0, folder: Path | None = None, **more: str) -> str:
    given = ("-t", cartoon.bank, "--models", cartoon.models, "-o", out, *NO_EXPORTS)
    done = fastface("run", *inputs, *given, folder=folder, **more)
    assert done.returncode == code, done.stderr
    return done.stderr


def _find(cartoon: Cartoon, out: Path, *more: object, code: int = 0) -> str:
    done = fastface("find", "-t", cartoon.bank, "--models", cartoon.models, "-o", out, *NO_EXPORTS, *more)
    assert done.returncode == code, done.stderr
    return done.stderr


def _hits(out: Path) -> dict[str, int]:
    """{video: hits}."""
    counts: dict[str, int] = {}
    for row in run_tools.rows(out / "hits.csv"):
        counts[row["video"]] = counts.get(row["video"], 0) + 1
    return counts


@pytest.fixture(scope="module")
def alone(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """{film: hits}, each film in an output folder of its own."""
    counts: dict[str, int] = {}
    for film in ("film2.mp4", "film3.mp4"):
        out = tmp_path_factory.mktemp("alone")
        _run(cartoon, out, cartoon.films / film)
        counts |= _hits(out)
    assert all(counts.values())
    assert len(counts) == 2
    return counts


def test_a_second_run_adds_to_what_is_there(cartoon: Cartoon, alone: dict[str, int], tmp_path: Path) -> None:
    _run(cartoon, tmp_path, cartoon.films / "film2.mp4")
    _run(cartoon, tmp_path, cartoon.films / "film3.mp4")
    assert _hits(tmp_path) == alone


def test_a_run_with_nothing_to_do_starts_no_process(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    films = [cartoon.films / name for name in sorted(DURATIONS)]  # a broken film is tried again
    given = ("run", *films, "-t", cartoon.bank, "--models", cartoon.models, "-o", out, *NO_EXPORTS)
    done = fastface(*given)
    tables = run_tools.tables(out)
    code = "import subprocess; from fastface import cli; subprocess.Popen = None; cli.main()"
    again = subprocess.run(
        [sys.executable, "-c", code, *map(str, given)], capture_output=True, text=True, env=environment(), check=False
    )
    assert again.returncode == done.returncode == 0, again.stderr
    assert run_tools.tables(out) == tables


def test_files_of_one_name_in_two_folders_are_two_videos(
    cartoon: Cartoon, alone: dict[str, int], tmp_path: Path
) -> None:
    for folder, film in (("a", "film2.mp4"), ("b", "film3.mp4")):
        (tmp_path / folder).mkdir()
        shutil.copy(cartoon.films / film, tmp_path / folder / "clip.mp4")
    out = tmp_path / "out"
    _run(cartoon, out, tmp_path / "a")
    _run(cartoon, out, tmp_path / "b")
    counts = _hits(out)
    assert counts["clip.mp4"] == alone["film2.mp4"]
    assert sorted(counts.values()) == sorted(alone.values())
    units = run_tools.num_units(out)
    _run(cartoon, out, tmp_path / "b", tmp_path / "a")  # in whatever order, and together
    assert _hits(out) == counts
    assert run_tools.num_units(out) == units


def test_a_moved_video_is_the_same_one_under_its_new_path(cartoon: Cartoon, tmp_path: Path) -> None:
    old, new, out = tmp_path / "old", tmp_path / "new", tmp_path / "out"
    old.mkdir()
    shutil.copy2(cartoon.films / "film3.mp4", old)
    _run(cartoon, out, old)
    before = (out / ".fastface" / "index" / "film3.mp4" / "faces.parquet").stat().st_mtime_ns
    old.rename(new)
    _run(cartoon, out, new)
    assert (out / ".fastface" / "index" / "film3.mp4" / "faces.parquet").stat().st_mtime_ns == before
    asked = ("find", "-t", cartoon.bank, "--models", cartoon.models, "-o", out, "--clips", "copy")
    done = fastface(*asked)  # clips of the moved file
    assert done.returncode == 0, done.stderr
    assert [path for path in (out / "clips").rglob("*.mp4") if path.is_file()]


def test_another_spelling_of_a_path_is_the_same_video(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    shutil.copy2(cartoon.films / "film3.mp4", tmp_path / "films")
    out = tmp_path / "out"
    _run(cartoon, out, "films", folder=tmp_path)
    written = (out / ".fastface" / "index" / "film3.mp4" / "faces.parquet").stat().st_mtime_ns
    _run(cartoon, out, "film3.mp4", folder=tmp_path / "films")
    _run(cartoon, out, tmp_path / "films" / "film3.mp4")
    assert (out / ".fastface" / "index" / "film3.mp4" / "faces.parquet").stat().st_mtime_ns == written
    assert list(_hits(out)) == ["film3.mp4"]
    done = fastface("find", "-t", cartoon.bank, "--models", cartoon.models, "-o", out, folder=Path("/"))
    assert done.returncode == 0, done.stderr


def test_a_video_that_failed_is_tried_again(cartoon: Cartoon, alone: dict[str, int], tmp_path: Path) -> None:
    film, out = tmp_path / "film3.mp4", tmp_path / "out"
    whole = (cartoon.films / "film3.mp4").read_bytes()
    film.write_bytes(b"x" * len(whole))
    os.utime(film, (1, 1))
    _run(cartoon, out, film, code=3)
    (line,) = [line for line in _run(cartoon, out, film).splitlines() if line.startswith("film3.mp4: ")]
    assert line == "film3.mp4: failed: not a video"  # tried again; a known failure is not exit code 3
    film.write_bytes(whole)
    _run(cartoon, out, film)
    assert _hits(out) == {"film3.mp4": alone["film3.mp4"]}


def test_starting_over_forgets_only_when_the_targets_are_there(
    cartoon: Cartoon, alone: dict[str, int], tmp_path: Path
) -> None:
    _run(cartoon, tmp_path, cartoon.films / "film2.mp4")
    before = run_tools.tables(tmp_path)
    fixed = ("--models", cartoon.models, "-o", tmp_path, *NO_EXPORTS, "--fresh")
    done = fastface("run", cartoon.films / "film3.mp4", "-t", tmp_path / "nobody.jpg", *fixed)
    assert done.returncode == 2
    assert "--fresh" in _find(cartoon, tmp_path, "-s", "run.fresh=true", code=2)
    _find(cartoon, tmp_path)
    assert run_tools.tables(tmp_path) == before
    told = (
        "--fresh removes the index of 1 video and 0 exported files, then scans 1 video. "
        "Not among the inputs, so not scanned again: 1 video. "
        "To keep all and continue, run the same command without --fresh."
    )
    done = fastface("run", cartoon.films / "film3.mp4", "-t", cartoon.bank, *fixed, "--dry-run")
    assert f"output: {told}" in done.stdout.splitlines()
    assert run_tools.tables(tmp_path) == before
    done = fastface("run", cartoon.films / "film3.mp4", "-t", cartoon.bank, *fixed)
    assert told in done.stderr.splitlines()
    assert done.returncode == 0, done.stderr
    assert _hits(tmp_path) == {"film3.mp4": alone["film3.mp4"]}


def test_an_input_that_cannot_be_read_is_exit_code_3(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    shutil.copy(cartoon.films / "film3.mp4", tmp_path / "films")
    (tmp_path / "films" / "gone.mp4").symlink_to("nowhere.mp4")
    assert "gone.mp4" in _run(cartoon, tmp_path / "out", tmp_path / "films", code=3)
    (tmp_path / "films" / "film3.mp4").unlink()
    told = _run(cartoon, tmp_path / "out", tmp_path / "films", code=2)
    assert "no video found" in told
    assert "gone.mp4" in told  # and why


def test_other_settings_are_told_before_they_cost_a_scan(cartoon: Cartoon, tmp_path: Path) -> None:
    film = cartoon.films / "film3.mp4"
    _run(cartoon, tmp_path, film)
    assert "again" not in _run(cartoon, tmp_path, film)
    assert "settings or networks have changed" in _run(cartoon, tmp_path, film, FASTFACE_SCAN__SAMPLE_FPS="2")


def test_every_picture_of_a_folder_is_looked_at_and_none_becomes_a_clip(cartoon: Cartoon, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ("-t", cartoon.photos, "--models", cartoon.models, "-o", out)
    done = fastface("run", cartoon.photos, *given)
    assert done.returncode == 0, done.stderr
    labels = sorted(photo.stem for photo in cartoon.photos.iterdir())
    assert sorted(row["target"] for row in run_tools.rows(out / "hits.csv")) == labels
    assert {row["clip"] for row in run_tools.rows(out / "spans.csv")} == {""}
    assert len(run_tools.rows(out / "crops" / "crops.csv")) == len(labels)


def test_faces_of_damaged_frames_are_marked(cartoon: Cartoon, tmp_path: Path) -> None:
    film, out = tmp_path / "film.mp4", tmp_path / "out"
    ffmpeg("-i {0} -c copy -bsf:v noise=amount='if(between(n,40,60),1,0)' {1}", cartoon.films / "film2.mp4", film)
    _run(cartoon, out, film, code=3)
    (video,) = json.loads((out / "run.json").read_text())["videos"]
    assert video["state"] == "partial"
    table = pq.read_table(out / ".fastface" / "index" / "film.mp4" / "faces.parquet").to_pydict()
    marked = {time for time, damaged in zip(table["time"], table["damaged"], strict=True) if damaged}
    whole = {time for time, damaged in zip(table["time"], table["damaged"], strict=True) if not damaged}
    assert video["damaged"] == sum(table["damaged"]) > 0
    assert marked
    assert all(1.6 <= time < 3.0 for time in marked)  # frames 40 to 60, and up to the keyframe after them
    assert {time for time in whole if time < 1.6 or time >= 3.0}


def test_frames_equal_to_the_one_before_are_not_computed_again(cartoon: Cartoon, tmp_path: Path) -> None:
    """Half a second of film, then three seconds of its last picture, without loss: still to the last bit."""
    still = tmp_path / "still.mkv"
    ffmpeg("-t 0.5 -i {0} -vf tpad=stop_mode=clone:stop_duration=3 -c:v ffv1 {1}", cartoon.films / "film2.mp4", still)
    reports = {}
    for batch in ("1", "4"):
        out = tmp_path / batch
        _run(cartoon, out, still, FASTFACE_SCAN__BATCH=batch, FASTFACE_SCAN__EVERY_FRAME="true")
        reports[batch] = json.loads((out / "run.json").read_text())["counts"]
    assert reports["1"]["repeated"] == 0  # it knows no frame before
    assert reports["4"]["inferred"] == reports["1"]["inferred"] > 80
    assert 50 < reports["4"]["repeated"] < 0.75 * reports["4"]["inferred"]
    assert reports["4"]["faces"] == reports["1"]["faces"] > 80
    assert run_tools.tables(tmp_path / "4") == run_tools.tables(tmp_path / "1")


def test_videos_of_another_network_are_left_out_and_said_to_be(
    cartoon: Cartoon, tmp_path: Path, shared_models: Path, shared_media: Path
) -> None:
    out = tmp_path / "out"
    _run(cartoon, out, cartoon.films / "film2.mp4")
    photo = sorted((shared_media / "photos" / "friends").iterdir())[0]
    given = ("-t", photo, "--models", shared_models / "buffalo_s", "-o", out, *NO_EXPORTS)
    done = fastface("run", cartoon.films / "film3.mp4", *given)
    assert done.returncode == 0, done.stderr
    assert "left out 1 video of earlier runs, scanned with another recogniser" in done.stderr
    assert "film2.mp4" not in _hits(out)
    refused = fastface("find", *given)
    assert refused.returncode == 1
    assert "film2.mp4" in refused.stderr
