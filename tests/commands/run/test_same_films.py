"""The same film under several names is scanned once and counted once, and what was decided about it follows it."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import fastface
from media_tools import ffmpeg
from prometheus_client.parser import text_string_to_metric_families

EXPORTS = ("--clips", "none", "--crops", "none")


def _run(cartoon: Cartoon, out: Path, *inputs: Path) -> dict[str, Any]:
    """Run, and return run.json. The metrics say the same."""
    metrics = out.parent / "fastface.prom"
    given = ("-t", cartoon.bank, "--models", cartoon.models, "-o", out, *EXPORTS, "-q", "--metrics", metrics)
    done = fastface("run", *inputs, *given)
    assert done.returncode == 0, done.stderr
    run = dict(json.loads((out / "run.json").read_text()))
    families = text_string_to_metric_families(metrics.read_text())
    last = {sample.name: sample.value for family in families for sample in family.samples}
    assert (last["fastface_exit_code"], last["fastface_hits"]) == (0, run["counts"]["hits"])
    return run


def _videos(run: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """{name in OUT: (name of the file, its further names)}."""
    return {one["id"]: (Path(one["path"]).name, [Path(path).name for path in one["also"]]) for one in run["videos"]}


def _hits(out: Path) -> Counter[tuple[str, str]]:
    """{(video, person): hits}."""
    return Counter((row["video"], row["target"]) for row in run_tools.rows(out / "hits.csv"))


def _index(out: Path) -> dict[str, int]:
    """{video: when its index was written}."""
    return {path.parent.name: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").glob("*/faces.parquet")}


def test_of_all_names_in_one_run_each_film_is_counted_once(cartoon: Cartoon, tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    film = Path(shutil.copy(cartoon.films / "film3.mp4", films / "film3.mp4"))
    os.utime(shutil.copyfile(film, films / "the copy.mp4"), (1, 1))
    (films / "the link.mp4").hardlink_to(film)
    ffmpeg("-i {0} -c:v libx264 -crf 12 {1}", film, films / "again.mp4")
    run = _run(cartoon, out, films)
    assert _videos(run) == {
        "again.mp4": ("again.mp4", []),
        "film3.mp4": ("film3.mp4", ["the copy.mp4", "the link.mp4"]),
    }
    assert run["counts"]["videos"] == 2
    hits = _hits(out)
    alone = {person: count for (video, person), count in hits.items() if video == "film3.mp4"}
    assert alone
    assert {person: count for (video, person), count in hits.items() if video == "again.mp4"} == alone
    status = json.loads(fastface("status", "-o", out, "--json").stdout)
    assert status["also"] == {"film3.mp4": [str(films / name) for name in ("the copy.mp4", "the link.mp4")]}
    assert "the link.mp4" in (out / "report.html").read_text(encoding="utf-8")


def test_what_was_decided_about_a_film_follows_it(cartoon: Cartoon, tmp_path: Path) -> None:
    """Two runs on one output folder: the films are renamed, moved, copied, linked and encoded again between them."""
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    for name in ("film2.mp4", "film3.mp4"):
        shutil.copy(cartoon.films / name, films / name)
    _run(cartoon, out, films)
    first = run_tools.rows(out / "spans.csv")[0]
    times = {name: float(first[name]) for name in ("start", "end")}
    decided = {"video": first["video"], "target": first["target"], **times, "what": "span", "verdict": "rejected"}
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps({"schema_version": 1, "kind": "decisions", "decisions": [{**decided, "person": None}]}))
    assert fastface("correct", file, "-o", out).returncode == 0
    assert fastface("people", "-o", out, "-q").returncode == 0
    person = run_tools.rows(out / "people" / "people.csv")[0]["person"]
    assert fastface("pick", person, "--name", "Zed", "-o", out, *EXPORTS, "-q").returncode == 0
    _run(cartoon, out, films)  # the answer to the photos again, with the decision
    hits, people, index = _hits(out), run_tools.rows(out / "people" / "people.csv"), _index(out)
    assert (first["video"], first["target"]) not in {key for key, count in hits.items() if count > 1000}
    assert all(
        not (row["start"] == first["start"] and row["target"] == first["target"] and row["video"] == first["video"])
        for row in run_tools.rows(out / "spans.csv")
    )

    for number, name in enumerate(("film2.mp4", "film3.mp4")):
        new = tmp_path / "moved" / f"{number}.mkv"
        new.parent.mkdir(exist_ok=True)
        shutil.copyfile(films / name, new)  # as to another disk: its times are new
        os.utime(new, (1, 1))
        (films / name).unlink()
    (tmp_path / "moved" / "link.mkv").hardlink_to(tmp_path / "moved" / "1.mkv")
    run = _run(cartoon, out, tmp_path / "moved")
    assert _videos(run) == {"film2.mp4": ("0.mkv", []), "film3.mp4": ("1.mkv", ["link.mkv"])}
    assert _index(out) == index, "nothing was scanned again"
    assert _hits(out) == hits
    assert fastface("people", "-o", out, "-q").returncode == 0
    assert run_tools.rows(out / "people" / "people.csv") == people
    assert "Zed" in {row["name"] for row in people}

    ffmpeg("-i {0} -c:v libx264 -crf 12 {1}", tmp_path / "moved" / "0.mkv", tmp_path / "moved" / "2.mkv")
    run = _run(cartoon, out, tmp_path / "moved")
    assert _videos(run) == {"2.mkv": ("2.mkv", []), "film2.mp4": ("0.mkv", []), "film3.mp4": ("1.mkv", ["link.mkv"])}
    assert _index(out).items() > index.items()


@pytest.mark.parametrize("way", ["touched", "changed"])
def test_a_touched_film_is_not_scanned_again_and_a_changed_one_is(cartoon: Cartoon, tmp_path: Path, way: str) -> None:
    film, out = tmp_path / "film3.mp4", tmp_path / "out"
    ffmpeg("-i {0} -c copy -metadata title=Holiday {1}", cartoon.films / film.name, film)
    _run(cartoon, out, film)
    index = _index(out)
    times = film.stat()
    if way == "touched":
        os.utime(film, (1, 1))
    else:
        content = film.read_bytes()
        assert content.count(b"Holiday") == 1
        film.write_bytes(content.replace(b"Holiday", b"Wedding"))
        os.utime(film, ns=(times.st_atime_ns, times.st_mtime_ns))
    _run(cartoon, out, film)
    assert (_index(out) == index) == (way == "touched")
