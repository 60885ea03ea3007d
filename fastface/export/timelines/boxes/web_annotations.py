"""Write W3C Web Annotations as pages that IIIF viewers read too: JSON-LD, with media fragments of the video.

`annotations.json` has an annotation a span, with the time. `regions.json` has an annotation a hit, with the time and
the box. Times are those of a player. A IIIF viewer needs the address of a canvas in the place of `source`.

Sources: W3C, "Web Annotation Data Model" and "Media Fragments URI 1.0"; IIIF, "Presentation API 3.0".
"""

import json
from collections.abc import Iterator
from math import ceil, floor
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from fastface.export.timelines.boxes.hit_boxes import BoxTimeline
from fastface.export.timelines.timeline import Timeline

_CONTEXT = ["http://www.w3.org/ns/anno.jsonld", "http://iiif.io/api/presentation/3/context.json"]
_FRAGMENTS = "http://www.w3.org/TR/media-frags/"


def render_annotations(timeline: Timeline) -> dict[str, str]:
    """Return `annotations.json`."""
    fragments = (
        (timeline.labels[span.person], _format_seconds(round(span.player_start * 1000), round(span.player_end * 1000)))
        for span in timeline.spans
    )
    return {"annotations.json": "".join(_format_page(timeline, "annotations", fragments))}


def render_regions(video: BoxTimeline) -> Iterator[str]:
    """Yield the text of `regions.json`. The box is in whole pixels, which contain the box of the hit."""
    return _format_page(video.timeline, "regions", _list_regions(video))


def _list_regions(video: BoxTimeline) -> Iterator[tuple[str, str]]:
    for track in video.tracks:
        columns = (track.starts.tolist(), track.ends.tolist(), track.boxes.tolist())
        for start, end, (x1, y1, x2, y2) in zip(*columns, strict=True):
            left, top = floor(x1), floor(y1)
            box = f"{left},{top},{ceil(x2) - left},{ceil(y2) - top}"
            yield track.label, f"{_format_seconds(start, end)}&xywh={box}"


def _format_seconds(start: int, end: int) -> str:
    end = max(end, start + 1)
    return f"t={start // 1000}.{start % 1000:03},{end // 1000}.{end % 1000:03}"


def _format_page(timeline: Timeline, kind: str, fragments: Iterator[tuple[str, str]]) -> Iterator[str]:
    page = uuid5(NAMESPACE_URL, f"{timeline.address}#{kind}").urn
    head = {"@context": _CONTEXT, "id": page, "type": "AnnotationPage"}
    yield f'{json.dumps(head, indent=1)[:-2]},\n "items": ['
    for number, (label, fragment) in enumerate(fragments, 1):
        annotation: dict[str, Any] = {
            "id": f"{page}#{number}",
            "type": "Annotation",
            "motivation": "tagging",
            "body": {"type": "TextualBody", "value": label, "format": "text/plain"},
            "target": {
                "type": "SpecificResource",
                "source": timeline.address,
                "selector": {"type": "FragmentSelector", "conformsTo": _FRAGMENTS, "value": fragment},
            },
        }
        yield f"{',' if number > 1 else ''}\n  {json.dumps(annotation, ensure_ascii=False)}"
    yield "\n ]\n}\n"
