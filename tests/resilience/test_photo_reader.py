"""Photos → gallery through the process that looks at them: what a photo that ends it costs, and what it does not."""

import os
import shutil
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from places import python_path

from fastface.commands import enroll as enrolment
from fastface.config import Config, load_config
from fastface.enrollment import process as enrolment_process
from fastface.errors import BackendError, ConfigError, InputError, InterruptError, WorkerError
from fastface.faces.align import ARCFACE, align_picture
from fastface.gallery.references import GalleryReport, save_gallery
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.process_pool import ProcessPool
from fastface.runtime.networks import Networks, open_networks
from fastface.types import Gallery

KILLER, CRASHER = "killer.png", "crasher.png"


def hostile(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """The enrolment process, in which photos of two names do what a fault of a decoder would."""
    read = enrolment_process.read_picture

    def read_or_die(path: Path) -> Any:
        if path.name == KILLER:
            os.kill(os.getpid(), signal.SIGSEGV)
        if path.name == CRASHER:
            raise ZeroDivisionError("by design")
        return read(path)

    enrolment_process.read_picture = read_or_die
    enrolment_process.serve(connection, descriptor, settings)


def without_device(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """The enrolment process, on a device that is gone by now."""

    def fail(_settings: WorkerSettings) -> None:
        raise BackendError("the card is gone")

    enrolment_process.open_warm_analyser = fail
    enrolment_process.serve(connection, descriptor, settings)


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children find this file; none is left."""
    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    yield
    assert run_tools.children(os.getpid()) == []


@pytest.fixture
def asked(cartoon: Cartoon) -> tuple[Config, Networks]:
    flags = {"models": {"dir": cartoon.models, "device": "cpu"}}
    config = load_config(environment={}, flags=flags)
    return config, open_networks(config)


@pytest.fixture
def persons(cartoon: Cartoon, tmp_path: Path) -> Path:
    """A folder of two persons' folders, each with a photo of that person."""
    photos = sorted(cartoon.photos.iterdir())[:2]
    for photo in photos:
        (tmp_path / "persons" / photo.stem).mkdir(parents=True)
        shutil.copy(photo, tmp_path / "persons" / photo.stem / "1.png")
    return tmp_path / "persons"


def enrolled(
    asked: tuple[Config, Networks], *targets: Path, known: Path | None = None
) -> tuple[Gallery, GalleryReport]:
    config, networks = asked
    return enrolment.enrol(tuple(map(str, targets)), config, networks, lambda: None, known=known)


def served_by(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    def pool(role: str, _serve: str, size: int, settings: object) -> ProcessPool:
        return ProcessPool(role, f"{Path(__file__).stem}:{function}", size, settings)

    monkeypatch.setattr(enrolment, "ProcessPool", pool)


def test_a_photo_that_kills_the_process_loses_only_itself(
    asked: tuple[Config, Networks], persons: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_by(monkeypatch, "hostile")
    first, second = sorted(path.name for path in persons.iterdir())
    shutil.copy(persons / first / "1.png", persons / first / KILLER)
    shutil.copy(persons / second / "1.png", persons / second / CRASHER)
    gallery, report = enrolled(asked, persons)
    assert [target.label for target in gallery.targets] == [first, second]
    left_out = {Path(photo.source).name: photo.remarks for photo in report.photos if not photo.used}
    assert left_out == {
        KILLER: ("cannot be read: its process was ended (status -11)",),
        CRASHER: ("cannot be read: ZeroDivisionError: by design",),
    }
    assert sum(photo.used for photo in report.photos) == 2


def test_a_person_with_nothing_but_such_a_photo_is_a_fault_by_name(
    asked: tuple[Config, Networks], persons: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_by(monkeypatch, "hostile")
    first, _ = sorted(persons.iterdir())
    (first / "1.png").rename(first / KILLER)
    with pytest.raises(ConfigError) as caught:
        enrolled(asked, persons)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{first.name!r} has no usable photo: {first / KILLER}: cannot be read")


def test_a_process_that_ends_whatever_it_is_given_is_given_up(
    asked: tuple[Config, Networks], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_by(monkeypatch, "hostile")
    for number in range(20):
        (tmp_path / f"{number:02d}").mkdir()
        (tmp_path / f"{number:02d}" / KILLER).touch()
    with pytest.raises(WorkerError, match="status -11"):
        enrolled(asked, tmp_path)


def test_a_device_that_is_gone_is_told_as_such(
    asked: tuple[Config, Networks], persons: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_by(monkeypatch, "without_device")
    with pytest.raises(BackendError, match="the card is gone"):
        enrolled(asked, persons)


def test_pictures_that_cannot_be_read_open_no_networks(
    asked: tuple[Config, Networks], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served_by(monkeypatch, "without_device")
    (tmp_path / "Ann.png").write_bytes(b"text")
    with pytest.raises(ConfigError, match="not a picture"):
        enrolled(asked, tmp_path / "Ann.png")


def test_banks_need_no_process(
    asked: tuple[Config, Networks], persons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, report = enrolled(asked, persons)
    save_gallery(tmp_path / "bank.npz", gallery, report)
    served_by(monkeypatch, "no_such_function")
    again, _ = enrolled(asked, tmp_path / "bank.npz")
    assert [target.label for target in again.targets] == [target.label for target in gallery.targets]


def test_a_signal_ends_it(asked: tuple[Config, Networks], persons: Path) -> None:
    config, networks = asked
    with pytest.raises(InterruptError) as caught:
        enrolment.enrol((str(persons),), config, networks, lambda: signal.SIGINT)
    assert caught.value.signal_number == signal.SIGINT


def test_a_picture_that_opencv_cannot_cut_a_face_out_of_is_unusable() -> None:
    class Analyser:
        def analyse_photo(self, picture: np.ndarray) -> None:
            # The newest OpenCV refuses this only with the finer interpolation, older ones with any.
            align_picture(picture, ARCFACE.template, interpolation=cv2.INTER_LANCZOS4)

    with pytest.raises(InputError, match="40000×120"):
        enrolment_process._faces(Analyser(), Path("wide.png"), np.zeros((120, 40_000, 3), np.uint8))  # type: ignore[arg-type]


def test_photos_that_were_looked_at_are_not_looked_at_again(
    asked: tuple[Config, Networks], persons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = tmp_path / "known"
    first, report = enrolled(asked, persons, known=known)
    assert len(list(known.iterdir())) == 2
    assert {file.stat().st_mode & 0o777 for file in known.iterdir()} == {0o600}
    monkeypatch.setattr(ProcessPool, "start", None)  # no process may be started
    moved = persons.rename(tmp_path / "moved")
    again, same = enrolled(asked, moved, known=known)
    assert [target.label for target in again.targets] == [target.label for target in first.targets]
    for one, other in zip(first.targets, again.targets, strict=True):
        np.testing.assert_array_equal(one.embeddings, other.embeddings)
    assert [photo.sharpness for photo in same.photos] == [photo.sharpness for photo in report.photos]


def test_other_photos_settings_and_damaged_notes_are_looked_at(
    asked: tuple[Config, Networks], persons: Path, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    enrolled(asked, persons, known=known)
    photo = next(persons.rglob("*.png"))
    picture = cv2.imread(str(photo))
    assert picture is not None
    picture[0, 0] ^= 1  # another content under the same name
    cv2.imwrite(str(photo), picture)
    enrolled(asked, persons, known=known)
    assert len(list(known.iterdir())) == 3
    config, networks = asked
    stricter = load_config(environment={}, flags={"models": {"dir": config.models.folder, "device": "cpu"},
                                                  "scan": {"det_threshold": 0.4}})  # fmt: skip
    enrolled((stricter, networks), persons, known=known)
    assert len(list(known.iterdir())) == 5
    for file in known.iterdir():
        file.write_bytes(b"PAR1 damaged")
    gallery, _ = enrolled(asked, persons, known=known)
    assert len(gallery.targets) == 2
