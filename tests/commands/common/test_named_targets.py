"""`-t NAME=PATH` in every command that takes targets."""

import shlex
import shutil
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import errors, fastface


@pytest.mark.parametrize(
    "command",
    [
        ("run", "{film}", "-t", "{person}", "-o", "out"),
        ("enroll", "{person}", "-b", "bank.npz"),
        ("calibrate", "-t", "{person}"),
        ("run", "{film}", "-t", "{other}", "--not", "{person}", "-o", "out"),
    ],
)
def test_every_command_takes_it(
    command: tuple[str, ...], cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, *_ = sorted(cartoon.photos.iterdir())
    values = {"film": cartoon.films, "person": f"Somebody={first}", "other": second}
    words = [word.format(**values) for word in command]
    plain = ("--models", cartoon.models, "--device", "cpu", "--dry-run")
    done = fastface(*words, *plain)
    assert done.returncode == 0, done.stderr
    assert f"Somebody: {str(first)!r}" in done.stdout
    done = fastface(*(word.replace("Somebody", "") for word in words), *plain)
    assert done.returncode == 2
    assert "write NAME=PATH" in done.stderr


def test_loose_photos_of_one_person_are_taken_for_one(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    folder, bank = shared_media / "photos" / "friends_tv" / "Rachel_Green", tmp_path / "bank.npz"
    done = fastface("enroll", folder, "-b", bank, "--models", shared_models)
    assert done.returncode == 0, done.stderr
    assert "Rachel_Green: the " in done.stdout and "show one face: taken for one person" in done.stdout
    assert done.stdout.splitlines()[-1].partition("; ")[0].endswith("(1 person)")
    done = fastface("enroll", f"Rachel={folder}", "-b", bank, "--models", shared_models)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].partition("; ")[0].endswith("(1 person)")


def test_photos_called_by_numbers_alone(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    """A number is no name: one person is called as the folder, and different persons are refused with a way out."""
    friends, bank = shared_media / "photos" / "friends", tmp_path / "bank.npz"
    mixed, ross = tmp_path / "my photos", tmp_path / "Ross"
    for folder in (mixed, ross):
        folder.mkdir()
    for number, name in enumerate(("Ross", "Monica", "Joey"), 1):
        shutil.copy(friends / f"{name}.png", mixed / f"{number}.png")
    shutil.copy(friends / "Ross.png", ross / "1.png")
    given = ("-b", bank, "--models", shared_models, "-q")
    (line,) = errors(fastface("enroll", mixed, *given), 2, 1)
    assert f"'{mixed}': its 3 photos show different persons, but numbers are no names." in line
    command = line.partition("Name the persons: ")[2].partition("; or, if all are one person: ")[0]
    words = [word for word in shlex.split(command) if word != "-t"]
    assert [Path(word.partition("=")[2]) for word in words] == sorted(mixed.iterdir())
    assert fastface("enroll", *words, *given).returncode == 0
    done = fastface("enroll", ross, "-b", bank, "--models", shared_models)
    assert "Ross: called as the folder" in done.stdout, done
    (ross / "2.png").write_bytes(b"no picture")
    done = fastface("enroll", ross, "-b", bank, "--models", shared_models)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].partition("; ")[0].endswith("(1 person)")
