"""Write texts with the times of a player: subtitles, chapters, and ELAN's tiers.

Subtitles (SubRip, WebVTT) have one file a person, with the name on the screen during each span. FFmpeg's chapters
(`;FFMETADATA1`) have one for each change of persons. Players show a chapter until the next one starts, so chapters
cover the whole video. ELAN has a tier a person with an annotation a span, as XML (`.eaf`) and as tab-delimited text.
Source: Max Planck Institute for Psycholinguistics, "EAF Annotation Format", version 3.0.
"""

from fractions import Fraction
from itertools import pairwise
from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fastface.export.timelines.timeline import Timeline, format_label

_SUBRIP_SYNTAX = {"<": "‹", ">": "›", "{": "(", "}": ")"}
"""Players read tags in both brackets, and SubRip has no way to escape them; `-->` is the mark of a time line."""

_WEBVTT_SYNTAX = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Character references of the W3C's WebVTT; with them `-->` cannot stand in a text."""

_METADATA_SYNTAX = {character: f"\\{character}" for character in "=;#\\"}
_NO_PERSON = "–"


def render_srt(timeline: Timeline) -> dict[str, str]:
    """Return `<person>.srt` for each person."""
    return {
        timeline.name_file(person, ".srt"): "\n".join(
            f"{number}\n{start} --> {end}\n{format_label(person, _SUBRIP_SYNTAX)}\n"
            for number, (start, end) in enumerate(_list_times(timeline, person, ","), 1)
        )
        for person in timeline.persons
    }


def render_vtt(timeline: Timeline) -> dict[str, str]:
    """Return `<person>.vtt` for each person."""
    return {
        timeline.name_file(person, ".vtt"): "WEBVTT\n"
        + "".join(
            f"\n{start} --> {end}\n{format_label(person, _WEBVTT_SYNTAX)}\n"
            for start, end in _list_times(timeline, person, ".")
        )
        for person in timeline.persons
    }


def render_chapters(timeline: Timeline) -> dict[str, str]:
    """Return `chapters.ffmeta`. Times are thousandths of a second."""
    spans = [(round(span.player_start * 1000), round(span.player_end * 1000), span.person) for span in timeline.spans]
    last = round((timeline.player_end or 0) * 1000)
    edges = sorted({0, last, *(edge for start, end, _ in spans for edge in (start, end))})
    chapters: list[tuple[int, int, tuple[str, ...]]] = []
    for start, end in pairwise(edges):
        seen = tuple(sorted({person for first, stop, person in spans if first < end and stop > start}))
        if chapters and chapters[-1][2] == seen:
            chapters[-1] = (chapters[-1][0], end, seen)
        else:
            chapters.append((start, end, seen))
    blocks = []
    for start, end, seen in chapters:
        title = ", ".join(format_label(person, _METADATA_SYNTAX) for person in seen) or _NO_PERSON
        # FFmpeg takes a backslash at the end of a line as a sign that the line goes on, even an escaped one.
        end_mark = " " if title.endswith("\\") else ""
        blocks.append(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}{end_mark}\n")
    return {"chapters.ffmeta": ";FFMETADATA1\n" + "".join(blocks)}


def _list_times(timeline: Timeline, person: str, point: str) -> list[tuple[str, str]]:
    own = [span for span in timeline.spans if span.person == person]
    return [(_format_time(span.player_start, point), _format_time(span.player_end, point)) for span in own]


def _format_time(seconds: Fraction, point: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_DATE = "1970-01-01T00:00:00Z"
"""The schema asks for a date. It is always the same, so that equal answers give equal files."""

_TYPE = "default-lt"
_MEDIA_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime", ".mpg": "video/mpeg"}
"""Types that ELAN knows by name."""

_COLUMNS = ("Tier", "Begin Time - msec", "End Time - msec", "Duration - msec", "Annotation")


def render_elan(timeline: Timeline) -> dict[str, str]:
    """Return `elan.eaf` and `elan.tsv`, which ELAN imports as tab-delimited text.

    Names hold no tab and no line break, so the text needs no quotes.
    """
    tiers = _list_tiers(timeline)
    rows = ((name, start, end, end - start, name) for name, spans in tiers.items() for start, end in spans)
    text = "".join("\t".join(map(str, row)) + "\n" for row in (_COLUMNS, *rows))
    return {"elan.eaf": _format_eaf(timeline, tiers), "elan.tsv": text}


def _list_tiers(timeline: Timeline) -> dict[str, list[tuple[int, int]]]:
    """Return {name of a tier: (start, end) of its annotations}, in order of time."""
    tiers: dict[str, list[tuple[int, int]]] = {name: [] for name in timeline.labels.values()}
    for span in timeline.spans:
        start = round(span.player_start * 1000)
        tiers[timeline.labels[span.person]].append((start, max(start + 1, round(span.player_end * 1000))))
    return tiers


def _format_eaf(timeline: Timeline, tiers: dict[str, list[tuple[int, int]]]) -> str:
    root = Element("ANNOTATION_DOCUMENT", AUTHOR="fastface", DATE=_DATE, FORMAT="3.0", VERSION="3.0")
    root.set("xmlns:xsi", _INSTANCE)
    root.set("xsi:noNamespaceSchemaLocation", _SCHEMA)
    header = SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    kind = _MEDIA_TYPES.get(PurePath(timeline.file_name).suffix.lower(), "unknown")
    SubElement(header, "MEDIA_DESCRIPTOR", MEDIA_URL=timeline.address, MIME_TYPE=kind)
    order = SubElement(root, "TIME_ORDER")
    edges = sorted(
        (time, (name, place, side))
        for name, spans in tiers.items()
        for place, times in enumerate(spans)
        for side, time in enumerate(times)
    )
    slots = {edge: f"ts{number}" for number, (_, edge) in enumerate(edges, 1)}
    for time, edge in edges:
        SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slots[edge], TIME_VALUE=str(time))
    number = 0
    for name, spans in tiers.items():
        tier = SubElement(root, "TIER", LINGUISTIC_TYPE_REF=_TYPE, TIER_ID=name)
        for place in range(len(spans)):
            number += 1
            annotation = SubElement(
                SubElement(tier, "ANNOTATION"),
                "ALIGNABLE_ANNOTATION",
                ANNOTATION_ID=f"a{number}",
                TIME_SLOT_REF1=slots[name, place, 0],
                TIME_SLOT_REF2=slots[name, place, 1],
            )
            SubElement(annotation, "ANNOTATION_VALUE").text = name
    SubElement(root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID=_TYPE, TIME_ALIGNABLE="true")
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'
