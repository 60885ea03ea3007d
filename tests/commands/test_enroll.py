"""`fastface enroll` and `-t` with references of several looks, and with photos of several faces."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cartoon_tools import Cartoon
from cli_tools import (
    Ran,
    copy_of_out,
    errors,
    fastface,
    labels,
    spans_without_clips,
)

from fastface.commands import enroll as enrolment
from fastface.config import load_config
from fastface.pipeline.process_pool import ProcessPool
from fastface.runtime.networks import open_networks
from fastface.types import Gallery

SEVERAL = "00000017.jpg"
"""A photo of Joey Tribbiani in which a second face is cut off by the edge."""


def embeddings(bank: Path) -> np.ndarray:
    with np.load(bank, allow_pickle=False) as arrays:
        return np.asarray(arrays["embeddings"])


def test_a_bank_of_several_looks_says_so_and_finds_the_same_persons(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    plain, bank, again = (tmp_path / name for name in ("plain.npz", "bank.npz", "again.npz"))
    networks = ("--models", cartoon.models)
    assert fastface("enroll", cartoon.photos, "-b", plain, *networks).returncode == 0
    made = fastface("enroll", cartoon.photos, "-b", bank, "--flip", "--jitter", "3", *networks, "--json")
    assert made.returncode == 0, made.stderr
    report = json.loads(made.stdout)["report"]
    assert len(report) == len(labels(cartoon))
    assert all("; flip, jitter 3" in line for line in report)
    # Whom the drawn networks see does not depend on the side, so that the films have the same hits.
    np.testing.assert_allclose(embeddings(bank), embeddings(plain), atol=1e-3)
    # A bank is taken as it was made, whatever is asked of photos beside it.
    copied = fastface("enroll", bank, "-b", again, *networks)
    assert copied.stdout.count("; flip, jitter 3") == len(labels(cartoon))
    np.testing.assert_array_equal(embeddings(again), embeddings(bank))
    out = copy_of_out(ran, tmp_path)
    nothing = ("-o", out, "--clips", "none", "--crops", "none", *networks, "--json")
    found = fastface("find", "-t", bank, *nothing)
    assert found.returncode in {0, 3}, found.stderr
    asked = json.loads(found.stdout)
    assert asked["counts"]["hits"] == ran.report["counts"]["hits"] > 0
    everyone = json.loads(fastface("find", "-t", "*", "-s", "references.flip=true", *nothing).stdout)
    assert everyone["counts"]["hits"] == ran.report["counts"]["faces"]


def enrolled(photos: Path, pack: Path, known: Path, **references: Any) -> Gallery:
    flags = {"models": {"dir": pack, "device": "cpu"}, "references": references}
    config = load_config(environment={}, flags=flags)
    networks = open_networks(config)
    return enrolment.enrol((str(photos),), config, networks, lambda: None, known=known)[0]


def test_a_photo_kept_without_flip_does_not_answer_for_one_with_it(
    shared_media: Path, shared_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = shared_media / "photos" / "hamilton", shared_models / "buffalo_s", tmp_path / "known"
    count = 2
    asked: list[dict[str, Any]] = [{}, {"flip": True}, {"jitter": 2}, {"flip": True, "jitter": 2}, {"jitter": 3}]
    first = [enrolled(*places, **references) for references in asked]
    assert len(list((tmp_path / "known").iterdir())) == count * len(asked)
    assert len({gallery.targets[0].embeddings.tobytes() for gallery in first}) == len(asked)
    monkeypatch.setattr(ProcessPool, "start", None)  # no process may be started
    for references, gallery in zip(asked, first, strict=True):
        again = enrolled(*places, **references)
        np.testing.assert_array_equal(again.targets[0].embeddings, gallery.targets[0].embeddings)
    # Which of several faces is taken is decided after they were looked at.
    assert len(enrolled(*places, faces="only").targets) == count


def test_only_one_face_a_photo_is_a_fault_by_name(shared_media: Path, shared_models: Path, tmp_path: Path) -> None:
    photo = shared_media / "photos" / "friends_tv" / "Joey_Tribbiani" / SEVERAL
    given = (photo, "-b", tmp_path / "b.npz", "--models", shared_models / "buffalo_s", "-q")
    assert fastface("enroll", *given, "--faces", "largest").returncode == 0
    for options, reason in {
        ("--faces", "only"): "2 faces, and only one is allowed: crop it, or allow more with --faces",
        (): "2 faces of similar size: which one is '00000017'? Crop it",
    }.items():
        (first,) = errors(fastface("enroll", *given, *options), 2, 1)
        assert first.endswith(f"{SEVERAL}: {reason}")


@pytest.mark.parametrize(
    ("option", "value", "fault"),
    [("--jitter", "101", "at most 100"), ("--faces", "all", "auto, largest or only")],
)
def test_what_is_out_of_range_is_refused(cartoon: Cartoon, tmp_path: Path, option: str, value: str, fault: str) -> None:
    done = fastface("enroll", cartoon.photos, "-b", tmp_path / "b.npz", "--models", cartoon.models, option, value)
    (line,) = errors(done, 2, 1)
    assert line == f"fastface: {option} {value}: must be {fault}"


def test_a_bank_finds_what_its_photos_find(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    bank = tmp_path / "family.npz"
    made = fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models)
    assert made.returncode == 0, made.stderr
    for photo in cartoon.photos.iterdir():
        assert str(photo) in made.stdout  # each photo has its line
    assert bank.stat().st_mode & 0o777 == 0o600
    with np.load(bank, allow_pickle=False) as arrays:
        assert arrays.files
    out = copy_of_out(ran, tmp_path)
    given = ("--models", cartoon.models, "-o", out, "--clips", "none", "--crops", "none", "--pad", "0")
    done = fastface("run", ran.films, "-t", bank, *given)
    assert done.returncode == 0, done.stderr  # the broken film is a known failure
    assert (out / "hits.csv").read_bytes() == (ran.out / "hits.csv").read_bytes()
    assert spans_without_clips(out) == spans_without_clips(ran.out)


def test_enroll_names_every_bad_photo_and_writes_no_bank(cartoon: Cartoon, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(cartoon.photos, photos)
    assert cv2.imwrite(str(photos / "nobody.png"), np.full((400, 400, 3), 128, np.uint8))
    (photos / "text.png").write_text("no picture")
    shutil.copy(photos / f"{labels(cartoon)[0]}.png", photos / "twin.png")  # one face, two names
    bank = tmp_path / "family.npz"
    done = fastface("enroll", photos, "-b", bank, "--models", cartoon.models, "-q")
    assert (done.returncode, done.stdout) == (2, "")
    for name in ("nobody", "text", "twin"):
        assert name in done.stderr
    assert not bank.exists()


def test_enroll_of_nothing_does_not_speak_of_options_that_it_has_not(cartoon: Cartoon, tmp_path: Path) -> None:
    done = fastface("enroll", "nosuch", "-b", "bank.npz", "--models", cartoon.models, "-q", folder=tmp_path)
    assert errors(done, 2, 1) == ["fastface: target 'nosuch': no such file or folder"]


def test_enroll_into_a_place_that_cannot_be_written_is_one_line(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bank = tmp_path / "file" / "bank.npz"
    done = fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models, "-q")
    (line,) = errors(done, 2, 1)
    assert str(bank) in line
    assert "Not a directory" in line or "File exists" in line


def test_enroll_in_json_is_one_object(cartoon: Cartoon, tmp_path: Path) -> None:
    bank = tmp_path / "family.npz"
    done = fastface("enroll", cartoon.photos, "-b", bank, "--models", cartoon.models, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["bank"] == str(bank)
    assert said["targets"] == labels(cartoon)
    assert len(said["report"]) == 4
