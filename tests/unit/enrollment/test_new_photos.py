"""Whether a command will read photos, from the contents of files alone."""

from pathlib import Path

import numpy as np
import pytest

from fastface.enrollment.new_photos import has_new_photo
from fastface.index.photos import PhotoIndex
from fastface.types import Faces, PhotoFaces


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two persons' photos and a bank."""
    folder = tmp_path / "persons"
    (folder / "Bob").mkdir(parents=True)
    (folder / "Ann.jpg").write_bytes(b"ann")
    (folder / "Bob" / "1.jpg").write_bytes(b"bob")
    np.savez(folder / "bank.npz", x=np.zeros(1))
    return folder


def store(folder: Path, settings: str, *photos: Path) -> None:
    index = PhotoIndex(folder, settings)
    for photo in photos:
        index.store(index.key(photo), PhotoFaces(Faces.empty(4), (8, 8)))


def test_a_photo_is_new_until_its_content_is_stored_with_any_settings(photos: Path, tmp_path: Path) -> None:
    known = tmp_path / "known"
    assert has_new_photo([str(photos)], known)
    store(known, "some settings", photos / "Ann.jpg")
    assert has_new_photo([str(photos)], known)
    store(known, "other settings", photos / "Bob" / "1.jpg")
    assert len(list(known.iterdir())) == 2
    assert not has_new_photo([str(photos)], known)
    (photos / "Ann.jpg").rename(photos / "Anne.jpg")
    assert not has_new_photo([str(photos)], known)
    (photos / "Anne.jpg").write_bytes(b"anne")
    assert has_new_photo([str(photos)], known)


def test_banks_every_face_and_what_is_not_there_are_no_new_photos(photos: Path, tmp_path: Path) -> None:
    targets = [str(photos / "bank.npz"), "*", str(tmp_path / "none.jpg")]
    assert not has_new_photo(targets, tmp_path / "known")


def test_the_photos_of_other_settings_are_not_taken_for_those_of_these(photos: Path, tmp_path: Path) -> None:
    known, ann = tmp_path / "known", photos / "Ann.jpg"
    store(known, "some settings", ann)
    index = PhotoIndex(known, "other settings")
    assert index.read(index.key(ann)) is None
