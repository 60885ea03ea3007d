"""audit.html: the moments of an audit as a page to answer by keys, whole in one file.

Template, style and script are audit.html, audit.css and audit.js beside this module; see `export.tables.html_page`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastface.export.tables.html_page import shown_text, to_json, write_page
from fastface.review.audit_files import AuditSample


@dataclass(frozen=True, slots=True)
class MomentPicture:
    """JPEG of a moment's frame, and of its face close by; empty where the moment has none."""

    frame: bytes
    close: bytes = b""


def write_audit_page(
    path: Path, sample: AuditSample, pictures: Mapping[str, MomentPicture], photos: Mapping[int, bytes], command: str
) -> None:
    """Writes the page: whole or not at all, for its owner's eyes only.

    Args:
        path: The page.
        sample: What was drawn, in the order in which it is asked.
        pictures: {moment's id: its pictures}, one for each.
        photos: {place of a target: a small JPEG of a photo of it}, where there is one.
        command: What the user does with the saved file, without the file's name.

    Raises:
        SpaceError: No space is left.
    """
    facts = {
        "audit": sample.digest,
        "seed": sample.seed,
        "command": shown_text(command),
        "targets": [shown_text(label) for label in sample.targets],
        "items": [
            {
                "id": item.id,
                "role": sample.strata[item.stratum].role,
                "video": shown_text(item.video),
                "time": round(item.time, 3),
                "target": item.target,
                "choices": item.choices,
                "isFace": item.box is not None,
            }
            for item in sample.items
        ],
    }
    elements = [_element(f"moment-{item.id}", _shown_picture(pictures[item.id])) for item in sample.items]
    elements += [_element(f"photo-{place}", _text(photo)) for place, photo in sorted(photos.items())]
    write_page(path, __package__, "audit", facts=to_json(facts), pictures="\n".join(elements))


def _shown_picture(picture: MomentPicture) -> list[str]:
    return [_text(picture.frame), _text(picture.close)]


def _element(name: str, value: object) -> str:
    """An element of its own for each, so that the page reads only those that it shows."""
    return f'<script type="application/json" id="{name}">{to_json(value)}</script>'


def _text(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode("ascii")
