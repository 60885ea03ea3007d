"""ELAN's tiers, read back by pympi; its tab-delimited text by Python's csv."""

import csv
from pathlib import Path

from pympi.Elan import Eaf
from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.timed_texts import render_elan
from fastface.export.timelines.timeline import Timeline


def _read(folder: Path, shown: Timeline) -> Eaf:
    path = folder / "elan.eaf"
    path.write_text(render_elan(shown)["elan.eaf"], encoding="utf-8")
    return Eaf(str(path), suppress_version_warning=True)


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def test_another_program_reads_the_annotations_of_each_person(tmp_path: Path) -> None:
    spans = (span("Alice", "1", "3.5", "0.25"), span("Bob", "2", "2.04"), span("Alice", "3661.001", "3700"))
    read = _read(tmp_path, timeline(*spans, end="4000"))
    assert sorted(read.get_tier_names()) == ["Alice", "Bob"]
    assert read.get_annotation_data_for_tier("Alice") == [(1250, 3750, "Alice"), (3_661_001, 3_700_000, "Alice")]
    assert read.get_annotation_data_for_tier("Bob") == [(2000, 2040, "Bob")]
    (media,) = read.get_linked_files()
    assert (media["MEDIA_URL"], media["MIME_TYPE"]) == ("file:///films/film.mp4", "video/mp4")


def test_slots_are_in_order_of_time_and_ids_are_unique(tmp_path: Path) -> None:
    """ELAN's schema: TIME_ORDER is sorted, and each id is there once."""
    read = _read(tmp_path, timeline(span("Alice", "1", "5"), span("Bob", "2", "3"), span("Bob", "5", "6")))
    assert list(read.timeslots.values()) == [1000, 2000, 3000, 5000, 5000, 6000]
    assert list(read.timeslots) == [f"ts{number}" for number in range(1, 7)]
    text = (tmp_path / "elan.eaf").read_text(encoding="utf-8")
    assert [text.count(f'ANNOTATION_ID="a{number}"') for number in (1, 2, 3, 4)] == [1, 1, 1, 0]


def test_the_table_has_a_row_an_annotation() -> None:
    text = render_elan(timeline(span("Alice", "1", "3.5", "0.25"), span("Bob", "2", "2.04")))["elan.tsv"]
    assert _rows(text) == [
        ["Tier", "Begin Time - msec", "End Time - msec", "Duration - msec", "Annotation"],
        ["Alice", "1250", "3750", "2500", "Alice"],
        ["Bob", "2000", "2040", "40", "Bob"],
    ]


def test_hostile_names_are_tiers(tmp_path: Path) -> None:
    read = _read(tmp_path, hostile_timeline())
    names = list(read.get_tier_names())
    assert len(names) == len(HOSTILE)
    assert {"a --> b", "<b>&amp;</b>{\\an8}", "👩‍👩‍👧 Zoë", "line_break__here"} <= set(names)
    found = sorted(start for name in names for start, _, _ in read.get_annotation_data_for_tier(name))
    assert found == [2000 * place for place in range(len(HOSTILE))]
    rows = _rows(render_elan(hostile_timeline())["elan.tsv"])
    assert {len(row) for row in rows} == {5}
    assert len(rows) == len(HOSTILE) + 1


def test_persons_whose_names_look_alike_have_two_tiers(tmp_path: Path) -> None:
    read = _read(tmp_path, timeline(span("a\x07", "0", "1"), span("a\x08", "2", "3")))
    assert sorted(read.get_tier_names()) == ["a_", "a_ (2)"]
