"""`fastface timelines`: files of the last answer, which `find` keeps honest, `forget` and `purge` know."""

import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, copy_of_out, errors, fastface
from otio_tools import read_clips
from run_tools import ledger_rows, leftovers, rows

from fastface.runtime.output_folder import OutputFolder

WHOLE = {
    "cuts.edl", "markers.edl", "cuts.xml", "cuts.fcpxml", "cuts.otio", "losslesscut.csv", "chapters.ffmeta",
    "presence.csv", "presence.parquet", "elan.eaf", "elan.tsv", "annotations.json", "regions.json", "boxes.ass",
    "cvat.xml", "coco.json",
}  # fmt: skip
"""Files of a video; beside them each person has subtitles."""


PRESENCE_AND_HITS = {"presence.csv", "presence.parquet", "regions.json", "boxes.ass", "cvat.xml", "coco.json"}


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return copy_of_out(ran, tmp_path)


def _files(out: Path) -> set[str]:
    return {str(path.relative_to(out)) for path in (out / "timelines").rglob("*") if path.is_file()}


def _rate(film: Path) -> Fraction:
    """Frames a second, by ffprobe."""
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=r_frame_rate",
        "-of",
        "json",
    ]
    done = subprocess.run([*command, str(film)], capture_output=True, check=True, timeout=60)
    return Fraction(json.loads(done.stdout)["streams"][0]["r_frame_rate"])


