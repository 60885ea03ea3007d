"""Which files are meant, in which order, and what is refused before anything is read."""

import os
import random
from pathlib import Path

import pytest

from fastface.curation.sources import Listing, list_sources
from fastface.errors import ConfigError


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


def listed(root: Path, *arguments: Path | str) -> Listing:
    return list_sources([str(argument) for argument in arguments], root / "set")


def faults(root: Path, *arguments: Path | str, out: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        list_sources([str(argument) for argument in arguments], out or root / "set")
    return caught.value.faults


def test_folders_files_and_globs_give_each_file_once_in_an_order_of_their_own(tmp_path: Path) -> None:
    root = made(tmp_path, "a/pic10.jpg", "a/pic9.jpg", "a/deep/x.png", "b/y.webp", "b/notes.txt", "a/.hidden.jpg")
    (root / "b" / "link.jpg").symlink_to(root / "a" / "pic9.jpg")
    (root / "b" / "loop").symlink_to(root)
    arguments = [root / "a", root / "b", root / "a" / "pic9.jpg", str(root / "*" / "*.jpg")]
    listing = listed(root, *arguments)
    names = [str(source.path.relative_to(root)) for source in listing.sources]
    assert names == ["a/pic9.jpg", "a/pic10.jpg", "a/deep/x.png", "b/notes.txt", "b/y.webp"]
    assert [source.is_meant for source in listing.sources] == [True, True, True, False, True]
    for seed in range(5):
        random.Random(seed).shuffle(arguments)
        assert listed(root, *arguments) == listing


def test_a_file_that_is_named_is_meant_whatever_it_is_called(tmp_path: Path) -> None:
    made(tmp_path, "a/notes.txt")
    (source,) = listed(tmp_path, tmp_path / "a" / "notes.txt").sources
    assert source.is_meant


def test_crops_go_by_the_time_in_their_names(tmp_path: Path) -> None:
    names = ("film_2.500_1.jpg", "film_10.000_0.jpg", "other_1.000_0.jpg", "film_0.040_7.jpg")
    made(tmp_path, *(f"crops/Ann/{name}" for name in names))
    sources = listed(tmp_path, tmp_path / "crops").sources
    assert [(source.path.name, source.time) for source in sources] == [
        ("film_0.040_7.jpg", 0.04),
        ("film_2.500_1.jpg", 2.5),
        ("film_10.000_0.jpg", 10.0),
        ("other_1.000_0.jpg", 1.0),
    ]
    assert len({source.strand for source in sources}) == 2


def test_a_table_of_crops_tells_video_and_time(tmp_path: Path) -> None:
    made(tmp_path, "crops/Ann/one.jpg", "crops/Ann/two.jpg", "crops/Ann/three.jpg")
    table = "video,target,time,file\r\nfilm,Ann,7.5,crops/Ann/one.jpg\r\nfilm,Ann,1.5,crops/Ann/two.jpg\r\n"
    (tmp_path / "crops" / "crops.csv").write_text(table)
    sources = listed(tmp_path, tmp_path / "crops" / "Ann").sources
    assert [(source.path.name, source.time) for source in sources] == [
        ("three.jpg", 0.0),
        ("two.jpg", 1.5),
        ("one.jpg", 7.5),
    ]
    assert sources[1].strand == sources[2].strand != sources[0].strand


@pytest.mark.parametrize(
    "table", [b"", b'\xff\x00,\n"', b"video,file\nfilm,one.jpg\n", b"video,time,file\nf,nan,one.jpg\nf,x,one.jpg\nf"]
)
def test_a_table_that_is_none_is_passed_over(tmp_path: Path, table: bytes) -> None:
    made(tmp_path, "crops/one.jpg")
    (tmp_path / "crops" / "crops.csv").write_bytes(table)
    sources = listed(tmp_path, tmp_path / "crops" / "one.jpg").sources
    assert [source.time for source in sources] == [0.0]


def test_all_that_names_nothing_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = [tmp_path / "missing.jpg", tmp_path / "*.webp", ""]
    assert len(faults(tmp_path, *given)) == 3
    assert faults(tmp_path, tmp_path / "empty")[0].startswith("no picture found in")


@pytest.mark.parametrize("out", ["a", "a/set", "a/deep/set", ".", "link"])
def test_neither_the_set_nor_a_source_lies_in_the_other(tmp_path: Path, out: str) -> None:
    root = made(tmp_path, "a/one.jpg", "a/deep/two.jpg")
    (root / "link").symlink_to(root / "a")
    for arguments in ([root / "a"], [str(root / "a" / "**")]):
        assert faults(root, *arguments, out=root / out), arguments
    assert faults(root, root / "a" / "one.jpg", out=root / "a")


def test_links_in_a_circle_and_pipes_are_files_of_which_reading_tells(tmp_path: Path) -> None:
    root = made(tmp_path, "a/one.jpg")
    (root / "a" / "circle.jpg").symlink_to(root / "a" / "circle.jpg")
    os.mkfifo(root / "a" / "pipe.jpg")
    names = [source.path.name for source in listed(root, root / "a").sources]
    assert names == ["circle.jpg", "one.jpg", "pipe.jpg"]
