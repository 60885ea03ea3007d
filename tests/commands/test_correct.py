"""`fastface correct`: what the user decided on an answer holds in every later one, and can be taken back."""

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, copy_of_out, drawn_hits, errors, fastface, found_hits
from run_tools import rows, tables

from fastface.demo.film import Encoding, draw_film
from fastface.demo.scripts import random_script

NOTHING_IS_SURE = ("--threshold", "1", "-s", "match.review=0.5", "--no-grow")
"""Each face is a near miss: no cosine of a drawn face and its photo is quite 1."""

Ask = Callable[..., CompletedProcess[str]]


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return copy_of_out(ran, tmp_path)


@pytest.fixture
def ask(cartoon: Cartoon, out: Path) -> Ask:
    def find(*more: object, targets: object = cartoon.bank) -> CompletedProcess[str]:
        plain = ("--models", cartoon.models, "--clips", "none", "--crops", "none", "--allow-faults")
        done = fastface("find", "-t", targets, "-o", out, *plain, *more)
        assert done.returncode == 3, done.stderr  # one of the films is broken
        return done

    return find


def span(row: dict[str, str], verdict: str, person: str | None = None) -> dict[str, Any]:
    """A decision as the page saves it, for a row of spans.csv or review.csv."""
    what = "near_miss" if "evidence" in row else "span"
    times = {name: float(row[name]) for name in ("start", "end")}
    return {"video": row["video"], "target": row["target"], **times, "what": what, "verdict": verdict, "person": person}


def saved(folder: Path, *decisions: dict[str, Any]) -> Path:
    file = folder / "saved.json"
    file.write_text(json.dumps({"schema_version": 1, "kind": "decisions", "decisions": decisions}), encoding="utf-8")
    return file


def ask_again(out: Path) -> str:
    """The line that names the command after a correction."""
    return f"next: fastface find -t PHOTOS -o {out}\n"


def num_tracks(out: Path, row: dict[str, str]) -> int:
    """Number of tracks with a hit in a span."""
    hits = [one for one in rows(out / "hits.csv") if (one["video"], one["target"]) == (row["video"], row["target"])]
    inside = [one["track"] for one in hits if float(row["start"]) <= float(one["time"]) < float(row["end"])]
    assert inside
    return len(set(inside))


def in_film(hits: Counter[tuple[str, str, str]], film: str) -> Counter[tuple[str, str, str]]:
    return Counter({hit: count for hit, count in hits.items() if hit[0] == film})


