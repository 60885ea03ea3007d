"""A run as a user and a script see it: exit code, run.json, tables, what is printed; on drawn films."""

import json
import os
import re
import signal
import subprocess
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import pytest
import run_tools
from cartoon_tools import Cartoon, without_longest
from cli_tools import (
    BROKEN,
    DURATIONS,
    SAMPLED,
    Ran,
    copy_of_out,
    drawn_hits,
    environment,
    errors,
    fastface,
    found_hits,
    labels,
)

from fastface.demo.film import expected_hits


def test_one_broken_file_is_exit_code_3_and_the_rest_is_done(cartoon: Cartoon, ran: Ran) -> None:
    assert ran.done.returncode == 3
    states = {video["id"]: video["state"] for video in ran.report["videos"]}
    assert states == {BROKEN: "failed", **dict.fromkeys(DURATIONS, "done")}
    assert any(BROKEN in line and "failed" in line for line in ran.done.stderr.splitlines())
    drawn = drawn_hits(cartoon)
    assert len(drawn) > 80
    assert found_hits(ran.out) == drawn


def test_json_is_one_object_and_progress_is_elsewhere(ran: Ran) -> None:
    said, end = json.JSONDecoder().raw_decode(ran.done.stdout)
    assert ran.done.stdout[end:].strip() == ""
    spans = json.loads((ran.out / "spans.json").read_text(encoding="utf-8"))
    assert spans
    assert said == {**ran.report, "spans": spans}
    assert "device" in ran.done.stderr
    assert "{" not in ran.done.stderr


def test_run_json_is_as_the_contract_has_it(cartoon: Cartoon, ran: Ran) -> None:
    report = ran.report
    assert {"schema_version", "command", "version", "started", "finished", "seconds", "device", "models", "counts",
            "videos", "config"} <= report.keys()  # fmt: skip
    assert report["command"] == "run"
    assert f"fastface {report['version']}" == fastface("--version").stdout.strip()
    started, finished = (datetime.fromisoformat(report[key]) for key in ("started", "finished"))
    assert started.tzinfo is not None
    assert 0 < report["seconds"] <= (finished - started).total_seconds() + 1  # both are whole seconds
    assert {"backend", "provider", "precision", "name"} <= report["device"].keys()
    assert all(report["device"][key] for key in ("backend", "provider", "precision", "name"))
    assert {"detector", "recogniser", "person"} <= report["models"].keys()
    for kind in ("detector", "recogniser"):
        name, digest = report["models"][kind]["name"], report["models"][kind]["sha256"]
        (file,) = cartoon.models.rglob(f"{name}.onnx")
        told = subprocess.run(["sha256sum", str(file)], capture_output=True, text=True, check=True).stdout.split()[0]
        assert digest == told
        assert report["models"][kind]["licence"].startswith("licence unknown")  # nobody published these
        assert report["models"][kind]["commercial"] is False
    assert report["config"]["spans"]["pad"] == [0, 0]
    assert sorted(report["targets"]) == labels(cartoon)
    assert len(report["videos"]) == 4
    for video in report["videos"]:
        assert {"path", "id", "state", "reason", "coverage", "duration", "sampled", "faces", "seconds"} <= video.keys()
        assert Path(video["path"]) == ran.films / video["id"]
        assert bool(video["reason"]) == (video["state"] != "done")
    done = {video["id"]: video for video in report["videos"] if video["state"] == "done"}
    assert {name: video["duration"] for name, video in done.items()} == DURATIONS
    assert {name: video["sampled"] for name, video in done.items()} == {n: 5 * s for n, s in DURATIONS.items()}
    assert all(0.98 <= video["coverage"] <= 1 for video in done.values())


def test_counts_add_up_and_agree_with_the_files(cartoon: Cartoon, ran: Ran) -> None:
    counts, videos = ran.report["counts"], ran.report["videos"]
    assert counts.keys() >= {"videos", "sampled", "inferred", "quarantined", "faces", "embeddings", "hits", "spans",
                             "clips", "crops"}  # fmt: skip
    assert counts["sampled"] == counts["inferred"] + counts["quarantined"] == SAMPLED
    assert counts["videos"] == len(videos) == 4
    assert counts["searched"] == len(DURATIONS) == 3  # the broken one is none of them
    for key in ("sampled", "faces"):
        assert counts[key] == sum(video[key] for video in videos)
    faces = sum(
        len(times)
        for script in cartoon.scripts.values()
        for times in expected_hits(script, period=Fraction(1, 5)).values()
    )
    assert counts["faces"] == counts["embeddings"] == faces
    assert counts["hits"] == len(drawn_hits(cartoon))
    spans = run_tools.rows(ran.out / "spans.csv")
    assert counts["spans"] == len(spans) > 0
    clips = sorted(
        path.relative_to(ran.out).as_posix() for path in (ran.out / "clips").rglob("*.mp4") if path.is_file()
    )
    assert counts["clips"] == len(clips) == len(spans)
    assert sorted(row["clip"] for row in spans) == clips
    crops = [row["file"] for row in run_tools.rows(ran.out / "crops" / "crops.csv")]
    assert counts["crops"] == len(crops) == len(list((ran.out / "crops").rglob("*.jpg"))) > 0
    assert all((ran.out / crop).is_file() or (ran.out / "crops" / crop).is_file() for crop in crops)


