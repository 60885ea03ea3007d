"""`--where`: moments with several persons, in a film of which each second is known; and the names of answers."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from cartoon_tools import Cartoon
from cli_tools import contents, errors, fastface
from run_tools import rows

from fastface.demo.film import draw_film, draw_photo
from fastface.demo.persons import Person
from fastface.demo.script import Appearance, Script

LEFT, MIDDLE, RIGHT = (112, 160), (320, 160), (528, 160)
ANN, BOB, STRANGER = Person("ann", 0), Person("bob", 11), Person("stranger", 22)
SCRIPT = Script(
    500,  # frames, 25 a second: 20 seconds
    (
        Appearance(ANN, 0, 200, LEFT),  # 0 to 8 s
        Appearance(ANN, 350, 400, LEFT),  # 14 to 16 s
        Appearance(BOB, 100, 250, MIDDLE),  # 4 to 10 s
        Appearance(STRANGER, 25, 50, RIGHT),  # 1 to 2 s
        Appearance(STRANGER, 450, 500, RIGHT),  # 18 to 20 s
    ),
)
BOB_NAME = "Bob O'Brien"
BOB_QUOTED = '"Bob O\'Brien"'


@dataclass(frozen=True)
class Scanned:
    """A scanned film, photos of two of the three persons in it, and an output folder."""

    film: Path
    photos: Path
    out: Path
    models: Path

    def find(self, *more: object, command: str = "find") -> str:
        asked = ("-t", self.photos, "-o", self.out, "--models", self.models, "--clips", "none", "--crops", "none")
        done = fastface(command, *asked, *more)
        assert done.returncode == 0, done.stderr
        return done.stderr + done.stdout

    def spans(self) -> list[tuple[str, str, str]]:
        return [(row["target"], row["start"], row["end"]) for row in rows(self.out / "spans.csv")]


@pytest.fixture(scope="module")
def whole(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    root = tmp_path_factory.mktemp("where")
    (root / "photos").mkdir()
    draw_film(root / "film.mp4", SCRIPT)
    for name, person in (("Ann", ANN), (BOB_NAME, BOB)):
        assert cv2.imwrite(str(root / "photos" / f"{name}.png"), draw_photo(person))
    scanned = Scanned(root / "film.mp4", root / "photos", root / "out", cartoon.models)
    scanned.find(scanned.film, "--pad", "0", command="run")
    return scanned


@pytest.fixture
def scanned(whole: Scanned, tmp_path: Path) -> Iterator[Scanned]:
    yield Scanned(whole.film, whole.photos, Path(shutil.copytree(whole.out, tmp_path / "out")), whole.models)


def test_the_persons_are_where_they_were_drawn(whole: Scanned) -> None:
    assert whole.spans() == [("Ann", "0.000", "8.000"), (BOB_NAME, "4.000", "10.000"), ("Ann", "14.000", "16.000")]


def test_spans_of_expressions_have_the_bounds_that_were_drawn(scanned: Scanned) -> None:
    expected = {
        f"ann and {BOB_QUOTED}": [(4, 8)],
        f"Ann and not {BOB_QUOTED}": [(0, 4), (14, 16)],
        "alone(Ann)": [(0, 1), (2, 4), (14, 16)],
        f"Ann within 5s of {BOB_QUOTED}": [(0, 8), (14, 15)],
        f"not (Ann or {BOB_QUOTED})": [(10, 14), (16, 20)],
        f"{BOB_QUOTED} and not {BOB_QUOTED}": [],
    }
    hits = (scanned.out / "hits.csv").read_bytes()
    said = scanned.find(*(word for text in expected for word in ("--where", text)))
    assert all(text in said for text in expected), "the table has a row for each"
    wanted = [(float(start), text, float(end)) for text, bounds in expected.items() for start, end in bounds]
    found = [(float(start), text, float(end)) for text, start, end in scanned.spans()]
    assert found == sorted(wanted)
    assert (scanned.out / "hits.csv").read_bytes() == hits, "the persons' hits stay"
    table = {(row["target"], row["start"]): row for row in rows(scanned.out / "spans.csv")}
    both = table[f"ann and {BOB_QUOTED}", "4.000"]
    # 20 samples of each of the two, at 4.0 to 7.8 s.
    assert (both["first_hit"], both["last_hit"], both["hits"]) == ("4.000", "7.800", "40")
    assert 0 < float(both["mean_similarity"]) <= float(both["best_similarity"]) <= 1
    neither = table[f"not (Ann or {BOB_QUOTED})", "10.000"]
    assert (neither["first_hit"], neither["last_hit"], neither["hits"]) == ("10.000", "13.960", "0")
    assert neither["best_similarity"] == neither["mean_similarity"] == ""
    report = json.loads((scanned.out / "run.json").read_text())
    assert report["where"] == list(expected)
    assert report["targets"] == ["Ann", BOB_NAME]
    assert report["counts"]["spans"] == len(wanted)


def test_short_moments_go_before_padding_and_padded_ones_join(scanned: Scanned) -> None:
    text = f"Ann and not {BOB_QUOTED}"
    scanned.find("--where", text, "--min-span", "3", "--pad", "0.5")
    assert scanned.spans() == [(text, "0.000", "4.500")]
    scanned.find("--where", "alone(Ann)", "--pad", "0.5")
    assert scanned.spans() == [("alone(Ann)", "0.000", "4.500"), ("alone(Ann)", "13.500", "16.500")]


def test_every_frame_next_to_a_bound_counts_with_exact(scanned: Scanned) -> None:
    scanned.find("--where", f"Ann and {BOB_QUOTED}", "--where", "alone(Ann)", "--exact")
    assert scanned.spans() == [
        ("alone(Ann)", "0.000", "1.000"),
        ("alone(Ann)", "2.000", "4.000"),
        (f"Ann and {BOB_QUOTED}", "4.000", "8.000"),
        ("alone(Ann)", "14.000", "16.000"),
    ]


def test_clips_and_pictures_show_the_moments_alone(scanned: Scanned) -> None:
    text = f"Ann and {BOB_QUOTED}"
    scanned.find("--where", text, "--clips", "precise", "--crops", "face", "--min-gap", "0", "--snapshots")
    (row,) = rows(scanned.out / "spans.csv")
    assert (float(row["clip_start"]), float(row["clip_end"])) == (4.0, 8.0)
    (clip,) = scanned.out.glob("clips/*/*")
    assert row["clip"] == f"clips/film.mp4/{clip.name}"
    assert clip.name.startswith("Ann and _Bob O'Brien_-"), "a quote is no character of a file name"
    crops = rows(scanned.out / "crops" / "crops.csv")
    assert {row["target"] for row in crops} == {"Ann", BOB_NAME}
    assert {4 <= float(row["time"]) < 8 for row in crops} == {True}
    (snapshot,) = scanned.out.glob("snapshots/*/*")
    assert 4 <= float(snapshot.stem) < 8
    done = fastface("timelines", "-o", scanned.out, "--as", "losslesscut")
    assert done.returncode == 0, done.stderr
    assert (scanned.out / "timelines" / "film.mp4" / "losslesscut.csv").read_bytes() == (
        b'4.000,8.000,"Ann and ""Bob O\'Brien"""\r\n'
    )
    # The persons of other expressions are not shown; --persons shows all of every person.
    scanned.find("--where", "alone(Ann)", "--crops", "face", "--min-gap", "0")
    crops = rows(scanned.out / "crops" / "crops.csv")
    assert crops
    assert {row["target"] for row in crops} == {"Ann"}
    assert not list(scanned.out.glob("clips/*/*"))
    scanned.find("--where", "alone(Ann)", "--persons", "--crops", "face", "--min-gap", "0")
    assert {row["target"] for row in rows(scanned.out / "crops" / "crops.csv")} == {"Ann", BOB_NAME}
    assert {target for target, _, _ in scanned.spans()} == {"Ann", BOB_NAME, "alone(Ann)"}


