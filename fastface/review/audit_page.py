"""Write audit.html: the moments of an audit on one self-contained page that is answered by keys. `audit` calls it.

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
    """JPEG of a moment's frame, and of its enlarged face; empty if the moment has none."""

    frame: bytes
    close: bytes = b""


def write_audit_page(
    path: Path, sample: AuditSample, pictures: Mapping[str, MomentPicture], photos: Mapping[int, bytes], command: str
) -> None:
    """Write the page: completely or not at all, readable by its owner only.

    Args:
        path: Path of the page.
        sample: Drawn moments, in the order of the questions.
        pictures: {moment's id: its pictures}, for every moment.
        photos: {place of a target: small JPEG of its photo}, for targets with a photo.
        command: Command for the saved file, without the file's name.

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
    """Return a separate element for each value, so that the page decodes only the visible ones."""
    return f'<script type="application/json" id="{name}">{to_json(value)}</script>'


def _text(jpeg: bytes) -> str:
    return base64.b64encode(jpeg).decode("ascii")
