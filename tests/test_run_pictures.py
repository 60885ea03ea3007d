"""Folders of pictures that have nothing to do with each other: each of its own size, each a moment of its own."""

from pathlib import Path

import run_tools
from cli_tools import fastface
from PIL import Image


def size_of(path: Path) -> tuple[int, int]:
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
    sizes = {size_of(path) for path in pictures}
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
            width, height = size_of(by_name[int(row["pts"])])
            assert -0.1 * width < x1 < x2 < 1.1 * width, row
            assert -0.1 * height < y1 < y2 < 1.1 * height, row
