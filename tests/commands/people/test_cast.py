"""Names for a cast in one step: by photos, by an edited table, by a file of corrections; on films with a script."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest
from census_tools import Command, census, numbered, rows
from cli_tools import errors

from fastface.demo.film import Encoding, draw_film, draw_photo
from fastface.demo.persons import ADA, BO, CLEO, Person
from fastface.demo.script import Appearance, Script

LEFT, MIDDLE, RIGHT = (120, 176), (320, 176), (528, 176)
SCRIPTS = {
    "one.mp4": Script(150, (Appearance(ADA, 0, 100, LEFT), Appearance(BO, 0, 50, MIDDLE))),
    "two.mp4": Script(125, (Appearance(ADA, 0, 25, MIDDLE), Appearance(CLEO, 75, 100, RIGHT))),
}
LATER = {"three.mp4": Script(75, (Appearance(BO, 0, 25, RIGHT), Appearance(ADA, 50, 75, LEFT)))}
FACES = {1: 25, 2: 10, 3: 5}
"""Five samples a second of Ada, Bo and Cleo, who are numbered by screen time."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, script in {**SCRIPTS, **LATER}.items():
        draw_film(folder / name, script, Encoding(gop=25))
    return folder


@pytest.fixture(scope="module")
def counted(films: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("counted") / "out"
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q").returncode == 0
    assert numbered(census(command, out)) == FACES
    return out


@pytest.fixture
def out(counted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(counted, tmp_path / "out")


def names(command: Command, out: Path, *more: object) -> dict[int, str]:
    return {person["number"]: person["name"] for person in census(command, out, *more)["persons"]}


def photos(folder: Path, *persons: Person) -> Path:
    folder.mkdir()
    for person in persons:
        cv2.imwrite(str(folder / f"{person.name}.png"), draw_photo(person))
    return folder


def edit(out: Path, changes: dict[int, str], separator: str = ",") -> Path:
    """The table of names as a spreadsheet saves it, with other names."""
    table = rows(out / "people" / "names.csv")
    path = out.parent / "edited.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows([{**row, "name": changes.get(int(row["person"]), row["name"])} for row in table])
    return path


def page_of(out: Path) -> dict[str, Any]:
    """The facts of people.html."""
    text = (out / "people" / "people.html").read_text(encoding="utf-8")
    facts = text.partition('<script type="application/json" id="facts">')[2].partition("</script>")[0]
    found: dict[str, Any] = json.loads(facts)
    return found


def save(out: Path, **corrections: object) -> Path:
    """A file of corrections as the page saves it."""
    facts = page_of(out)
    marks = {str(person["number"]): person["marks"] for person in facts["people"]}
    path = out.parent / "people-corrections.json"
    content = {"schema_version": 1, "kind": "people", "census": facts["census"], "persons": marks, **corrections}
    path.write_text(json.dumps(content))
    return path


# ── photos ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_photos_name_the_cast_and_nothing_is_exported(out: Path, films: Path, command: Command, tmp_path: Path) -> None:
    before = sorted(path.name for path in out.iterdir())
    assert names(command, out, "-t", photos(tmp_path / "photos", ADA, CLEO)) == {1: "Ada", 2: "", 3: "Cleo"}
    assert sorted(path.name for path in out.iterdir()) == before
    assert [row["name"] for row in rows(out / "people" / "people.csv")] == ["Ada", "", "Cleo"]
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    assert names(command, out) == {1: "Ada", 2: "", 3: "Cleo"}


def test_what_the_photos_do_and_do_not_say_is_told(out: Path, command: Command, tmp_path: Path) -> None:
    assert command("pick", "2", "--name", "Bob", "-o", out, "-q").returncode == 0
    folder = photos(tmp_path / "photos", ADA, BO)
    cv2.imwrite(str(folder / "7.png"), draw_photo(CLEO))
    done = command("people", "-t", folder, "-o", out)
    assert done.returncode == 0
    for line in ("person 1 is Ada", "person 2 keeps the name Bob; by the photos it is Bo",
                 "the photos of '7' name no person: a number cannot be a name"):  # fmt: skip
        assert line in done.stderr
    assert names(command, out) == {1: "Ada", 2: "Bob", 3: ""}


def test_a_person_of_two_is_told_and_not_named(out: Path, command: Command, tmp_path: Path) -> None:
    assert command("pick", "2", "3", "--merge", "-o", out, "-q").returncode == 0
    done = command("people", "-t", photos(tmp_path / "photos", BO, CLEO), "-o", out)
    assert "person 2 is not named: the photos do not decide between Bo and Cleo" in done.stderr
    assert names(command, out) == {1: "", 2: ""}


def test_photos_without_a_person_are_told(out: Path, command: Command, tmp_path: Path) -> None:
    assert command("pick", "3", "--reject", "-o", out, "-q").returncode == 0
    done = command("people", "-t", photos(tmp_path / "photos", CLEO), "-o", out)
    assert "no listed person is like the photos of Cleo" in done.stderr
    assert errors(command("people", "-t", "*", "-o", out), 2, 1) == ["fastface: -t '*' names no person: give photos"]


# ── the table of names ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_table_of_names_is_what_the_list_says(counted: Path) -> None:
    table = rows(counted / "people" / "names.csv")
    assert list(table[0]) == ["person", "name", "seconds", "videos", "picture"]
    assert [(row["person"], row["name"], row["seconds"], row["videos"]) for row in table] == [
        ("1", "", "5.000", "2"), ("2", "", "2.000", "1"), ("3", "", "1.000", "1"),
    ]  # fmt: skip
    assert all((counted / row["picture"]).is_file() for row in table)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_an_edited_table_names_and_the_names_stay(out: Path, films: Path, command: Command, separator: str) -> None:
    table = edit(out, {1: "Ada Lovelace", 3: "Zoë; the 'third'"}, separator)
    expected = {1: "Ada Lovelace", 2: "", 3: "Zoë; the 'third'"}
    assert names(command, out, "--names", table) == expected
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    assert names(command, out) == expected
    assert names(command, out, "--names", edit(out, {3: ""})) == {1: "Ada Lovelace", 2: "", 3: ""}
    assert names(command, out) == {1: "Ada Lovelace", 2: "", 3: ""}


def test_an_empty_name_removes_a_name_of_photos_too(out: Path, command: Command, tmp_path: Path) -> None:
    assert names(command, out, "-t", photos(tmp_path / "photos", ADA, BO)) == {1: "Ada", 2: "Bo", 3: ""}
    done = command("people", "--names", edit(out, {1: ""}), "-o", out)
    assert "person 1 has no name any more" in done.stderr.splitlines()
    assert names(command, out) == {1: "", 2: "Bo", 3: ""}
    assert command("correct", "--undo", "-o", out, "-q").returncode == 0
    assert names(command, out) == {1: "Ada", 2: "Bo", 3: ""}


def test_rows_with_one_name_are_one_person(out: Path, command: Command) -> None:
    done = command("people", "--names", edit(out, {2: "Bo", 3: "Bo"}), "-o", out)
    assert done.returncode == 0, done.stderr
    assert "2 and 3 have the name Bo: they are one person from now on" in done.stderr
    assert numbered(census(command, out)) == {1: 25, 2: 15}
    assert names(command, out) == {1: "", 2: "Bo"}
    assert command("correct", "--undo", "-o", out, "-q").returncode == 0
    assert (numbered(census(command, out)), names(command, out)) == (FACES, {1: "", 2: "", 3: ""})


def test_wrong_rows_are_told_by_their_lines_and_change_nothing(out: Path, command: Command, tmp_path: Path) -> None:
    table = tmp_path / "wrong.csv"
    table.write_text("person,name\r\n1,Ada\r\n99,Bo\r\nx,Cleo\r\n,Dee\r\n2,7\r\n1,Eve\r\n")
    told = errors(command("people", "--names", table, "-o", out), 2, 5)
    assert [line.split(": ")[2] for line in told] == ["line 3", "line 4", "line 5", "line 6", "line 7"]
    assert told[0].endswith("there is no person '99': there are 1 to 3")
    assert names(command, out) == {1: "", 2: "", 3: ""}


def test_a_table_full_of_wrong_rows_is_read_until_the_twentieth(out: Path, command: Command, tmp_path: Path) -> None:
    table = tmp_path / "wrong.csv"
    table.write_text("person,name\n" + f"{'9' * 5000},Ada\n" + "99,Bo\n" * 1_000_000)
    told = errors(command("people", "--names", table, "-o", out), 2, 21)
    assert told[0].endswith("there are 1 to 3")
    assert told[-1].endswith("line 22 and all lines after it are not checked")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "line 1 has no column person and no column name"),
        (b"number,name\n1,Ada\n", "line 1 has no column person"),
        (b"person,name\n1,Ad\xe4\n", "line 2 is not UTF-8: save the table as CSV UTF-8"),
        (b'person,name\n1,"Ada\n', "line 2: unexpected end of data"),
    ],
)
def test_what_is_no_table_is_told(out: Path, command: Command, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "names.csv").write_bytes(content)
    (line,) = errors(command("people", "--names", tmp_path / "names.csv", "-o", out), 2, 1)
    assert told in line