def report(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return found


def test_confirmed_near_misses_are_hits_from_then_on(cartoon: Cartoon, out: Path, ask: Ask, tmp_path: Path) -> None:
    ask(*NOTHING_IS_SURE)
    before = tables(out)
    near = [row for row in rows(out / "review.csv") if row["video"] == "film1.mp4"]
    drawn = in_film(drawn_hits(cartoon), "film1.mp4")
    assert (len(near), len(found_hits(out)), len(drawn)) == (len(drawn_tracks(near)), 0, 58)
    done = fastface("correct", saved(tmp_path, *(span(row, "confirmed") for row in near)), "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{len(near)} decisions on {len(near)} tracks: {len(near)} confirmed\n{ask_again(out)}"
    told = ask(*NOTHING_IS_SURE).stderr
    assert f"uses {len(near)} decisions of your review\n" in told
    assert in_film(found_hits(out), "film1.mp4") == drawn
    decided = [row for row in rows(out / "hits.csv") if row["video"] == "film1.mp4"]
    assert {row["by"] for row in decided} == {"decision"}
    assert not [row for row in rows(out / "review.csv") if row["video"] == "film1.mp4"]
    spans = [row for row in rows(out / "spans.csv") if row["video"] == "film1.mp4"]
    assert {row["target"] for row in spans} == {hit[1] for hit in drawn}
    assert report(out)["counts"]["decisions"] == len(near)
    # Once more: the same bytes.
    again = tables(out)
    ask(*NOTHING_IS_SURE)
    assert tables(out) == again
    undone = fastface("correct", "--undo", "-o", out)
    assert (undone.returncode, undone.stdout) == (0, f"took back a file with {len(near)} decisions\n{ask_again(out)}")
    ask(*NOTHING_IS_SURE)
    assert tables(out) == before
    assert not (out / ".fastface" / "decisions.json").exists()
    assert errors(fastface("correct", "--undo", "-o", out), 2, 1) == [
        f"fastface: there is no correction to take back in {str(out)!r}"
    ]


def drawn_tracks(near: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(row["video"], row["track"]) for row in near}


def test_rejected_spans_never_return_and_another_scan_changes_nothing(
    cartoon: Cartoon, out: Path, ask: Ask, tmp_path: Path
) -> None:
    photo = sorted(cartoon.photos.iterdir())[0]
    wrong = f"Zoe={photo}"
    ask(targets=wrong)
    spans = rows(out / "spans.csv")
    rejected = [row for row in spans if row["video"] == "film1.mp4"]
    assert len(rejected) > 1
    assert {row["video"] for row in spans} > {"film1.mp4"}
    kept = fastface("correct", saved(tmp_path, *(span(row, "rejected") for row in rejected)), "-o", out)
    assert kept.returncode == 0, kept.stderr
    # By tracks, by faces alone, and with every frame around the spans.
    for more in ((), ("-s", "match.tracks=off"), ("--exact",)):
        ask(*more, targets=wrong)
        for table in ("hits.csv", "spans.csv", "review.csv"):
            assert not [row for row in rows(out / table) if row["video"] == "film1.mp4"], (more, table)
    # Each rejection is about Zoe alone: the same photo under another name finds the person.
    ask(targets=photo)
    drawn = drawn_hits(cartoon)
    own = Counter({hit: count for hit, count in drawn.items() if hit[1] == photo.stem})
    assert found_hits(out) == own
    films = tmp_path / "more"
    films.mkdir()
    draw_film(films / "film9.mp4", random_script(9, 50), Encoding(gop=25))
    again = fastface("scan", films, cartoon.films / "film1.mp4", "--fresh", "--sample-fps", "12", "-o", out, "-q")
    assert again.returncode == 0, again.stderr
    plain = ("--models", cartoon.models, "--clips", "none", "--crops", "none")
    asked = fastface("find", "-t", wrong, "-o", out, *plain)
    assert asked.returncode == 0, asked.stderr
    assert f"uses {len(rejected)} decisions" in asked.stderr
    times = [float(row["time"]) for row in rows(out / "hits.csv") if row["video"] == "film1.mp4"]
    # At another rate a person may be seen between the spans too.
    assert not [time for time in times if any(float(one["start"]) <= time < float(one["end"]) for one in rejected)]


def test_a_span_that_is_given_away_is_the_other_persons(cartoon: Cartoon, out: Path, ask: Ask, tmp_path: Path) -> None:
    first, second = sorted(cartoon.photos.iterdir())[:2]
    bank = tmp_path / "both.npz"
    made = fastface("enroll", f"Zoe={first}", second, "-b", bank, "--models", cartoon.models, "-q")
    assert made.returncode == 0, made.stderr
    ask(targets=bank)
    given = [row for row in rows(out / "spans.csv") if (row["video"], row["target"]) == ("film2.mp4", "Zoe")]
    assert len(given) == 1
    file = saved(tmp_path, span(given[0], "given", second.stem))
    done = ask("--decisions", file, targets=bank)
    assert "1 decision on 1 track: 1 given to another person\n" in done.stderr
    drawn = drawn_hits(cartoon)
    expected = Counter(
        {
            (video, second.stem, time): count
            for (video, label, time), count in drawn.items()
            if video == "film2.mp4" and label in (first.stem, second.stem)
        }
    )
    assert in_film(found_hits(out), "film2.mp4") == expected
    # The option once more changes nothing; the question without it neither.
    now = tables(out)
    assert "no new decision: all are kept already\n" in ask("--decisions", file, targets=bank).stderr
    assert tables(out) == now
    ask(targets=bank)
    assert tables(out) == now


def test_a_later_decision_on_the_same_moment_wins(out: Path, ask: Ask, tmp_path: Path) -> None:
    ask(*NOTHING_IS_SURE)
    row = next(one for one in rows(out / "review.csv") if one["video"] == "film1.mp4")
    track = ("film1.mp4", row["target"], row["track"])

    def hits() -> set[tuple[str, str, str]]:
        ask(*NOTHING_IS_SURE)
        return {(one["video"], one["target"], one["track"]) for one in rows(out / "hits.csv")}

    for verdict in ("confirmed", "rejected", "confirmed"):
        done = fastface("correct", saved(tmp_path, span(row, verdict)), "-o", out)
        assert (done.returncode, done.stdout) == (0, f"1 decision on 1 track: 1 {verdict}\n{ask_again(out)}")
        assert (track in hits()) == (verdict == "confirmed")


def test_a_dry_run_writes_nothing_and_json_is_one_object(out: Path, tmp_path: Path) -> None:
    row = rows(out / "spans.csv")[0]
    count = num_tracks(out, row)
    summary = f"1 decision on {count} tracks: 1 confirmed"
    file = saved(tmp_path, span(row, "confirmed"))
    before = contents(out)
    done = fastface("correct", file, "-o", out, "--dry-run")
    assert (done.returncode, done.stdout) == (0, f"would keep {summary}\n")
    changed = {name for name, fact in contents(out).items() if before.get(name) != fact}
    assert {Path(name).name for name in changed} <= {"lock", ".fastface", "out", "state.sqlite-shm", "state.sqlite-wal"}
    done = fastface("correct", file, "-o", out, "--json")
    assert json.loads(done.stdout) == {
        "kind": "decisions",
        "counts": {"confirmed": 1, "rejected": 0, "given": 0, "tracks": count},
        "left_out": [],
        "summary": summary,
    }
    assert "1 decision of your review in every question" in fastface("status", "-o", out).stdout
    assert json.loads(fastface("status", "-o", out, "--json").stdout)["decisions"] == 1


def test_a_moment_that_is_not_there_is_left_out_by_name(out: Path, tmp_path: Path) -> None:
    row = rows(out / "spans.csv")[0]
    gone = {**span(row, "rejected"), "video": "no <b>\n.mp4"}
    away = {**span(row, "rejected"), "start": 900.0, "end": 901.0}
    done = fastface("correct", saved(tmp_path, gone, span(row, "rejected"), away), "-o", out)
    told = f"1 decision on {num_tracks(out, row)} tracks: 1 rejected\n{ask_again(out)}"
    assert (done.returncode, done.stdout) == (3, told)
    first, second = done.stderr.splitlines()
    assert first == "fastface: left out: decisions.0: 'no <b>\\n.mp4' is no video of this folder"
    assert second.startswith("fastface: left out: decisions.2: no answer has this span of ")
    assert "from 900.000 to 901.000 s" in second
    lines = errors(fastface("correct", saved(tmp_path, gone, away), "-o", out), 2, 3)
    assert lines[0] == "fastface: no moment of these decisions was found"


def test_usage(out: Path, tmp_path: Path) -> None:
    either = "fastface: give a file of corrections, or --undo"
    file = saved(tmp_path)
    assert errors(fastface("correct", "-o", out), 2, 1) == [either]
    assert errors(fastface("correct", file, "--undo", "-o", out), 2, 1) == [either]
    assert fastface("correct", file, "-o", out).stdout == "no new decision: all are kept already\n"
    (missing,) = errors(fastface("correct", tmp_path / "none.json", "-o", out), 2, 1)
    assert "cannot be read" in missing
    assert missing.endswith("; browsers save files of a page in the folder for downloads")
    for content in ('{"kind": "cast"}', "[1]", '{"kind": ["decisions"]}'):
        file.write_text(content, encoding="utf-8")
        assert "its kind must be one of decisions" in errors(fastface("correct", file, "-o", out), 2, 1)[0]
    for damaged in (b"{", b"\xff", b"[" * 100_000):
        file.write_bytes(damaged)
        assert "it is no JSON" in errors(fastface("correct", file, "-o", out), 2, 1)[0]
    assert "holds no scanned videos" in errors(fastface("correct", saved(tmp_path), "-o", tmp_path / "no"), 2, 1)[0]
    assert not (tmp_path / "no").exists()


def test_one_log_takes_back_corrections_of_persons_and_of_answers(ran: Ran, out: Path, tmp_path: Path) -> None:
    listed = fastface("people", "-o", out, "--json")
    assert listed.returncode == 0, listed.stderr
    persons = len(json.loads(listed.stdout)["persons"])
    assert fastface("pick", "1", "2", "--merge", "-o", out, "-q").returncode == 0
    row = rows(ran.out / "spans.csv")[0]
    assert fastface("correct", saved(tmp_path, span(row, "rejected")), "-o", out).returncode == 0
    undone = fastface("pick", "--undo", "-o", out)
    assert (undone.returncode, undone.stdout) == (0, f"took back a file with 1 decision\n{ask_again(out)}")
    assert not (out / ".fastface" / "decisions.json").exists()
    merged = fastface("correct", "--undo", "-o", out, "--json")
    assert len(json.loads(merged.stdout)["persons"]) == persons


def test_forget_and_purge_remove_the_faces_of_decisions(out: Path, tmp_path: Path) -> None:
    state = out / ".fastface" / "decisions.json"
    spans = rows(out / "spans.csv")
    chosen = [next(row for row in spans if row["video"] == film) for film in ("film1.mp4", "film2.mp4")]
    assert fastface("correct", saved(tmp_path, *(span(row, "confirmed") for row in chosen)), "-o", out).returncode == 0
    assert state.stat().st_mode & 0o777 == 0o600
    assert fastface("forget", "film1.mp4", "-o", out, "--yes", "-q").returncode == 0
    kept = json.loads(state.read_text(encoding="utf-8"))
    assert [one["video"] for file in kept["files"] for one in file["decisions"]] == ["film2.mp4"]
    assert fastface("purge", "-o", out, "--yes", "-q").returncode == 0
    assert not state.exists()


def test_a_renamed_film_keeps_its_decisions(ran: Ran, cartoon: Cartoon, tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    shutil.copy(cartoon.films / "film3.mp4", films / "a.mp4")
    command = (
        "run",
        films,
        "-t",
        cartoon.bank,
        "--models",
        cartoon.models,
        "-o",
        out,
        "--clips",
        "none",
        "-q",
        "--pad",
        "0",
    )
    assert fastface(*command).returncode == 0
    row = rows(out / "spans.csv")[0]
    (films / "a.mp4").rename(films / "b.mp4")
    done = fastface(*command, "--decisions", saved(tmp_path, span(row, "rejected")))
    assert done.returncode == 0, done.stderr
    left = {(one["target"], one["start"]) for one in rows(out / "spans.csv")}
    assert left == {(one["target"], one["start"]) for one in rows(ran.out / "spans.csv") if one["video"] == "film3.mp4"
                    and one["target"] != row["target"]}  # fmt: skip


def test_a_damaged_file_of_decisions_stops_the_question(cartoon: Cartoon, out: Path) -> None:
    (out / ".fastface" / "decisions.json").write_text("{}", encoding="utf-8")
    assert fastface("find", "-t", cartoon.bank, "-o", out, "--models", cartoon.models, "-q").returncode == 3
    (out / ".fastface" / "decisions.json").write_text('{"files": 3}', encoding="utf-8")
    done = fastface("find", "-t", cartoon.bank, "-o", out, "--models", cartoon.models, "-q")
    assert "remove it: then no decision is kept" in errors(done, 1, 1)[0]
