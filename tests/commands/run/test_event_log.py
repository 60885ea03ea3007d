"""What the log of an output folder says, over its runs."""

import json
import shutil
import stat
from pathlib import Path

from cartoon_tools import Cartoon
from cli_tools import BROKEN, Ran, fastface


def _lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / ".fastface" / "log.jsonl").read_text().splitlines()]


def test_every_video_and_every_note_is_written_down(ran: Ran) -> None:
    path = ran.out / ".fastface" / "log.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = _lines(ran.out)
    assert (lines[0]["event"], lines[0]["command"]) == ("run", "run")
    assert all(set(line) >= {"time", "event"} for line in lines)
    states = {line["video"]: line["state"] for line in lines if line["event"] == "video"}
    assert len(states) == 4
    assert states[BROKEN] == "failed"
    (broken,) = (line for line in lines if line.get("video") == BROKEN)
    assert broken["reason"]
    assert any("false tracks in" in str(line.get("text")) for line in lines)


def test_a_second_command_is_added_and_what_ended_it_is_told(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    out = shutil.copytree(ran.out, tmp_path / "out")
    before = _lines(out)
    (tmp_path / "text.jpg").write_text("no picture")  # which is not known before the command begins
    done = fastface("find", "-t", tmp_path / "text.jpg", "-o", out, "--models", cartoon.models, "-q")
    assert done.returncode != 0
    lines = _lines(out)
    assert lines[: len(before)] == before
    added = lines[len(before) :]
    assert (added[0]["event"], added[0]["command"]) == ("run", "find")
    assert added[-1]["event"] == "end"
    assert added[-1]["reason"]
    assert all(line in done.stderr for line in str(added[-1]["reason"]).splitlines())