def test_wrong_expressions_are_told_before_anything_is_done(scanned: Scanned, tmp_path: Path) -> None:
    before = contents(scanned.out)
    asked = ("-t", scanned.photos, "-o", scanned.out, "--models", scanned.models, "-q")
    lines = errors(fastface("find", *asked, "--where", "Ann and Bop", "--where", "Ann and"), 2, 6)
    assert lines == [
        f"fastface: --where: column 9: no person 'Bop'; there are: 'Ann', \"{BOB_NAME}\"",
        "fastface:   Ann and Bop",
        "fastface:           ^",
        "fastface: --where: column 8: expected a name, not, alone or (",
        "fastface:   Ann and",
        "fastface:          ^",
    ]
    assert errors(fastface("find", *asked, "--where", "Anne", "--dry-run"), 2, 3)[0].endswith("did you mean 'Ann'?")
    assert contents(scanned.out) == before
    # The names in a bank are known only when it is read: that is before a frame is decoded, too.
    bank, new = tmp_path / "both.npz", tmp_path / "new"
    assert fastface("enroll", scanned.photos, "-b", bank, "--models", scanned.models, "-q").returncode == 0
    done = fastface("run", scanned.film, "-t", bank, "-o", new, "--models", scanned.models, "-q", "--where", "Anne")
    assert errors(done, 2, 3)[0].endswith("no person 'Anne'; did you mean 'Ann'?")
    assert not list(new.rglob("faces.parquet"))


