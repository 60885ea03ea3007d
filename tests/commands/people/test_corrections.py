"""Corrections by `pick`: what stays merged, split and rejected, and what is refused."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from census_tools import Command, census, identities, listed, numbered, rows
from cli_tools import contents, errors, fastface
from people_films import (
    PERIOD,
    SCRIPTS,
    counts,
    drawn,
)

from fastface.errors import InterruptError


def test_what_is_merged_stays_so_until_it_is_split(out: Path, command: Command) -> None:
    apart, one = [("", 36), ("", 21), ("", 11), ("", 6)], [("", 42), ("", 21), ("", 11)]
    for _ in range(2):
        done = command("pick", "1", "4", "--merge", "-o", out, "--json")
        assert (done.returncode, listed(json.loads(done.stdout))) == (0, one)
        assert listed(census(command, out)) == one
        assert not (out / "hits.csv").exists()
        assert not (out / "banks").exists()
        done = command("pick", "1", "--split", "-o", out, "--json")
        assert (done.returncode, listed(json.loads(done.stdout))) == (0, apart)
        assert listed(census(command, out)) == apart
    assert sum(count for _, count in identities(out / ".fastface" / "identities.sqlite")) == 74


def test_who_is_on_screen_together_can_be_one_by_decree_alone(out: Path, command: Command) -> None:
    assert command("pick", "1", "2", "--merge", "-o", out, "-q").returncode == 0
    said = census(command, out)
    assert listed(said) == [("", 57), ("", 11), ("", 6)]
    looks = drawn(SCRIPTS)
    moments = {(one.film, one.time) for name in ("Ada", "Bo") for one in looks[name]}
    assert said["persons"][0]["seconds"] == pytest.approx(PERIOD * len(moments))
    assert len(moments) < 57
    assert [(row["person"], row["other"]) for row in rows(out / "people" / "together.csv")] == [("1", "3")]
    assert command("pick", "1", "--split", "-o", out, "-q").returncode == 0
    assert [faces for _, faces in listed(census(command, out))] == [36, 21, 11, 6]


def test_who_is_rejected_is_listed_no_more(out: Path, command: Command) -> None:
    done = command("pick", "2", "--reject", "-o", out)
    assert done.returncode == 0
    assert ", 21 to rejected persons" in done.stdout
    said = census(command, out)
    assert (listed(said), said["rejected"], said["unlisted"]) == ([("", 36), ("", 11), ("", 6)], 21, [1, 2])
    assert census(command, out, "--min-faces", "1")["rejected"] == 21


def test_corrections_are_of_faces_and_outlive_another_scan(out: Path, films: Path, command: Command) -> None:
    assert command("pick", "1", "4", "--merge", "-o", out, "-q").returncode == 0
    assert command("pick", "3", "--reject", "-o", out, "-q").returncode == 0
    sampled = ("--sample-fps", "12.5", "--fresh")
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q", *sampled).returncode == 0
    looks = drawn(SCRIPTS, step=2)
    ada, bo, cleo, disguised = counts(looks)
    said = census(command, out)
    assert (listed(said), said["rejected"]) == ([("", ada + disguised), ("", bo), ("", len(looks["Stranger"]))], cleo)
    # What was merged before the scan is taken back after it.
    done = command("pick", "1", "--split", "-o", out, "--json")
    assert [faces for _, faces in listed(json.loads(done.stdout))][:3] == [ada, bo, disguised]
    assert [faces for _, faces in listed(census(command, out))][:3] == [ada, bo, disguised]


def test_who_was_rejected_stays_so_however_much_is_added(
    third: Path, films: Path, command: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(third, tmp_path / "out")
    assert listed(census(command, out)) == [("", 7), ("", 5)]  # Ada and Bo, each in one track
    assert command("pick", "1", "--reject", "-o", out, "-q").returncode == 0
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q").returncode == 0
    said = census(command, out)
    assert (listed(said), said["rejected"]) == ([("", 26), ("", 11), ("", 6)], 43)


def test_corrections_of_pictures_follow_them_when_others_come_between(command: Command, tmp_path: Path) -> None:
    folder, out = tmp_path / "album", tmp_path / "out"
    folder.mkdir()
    script = SCRIPTS["two.mp4"]  # Ada alone from frame 10 to 20, Bo alone from 60 on

    def add(name: str, frame: int) -> None:
        assert cv2.imwrite(str(folder / name), script.draw(frame))

    add("b.png", 12)  # Ada
    for number in range(4):
        add(f"c{number}.png", 64 + 2 * number)  # Bo
    asked = ("-o", out, "-q")
    assert command("scan", folder, *asked).returncode == 0
    assert listed(census(command, out, "--min-faces", "1")) == [("", 4), ("", 1)]
    assert command("pick", "2", "--reject", *asked).returncode == 0
    # One of Bo in front: where Ada was, by time and place, somebody else is now.
    shutil.copy(folder / "c0.png", folder / "a.png")
    assert command("scan", folder, *asked).returncode == 0
    said = census(command, out, "--min-faces", "1")
    assert (listed(said), said["rejected"]) == ([("", 5)], 1)


def test_damaged_notes_are_told_and_kept(out: Path, command: Command) -> None:
    for name, hint in (("corrections.json", "repair it or remove it"), ("people.json", "run fastface people")):
        path = out / ".fastface" / name
        kept = path.read_bytes() if path.exists() else None
        path.write_text("{")
        (line,) = errors(command("pick", "1", "-o", out, "-q"), 1, 1)
        assert name in line
        assert hint in line
        assert path.read_text() == "{"
        if kept is None:
            path.unlink()
        else:
            path.write_bytes(kept)
    assert command("pick", "1", "-o", out, "--clips", "none", "-q").returncode == 0


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def untouched(picked: Path) -> Iterator[Path]:
    """OUT with Ada in it, of which nothing may change."""
    before = {path: path.read_bytes() for path in picked.rglob("*") if path.is_file() and path.name not in _TOLD}
    yield picked
    assert {path: path.read_bytes() for path in before} == before


_TOLD = {"log.jsonl", "lock", "state.sqlite", "identities.sqlite", "state.sqlite-wal", "state.sqlite-shm"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["9"], ["there is no person '9': there are 1 to 4; 1 (Ada)"]),
        (["1", "0", "Eve"], ["there is no person '0'", "there is no person 'Eve'"]),
        (["-1"], None),
        ([], ["give at least one person"]),
        (["1", "2", "--merge", "--split"], ["exclude each other"]),
        (["1", "--reject", "--split"], ["exclude each other"]),
        (["1", "2", "--merge", "--name", "Eve"], ["exclude each other"]),
        (["--merge", "--reject"], ["give at least one person", "exclude each other"]),
        (["1", "--merge"], ["at least two persons"]),
        (["1", "1", "Ada", "--merge"], ["at least two persons"]),
        (["4", "--split"], ["has a single track"]),
        (["1", "--name", "everyone"], ["'everyone' cannot be the name"]),
        (["1", "--name", " "], ["' ' cannot be the name"]),
        (["1", "--name", "12"], ["'12' cannot be the name"]),
        (["1", "--name", "person 2"], ["'person 2' cannot be the name"]),
        (["1", "--name", "=1+1\n\x1b[31m"], ["'=1+1\\n\\x1b[31m' cannot be the name"]),
        (["1", "--restore"], ["give no number or name"]),
        (["1", "--undo"], ["give no number or name"]),
        (["--undo", "--restore"], ["exclude each other"]),
        (["1", "--census", "0123456789ab"], ["open people.html again"]),
        (["1", "--selection", "none.json"], ["--selection"]),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(
    untouched: Path, command: Command, given: list[str], told: list[str] | None
) -> None:
    done = command("pick", "-o", untouched, "-q", *given)
    assert done.returncode == 2, done
    if told is not None:
        lines = errors(done, 2, len(told))
        assert all(part in line for part, line in zip(told, lines, strict=True)), lines


@pytest.mark.parametrize("asked", [["people"], ["pick", "1"], ["pick", "1", "--reject"]])
def test_without_an_index_there_is_nobody(command: Command, tmp_path: Path, asked: list[str]) -> None:
    (line,) = errors(command(*asked, "-o", tmp_path / "out", "-q"), 2, 1)
    assert "holds no scanned videos" in line
    assert not (tmp_path / "out" / "people").exists()


def test_without_a_census_there_are_no_numbers(third: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(third, tmp_path / "out")
    (line,) = errors(command("pick", "1", "-o", out, "-q"), 2, 1)
    assert "run fastface people" in line
    assert not (out / "people").exists()


def test_persons_that_were_numbered_anew_are_not_taken_for_those_of_the_page(
    out: Path, command: Command, tmp_path: Path
) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    shown = json.loads((out / ".fastface" / "people.json").read_text())["census"]
    saved = tmp_path / "selection.json"
    saved.write_text(json.dumps({"schema_version": 1, "census": shown, "people": [2], "name": "Bo"}) + "\n")
    # A name numbers nobody anew: the page stays good.
    assert command("pick", "1", "--name", "Ada", "--census", shown, *nothing).returncode == 0
    assert f'"census":"{shown}"' in (out / "people" / "people.html").read_text(encoding="utf-8")
    assert command("pick", "--selection", saved, *nothing).returncode == 0
    assert command("people", "-o", out, "--rank", "quality", "-q").returncode == 0
    for asked in (["--selection", saved], ["2", "--census", shown], ["2", "--reject", "--census", shown]):
        (line,) = errors(command("pick", *asked, *(nothing if "--reject" not in asked else nothing[:2])), 2, 1)
        assert line.endswith("open people.html again")


def test_after_a_merger_the_same_command_means_the_same_person(out: Path, command: Command) -> None:
    asked = ("pick", "4", "3", "--name", "Both", "-o", out, "--clips", "none", "--crops", "none")
    done = command(*asked)
    assert (done.returncode, len(rows(out / "hits.csv"))) == (0, 17)
    assert "3 and 4 are one person from now on: 3" in done.stderr
    before = contents(out / "people")
    done = command(*asked, "-q")
    assert (done.returncode, len(rows(out / "hits.csv"))) == (0, 17)
    assert before.keys() == contents(out / "people").keys()
    said = census(command, out)
    assert listed(said) == [("", 36), ("", 21), ("Both", 17)]
    (line,) = errors(command("pick", "4", "--reject", "-o", out, "-q"), 2, 1)
    assert line.endswith("there is no person '4' now: it is part of person 3")
    # Taken back, the name and both numbers are as before.
    done = command("pick", "--undo", "-o", out)
    assert "took back: merge of 3 and 4 (" in done.stderr
    said = census(command, out)
    assert numbered(said) == {1: 36, 2: 21, 3: 11, 4: 6}
    assert listed(said) == [("", 36), ("", 21), ("", 11), ("", 6)]
    (line,) = errors(command("pick", "--undo", "-o", out, "-q"), 2, 1)
    assert "no correction to take back" in line


def test_numbers_stay_with_their_persons(out: Path, command: Command) -> None:
    everyone = {1: 36, 2: 21, 3: 11, 4: 6}
    asked = ("pick", "1", "3", "--merge", "-o", out)
    assert numbered(json.loads(command(*asked, "--json").stdout)) == {1: 47, 2: 21, 4: 6}
    again = command(*asked, "--json")
    assert numbered(json.loads(again.stdout)) == {1: 47, 2: 21, 4: 6}
    assert "they are one person already: 1; nothing was changed" in again.stderr
    assert numbered(json.loads(command("pick", "2", "--reject", "-o", out, "--json").stdout)) == {1: 47, 4: 6}
    (line,) = errors(command("pick", "2", "--reject", "-o", out), 2, 1)
    assert line.endswith("person 2 is not listed now: it was rejected, or these settings leave it out")
    assert {row["person"] for row in rows(out / "people" / "people.csv")} == {"1", "4"}
    # One by one, each is taken back.
    assert numbered(json.loads(command("pick", "--undo", "-o", out, "--json").stdout)) == {1: 47, 2: 21, 4: 6}
    assert numbered(json.loads(command("pick", "--undo", "-o", out, "--json").stdout)) == everyone
    assert numbered(census(command, out, "--rank", "quality")) == everyone
    assert numbered(census(command, out, "--min-faces", "1")) == {**everyone, 5: 2}
    assert sum(count for _, count in identities(out / ".fastface" / "identities.sqlite")) == 76


def test_numbers_stay_after_another_scan(out: Path, films: Path, command: Command) -> None:
    before = {person["number"]: person["appearances"][0]["start"] for person in census(command, out)["persons"]}
    sampled = ("--sample-fps", "12.5", "--fresh", "-q")
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, *sampled).returncode == 0
    said = {person["number"]: person for person in census(command, out)["persons"]}
    assert before.keys() < said.keys(), "the stranger is seen often enough now"
    assert {number: round(said[number]["appearances"][0]["start"], 1) for number in before} == before


@pytest.mark.parametrize("what", ["split", "reject", "name"])
def test_each_correction_can_be_taken_back(out: Path, command: Command, what: str) -> None:
    before = census(command, out)
    asked = ["--name", "Ada", "--clips", "none", "--crops", "none"] if what == "name" else [f"--{what}"]
    assert command("pick", "1", "-o", out, "-q", *asked).returncode == 0
    changed = census(command, out)
    assert (listed(changed), numbered(changed)) != (listed(before), numbered(before))
    assert command("pick", "--undo", "-o", out, "-q").returncode == 0
    after = census(command, out)
    assert (listed(after), numbered(after)) == (listed(before), numbered(before))


def test_an_interrupted_pick_has_said_nothing(out: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listed(census(command, out))

    def interrupted(*_: object) -> None:
        raise InterruptError(2)

    with monkeypatch.context() as patched:
        patched.setattr("fastface.commands.pick.write_picked", interrupted)
        assert command("pick", "1", "4", "--name", "Ada", "-o", out, "-q").returncode == 130
    assert not (out / ".fastface" / "corrections.json").exists()
    assert command("pick", "1", "4", "--name", "Ada", "-o", out, "-q", "--clips", "none").returncode == 0
    assert len(rows(out / "hits.csv")) == before[0][1] + before[3][1]


def test_a_pick_that_is_stopped_while_it_notes_what_was_said_can_be_repeated(
    out: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise InterruptError(2)

    asked = ("pick", "1", "4", "--name", "Ada", "-o", out, "-q", "--clips", "none", "--crops", "none")
    with monkeypatch.context() as patched:
        patched.setattr("fastface.census.clusters.corrections.Corrections.save", interrupted)
        assert command(*asked).returncode == 130
    assert command(*asked).returncode == 0
    assert listed(census(command, out)) == [("Ada", 42), ("", 21), ("", 11)]


def test_a_note_of_an_earlier_version_is_no_census(out: Path, command: Command) -> None:
    path = out / ".fastface" / "people.json"
    note = json.loads(path.read_text())
    note["schema_version"], note["digest"] = 1, note.pop("census")
    path.write_text(json.dumps(note))
    (line,) = errors(command("pick", "1", "-o", out, "-q"), 2, 1)
    assert line.endswith(f"run fastface people -o {out}")


def test_two_who_have_names_are_one_only_by_a_name(out: Path, command: Command) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    for number, name in (("1", "Ada"), ("2", "Bo")):
        assert command("pick", number, "--name", name, *nothing).returncode == 0
    (line,) = errors(command("pick", "Ada", "Bo", *nothing), 2, 1)
    assert line.endswith("they are called Ada and Bo: choose one name with --name")
    (line,) = errors(command("pick", "Ada", "Bo", "--merge", "-o", out, "-q"), 2, 1)
    assert line.endswith("fastface pick 1 2 --name NAME makes them one")
    done = command("pick", "Ada", "person 3", "Bo", "--name", "All", *nothing[:-1])
    assert done.returncode == 0
    assert "1 and 2 are on screen together for 1.6 s; 1 and 3 are on screen together for 2.2 s" in done.stderr


def test_the_rejected_come_back_when_they_are_asked_for(out: Path, command: Command) -> None:
    before = listed(census(command, out))
    done = command("pick", "2", "--reject", "-o", out)
    assert "person 2 is no longer listed" in done.stderr
    assert listed(census(command, out)) == [before[0], *before[2:]]
    assert command("pick", "--restore", "-o", out, "-q").returncode == 0
    assert listed(census(command, out)) == before


def test_a_saved_selection_is_as_good_as_numbers(out: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "selection.json"
    path.write_text(json.dumps({"schema_version": 1, "people": [2], "name": "Bo"}) + "\n")  # as people.html saves it
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "--selection", path, *nothing).returncode == 0
    assert {row["target"] for row in rows(out / "hits.csv")} == {"Bo"}
    assert (out / "banks" / "Bo.npz").exists()
    assert command("pick", "--selection", path, "--name", "Robert", *nothing).returncode == 0
    assert listed(census(command, out))[1] == ("Robert", 21)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "7", '{"people": 3}', '{"people": "12"}', '{"people": ["Ada"]}', '{"people": [null]}',
        '{"people": [1.5]}', '{"people": [1e999]}', '{"people": [true]}', '{"people": {"1": 2}}', "[" * 100_000,
        b"\xff\xfe", '{"people": [1], "name": 7}', '{"people": [1], "name": ["x"]}',
    ],
)  # fmt: skip
def test_a_bad_selection_is_told_and_nothing_is_picked(
    untouched: Path, command: Command, tmp_path: Path, content: str | bytes
) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (line,) = errors(command("pick", "--selection", path, "-o", untouched, "-q"), 2, 1)
    assert "not a file that people.html saved" in line


def test_an_empty_selection_is_nobody(untouched: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"schema_version": 1, "people": [], "name": ""}')
    (line,) = errors(command("pick", "--selection", path, "-o", untouched, "-q"), 2, 1)
    assert "give at least one person" in line


def test_as_another_process_it_ends_the_same(untouched: Path, pack: Path) -> None:
    done = fastface("pick", "9", "-o", untouched, "-q", "--models", pack)
    (line,) = errors(done, 2, 1)
    assert line == "fastface: there is no person '9': there are 1 to 4; 1 (Ada)"