def test_tables_have_the_columns_and_the_order_of_the_contract(ran: Ran) -> None:
    columns = {
        "spans.csv": "video,target,start,end,first_hit,last_hit,hits,best_similarity,mean_similarity,clip,"
        "path,clip_start,clip_end,start_hms,end_hms,picture,last_picture,player_start,player_end",
        "hits.csv": "video,target,time,pts,similarity,margin,det_score,quality,x1,y1,x2,y2,track,by,time_hms,picture,"
        "player_time",
    }
    for name, header in columns.items():
        raw = (ran.out / name).read_bytes()
        assert raw.split(b"\r\n", 1)[0].decode() == header
        assert raw.count(b"\n") == raw.count(b"\r\n")
    spans = run_tools.rows(ran.out / "spans.csv")
    assert [(row["video"], float(row["start"])) for row in spans] == sorted(
        (row["video"], float(row["start"])) for row in spans
    )
    assert spans
    hits = found_hits(ran.out)
    for row in spans:
        for key in ("start", "end", "first_hit", "last_hit"):
            assert re.fullmatch(r"\d+\.\d{3}", row[key])
        start, end, first, last = (float(row[key]) for key in ("start", "end", "first_hit", "last_hit"))
        inside = [
            time for video, target, time in hits
            if (video, target) == (row["video"], row["target"]) and first <= float(time) <= last
        ]  # fmt: skip
        assert int(row["hits"]) == len(inside)
        # no padding: [first, last + sample period), within the film
        assert start == first
        assert end == pytest.approx(min(last + 0.2, DURATIONS[row["video"]]), abs=0.0011)
    assert sum(int(row["hits"]) for row in spans) == len(hits)


def test_quiet_prints_nothing_and_ends_with_the_same_code(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    out = copy_of_out(ran, tmp_path)
    given = ("--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none", "-q", "--pad", "0")
    found = fastface("find", "-t", cartoon.photos, *given)
    broken, why = errors(found, 3, 2)  # the broken film is still there
    assert broken.startswith(f"fastface: {BROKEN}: failed")
    assert why == "fastface: exit code 3: 1 of 4 videos not done (1 failed)"
    assert found_hits(out) == drawn_hits(cartoon)
    one = fastface("run", ran.films / "film3.mp4", "-t", cartoon.photos, *given)
    assert (one.returncode, one.stdout, one.stderr) == (0, "", "")


def test_an_output_folder_that_a_run_holds_is_exit_code_11(cartoon: Cartoon, tmp_path: Path) -> None:
    out, films = tmp_path / "out", tmp_path / "films"
    films.mkdir()
    short = without_longest(cartoon, films)
    holder = subprocess.Popen(run_tools.arguments(short, out), env=environment())
    try:
        run_tools.wait_until(
            lambda: holder.poll() is not None or run_tools.children(holder.pid, "decoder"), "a busy run"
        )
        os.kill(holder.pid, signal.SIGSTOP)  # it holds OUT for as long as the test needs
        given = ("-t", str(cartoon.photos), "--models", str(cartoon.models), "-o", str(out), "-q")
        for command in (("run", str(films), *given), ("find", *given)):
            (line,) = errors(fastface(*command), 11, 1)
            assert str(out) in line
            assert str(holder.pid) in line
        said = json.loads(fastface("status", "-o", out, "--json").stdout)
        assert said["process"] == holder.pid
        assert f"running (process {holder.pid})" in fastface("status", "-o", out).stdout
        os.kill(holder.pid, signal.SIGCONT)
        assert holder.wait(run_tools.DEADLINE_SECONDS) == 0  # those who asked did it no harm
    finally:
        run_tools.kill(holder.pid, signal.SIGCONT)
        holder.kill()
        holder.wait()
    assert json.loads(fastface("status", "-o", out, "--json").stdout)["process"] is None
    assert len(run_tools.rows(out / "hits.csv")) == sum(
        len(times)
        for script in short.scripts.values()
        for name, times in expected_hits(script).items()
        if name in labels(cartoon)
    )


@pytest.mark.parametrize("how", ["closed pipe", "no standard output"])
@pytest.mark.parametrize("command", ["--help", "status", "status --json", "models list", "find", "find --json"])
def test_output_that_nobody_reads_is_no_crash(
    how: str, command: str, cartoon: Cartoon, ran: Ran, tmp_path: Path
) -> None:
    name = command.split(maxsplit=1)[0]
    arguments = [*run_tools.COMMAND, *command.split()]
    if name == "find":
        out = copy_of_out(ran, tmp_path)
        arguments += ["-t", str(cartoon.bank), "--models", str(cartoon.models), "--clips", "none", "--crops", "none"]
        arguments += ["-o", str(out), "--pad", "0"]
    elif name == "status":
        arguments += ["-o", str(ran.out)]
    read, write = os.pipe()
    os.close(read)
    # Without a standard output at all, as under some service managers, descriptor 1 is closed.
    command_line = ["sh", "-c", 'exec "$@" >&-', "sh", *arguments] if how == "no standard output" else arguments
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            command_line, stdout=pipe, stderr=subprocess.PIPE, text=True, check=False, env=environment(),
            timeout=run_tools.DEADLINE_SECONDS,
        )  # fmt: skip
    assert done.returncode >= 0  # ended by itself
    for word in ("Traceback", "Exception", "BrokenPipe", "internal error"):
        assert word not in done.stderr, done.stderr
    if name == "find":
        assert (out / "hits.csv").read_bytes() == (ran.out / "hits.csv").read_bytes()
