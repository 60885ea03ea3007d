"""Write tiers for ELAN: its own XML (`.eaf`), and its tab-delimited text.

Each person has a tier with an annotation a span. Times are thousandths of a second of a player. Source: Max Planck
Institute for Psycholinguistics, "EAF Annotation Format", version 3.0.
"""

from pathlib import PurePath
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fastface.export.timelines.timeline import Timeline

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
