"""`pick` as a user meets it, and what `purge` removes of persons."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from census_tools import Command, census, identities, listed, rows
from cli_tools import contents, errors
from people_films import (
    RATE,
    SCRIPTS,
    TABLES,
    THIRD,
    counts,
    drawn,
    stretches,
)

from fastface.census.store.base import open_existing


def test_the_hits_of_who_was_picked_are_that_persons_faces_and_no_others(picked: Path) -> None:
    expected = [("Ada", one.film, f"{one.time:.3f}", *map(float, one.box)) for one in drawn(SCRIPTS)["Ada"]]
    found = rows(picked / "hits.csv")
    boxes = [[float(row[name]) for name in ("x1", "y1", "x2", "y2")] for row in found]
    assert [(row["target"], row["video"], row["time"]) for row in found] == [one[:3] for one in expected]
    np.testing.assert_allclose(boxes, [one[3:] for one in expected], atol=2)
    assert {row["by"] for row in found} == {"face"}
    assert min(float(row["similarity"]) for row in found) > 0.99
    # The nearest other is she herself in disguise.
    np.testing.assert_allclose([float(row["margin"]) for row in found], 1 - 5 / 13, atol=0.01)


def test_spans_clips_and_crops_are_as_with_photos(picked: Path) -> None:
    expected = [(film, start, end, count) for film, start, end, count in stretches(drawn(SCRIPTS)["Ada"], 2.0)]
    assert len(expected) == 3
    found = rows(picked / "spans.csv")
    told = [(row["video"], float(row["start"]), float(row["end"]), int(row["hits"])) for row in found]
    assert told == [(film, pytest.approx(start), pytest.approx(end), count) for film, start, end, count in expected]
    for row in found:
        assert row["target"] == "Ada"
        capture = cv2.VideoCapture(str(picked / row["clip"]))
        length = capture.get(cv2.CAP_PROP_FRAME_COUNT) / RATE
        capture.release()
        assert length >= float(row["end"]) - float(row["start"]) - 0.1
    crops = rows(picked / "crops" / "crops.csv")
    assert {(row["target"], row["video"]) for row in crops} == {("Ada", "one.mp4"), ("Ada", "two.mp4")}
    assert all(cv2.imread(str(picked / row["file"])) is not None for row in crops)
    report = json.loads((picked / "run.json").read_text(encoding="utf-8"))
    assert (report["command"], report["targets"], report["counts"]["hits"]) == ("pick", ["Ada"], 36)


def test_pick_names_all_that_it_wrote(out: Path, command: Command) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    done = command("pick", "1", "--name", "Ada", "-o", out, "--snapshots")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(f"written to {out}: "))
    wrote = {path.relative_to(out) for path in out.rglob("*") if before.get(path) != path.stat().st_mtime_ns}
    places = {path.parts[0] for path in wrote} - {".fastface"}
    assert places == {
        *("spans.csv", "spans.json", "hits.csv", "review.csv", "run.json", "report.html"),
        *("primary_person.npz", "banks", "clips", "crops", "snapshots", "people"),
    }
    assert [place for place in places if place not in line] == []
    assert "banks/Ada.npz" in line


def test_the_file_for_other_tools_holds_all_faces_and_needs_no_pickle(picked: Path) -> None:
    with np.load(picked / "primary_person.npz", allow_pickle=False) as file:
        found = dict(file)
    seen = drawn(SCRIPTS)["Ada"]
    table = rows(picked / "hits.csv")
    assert (int(found["schema_version"]), str(found["name"])) == (1, "Ada")
    assert found["video"].tolist() == [one.film for one in seen]
    np.testing.assert_allclose(found["time"], [one.time for one in seen], atol=1e-6)
    np.testing.assert_allclose(found["box"], [one.box for one in seen], atol=2)
    for name in ("pts", "track"):
        assert found[name].tolist() == [int(row[name]) for row in table]
    for name in ("det_score", "quality", "similarity"):
        np.testing.assert_allclose(found[name], [float(row[name]) for row in table], atol=6e-5)
    kinds = {name: (values.dtype.kind, values.shape) for name, values in found.items()}
    assert kinds == {
        "schema_version": ("i", ()), "name": ("U", ()), "video": ("U", (36,)), "time": ("f", (36,)),
        "pts": ("i", (36,)), "box": ("f", (36, 4)), "det_score": ("f", (36,)), "quality": ("f", (36,)),
        "similarity": ("f", (36,)), "track": ("i", (36,)),
        "body_video": ("U", (0,)), "body_time": ("f", (0,)), "body_pts": ("i", (0,)), "body_box": ("f", (0, 4)),
        "body_track": ("i", (0,)), "person_score": ("f", (0,)),
    }  # fmt: skip


def test_the_bank_finds_the_same_as_a_photo_would(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    kept = contents(out / "people"), contents(out / "banks")
    done = command("find", "-t", out / "banks" / "Ada.npz", "-o", out, "-q", "--pad", "0", "--clips", "none")
    assert done.returncode == 0, done.stderr

    def spans(folder: Path) -> list[tuple[str, ...]]:
        names = ("video", "target", "start", "end", "first_hit", "last_hit", "hits")
        return [tuple(row[name] for name in names) for row in rows(folder / "spans.csv")]

    assert len(spans(picked)) == 3
    assert spans(out) == spans(picked)
    # Another question takes the clips of this one away, and nothing of who is who.
    assert (contents(out / "people"), contents(out / "banks")) == kept
    assert (out / "primary_person.npz").exists()
    # Nor does another census.
    assert listed(census(command, out)) == [("Ada", 36), ("", 21), ("", 11), ("", 6)]
    assert contents(out / "banks") == kept[1]
    assert spans(out) == spans(picked)


def test_all_that_is_said_of_the_person_says_the_name(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    for _ in range(2):
        assert [row["name"] for row in rows(out / "people" / "people.csv")] == ["Ada", "", "", ""]
        assert {row["name"] for row in rows(out / "people" / "appearances.csv") if row["person"] == "1"} == {"Ada"}
        with np.load(out / "people" / "embeddings.npz", allow_pickle=False) as file:
            assert file["name"].tolist() == ["Ada", "", "", ""]
        assert identities(out / ".fastface" / "identities.sqlite")[0] == ("Ada", 36)
        assert "Ada" in command("people", "-o", out).stdout
    before = {name: (out / name).read_bytes() for name in ("hits.csv", "primary_person.npz", "banks/Ada.npz")}
    clips = {}
    for known in ("Ada", "1"):  # by name or by number, and without a new one
        assert command("pick", known, "-o", out, "--pad", "0", "-q").returncode == 0
        assert {name: (out / name).read_bytes() for name in before} == before
        made = contents(out / "clips")
        assert clips in ({}, made)
        clips = made


@pytest.mark.parametrize("name", ['"><img src=x onerror="document.title=1">', "caf\udce9 \ud83d/..", "=1+1"])
def test_any_name_is_kept_and_does_no_harm(out: Path, command: Command, name: str) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "3", "--name", name, *nothing).returncode == 0
    assert command("people", "-o", out).returncode == 0
    (shown,) = {row["name"] for row in rows(out / "people" / "people.csv")} - {""}
    assert shown.lstrip("'")[:3] == name[:3]
    assert shown[0] not in "=+-@"
    (label,) = {row["target"] for row in rows(out / "hits.csv")}
    assert [path.name for path in (out / "banks").iterdir()] == [f"{label.lstrip(chr(39))}.npz"]
    assert command("pick", name, *nothing).returncode == 0
    assert command("find", "-t", out / "banks", *nothing).returncode == 0
    (found,) = {row["target"] for row in rows(out / "hits.csv")}
    assert found.startswith(label)


def test_one_more_film_adds_to_the_person_who_has_a_name(
    picked: Path, films: Path, command: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    # Numbers might mean others by now.
    (line,) = errors(command("pick", "1", "-o", out, "-q"), 2, 1)
    assert "run fastface people" in line
    (line,) = errors(command("pick", "2", "--reject", "-o", out, "-q"), 2, 1)
    assert "run fastface people" in line
    looks = drawn({**SCRIPTS, **THIRD})
    assert counts(looks, "Ada", "Bo") == [43, 26]
    said = census(command, out)
    assert listed(said) == [("Ada", 43), ("", 26), ("", 11), ("", 6)]
    assert said["persons"][0]["videos"] == 3
    assert [count for _, count in identities(out / ".fastface" / "identities.sqlite")] == [43, 26, 11, 6]


def test_a_shared_store_names_a_person_in_another_folder(
    out: Path, third: Path, command: Command, tmp_path: Path
) -> None:
    store, other = tmp_path / "everyone.sqlite", shutil.copytree(third, tmp_path / "other")
    assert listed(census(command, other)) == [("", 7), ("", 5)]
    census(command, out, "--store", store)
    done = command("pick", "2", "--name", "Bo", "-o", out, "--clips", "none", "--crops", "none", "-q")
    assert done.returncode == 0, done.stderr
    assert listed(census(command, other, "--store", store)) == [("", 7), ("Bo", 5)]
    assert identities(store) == [("", 43), ("Bo", 26), ("", 11), ("", 6)]
    for folder in (out, other, out):
        census(command, folder, "--store", store)
    assert identities(store) == [("", 43), ("Bo", 26), ("", 11), ("", 6)]
    assert listed(census(command, other)) == [("", 7), ("", 5)], "its own store knows nothing of that"


def test_several_picked_are_one_from_then_on(out: Path, command: Command) -> None:
    done = command("pick", "4", "1", "--name", "Ada", "-o", out, "--clips", "none", "--crops", "none", "-q")
    assert done.returncode == 0, done.stderr
    looks = drawn(SCRIPTS)
    both = sorted((one.film, f"{one.time:.3f}") for name in ("Ada", "Ada in disguise") for one in looks[name])
    assert sorted((row["video"], row["time"]) for row in rows(out / "hits.csv")) == both
    assert listed(census(command, out)) == [("Ada", 42), ("", 21), ("", 11)]
    # Taken apart again, she who is seen most keeps the name.
    assert command("pick", "Ada", "--split", "-o", out, "-q").returncode == 0
    assert listed(census(command, out)) == [("Ada", 36), ("", 21), ("", 11), ("", 6)]


def test_a_name_of_two_is_nobodys(out: Path, command: Command) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "2", "--name", "Jo", *nothing).returncode == 0
    (line,) = errors(command("pick", "3", "--name", "Jo", *nothing), 2, 1)
    assert line.endswith("2 is called 'Jo': add it to make both one person, or choose another name")
    with open_existing(str(out / ".fastface" / "identities.sqlite")) as store:  # as two folders' stores may have it
        store.name(next(one.number for one in store.identities() if one.count == 11), "Jo")
    assert command("people", "-o", out, "-q").returncode == 0
    assert listed(census(command, out)) == [("", 36), ("Jo", 21), ("Jo", 11), ("", 6)]
    lines = errors(command("pick", "Jo", "Flo", *nothing), 2, 2)
    assert lines[0] == "fastface: 'Jo' is the name of 2 and 3: choose by number"
    assert lines[1].endswith("there is no person 'Flo': there are 1 to 4; 2 (Jo), 3 (Jo)")
    assert command("pick", "3", *nothing).returncode == 0
    assert len(rows(out / "hits.csv")) == 11


# ── purge ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_purge_takes_all_that_is_known_of_persons(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    assert command("pick", "2", "3", "--merge", "-o", out, "-q").returncode == 0
    mine = out / "people" / "mine.txt"
    mine.write_text("mine")
    state = out / ".fastface"
    doomed = [out / "banks" / "Ada.npz", out / "primary_person.npz", *(out / "people" / name for name in TABLES)]
    doomed += [out / "people" / name for name in ("people.html", "table.png", "embeddings.npz")]
    doomed += [state / name for name in ("identities.sqlite", "corrections.json", "people.json")]
    doomed += list((out / "people").rglob("*.jpg"))
    assert all(path.is_file() for path in doomed)
    assert len(doomed) >= 20
    kept = [*out.glob("clips/*/*"), out / "hits.csv", out / "spans.csv", state / "log.jsonl", mine]
    told = json.loads(command("purge", "-o", out, "--dry-run", "--json").stdout)
    assert all(path.is_file() for path in doomed)
    sizes = sum(path.stat().st_size for path in doomed)
    done = command("purge", "-o", out, "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, told)
    assert [path for path in doomed if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert told["bytes_freed"] > sizes
    assert told["kept"] == [str(mine)]
    assert [path.name for path in (out / "people").rglob("*")] == ["mine.txt"]
    assert not (out / "banks").exists()
    assert [path for path in out.rglob("*") if path.suffix in (".npz", ".npy", ".parquet", ".jpg", ".png")] == []
    assert list(state.glob("identities*")) == []
    (line,) = errors(command("people", "-o", out), 2, 1)
    assert "holds no scanned videos" in line


def test_purge_says_what_it_takes(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    crops = [path for name in ("crops", "snapshots") for path in (out / name).rglob("*.jpg")]
    of_persons = [path for name in ("people", "banks") for path in (out / name).rglob("*") if path.is_file()]
    state = [out / ".fastface" / name for name in ("people.json", "corrections.json", "corrections.undo.jsonl")]
    state += [out / ".fastface" / "numbers.npz"]
    of_persons += [out / "primary_person.npz", *(out / ".fastface").glob("identities*"), *state]
    of_persons = [path for path in of_persons if path.is_file()]
    done = command("purge", "-o", out, "--yes")
    assert done.returncode == 0
    assert "removed the faces and embeddings of 2 videos" in done.stdout
    assert f"{len(crops)} picture" in done.stdout
    assert f"{len(of_persons)} files on persons" in done.stdout
    assert not (out / "people").exists()
