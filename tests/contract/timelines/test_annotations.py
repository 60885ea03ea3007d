"""W3C Web Annotations: the parts that the W3C's model and IIIF ask for, and fragments by the W3C's grammar."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from timeline_tools import HOSTILE, boxes, hit, hostile_boxes, hostile_timeline, span, timeline

from fastface.export.timelines.boxes.web_annotations import render_annotations, render_regions

_FRAGMENT = re.compile(r"t=(\d+\.\d+),(\d+\.\d+)(?:&xywh=(\d+),(\d+),(\d+),(\d+))?")
"""W3C, "Media Fragments URI 1.0": seconds of normal play time; whole pixels."""


def _read(text: str) -> list[tuple[str, tuple[float, ...]]]:
    """(name, fragment) of each annotation of a page, which has what the W3C's model and IIIF ask for."""
    page = json.loads(text)
    assert page["@context"][-1] == "http://iiif.io/api/presentation/3/context.json"  # which must be the last
    assert "http://www.w3.org/ns/anno.jsonld" in page["@context"]
    assert page["type"] == "AnnotationPage"
    ids = [page["id"], *(one["id"] for one in page["items"])]
    assert len(set(ids)) == len(ids)
    assert all(urlsplit(one).scheme == "urn" for one in ids)
    return [_read_annotation(one) for one in page["items"]]


def _read_annotation(one: dict[str, Any]) -> tuple[str, tuple[float, ...]]:
    assert (one["type"], one["motivation"], one["body"]["type"]) == ("Annotation", "tagging", "TextualBody")
    target = one["target"]
    assert (target["type"], target["source"]) == ("SpecificResource", "file:///films/film.mp4")
    assert target["selector"]["type"] == "FragmentSelector"
    assert target["selector"]["conformsTo"] == "http://www.w3.org/TR/media-frags/"
    found = _FRAGMENT.fullmatch(target["selector"]["value"])
    assert found is not None
    return one["body"]["value"], tuple(float(number) for number in found.groups() if number is not None)


def test_each_span_is_an_annotation_in_the_time_of_a_player() -> None:
    (text,) = render_annotations(timeline(span("Alice", "1", "3.5", "0.25"), span("Bob", "2", "2.04"))).values()
    assert _read(text) == [("Alice", (1.25, 3.75)), ("Bob", (2.0, 2.04))]


def test_each_hit_is_an_annotation_with_its_box(tmp_path: Path) -> None:
    rows = [hit("Alice", time, (10.4, 20, 110.2, 220), offset="0.5") for time in ("1.000", "1.200", "1.400")]
    text = "".join(render_regions(boxes(tmp_path, timeline(span("Alice", "1", "2", "0.5")), *rows)))
    # Whole pixels that contain the box; each until the middle between two hits.
    assert _read(text) == [
        ("Alice", (1.4, 1.6, 10, 20, 101, 200)),
        ("Alice", (1.6, 1.8, 10, 20, 101, 200)),
        ("Alice", (1.8, 2.0, 10, 20, 101, 200)),
    ]


@pytest.mark.parametrize("kind", ["spans", "boxes"])
def test_hostile_names_are_texts(tmp_path: Path, kind: str) -> None:
    (text,) = render_annotations(hostile_timeline()).values() if kind == "spans" else (
        "".join(render_regions(hostile_boxes(tmp_path))),
    )  # fmt: skip
    names = [name for name, _ in _read(text)]
    assert len(names) == len(HOSTILE)
    assert {"quote \" and ' and `", "a --> b", "<b>&amp;</b>{\\an8}", "👩‍👩‍👧 Zoë", "line_break__here"} <= set(names)
