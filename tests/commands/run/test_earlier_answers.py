"""Another question keeps the answer before: nothing that was found is lost, whenever a command is killed."""

import json
import shutil
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, errors, fastface, labels

KEPT = ("clips", "crops", "hits.csv", "spans.csv", "spans.json", "run.json", "review.csv")


def answer(folder: Path) -> dict[str, bytes]:
    """Every file of an answer, without what a run says of its own time."""
    files = [path for name in KEPT for path in [folder / name, *(folder / name).rglob("*")] if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.name != "run.json"}


def ask(cartoon: Cartoon, out: Path, *names: str, more: tuple[str, ...] = (), **variables: str) -> str:
    """Asks for these persons; gives what was said on standard error."""
    photos = [part for name in names for part in ("-t", str(cartoon.photos / f"{name}.png"))]
    done = fastface("find", *photos, "-o", out, "--models", cartoon.models, "--pad", "0", *more, **variables)
    assert done.returncode in ((3,) if not variables else (3, -9)), done.stderr  # a file of the folder is broken
    return done.stderr


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran.out, tmp_path / "out"))


def test_each_question_has_one_answer_and_it_comes_back(cartoon: Cartoon, out: Path) -> None:
    everyone = labels(cartoon)
    first, second = everyone[:2]
    before = answer(out)
    assert any(name.startswith("clips/") for name in before)
    assert any(name.startswith("crops/") for name in before)
    # The same question again, and a wider one, say nothing of it and keep nothing.
    assert "previous answer" not in ask(cartoon, out, *everyone)
    assert not (out / "earlier").exists()
    assert answer(out) == before
    told = ask(cartoon, out, first)
    (folder,) = (out / "earlier").iterdir()
    assert f"moved to '{folder}'; --replace removes it instead" in told
    assert "previous answer on person-00" in told
    assert answer(folder) == before
    assert json.loads((folder / "run.json").read_text())["targets"] == everyone
    mine = answer(out)
    assert {name.split("/")[1] for name in mine if name.startswith("crops/") and name.count("/") == 2} == {first}
    # A third question has a place of its own; the first one comes back as it was, and none is there twice.
    ask(cartoon, out, second)
    assert sorted(path.name for path in (out / "earlier").iterdir()) == sorted([folder.name, first])
    assert answer(out / "earlier" / first) == mine
    ask(cartoon, out, *everyone)
    assert answer(out) == before, "which holds all that was found of the second, too"
    assert [path.name for path in (out / "earlier").iterdir()] == [first]
    # Without a wish to keep it, it goes.
    assert "previous answer" not in ask(cartoon, out, first, more=("--replace",))
    assert answer(out) == mine
    assert not (out / "earlier").exists()


def test_the_same_persons_with_other_files_are_the_same_question(cartoon: Cartoon, out: Path) -> None:
    everyone, before = labels(cartoon), answer(out)
    said = ask(cartoon, out, *everyone, more=("--clips", "none", "--crops", "aligned"))
    assert "previous answer" not in said
    assert not (out / "earlier").exists()
    assert not list((out / "clips").glob("*/*"))
    ask(cartoon, out, *everyone, more=("--clips", "copy", "--crops", "face"))
    assert answer(out).keys() == before.keys()


def test_a_dry_run_says_where_the_answer_goes(cartoon: Cartoon, out: Path) -> None:
    photo = cartoon.photos / f"{labels(cartoon)[0]}.png"
    asked = ("find", "-t", photo, "-o", out, "--models", cartoon.models, "--dry-run")
    assert "the previous answer (" in fastface(*asked).stdout
    assert "the previous answer (" not in fastface(*asked, "--replace").stdout
    assert not (out / "earlier").exists()


@pytest.mark.parametrize(
    "place", ["answers.renamed:kill:3", "answers.table:kill:2", "ledger.move-export.commit:kill:1"]
)
def test_killed_while_an_answer_moves_nothing_is_lost(cartoon: Cartoon, out: Path, place: str) -> None:
    first, *_ = labels(cartoon)
    before = answer(out)
    ask(cartoon, out, first, FASTFACE_FAILPOINT=place)
    assert (out / "earlier").exists()
    ask(cartoon, out, first)
    (folder,) = (out / "earlier").iterdir()
    assert answer(folder) == before
    # Killed on the way back, and another question in between.
    ask(cartoon, out, *labels(cartoon), FASTFACE_FAILPOINT=place)
    ask(cartoon, out, first)
    assert answer(folder) == before


def test_purge_takes_the_faces_of_earlier_answers_too(cartoon: Cartoon, out: Path) -> None:
    ask(cartoon, out, labels(cartoon)[0])
    (folder,) = (out / "earlier").iterdir()
    assert list(folder.glob("crops/*/*.jpg"))
    assert (folder / "crops").stat().st_mode & 0o777 == 0o700
    clips = sorted(folder.glob("clips/*/*"))
    assert fastface("purge", "-o", out, "--yes", "-q").returncode == 0
    assert not (folder / "crops").exists()
    assert sorted(folder.glob("clips/*/*")) == clips != []


def test_a_damaged_note_is_told(cartoon: Cartoon, out: Path) -> None:
    (out / ".fastface" / "answer.json").write_text("{")
    photo = cartoon.photos / f"{labels(cartoon)[0]}.png"
    (line,) = errors(fastface("find", "-t", photo, "-o", out, "--models", cartoon.models, "-q"), 1, 1)
    assert "answer.json" in line
