"""`fleet.film_plan`: each video once, the most complete scan, and the names of one scan of all inputs."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from index_tools import plain_info

from fastface.fleet.film_plan import TARGET, FilmPlan, plan_films, settle_names
from fastface.index.records import NameRecord, VideoRecord
from fastface.video.identity.fingerprint import fingerprint, read_stamp

KEY = "settings"


def scan(name: str, content: str = "", **changes: Any) -> VideoRecord:
    """A finished scan of a file /films/NAME whose content is its name unless given."""
    path = changes.pop("path", Path("/films") / name)
    digest = hashlib.sha256((content or name).encode()).hexdigest()
    record = VideoRecord(name, path, f"1000-{digest[:16]}-{digest[:32]}", KEY, "done", coverage=1.0, num_units=2)
    return replace(record, **{"info": plain_info(path=path, video_id=name), **changes})


def waiting(name: str) -> VideoRecord:
    return VideoRecord(name, Path("/films") / name, "", "")


def plan(target: Sequence[VideoRecord], *folders: Sequence[VideoRecord], **changes: Any) -> FilmPlan:
    given = {"find_time": lambda _: 0.0, **changes}
    return plan_films(target, folders, **given)


def chosen(found: FilmPlan) -> dict[str, tuple[int, str]]:
    """{name in the merged folder: (folder, state) of the scan that counts}."""
    return {one.record.video_id: (one.scan.folder, one.scan.record.state) for one in found.videos}


def test_halves_make_the_whole() -> None:
    halves = [scan("a.mp4"), scan("c.mp4")], [scan("b.mp4")]
    found = plan([], *halves)
    assert chosen(found) == {"a.mp4": (0, "done"), "c.mp4": (0, "done"), "b.mp4": (1, "done")}
    assert [one.record for one in found.videos] == [*halves[0], *halves[1]]
    assert not any(one.is_kept or one.replaces for one in found.videos)
    assert (found.waiting, found.gone, found.copies, found.counted_once, found.notes) == ({}, (), (), 0, ())


def test_a_second_merge_keeps_all() -> None:
    first, second = [scan("a.mp4")], [scan("b.mp4", state="failed", info=None)]
    found = plan([*first, *second, scan("own.mp4")], first, second)
    assert len(found.videos) == 3
    assert all(one.is_kept and one.scan.folder == TARGET for one in found.videos)
    assert found.counted_once == 0


def test_the_more_complete_scan_of_a_video_counts() -> None:
    partial = scan("a.mp4", state="partial", reason="lost", coverage=0.4)
    more = replace(partial, coverage=0.7)
    failed = scan("a.mp4", state="failed", info=None, coverage=None)
    assert chosen(plan([], [failed], [partial], [more])) == {"a.mp4": (2, "partial")}
    assert chosen(plan([], [partial], [scan("a.mp4")])) == {"a.mp4": (1, "done")}
    found = plan([scan("a.mp4")], [partial])
    assert [one.is_kept for one in found.videos] == [True]
    found = plan([partial], [scan("a.mp4")])
    assert [(one.is_kept, one.replaces) for one in found.videos] == [(False, "a.mp4")]
    assert plan([], [partial], [more], [failed]).counted_once == 2


def test_a_video_that_was_still_written_gives_way_to_the_complete_one() -> None:
    unstable = scan("a.mp4", state="unstable", reason="still being written", fingerprint="")
    for folders in ([[unstable], [scan("a.mp4")]], [[scan("a.mp4")], [unstable]]):
        found = plan([], *folders)
        assert [one.record.fingerprint for one in found.videos] == [scan("a.mp4").fingerprint]


def test_of_two_complete_scans_with_other_settings_the_newer_one_counts() -> None:
    times = {0: 10.0, 1: 20.0, TARGET: 15.0}
    folders = [scan("a.mp4")], [scan("a.mp4", scan_key="other settings")]
    assert chosen(plan([], *folders, find_time=lambda one: times[one.folder])) == {"a.mp4": (1, "done")}
    own = [scan("a.mp4", scan_key="third settings")]
    assert chosen(plan(own, folders[0], find_time=lambda one: times[one.folder])) == {"a.mp4": (TARGET, "done")}


def test_a_copy_of_a_film_counts_once_and_is_remembered() -> None:
    original = scan("a.mp4")
    copy = scan("x__copy.mp4", "a.mp4", stamp="1000-99-99", disk="/films")
    found = plan([], [original], [copy])
    assert chosen(found) == {"a.mp4": (0, "done")}
    assert found.copies == (NameRecord(copy.path, original.fingerprint, "1000-99-99", "/films"),)
    assert found.names == {(0, "a.mp4"): "a.mp4", (1, "x__copy.mp4"): "a.mp4"}
    assert found.counted_once == 1


def test_copies_within_one_folder_stay_as_they_were_scanned() -> None:
    both = [scan("a.mp4"), scan("copy.mp4", "a.mp4", stamp="1000-99-99")]
    found = plan([], both, list(reversed(both)))
    assert chosen(found) == {"a.mp4": (0, "done"), "copy.mp4": (0, "done")}
    assert found.counted_once == 2


def test_equal_names_of_different_films_get_the_digests_of_one_scan() -> None:
    one, other = scan("a.mp4", path=Path("/x/a.mp4")), scan("A.mp4", path=Path("/y/A.mp4"))

    def digest(name: str, path: str) -> str:
        return hashlib.sha256(f"{name}\0{path}".encode()).hexdigest()[:8]

    names = f"a.mp4.{digest('a.mp4', '/x/a.mp4')}", f"A.mp4.{digest('A.mp4', '/y/A.mp4')}"
    found = plan([], [one], [other])
    assert tuple(chosen(found)) == names
    assert [one.record.info.video_id for one in found.videos if one.record.info] == list(names)
    # A scan that knew both has given these names already; a third film with the plain name gets one too.
    third = scan("a.mp4", "third", path=Path("/z/a.mp4"))
    found = plan([], [replace(one, video_id=names[0]), replace(other, video_id=names[1])], [third])
    assert tuple(chosen(found)) == (*names, f"a.mp4.{digest('a.mp4', '/z/a.mp4')}")
    # As in the second night of one folder, a name in the target stays.
    found = plan([one], [other])
    assert tuple(chosen(found)) == ("a.mp4", names[1])
    assert found.names == {(TARGET, "a.mp4"): "a.mp4", (0, "A.mp4"): names[1]}


def test_different_films_at_one_path_are_both_kept_and_reported() -> None:
    found = plan([], [scan("a.mp4", "before")], [scan("a.mp4", "after")])
    assert len({one.record.video_id for one in found.videos}) == 2
    (note,) = found.notes
    assert "'/films/a.mp4': 2 videos with different content" in note


def test_a_scan_is_outdated_if_its_folder_lost_it_and_the_file_was_scanned_again() -> None:
    before, after = scan("a.mp4", "before"), scan("a.mp4", "after")
    for folders in ([[after]], [[], [after]]):  # again in its folder, or by another shard
        found = plan([before], *folders, origins={"a.mp4"})
        assert (found.gone, found.notes) == (("a.mp4",), ())
        assert [one.record for one in found.videos] == [after]
    # If it came from elsewhere, while it is scanned again, or if it was only forgotten, it stays.
    assert len(plan([before], [after]).videos) == 2
    assert plan([before], [waiting("a.mp4")], origins={"a.mp4"}).gone == ()
    assert plan([before], [], origins={"a.mp4"}).gone == ()


def test_what_no_folder_has_scanned_waits() -> None:
    found = plan([waiting("own.mp4"), waiting("a.mp4")], [scan("a.mp4"), waiting("b.mp4")], [waiting("b.mp4")])
    assert found.waiting == {"own.mp4": Path("/films/own.mp4"), "b.mp4": Path("/films/b.mp4")}
    assert [(one.record.video_id, one.is_kept, one.replaces) for one in found.videos] == [("a.mp4", False, "a.mp4")]


def test_a_mirror_loses_what_its_folders_lost() -> None:
    target = [scan("a.mp4"), scan("gone.mp4"), waiting("late.mp4")]
    found = plan(target, [scan("a.mp4")], mirror=True)
    assert (found.gone, found.waiting) == (("gone.mp4",), {})
    assert chosen(found) == {"a.mp4": (TARGET, "done")}
    # A changed file is another video, under the name that is free again only afterwards.
    changed = plan([scan("a.mp4", "before")], [scan("a.mp4", "after")], mirror=True)
    assert changed.gone == ("a.mp4",)
    assert chosen(changed) == {"a.mp4": (0, "done")}
    assert changed.notes == ()


def test_a_video_keeps_the_first_of_its_files_that_exists(tmp_path: Path) -> None:
    there = tmp_path / "copy.mp4"
    there.touch()
    copy = scan("copy.mp4", "a.mp4", path=there, stamp="1000-99-99", disk="/films")
    (video,) = plan([], [scan("a.mp4")], [copy]).videos
    assert (video.record.video_id, video.record.path, video.record.stamp) == ("a.mp4", there, copy.stamp)
    assert video.record.fingerprint == scan("a.mp4").fingerprint
    assert video.record.info is not None
    assert video.record.info.path == there


def test_a_video_whose_place_another_one_has_taken_gets_the_path_of_its_copy(tmp_path: Path) -> None:
    place, copy = tmp_path / "a.mp4", tmp_path / "copy.mp4"
    place.write_bytes(b"after")
    copy.write_bytes(b"before")

    def of(path: Path, content: Path, name: str) -> VideoRecord:
        return scan(name, path=path, fingerprint=fingerprint(content), stamp=read_stamp(content))

    before, after = of(place, copy, "a.mp4"), of(place, place, "a.mp4")
    found = plan([before], [after], [of(copy, copy, "copy.mp4")])
    assert {one.record.video_id: one.record.path for one in found.videos if one.is_kept} == {"a.mp4": copy}
    assert sorted(one.record.path for one in found.videos) == [place, copy]
    assert found.notes == ()
    assert settle_names(found.copies, found.videos) == []


def test_of_several_contents_of_one_path_the_name_is_that_of_the_file_now(tmp_path: Path) -> None:
    """One folder saw a copy of one film, another folder the film that has replaced it."""
    place = tmp_path / "copy.mp4"
    place.write_bytes(b"now")
    now = NameRecord(place, fingerprint(place), read_stamp(place), "/")
    stale = NameRecord(place, scan("a.mp4").fingerprint, "1000-1-1", "/")
    gone = NameRecord(tmp_path / "gone.mp4", stale.fingerprint, "1000-1-1", "/")
    others = plan([], [scan("a.mp4")]).videos
    for names in ([stale, now, gone], [now, stale, gone]):
        assert settle_names(names, others) == [now, gone]
    # The path of a film is no name: neither with the film's content, nor with a content that it has no more.
    film = plan([], [scan("copy.mp4", path=place, fingerprint=now.fingerprint)]).videos
    assert settle_names([now, stale, gone], film) == [gone]
    # But a file that has become a copy of another film is one of its names.
    replaced = plan([], [scan("copy.mp4", "before", path=place)]).videos
    assert settle_names([stale, now], replaced) == [now]
