"""Marker lists of DaVinci Resolve, read by a strict parser of the layout that Resolve itself exports.

An event has a timecode of one frame on both sides; the line after it is ` |C:colour |M:name |D:frames`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from timeline_tools import HOSTILE, hostile_timeline, span, timeline

from fastface.export.timelines.edit_lists import render_markers

_TIME = r"(\d\d:\d\d:\d\d[:;]\d\d)"
_EVENT = re.compile(
    rf"(?P<number>\d{{3}})  001      V     C        {_TIME} {_TIME} {_TIME} {_TIME}\n"
    r" \|C:(?P<colour>ResolveColor[A-Z][a-z]+) \|M:(?P<name>[^|\n]+) \|D:(?P<length>[1-9]\d*)\n"
)


@dataclass(frozen=True)
class Marker:
    time: str
    colour: str
    name: str
    length: int


def _markers(text: str) -> list[Marker]:
    head, _, rest = text.partition("\n\n")
    assert re.fullmatch(r"TITLE: [^\n]{1,70}\nFCM: (NON-)?DROP FRAME", head)
    found = []
    for number, block in enumerate(rest.split("\n\n"), 1):
        match = _EVENT.fullmatch(block.rstrip("\n") + "\n")
        assert match is not None, block
        assert int(match["number"]) == number
        times = match.groups()[1:5]
        assert (times[0], times[1]) == (times[2], times[3])
        found.append(Marker(times[0], match["colour"], match["name"], int(match["length"])))
    return found


def test_a_span_is_a_marker_with_its_duration() -> None:
    (text,) = render_markers(timeline(span("Alice", "1", "3.5"), span("Bob", "2", "2.04"))).values()
    assert _markers(text) == [
        Marker("01:00:01:00", "ResolveColorBlue", "Alice", 63),  # 2.5 × 25 = 62.5
        Marker("01:00:02:00", "ResolveColorGreen", "Bob", 1),
    ]


def test_no_two_markers_lie_at_one_frame_and_their_ends_stay() -> None:
    spans = [span(name, "0", "1") for name in "ABC"] + [span("D", "0.04", "1"), span("E", "0", "0.04")]
    spans.sort(key=lambda one: (one.start, one.end, one.person))
    (text,) = render_markers(timeline(*spans)).values()
    markers = _markers(text)
    assert [(one.name, one.time[-2:], one.length) for one in markers] == [
        ("E", "00", 1),
        ("A", "01", 24),
        ("B", "02", 23),
        ("C", "03", 22),
        ("D", "04", 21),
    ]


def test_a_span_without_a_free_frame_gets_the_nearest() -> None:
    one_frame = [span(name, "2", "2.04") for name in "ABC"]
    (text,) = render_markers(timeline(*one_frame)).values()
    assert [(one.name, one.time) for one in _markers(text)] == [
        ("C", "01:00:01:23"),
        ("B", "01:00:01:24"),
        ("A", "01:00:02:00"),
    ]
    at_the_start = [span(name, "0", "0.04") for name in "AB"]
    (text,) = render_markers(timeline(*at_the_start)).values()
    assert [(one.name, one.time) for one in _markers(text)] == [("A", "01:00:00:00"), ("B", "01:00:00:01")]


def test_a_person_keeps_a_colour_that_resolve_has() -> None:
    spans = [span(f"P{place % 20:02}", str(place), f"{place}.5") for place in range(40)]
    (text,) = render_markers(timeline(*spans)).values()
    colours: dict[str, set[str]] = {}
    for one in _markers(text):
        colours.setdefault(one.name, set()).add(one.colour.removeprefix("ResolveColor"))
    assert len(colours) == 20
    assert {len(own) for own in colours.values()} == {1}
    names = "Blue Cyan Green Yellow Red Pink Purple Fuchsia Rose Lavender Sky Mint Lemon Sand Cocoa Cream"
    assert sorted(set.union(*colours.values())) == sorted(names.split(" "))


def test_drop_frame_timecodes_are_used_at_29_97() -> None:
    (text,) = render_markers(timeline(span("Alice", "60.060", "61.061"), rate=Fraction(30_000, 1001))).values()
    assert "FCM: DROP FRAME" in text
    assert [(one.time, one.length) for one in _markers(text)] == [("01:01:00;02", 30)]


def test_a_hostile_name_is_one_field() -> None:
    (text,) = render_markers(hostile_timeline()).values()
    markers = _markers(text)
    assert len(markers) == len(HOSTILE)
    assert {one.length for one in markers} == {75}
    assert "a¦b ¦D:9" in {one.name for one in markers}
