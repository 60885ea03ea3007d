"""What the tests of a census' files share: drawn portraits, three persons, and names that mean harm."""

import io
from typing import Any

from PIL import Image, ImageDraw

from fastface.types.people import Appearance, Person, Portrait

VIDEOS = {"a.mp4": 100.0, "b/long.mkv": 7500.0, "live.mkv": None}
HOSTILE = (
    '<script>document.title="pwned"</script>',
    '"><img src=x onerror="document.title=1">',
    "</script><script>document.title=2</script>",
    "<!--<script>",
    "\u202egpj.exe",
    "caf\udce9 \ud83d",
    'O\'Neil, "Ed" & <b>co</b>',
    "a\nb\tc\x1b[31m",
    "=cmd|' /C calc'!A0",
    "${facts} $$ $style",
    "שלום 王 é",
)


def portrait(number: int, place: int = 1, video: str = "a.mp4") -> Portrait:
    """A drawn face whose ground tells the number."""
    picture = Image.new("RGB", (64, 64), (20 * number % 256, 90, 160))
    ImageDraw.Draw(picture).ellipse((16 + place, 10, 48 + place, 54), fill=(240, 200, 170))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return Portrait(f"people/{number}/{place}.jpg", video, 1.5 * place, 0.9, file.getvalue())


def person(number: int, name: str = "", *seen: tuple[str, float, float, int], **facts: Any) -> Person:
    """A person seen where `seen` says (video, start, end, faces); all that follows from it is worked out."""
    appearances = tuple(Appearance(*one) for one in sorted(seen))
    values: dict[str, Any] = {
        "number": number,
        "name": name,
        "faces": sum(one.faces for one in appearances),
        "tracks": len(appearances),
        "seconds": sum(one.end - one.start for one in appearances),
        "share": 0.25,
        "videos": len({one.video_id for one in appearances}),
        "best_quality": 0.87654,
        "appearances": appearances,
        "portraits": (portrait(number), portrait(number, 2)),
        "together": {},
    }
    return Person(**{**values, **facts})


def three() -> list[Person]:
    """Alice in two videos, one without a name who is with her, and one of half a second in a video of its own."""
    return [
        person(1, "Alice", ("b/long.mkv", 3599.5, 3700.0, 500), ("a.mp4", 12.0, 14.25, 11), together={2: 2.25, 3: 0.0}),
        person(2, "", ("a.mp4", 0.5, 15.0004, 70), together={1: 2.25}),
        person(10, "Bob", ("live.mkv", 7.0, 7.4, 2), portraits=()),
    ]
