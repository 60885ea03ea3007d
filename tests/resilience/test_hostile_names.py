"""Whole runs over hostile names and odd files: every output stays valid, inside OUT, and nobody stops the others."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import cli_tools
import pytest
import run_tools
import video_tools
from cartoon_tools import Cartoon

PLAIN = "film3.mp4"
HOSTILE = [
    b"caf\xe9\xff.mp4",
    b"new\nline [bold]x].mp4",
    b"n" * 240 + b".mp4",
    b"-y.mp4",
    b"=cmd|'<script>alert(1)<.mp4",
]
UNREADABLE, JUMP, SOUND = "closed.mp4", "jump.ts", "sound.mp4"
AS_OWNER_ALONE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Root may read what is closed to it, unless it gives that up."""


@dataclass(frozen=True)
class Hostile:
    """A run over such a folder, with OUT inside it."""

    films: Path
    out: Path
    label: str
    done: subprocess.CompletedProcess[bytes]
    command: list[str]


def _path(folder: Path, name: bytes) -> Path:
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


def _bytes(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    deadline = run_tools.DEADLINE_SECONDS
    environment = cli_tools.environment(PYTHONIOENCODING="utf-8:strict")
    return subprocess.run(command, capture_output=True, timeout=deadline, check=False, env=environment)


@pytest.fixture(scope="module")
def hostile(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    root = tmp_path_factory.mktemp("hostile")
    films, photos = root / "films", root / "photos"
    films.mkdir()
    photos.mkdir()
    source = cartoon.films / PLAIN
    for name in HOSTILE:  # each a file of its own, or it would be the same one
        shutil.copyfile(source, _path(films, name))
    shutil.copyfile(source, films / "a.mp4")
    video_tools.ffmpeg("-i {0} -c copy {1}", source, films / "a.mkv")
    jump = "setpts='if(gt(N,12),PTS+3600/TB,PTS)'"
    lossless = "-fps_mode passthrough -c:v libx264 -preset ultrafast -qp 0 -g 25"
    video_tools.ffmpeg(f"-i {{0}} -vf {jump} {lossless} {{1}}", source, films / JUMP)
    video_tools.audio_only(films / SOUND)
    shutil.copyfile(source, films / UNREADABLE)
    (films / UNREADABLE).chmod(0)
    (films / "loop").symlink_to(films)
    (films / "self.mp4").symlink_to("self.mp4")
    os.mkfifo(films / "pipe.mp4")
    known = sorted(cartoon.photos.iterdir())[0]
    shutil.copyfile(known, _path(photos, b"new\nline [b]\xe9.png"))
    out = films / "out"
    given = ["-t", str(photos), "--models", str(cartoon.models), "-o", str(out), "--pad", "0", "--snapshots"]
    given += ["--reel", "--contact-sheet"]
    given += ["-s", "scan.copies=true"]
    command = [*AS_OWNER_ALONE, *run_tools.COMMAND, "run", str(films), *given]
    done = _bytes(command)
    assert (out / "hits.csv").exists(), done.stderr
    (label,) = {row["target"] for row in run_tools.rows(out / "hits.csv")}
    return Hostile(films, out, label, done, command)


def _report(hostile: Hostile) -> dict[str, dict[str, object]]:
    videos = json.loads((hostile.out / "run.json").read_bytes().decode())["videos"]
    return {video["path"].rsplit("/", 1)[-1]: video for video in videos}


def test_every_file_has_its_state_and_none_stops_another(hostile: Hostile) -> None:
    assert hostile.done.returncode == 3, hostile.done.stderr
    videos = _report(hostile)
    assert len(videos) == len(HOSTILE) + 5
    states = {name: video["state"] for name, video in videos.items()}
    odd = {name: states.pop(name) for name in (UNREADABLE, SOUND)}
    assert odd == {UNREADABLE: "failed", SOUND: "no_video"}
    assert "Permission denied" in str(videos[UNREADABLE]["reason"])
    assert set(states.values()) == {"done"}, videos
    skipped = json.loads((hostile.out / "run.json").read_bytes())["skipped"]
    reasons = {Path(item["path"]).name: item["reason"] for item in skipped}
    assert set(reasons) == {"loop", "self.mp4", "pipe.mp4", "out"} - ({"out"} - set(reasons))
    assert "symbolic links" in reasons["self.mp4"]


def test_each_copy_has_the_hits_of_the_film(cartoon: Cartoon, hostile: Hostile) -> None:
    drawn = cli_tools.drawn_hits(cartoon)
    person = sorted(cartoon.photos.iterdir())[0].stem
    expected = sorted(time for video, name, time in drawn.elements() if (video, name) == (PLAIN, person))
    assert len(expected) > 3
    rows = run_tools.rows(hostile.out / "hits.csv")
    videos = {str(video["id"]): name for name, video in _report(hostile).items() if video["state"] == "done"}
    assert len(videos) == len(HOSTILE) + 3
    for video_id, name in videos.items():
        # A table program would take a name that begins with `=` for a formula.
        in_table = f"'{video_id}" if video_id.startswith("=") else video_id
        times = sorted(row["time"] for row in rows if row["video"] == in_table)
        if name != JUMP:
            assert times == expected, name


def test_names_are_one_safe_component_and_tables_are_valid(hostile: Hostile) -> None:
    for name in ("spans.csv", "hits.csv", "crops/crops.csv"):
        rows = list(csv.DictReader((hostile.out / name).read_bytes().decode().splitlines()))
        assert len(rows) > len(HOSTILE)
        for row in rows:
            for column in ("video", "target"):
                assert row[column].isprintable()
                assert not set(row[column]) & set("/\\\0")
            file = row.get("clip") or row.get("file")
            if file:
                assert (hostile.out / file).resolve().is_relative_to(hostile.out.resolve())
                assert (hostile.out / file).stat().st_size > 0
    spans = run_tools.rows(hostile.out / "spans.csv")
    assert all(row["clip"] for row in spans)
    assert len(json.loads((hostile.out / "spans.json").read_bytes().decode())) == len(spans)
    for kind in ("clips", "crops", "snapshots"):
        files = [path for path in (hostile.out / kind).rglob("*") if path.is_file()]
        assert len(files) > len(HOSTILE)
        assert all(os.fsencode(path).decode().isprintable() for path in files)


def test_a_reel_and_a_sheet_of_all_have_safe_names(hostile: Hostile) -> None:
    (reel,) = (hostile.out / "reels").iterdir()
    sheets = list((hostile.out / "sheets").iterdir())
    assert sheets
    assert all(os.fsencode(path).decode().isprintable() for path in (reel, *sheets))
    with av.open(str(reel)) as container:
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
    assert len(titles) == len(run_tools.rows(hostile.out / "spans.csv"))
    assert all(title.isprintable() for title in titles)


def test_the_log_is_a_line_of_json_each(hostile: Hostile) -> None:
    lines = [json.loads(line) for line in (hostile.out / ".fastface" / "log.jsonl").read_bytes().decode().splitlines()]
    told = {line["video"]: (line["state"], line["reason"]) for line in lines if line["event"] == "video"}
    assert len(told) == len(HOSTILE) + 5
    assert all(reason for state, reason in told.values() if state != "done")


def test_the_console_is_valid_and_takes_no_name_for_markup(hostile: Hostile) -> None:
    for text in (hostile.done.stdout.decode(), hostile.done.stderr.decode()):
        assert "Traceback" not in text
        assert not {character for character in text if not character.isprintable()} - set("\n\r\t")
    assert "[bold]" in hostile.done.stdout.decode()


def test_a_jump_of_an_hour_is_no_span(hostile: Hostile) -> None:
    jump = str(_report(hostile)[JUMP]["id"])
    spans = [row for row in run_tools.rows(hostile.out / "spans.csv") if row["video"] == jump]
    assert len(spans) > 0
    assert any(float(row["start"]) > 3600 for row in spans)  # what comes after the jump was seen
    assert max(float(row["end"]) - float(row["start"]) for row in spans) < 4
    clips = [hostile.out / row["clip"] for row in spans]
    assert max(path.stat().st_size for path in clips) < (hostile.films / JUMP).stat().st_size * 2


def test_asked_again_own_outputs_are_no_input(hostile: Hostile) -> None:
    before = _report(hostile)
    done = _bytes([*hostile.command, "--json"])
    assert done.returncode == 0, done.stderr  # the failures are known now
    report = json.loads(done.stdout.decode())
    assert len(report["videos"]) == len(before)
    reasons = {item["path"].rsplit("/", 1)[-1]: item["reason"] for item in report["skipped"]}
    assert reasons["out"] == "an output folder of fastface"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_console_that_knows_few_letters_is_no_crash(hostile: Hostile, encoding: str) -> None:
    command = [sys.executable, *run_tools.COMMAND[1:], "status", "-o", str(hostile.out)]
    given = hostile.command[hostile.command.index("-t") :]
    for arguments in (command, [*run_tools.COMMAND, "find", *given, "--clips", "none", "--crops", "none"]):
        environment = cli_tools.environment(PYTHONIOENCODING=encoding)
        done = subprocess.run(arguments, capture_output=True, check=False, env=environment, timeout=120)
        assert done.returncode in {0, 3}, done.stderr
        assert b"Traceback" not in done.stderr
