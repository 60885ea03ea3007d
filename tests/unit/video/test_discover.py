import os
import stat
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastface.errors import ConfigError
from fastface.names import file_name
from fastface.video.discover import Discovery, VideoFile, discover, sequence_files, unique_names


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    (folder / ".fastface").mkdir(parents=True)
    return folder


def touch(path: Path, content: str | None = None) -> Path:
    """A file; its own name as content unless told otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.fsencode(path.name) if content is None else content.encode())
    return path


def ids(found: Discovery) -> list[str]:
    return [video.video_id for video in found.videos]


def reasons(found: Discovery) -> dict[str, str]:
    return {skipped.path.name: skipped.reason for skipped in found.skipped}


def test_a_folder_gives_its_videos_in_natural_order_and_nothing_hidden(root: Path, out: Path) -> None:
    for name in (
        "b/clip10.mp4",
        "b/clip9.MKV",
        "a.ts",
        ".hidden.mp4",
        ".git/x.mp4",
        "notes.txt",
        "photo.jpg",
        "²2.avi",
    ):
        touch(root / name)
    assert ids(discover([root], out)) == ["a.ts", "²2.avi", "b__clip9.MKV", "b__clip10.mp4"]


def test_a_named_file_is_taken_whatever_its_name(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["film", "a%03d.png", "concat:x", "-y.mp4", "@list", "x[1].mp4", "http:__localhost_x"]
    for name in names:
        touch(root / name)
    monkeypatch.chdir(root)
    found = discover(names, out)
    assert [video.path for video in found.videos] == [root / name for name in names]
    assert not any(video.sequence for video in found.videos)


def test_globs_lists_and_patterns(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.mp4", "a/2.mp4", "b/3.mp4", "frames/img_0002.jpg", "frames/img_0010.jpg", "frames/img_x.jpg"):
        touch(root / name)
    touch(root / "list.txt", "# what to look at\nb/3.mp4\n\na/*.mp4\n")
    monkeypatch.chdir(root)
    assert ids(discover(["@list.txt"], out)) == ["3.mp4", "1.mp4", "2.mp4"]
    assert ids(discover(["**/*.mp4"], out)) == ["1.mp4", "2.mp4", "3.mp4"]
    (pattern,) = discover(["frames/img_%04d.jpg"], out).videos
    assert pattern.sequence
    assert [file.name for file in sequence_files(pattern.path)] == ["img_0002.jpg", "img_0010.jpg"]


def test_a_list_that_names_itself_is_a_fault_and_no_endless_loop(root: Path, out: Path) -> None:
    listing = touch(root / "list.txt", f"@{root}/list.txt\n")
    with pytest.raises(ConfigError, match="no such file"):
        discover([f"@{listing}"], out)


def test_a_folder_of_pictures_is_a_sequence(root: Path, out: Path) -> None:
    for name in ("shots/10.png", "shots/9.png", "mixed/a.png", "mixed/b.mp4"):
        touch(root / name)
    found = discover([root], out)
    assert found.videos == (
        VideoFile(root / "mixed/b.mp4", "mixed__b.mp4"),
        VideoFile(root / "shots", "shots", sequence=True),
    )
    assert [file.name for file in sequence_files(root / "shots")] == ["9.png", "10.png"]


def test_every_input_that_is_nothing_is_named(root: Path, out: Path) -> None:
    touch(root / "a.mp4")
    inputs = [f"{root}/a.mp4", f"{root}/b.mp4", f"{root}/*.avi", f"@{root}/none.txt", f"{root}/x_%04d.jpg", "", "a\0b"]
    with pytest.raises(ConfigError) as caught:
        discover(inputs, out)
    assert len(caught.value.faults) == 6
    for text, fault in zip(inputs[1:], caught.value.faults, strict=True):
        assert repr(text) in fault or text[1:] in fault


@pytest.mark.parametrize("address", ["https://host/film.mp4", "s3://bucket/films", "rtsp://camera/1"])
def test_an_address_is_a_fault_that_says_how_its_videos_are_read(address: str, out: Path) -> None:
    with pytest.raises(ConfigError, match="mount the share or the bucket"):
        discover([address], out)


def test_own_outputs_are_left_out(root: Path) -> None:
    touch(root / "a.mp4")
    touch(root / "out/clips/a.mp4/x.mp4")
    touch(root / "older/clips/y.mp4")
    (root / "older/.fastface").mkdir()
    found = discover([root], root / "out")
    assert ids(found) == ["a.mp4"]
    assert reasons(found) == dict.fromkeys(("out", "older"), "an output folder of fastface")
    assert ids(discover([f"{root}/**/*.mp4"], root / "out")) == ["a.mp4"]


def test_the_same_file_counts_once(root: Path, out: Path) -> None:
    film = touch(root / "a.mp4")
    os.link(film, root / "hard.mp4")
    (root / "soft.mp4").symlink_to(film)
    (root / "loop").symlink_to(root)
    found = discover([root, film], out)
    assert ids(found) == ["a.mp4"]
    assert sorted(reasons(found)) == ["a.mp4", "hard.mp4", "loop", "soft.mp4"]


def test_a_link_never_stands_for_what_is_there_without_it(root: Path, out: Path) -> None:
    touch(root / "z/real.mp4")
    (root / "a_folder").symlink_to(root / "z")
    (root / "a_file.mp4").symlink_to(root / "z/real.mp4")
    found = discover([root], out)
    assert [video.path for video in found.videos] == [root / "z/real.mp4"]
    assert reasons(found).keys() == {"a_folder", "a_file.mp4"}
    found = discover([root / "a_folder", root / "z"], out)
    assert [video.path for video in found.videos] == [root / "z/real.mp4"]
    assert [one.original for one in found.skipped] == [root / "z/real.mp4"]


def test_a_link_to_what_the_search_leaves_out_is_followed(root: Path, out: Path) -> None:
    touch(root / ".hidden/one.mp4")
    touch(root.parent / "elsewhere/two.mp4")
    (root / "shown").symlink_to(root / ".hidden")
    (root / "outside").symlink_to(root.parent / "elsewhere")
    (root / "again").symlink_to(root.parent / "elsewhere")
    assert sorted(ids(discover([root], out))) == ["again__two.mp4", "shown__one.mp4"]


def test_what_would_hang_or_cannot_be_read_is_skipped(root: Path, out: Path) -> None:
    root.mkdir()
    os.mkfifo(root / "pipe.mp4")
    (root / "gone.mp4").symlink_to(root / "nothing")
    found = discover([root, "/dev/null"], out)
    assert found.videos == ()
    assert reasons(found) == {
        "pipe.mp4": "not a regular file",
        "gone.mp4": "cannot be read: No such file or directory",
        "null": "not a regular file",
    }


def test_what_is_not_taken_is_counted_by_reason(root: Path, out: Path) -> None:
    names = ("b/film.mp4", "b/1.jpg", "b/2.png", "c/1.jpg", "c/sub/2.jpg", "c/sub/3.jpg", "d/a.mp3", "d/b.flac")
    for name in (*names, "e/notes.txt", "e/.DS_Store", "f/@eaDir/film.mp4/SYNOVIDEO_VIDEO.mp4", "f/film.mkv"):
        touch(root / name)
    for name in ("g/GX010001.LRV", "g/GX010001.THM", "M4ROOT/CLIP/C0001.MP4", "M4ROOT/SUB/C0001S03.MP4"):
        touch(root / name)
    found = discover([root], out)
    assert ids(found) == ["b__film.mp4", "c__sub", "f__film.mkv", "M4ROOT__CLIP__C0001.MP4"]
    assert {item.reason: item.count for item in found.left_out} == {
        "pictures beside videos or folders": 3,
        "files of sound": 2,
        "files that are no videos by name": 1,
        "hidden files and folders": 1,
        "folders of a NAS, system or camera": 2,
        "previews of a camera": 2,
    }
    listed = {path.name for item in found.left_out for path in item.paths}
    assert {"1.jpg", "2.png", "a.mp3", "notes.txt", ".DS_Store", "@eaDir", "SUB", "GX010001.LRV"} <= listed
    assert found.skipped == ()


def test_pictures_beside_a_folder_of_previews_are_a_sequence(root: Path, out: Path) -> None:
    for name in ("1.jpg", "2.jpg", "@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg"):
        touch(root / name)
    (video,) = discover([root], out).videos
    assert video == VideoFile(root, "in", sequence=True)
    assert discover([f"{root}/**/*.jpg"], out).videos[0].path == root / "1.jpg"
    assert len(discover([f"{root}/**/*.jpg"], out).videos) == 2


def test_recorders_files_are_taken_by_name_and_others_by_their_first_bytes(root: Path, out: Path) -> None:
    by_name = ["a.dav", "b.insv", "c.vro", "d.KUX", "e.ifv", "f.lxf", "g.ty", "h.pva", "i.iv8"]
    heads = {
        "film": b"\x1aE\xdf\xa3 Matroska",
        "film.mp4.part": b"\0\0\0\x20ftypisom",
        "video.dat": b"RIFF\0\0\0\0CDXAfmt ",
        "record.tmp": b"G" + bytes(187) + b"G" + bytes(187) + b"G" + bytes(187) + b"G" + bytes(187) + b"G" + bytes(187),
    }
    others = {"README": b"# words", "photo.part": b"\0\0\0\x20ftypheic", "x.bin": b"\0" * 4000, "empty": b""}
    for name in by_name:
        touch(root / name)
    for name, head in (*heads.items(), *others.items()):
        touch(root / name).write_bytes(head)
    found = discover([root], out)
    assert sorted(ids(found)) == sorted([*by_name, *heads])
    assert [(item.reason, item.count) for item in found.left_out] == [("files that are no videos by name", 4)]


def test_names_that_are_no_text(root: Path, out: Path) -> None:
    root.mkdir()
    names = [b"caf\xe9\xff.mp4", b"new\nline.mp4", b"n" * 244 + b".mp4"]
    for name in names:
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(name)
    found = discover([root], out)
    assert len(found.videos) == 3
    assert sorted(os.fsencode(video.path.name) for video in found.videos) == sorted(names)
    for name in ids(found):
        assert name.isprintable()
        assert len(name.encode()) <= 110


def test_colliding_names_do_not_depend_on_the_order_of_the_inputs(root: Path, out: Path) -> None:
    first, second = touch(root / "a/x.mp4", "1"), touch(root / "b/x.mp4", "2")
    one = {video.path: video.video_id for video in discover([first, second], out).videos}
    other = {video.path: video.video_id for video in discover([second, first], out).videos}
    assert one == other
    assert len(set(one.values())) == 2


@given(st.lists(st.text(st.characters(exclude_characters="\0"), min_size=1), min_size=1, max_size=12, unique=True))
def test_names_are_injective_and_stay_inside(relative: list[str]) -> None:
    paths = [f"/root/{path}" for path in relative]
    wanted = [file_name(path.replace(os.sep, "__")) for path in relative]
    names = unique_names(list(zip(wanted, paths, strict=True)))
    assert len(names) == len(relative)
    assert len({unicodedata.normalize("NFC", name.casefold()) for name in names}) == len(names)
    for name in names:
        assert os.path.normpath(f"/out/{name}") == f"/out/{name}"
        assert Path("/out", name).parent == Path("/out")
        assert name.strip(". ") and len(name.encode()) <= 120
        assert name.encode().decode() == name
    assert unique_names(list(zip(names, paths, strict=True))) == names  # names stay when all are named again
    others = unique_names(list(zip(wanted, paths, strict=True)), known=names)
    assert {name.casefold() for name in others}.isdisjoint(name.casefold() for name in names)


def test_mode_of_a_folder_that_may_not_be_entered_is_told(root: Path, out: Path) -> None:
    touch(root / "closed/a.mp4")
    touch(root / "b.mp4")
    (root / "closed").chmod(0)
    try:
        if os.access(root / "closed", os.R_OK):
            pytest.skip("this user may read everything")
        found = discover([root], out)
    finally:
        (root / "closed").chmod(stat.S_IRWXU)
    assert ids(found) == ["b.mp4"]
    assert reasons(found) == {"closed": "cannot be read: Permission denied"}