def test_each_video_of_the_answer_gets_all_formats(ran: Ran, out: Path) -> None:
    done = fastface("timelines", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    spans = rows(out / "spans.csv")
    persons = {(row["video"], row["target"]) for row in spans}
    videos = {video for video, _ in persons}
    assert len(videos) > 1
    expected = {f"timelines/{video}/{name}" for video in videos for name in WHOLE}
    expected |= {f"timelines/{video}/{person}.{kind}" for video, person in persons for kind in ("srt", "vtt")}
    assert _files(out) == expected
    assert done.stdout == f"wrote {len(expected)} files in {out / 'timelines'}\n"
    for video in videos:
        rate = _rate(ran.films / video)
        text = (out / "timelines" / video / "cuts.edl").read_text(encoding="utf-8")
        clips = read_clips(text, "cmx_3600", float(rate))
        own = [row for row in spans if row["video"] == video]
        assert len(clips) == len(own)
        assert {clip.name for clip in clips} == {video}
        # The run has no padding, so a span begins with a frame.
        first = sorted(round(Fraction(row["start"]) * rate) for row in own)
        assert sorted(clip.start for clip in clips) == first


def test_boxes_name_the_frames_that_ffprobe_counts(ran: Ran, out: Path) -> None:
    assert fastface("timelines", "-o", out, "--as", "coco").returncode == 0
    table = rows(out / "hits.csv")
    videos = sorted({row["video"] for row in table})
    assert len(videos) > 1
    for video in videos:
        command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts", "-of", "json"]
        done = subprocess.run([*command, str(ran.films / video)], capture_output=True, check=True, timeout=60)
        places = {str(frame["pts"]): place for place, frame in enumerate(json.loads(done.stdout)["frames"])}
        expected = sorted(
            {f"frame_{places[row['pts']]:06}.jpg" for row in table if row["video"] == video and row["x1"]}
        )
        coco = json.loads((out / "timelines" / video / "coco.json").read_text(encoding="utf-8"))
        assert [image["file_name"] for image in coco["images"]] == expected


def test_only_the_named_formats_are_written_and_others_stay(out: Path) -> None:
    assert fastface("timelines", "-o", out, "--as", "losslesscut, presence", "-q").returncode == 0
    assert {Path(name).name for name in _files(out)} == {"losslesscut.csv", "presence.csv", "presence.parquet"}
    told = json.loads(fastface("timelines", "-o", out, "--as", "edl", "--json").stdout)
    assert {Path(name).name for name in told["files"]} == {"cuts.edl"}
    assert (told["removed"], told["left_out"]) == (0, [])
    assert {Path(name).name for name in _files(out)} == {
        "losslesscut.csv",
        "presence.csv",
        "presence.parquet",
        "cuts.edl",
    }


def test_written_again_nothing_changes_and_a_lost_file_comes_back(out: Path) -> None:
    assert fastface("timelines", "-o", out).returncode == 0
    before = contents(out / "timelines")
    assert fastface("timelines", "-o", out).returncode == 0
    assert contents(out / "timelines") == before
    lost = min((out / "timelines").rglob("cuts.edl"))
    text = lost.read_bytes()
    lost.unlink()
    assert fastface("timelines", "-o", out).returncode == 0
    assert lost.read_bytes() == text
    assert leftovers(out) == []


def test_what_would_be_written_is_printed(out: Path) -> None:
    done = fastface("timelines", "-o", out, "--dry-run")
    assert done.returncode == 0
    assert "would write " in done.stdout
    assert not (out / "timelines").exists()


def test_what_cannot_be_written_is_refused_in_words(out: Path, tmp_path: Path) -> None:
    (line,) = errors(fastface("timelines", "-o", out, "--as", "edl,docx"), 2, 1)
    assert "'docx': must be some of edl, markers, fcp7" in line
    (line,) = errors(fastface("timelines", "-o", tmp_path / "none"), 2, 1)
    assert "holds no scanned videos" in line
    assert not (tmp_path / "none").exists()
    with OutputFolder(out).hold_lock():
        (line,) = errors(fastface("timelines", "-o", out), 11, 1)
    assert "in use by another run" in line
    (out / "spans.json").write_text('[{"video": "film1.mp4"}]')
    (line,) = errors(fastface("timelines", "-o", out), 2, 1)
    assert "search again to write it" in line
    (out / "spans.json").unlink()
    (line,) = errors(fastface("timelines", "-o", out), 2, 1)
    assert "holds no spans; search for persons first" in line
    assert not (out / "timelines").exists()


def test_a_new_answer_removes_timelines_that_no_longer_hold(cartoon: Cartoon, out: Path) -> None:
    find = ("find", "-t", cartoon.photos, "--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none")
    assert fastface("timelines", "-o", out).returncode == 0
    before = contents(out / "timelines")
    done = fastface(*find, "--pad", "0")
    assert "outdated" not in done.stderr
    assert contents(out / "timelines") == before
    done = fastface(*find, "--pad", "0.2")
    assert "in timelines/; fastface timelines writes them again" in done.stderr
    # Presence by the second may be the same in spite of it, and hits have no padding.
    assert {Path(name).name for name in _files(out)} <= PRESENCE_AND_HITS
    assert fastface("timelines", "-o", out).returncode == 0
    assert len(_files(out)) == len([name for name in before if Path(name).is_file()])


def test_another_question_takes_the_timelines_of_the_last_one_along(cartoon: Cartoon, out: Path) -> None:
    assert fastface("timelines", "-o", out).returncode == 0
    before = _files(out)
    photo = min(cartoon.photos.iterdir())
    done = fastface("find", "-t", photo, "--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none")
    assert done.returncode == 3, done.stderr  # one film is broken
    assert _files(out) == set()
    (earlier,) = (out / "earlier").iterdir()
    assert _files(earlier) == before
    assert fastface("purge", "-o", out, "--yes").returncode == 0
    assert not (earlier / "timelines").exists()


def test_a_forgotten_video_has_no_timelines(out: Path) -> None:
    assert fastface("timelines", "-o", out).returncode == 0
    others = {name for name in _files(out) if not name.startswith("timelines/film1.mp4/")}
    assert len(others) < len(_files(out))
    done = fastface("forget", "film1.mp4", "-o", out, "--yes", FASTFACE_MODELS="")
    assert done.returncode == 0, done.stderr
    assert _files(out) == others


def test_purge_removes_timelines_since_they_name_persons(out: Path) -> None:
    assert fastface("timelines", "-o", out).returncode == 0
    (out / "timelines" / "mine.edl").write_text("mine")
    done = fastface("purge", "-o", out, "--yes")
    assert done.returncode == 0, done.stderr
    assert _files(out) == {"timelines/mine.edl"}
    assert f"kept, since fastface did not write it: {out / 'timelines' / 'mine.edl'}" in done.stdout
    assert ledger_rows(out, "SELECT path FROM exports WHERE path LIKE 'timelines/%'") == []


def test_nothing_of_the_videos_is_read(cartoon: Cartoon, tmp_path: Path) -> None:
    films = shutil.copytree(cartoon.films, tmp_path / "films")
    scan = ("run", films, "-t", cartoon.bank, "--models", cartoon.models, "--clips", "none", "--crops", "none")
    assert fastface(*scan, "-o", tmp_path / "out").returncode == 0
    shutil.rmtree(films)
    assert fastface("timelines", "-o", tmp_path / "out").returncode == 0
    assert len(_files(tmp_path / "out")) > len(WHOLE)


def test_an_answer_writes_the_timelines_that_it_is_asked_for(cartoon: Cartoon, tmp_path: Path) -> None:
    """The same files as the command afterwards. They are remembered as other exports are, until `none`."""
    run = ("run", cartoon.films, "-t", cartoon.bank, "--models", cartoon.models, "--clips", "none", "--crops", "none")
    out = tmp_path / "out"
    done = fastface(*run, "-o", out, "--timelines", "srt,edl", "--timelines", "cvat")
    assert done.returncode == 0, done.stderr
    assert "timelines/" in done.stdout
    made = {name: (out / name).read_bytes() for name in _files(out)}
    assert {Path(name).suffix for name in made} == {".srt", ".edl", ".xml"}
    shutil.rmtree(out / "timelines")
    assert fastface("timelines", "-o", out, "--as", "edl,cvat,srt").returncode == 0
    assert {name: (out / name).read_bytes() for name in _files(out)} == made
    find = ("find", "-t", cartoon.bank, "-o", out)
    done = fastface(*find, "--pad", "0.4")
    assert "export.timelines=edl,srt,cvat" in done.stderr
    assert _files(out) == set(made)
    edl = min(name for name in made if name.endswith("cuts.edl"))
    assert (out / edl).read_bytes() != made[edl]
    done = fastface(*find, "--pad", "0", "--timelines", "none")
    assert "outdated file" in done.stderr
    assert not (out / edl).exists()


def test_a_picked_person_gets_timelines_too(out: Path, cartoon: Cartoon) -> None:
    assert fastface("people", "-o", out, "--models", cartoon.models).returncode == 0
    done = fastface("pick", "1", "-o", out, "--models", cartoon.models, "--timelines", "coco,fcpxml")
    assert done.returncode == 3, done.stderr  # one film is broken
    assert {Path(name).name for name in _files(out)} == {"coco.json", "cuts.fcpxml"}


def test_an_unknown_format_is_refused_before_anything_is_done(cartoon: Cartoon, tmp_path: Path) -> None:
    run = ("run", cartoon.films, "-t", cartoon.bank, "-o", tmp_path / "none", "--timelines", "edl,docx")
    (line,) = errors(fastface(*run), 2, 1)
    assert "--timelines edl,docx: must be all, none, or some of edl, markers, fcp7" in line
    assert not (tmp_path / "none").exists()


def test_a_table_of_hits_that_is_gone_is_named(out: Path) -> None:
    (out / "hits.csv").unlink()
    assert fastface("timelines", "-o", out, "--as", "edl").returncode == 0
    (line,) = errors(fastface("timelines", "-o", out, "--as", "cvat"), 2, 1)
    assert "hits.csv" in line
    assert "search again to write it" in line


def test_what_a_format_cannot_show_is_named(out: Path) -> None:
    for video, facts in (("film1.mp4", {"other_sizes": [[320, 180]]}), ("film2.mp4", {"rate": None})):
        with closing(sqlite3.connect(out / ".fastface" / "state.sqlite")) as ledger, ledger:
            (info,) = ledger.execute("SELECT info FROM videos WHERE video_id = ?", (video,)).fetchone()
            text = json.dumps(json.loads(info) | facts)
            ledger.execute("UPDATE videos SET info = ? WHERE video_id = ?", (text, video))
    done = fastface("timelines", "-o", out, "--as", "edl,ass,cvat")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "film1.mp4: no ass, since its frames have several sizes",
        "film1.mp4: no cvat, since its frames have several sizes",
        "film2.mp4: no cvat, since its frame rate is unknown",
        "film2.mp4: no edl, since timecode cannot count its frame rate",
    ]
    own = {name.removeprefix("timelines/") for name in _files(out)}
    assert {name for name in own if not name.startswith("film3")} == {"film1.mp4/cuts.edl", "film2.mp4/boxes.ass"}
