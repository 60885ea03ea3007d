"""The record of the last report: it survives its file, and knows an unchanged failure and a span that overlaps."""

from pathlib import Path

import pytest
from night_tools import record

from fastface.errors import FaceIndexError
from fastface.index.records import VideoRecord
from fastface.review.nights.night_record import KnownSpans, KnownVideo, NightRecord

BAD_NAME = "caf\udce9.mp4"  # a byte that is no UTF-8

FULL = NightRecord(
    reported="2026-03-01T22:00:00+00:00",
    begun=("2026-03-02T22:00:00+00:00",),
    videos={
        "a.mp4": KnownVideo("done", "p1"),
        BAD_NAME: KnownVideo("failed", "p2", "no frames"),
        "closed.mp4": KnownVideo("failed", "", "cannot be read: Permission denied"),
        "growing.mp4": KnownVideo("unstable", "", "still being written"),
    },
    inputs={"/closed": "Permission denied"},
    exports=frozenset({"clips/a.mp4/Ada.mp4: no frames", "crops/Ada/x.jpg: no frames"}),
    sightings={
        "Ada": {
            "a.mp4": KnownSpans("p1", ((1.0, 3.5), (8.0, 9.0))),
            BAD_NAME: KnownSpans("p2", ((0.0, 1.0),)),
            "growing.mp4": KnownSpans("", ((1.0, 3.5),)),
        },
        "Bo": {},
    },
)


def test_a_record_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "nights.json"
    assert NightRecord.load(path) == NightRecord()
    FULL.save(path)
    assert NightRecord.load(path) == FULL
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_record_of_another_version_is_none(tmp_path: Path) -> None:
    path = tmp_path / "nights.json"
    FULL.save(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"schema_version": 2', '"schema_version": 0'))
    assert NightRecord.load(path) == NightRecord()


@pytest.mark.parametrize(
    ("name", "state", "print_", "reason", "is_known"),
    [
        (BAD_NAME, "failed", "p2", "no frames", True),
        (BAD_NAME, "failed", "p2", "another reason", True),  # the file is unchanged
        (BAD_NAME, "failed", "p3", "no frames", False),
        (BAD_NAME, "quarantined", "p2", "no frames", False),
        ("closed.mp4", "failed", "", "cannot be read: Permission denied", True),
        ("closed.mp4", "failed", "", "cannot be read: Input/output error", False),
        ("a.mp4", "failed", "p1", "no frames", False),  # it was done
        ("new.mp4", "failed", "p1", "no frames", False),
    ],
)
def test_a_failure_is_known_if_the_file_is_unchanged(
    name: str, state: str, print_: str, reason: str, is_known: bool
) -> None:
    assert FULL.knows_failure(record(name, state, print_, reason)) is is_known


@pytest.mark.parametrize(
    ("person", "film", "place", "is_known"),
    [
        ("Ada", record("a.mp4"), (1.0, 3.5), True),
        ("Ada", record("a.mp4"), (3.4, 8.1), True),  # joins both
        ("Ada", record("a.mp4"), (3.5, 8.0), False),  # touches both, overlaps none
        ("Ada", record("a.mp4", print_="p2"), (1.0, 3.5), False),  # another film under the same name
        ("Ada", record("growing.mp4", print_="p9"), (1.0, 3.5), True),
        ("Ada", record("growing.mp4", print_="p9"), (5.0, 6.0), False),
        ("Bo", record("a.mp4"), (1.0, 3.5), False),
        ("Cy", record("a.mp4"), (1.0, 3.5), False),
    ],
)
def test_a_span_is_known_if_it_overlaps_one_of_the_same_person_and_file(
    person: str, film: VideoRecord, place: tuple[float, float], is_known: bool
) -> None:
    assert FULL.knows_span(person, film, *place) is is_known


def test_a_forgotten_video_leaves_no_name(tmp_path: Path) -> None:
    path = tmp_path / "nights.json"
    rest = FULL.without_videos({"a.mp4", "growing.mp4", "closed.mp4"})
    rest.save(path)
    text = path.read_text(encoding="utf-8")
    assert [name for name in ("a.mp4", "growing", "closed.mp4") if name in text] == []
    assert rest.videos.keys() == {BAD_NAME}
    assert rest.sightings == {"Ada": {BAD_NAME: KnownSpans("p2", ((0.0, 1.0),))}, "Bo": {}}  # Bo was searched


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_record_is_an_error_with_a_remedy(text: str, tmp_path: Path) -> None:
    path = tmp_path / "nights.json"
    path.write_text(text)
    with pytest.raises(FaceIndexError, match="remove the file, and the next run writes it again"):
        NightRecord.load(path)