def test_an_edit_that_was_not_read_is_not_lost(out: Path, command: Command) -> None:
    own = out / "people" / "names.csv"
    own.write_bytes(own.read_bytes().replace(b"1,,", b"1,Ada,"))
    edited = own.read_bytes()
    done = command("people", "-o", out)
    assert str(out / "people" / "names.edited.csv") in done.stderr
    assert (out / "people" / "names.edited.csv").read_bytes() == edited
    assert names(command, out, "--names", out / "people" / "names.edited.csv") == {1: "Ada", 2: "", 3: ""}


def test_the_table_in_its_place_can_be_edited_and_read(out: Path, command: Command) -> None:
    own = out / "people" / "names.csv"
    own.write_bytes(own.read_bytes().replace(b"1,,", b"1,Ada,"))
    done = command("people", "-o", out, "--names", own)
    assert (done.returncode, "kept as" in done.stderr) == (0, False)
    assert "person 1 is Ada" in done.stderr.splitlines()
    done = command("people", "-o", out, "--names", edit(out, {1: ""}))
    assert "person 1 has no name any more" in done.stderr.splitlines()
    assert command("correct", "--undo", "-o", out, "-q").returncode == 0
    assert names(command, out) == {1: "Ada", 2: "", 3: ""}
    assert not (out / "people" / "names.edited.csv").exists()


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "-rf", "'quoted'", "@home", 'O\'Neil, "Ed" & <b>co</b>', "王"])
def test_a_name_comes_back_from_the_table_as_it_was(out: Path, command: Command, name: str) -> None:
    table = out.parent / "names.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("person", "name"), (1, f"'{name}" if name[0] in "=-@" else name)])
    assert names(command, out, "--names", table)[1] == name
    assert names(command, out, "--names", out / "people" / "names.csv")[1] == name