def test_run_takes_expressions_of_a_settings_file(scanned: Scanned, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[question]\nwhere = ["alone(Ann)", "everyone and not Ann"]\nname = "ours"\n')
    more = (scanned.film, "-t", "*", "-c", tmp_path / "mine.toml", "--pad", "0")
    assert "ours" not in scanned.find(*more, "--dry-run", command="run").partition("output:")[0]
    scanned.find(*more, command="run")
    assert scanned.spans() == [
        ("alone(Ann)", "0.000", "1.000"),
        ("alone(Ann)", "2.000", "4.000"),
        ("everyone and not Ann", "8.000", "10.000"),
        ("alone(Ann)", "14.000", "16.000"),
        ("everyone and not Ann", "18.000", "20.000"),
    ]
    assert json.loads((scanned.out / "run.json").read_text())["answer"] == "ours"


def test_an_answer_is_replaced_by_the_next_of_its_name_alone(scanned: Scanned) -> None:
    earlier = scanned.out / "earlier"
    first = scanned.spans()
    scanned.find("--where", "alone(Ann)", "--name", "a/b")
    assert json.loads((scanned.out / "run.json").read_text())["answer"] == "a/b"
    (unnamed,) = earlier.iterdir()
    assert unnamed.name == f"Ann+{BOB_NAME}"
    assert [(row["target"], row["start"], row["end"]) for row in rows(unnamed / "spans.csv")] == first
    # The same name, another question: only its own answer goes.
    scanned.find("--where", f"Ann and {BOB_QUOTED}", "--name", "a/b")
    assert [path.name for path in earlier.iterdir()] == [unnamed.name]
    # Another expression without a name is another question.
    scanned.find("--where", "alone(Ann)")
    scanned.find("--where", "Ann")
    kept = {path.name for path in earlier.iterdir()}
    assert len(kept) == 3
    assert f"Ann+{BOB_NAME} where alone(Ann)" in kept
    assert all("/" not in name for name in kept)
    done = fastface("status", "-o", scanned.out, "--json")
    answers = json.loads(done.stdout)["answers"]
    assert [one["name"] for one in answers] == [
        f"Ann+{BOB_NAME} where Ann", f"Ann+{BOB_NAME} where alone(Ann)", "a/b", f"Ann+{BOB_NAME}",
    ]  # fmt: skip
    assert answers[0]["folder"] == ""
    assert all((scanned.out / one["folder"] / "spans.csv").is_file() for one in answers)
    assert [one["where"] for one in answers] == [["Ann"], ["alone(Ann)"], [f"Ann and {BOB_QUOTED}"], []]
    assert {tuple(one["targets"]) for one in answers} == {("Ann", BOB_NAME)}
    lines = fastface("status", "-o", scanned.out).stdout.splitlines()
    assert any(line.endswith(f"last answer: Ann, {BOB_NAME} where Ann") for line in lines)
    assert any("answer 'a/b' in earlier/a_b-" in line for line in lines)
    # Asked for again, an answer moves back; one that the user removed is not listed.
    scanned.find("--where", "Ann", "--name", "a/b")
    assert scanned.spans() == [("Ann", "0.000", "8.000"), ("Ann", "14.000", "16.000")]
    shutil.rmtree(unnamed)
    found = json.loads(fastface("status", "-o", scanned.out, "--json").stdout)["answers"]
    assert [one["name"] for one in found] == ["a/b", f"Ann+{BOB_NAME} where Ann", f"Ann+{BOB_NAME} where alone(Ann)"]
