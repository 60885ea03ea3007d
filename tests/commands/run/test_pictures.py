"""Folders of pictures that have nothing to do with each other: each of its own size, each a moment of its own."""

import json
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import fastface
from PIL import Image

from fastface.demo.film import draw_photo
from fastface.demo.persons import ADA, BO


def read_size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def test_pictures_of_many_sizes_are_looked_at_each_in_its_own(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    """Boxes were in pixels of the first picture's size, and seven of twelve crops missed the face."""
    person = shared_media / "photos" / "jurassic" / "claire_dearing"
    folder, out = tmp_path / "claire", tmp_path / "out"
    folder.mkdir()
    for photo in person.iterdir():
        (folder / photo.name).symlink_to(photo)
    with Image.open(next(person.iterdir())) as photo:  # a thumbnail comes first: nothing of the others may shrink
        photo.convert("RGB").resize((64, 64)).save(folder / "0.png")
    pictures = sorted(path for path in folder.iterdir() if path.name != "0.png")
    sizes = {read_size(path) for path in pictures}
    assert len(sizes) > 3
    wanted = ("--crops", "face", "--clips", "none", "--models", shared_models, "-q", "-s", "export.min_shown=0")
    done = fastface("run", folder, "-t", person.parent, "-o", out, *wanted)
    assert done.returncode == 0, done.stderr
    hits = run_tools.rows(out / "hits.csv")
    largest = max(max(size) for size in sizes)
    assert len(hits) >= len(pictures)
    assert {row["target"] for row in hits} == {"claire_dearing"}
    assert len({row["track"] for row in hits}) == len(hits)  # no film, no tracks
    assert len(run_tools.rows(out / "crops" / "crops.csv")) == len(hits)  # no gap either
    assert min(float(row["similarity"]) for row in hits if int(row["pts"])) > 0.9  # each is one of the references
    for row in hits:
        x1, y1, x2, y2 = (float(row[side]) for side in ("x1", "y1", "x2", "y2"))
        assert x2 - x1 < largest
        if int(row["pts"]):  # the thumbnail is number 0; the others follow by name
            by_name = sorted(folder.iterdir(), key=lambda path: (path.name != "0.png", path.name.casefold()))
            width, height = read_size(by_name[int(row["pts"])])
            assert -0.1 * width < x1 < x2 < 1.1 * width, row
            assert -0.1 * height < y1 < y2 < 1.1 * height, row


def test_portraits_that_are_all_face_are_found_in_a_folder(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    """Photos had a second look at half the scale, pictures given as input had not: of 96 portraits none was found."""
    case = shared_media / "failing" / "faces" / "portrait_folder_input"
    people = sorted(path.name for path in (case / "pictures").iterdir())
    assert len(people) == 4
    out = tmp_path / "out"
    inputs = [case / "pictures" / name for name in people]
    wanted = ("--clips", "none", "--crops", "none", "--models", shared_models, "-q")
    done = fastface("run", *inputs, "-t", case / "refs", "-o", out, *wanted)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "run.json").read_text())
    assert [video["faces"] for video in report["videos"]] == [4, 4, 4, 4]
    assert not any(video["remark"] for video in report["videos"])
    hits = run_tools.rows(out / "hits.csv")
    assert len(hits) >= 12
    assert all(row["video"] == row["target"] for row in hits)


def test_pictures_without_a_face_are_done_with_a_remark(shared_models: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "meadow", tmp_path / "out"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (320, 240), (60, 120, 40 + number)).save(folder / f"{number}.png")
    done = fastface("scan", folder, "-o", out, "--models", shared_models)
    assert done.returncode == 0, done.stderr
    (video,) = json.loads((out / "run.json").read_text())["videos"]
    assert (video["state"], video["faces"]) == ("done", 0)
    assert "no face was found in 3 pictures" in video["remark"]
    assert video["remark"] in done.stderr


@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_pictures_of_phones_are_references_and_albums(cartoon: Cartoon, tmp_path: Path, suffix: str) -> None:
    """The hits name the pictures."""
    pillow_heif.register_heif_opener()
    photos, album, out = tmp_path / "photos", tmp_path / "album", tmp_path / "out"
    for folder, names in ((photos, ("Ada",)), (album, ("IMG_1", "IMG_2", "IMG_3"))):
        folder.mkdir()
        for name, person in zip(names, (ADA, BO, ADA), strict=False):
            picture = Image.fromarray(np.ascontiguousarray(draw_photo(person)[:, :, ::-1]))
            picture.save(folder / f"{name}.{suffix}", quality=95)
    wanted = ("--clips", "none", "--crops", "face", "--models", cartoon.models, "-q")
    done = fastface("run", album, "-t", photos, "-o", out, *wanted)
    assert (done.returncode, done.stderr) == (0, "")
    hits = [(row["target"], row["picture"]) for row in run_tools.rows(out / "hits.csv")]
    assert hits == [("Ada", f"IMG_1.{suffix}"), ("Ada", f"IMG_3.{suffix}")]
    # The two pictures of Ada are nearly equal: only the better crop is kept.
    (crop,) = run_tools.rows(out / "crops" / "crops.csv")
    assert ("Ada", crop["picture"]) in hits