# ── the file of the page ────────────────────────────────────────────────────────────────────────────────────────────


def test_one_file_makes_many_corrections_and_is_one_step(out: Path, films: Path, command: Command) -> None:
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    faces = {1: 30, 2: 15, 3: 5}
    assert numbered(census(command, out)) == faces
    file = save(out, split=[[1, "two.mp4"]], reject=[3], names={"1": "Ada", "2": "Bo"})
    done = command("correct", file, "-o", out)
    assert done.returncode == 0, done.stderr
    assert "person 1 is now 1 and 4" in done.stderr
    assert numbered(census(command, out)) == {1: 25, 2: 15, 4: 5}
    assert names(command, out) == {1: "Ada", 2: "Bo", 4: ""}
    assert command("correct", save(out, restore=[3], merge=[[1, 4]]), "-o", out, "-q").returncode == 0
    assert numbered(census(command, out)) == faces
    assert names(command, out) == {1: "Ada", 2: "Bo", 3: ""}
    for expected, called in (
        ({1: 25, 2: 15, 4: 5}, {1: "Ada", 2: "Bo", 4: ""}),
        (faces, {1: "", 2: "", 3: ""}),
    ):
        assert command("correct", "--undo", "-o", out, "-q").returncode == 0
        assert (numbered(census(command, out)), names(command, out)) == (expected, called)
    assert command("correct", "--undo", "-o", out).returncode == 2


def test_a_split_keeps_the_name_with_the_number(out: Path, command: Command, tmp_path: Path) -> None:
    assert command("pick", "2", "3", "--merge", "-o", out, "-q").returncode == 0
    assert command("pick", "2", "--name", "Bo", "-o", out, "-q").returncode == 0
    assert names(command, out, "-t", photos(tmp_path / "photos", ADA)) == {1: "Ada", 2: "Bo"}
    assert command("correct", save(out, split=[[1, "two.mp4"], [2, "two.mp4"]]), "-o", out, "-q").returncode == 0
    assert numbered(census(command, out)) == {1: 20, 2: 10, 3: 5, 4: 5}
    assert sorted(names(command, out).items()) == [(1, "Ada"), (2, "Bo"), (3, ""), (4, "")]


def test_a_file_of_an_older_page_holds_while_its_persons_are_the_same(out: Path, films: Path, command: Command) -> None:
    merge, name = save(out, merge=[[1, 3]]).read_bytes(), save(out, names={"1": "Ada"}).read_bytes()
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    assert numbered(census(command, out)) == {1: 30, 2: 15, 3: 5}
    file = out.parent / "older.json"
    file.write_bytes(name)
    assert command("correct", file, "-o", out, "-q").returncode == 0
    assert names(command, out) == {1: "Ada", 2: "", 3: ""}
    assert command("correct", save(out, split=[[1, "two.mp4"]]), "-o", out, "-q").returncode == 0
    file.write_bytes(merge)
    before = numbered(census(command, out))
    (line,) = errors(command("correct", file, "-o", out), 2, 1)
    assert "the list of persons has changed since this file was made, and these persons are not the same: 1." in line
    assert numbered(census(command, out)) == before


@pytest.mark.parametrize(
    ("corrections", "told"),
    [
        ({"reject": [9]}, "there is no person '9': there are 1 to 3"),
        ({"reject": [1], "merge": [[1, 2]]}, "person 1: merge, split and reject exclude each other"),
        ({"restore": [2]}, "person 2 cannot be restored: it is not among the rejected persons"),
        ({"names": {"1": "Bo", "2": "Bo"}}, "1 and 2 would all be called 'Bo': merge them, or choose different names"),
        ({"merge": [[1, 2]], "names": {"1": "A", "2": "B"}}, "1 and 2 are called A and B: choose one name for them"),
        ({"split": [[1, "no.mp4"]]}, "split: there is no video 'no.mp4'"),
        ({"split": [[3, "two.mp4"]]}, "person 3 cannot be split: the face is in no other video"),
        ({"names": {"1": "12"}}, "'12' cannot be the name of a person"),
        ({"more": 1}, "not a file that people.html saved: more: Extra inputs are not permitted"),
        ({"kind": "photos"}, "its kind must be one of decisions, people"),
        ({"reject": ["1"]}, "not a file that people.html saved: reject.0: Input should be a valid integer"),
        ({"split": [["1"]]}, "split: write each as [person, video, …]"),
    ],
)
def test_a_wrong_file_is_told_and_changes_nothing(
    out: Path, command: Command, corrections: dict[str, Any], told: str
) -> None:
    (line,) = errors(command("correct", save(out, **corrections), "-o", out), 2, 1)
    assert told in line
    assert numbered(census(command, out)) == FACES


def test_a_person_of_one_track_is_left_whole_and_the_rest_is_done(out: Path, command: Command) -> None:
    done = command("correct", save(out, split=[[3]], names={"1": "Ada"}), "-o", out)
    assert done.returncode == 0
    assert "left as it is: person 3 has a single track and cannot be split" in done.stderr
    assert (numbered(census(command, out)), names(command, out)[1]) == (FACES, "Ada")


def test_a_file_and_an_undo_exclude_each_other(out: Path, command: Command) -> None:
    for given in ((), (save(out), "--undo")):
        (line,) = errors(command("correct", *given, "-o", out), 2, 1)
        assert line == "fastface: give a file of corrections, or --undo"
    done = command("correct", save(out), "-o", out)
    assert (done.returncode, "nothing was changed" in done.stderr) == (0, True)
