"""What the tests of a census' files share: drawn portraits, persons with and without a face, and harmful names."""

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


def body_portrait(number: int, *, is_wide: bool = False) -> Portrait:
    """A drawn body without a face, twice as tall as wide or the other way round: one end is red, the other green."""
    picture = Image.new("RGB", (80, 160), (90, 90, 90))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, 79, 15), fill=(255, 0, 0))
    pen.rectangle((0, 144, 79, 159), fill=(0, 255, 0))
    file = io.BytesIO()
    (picture.rotate(90, expand=True) if is_wide else picture).save(file, "JPEG", quality=90)
    return Portrait(f"people/{number}/body.jpg", "a.mp4", 60.0, 0.0, file.getvalue())


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


def with_bodies() -> list[Person]:
    """These three, Cy whose face is seen for 8 of 20 seconds, and two whose faces are never seen."""
    alone: dict[str, Any] = {"body_seconds": 15.5, "best_quality": 0.0}
    tall, wide = body_portrait(12), body_portrait(13, is_wide=True)
    return [
        *three(),
        person(11, "Cy", ("a.mp4", 20.0, 28.0, 200), ("a.mp4", 40.0, 52.0, 0), body_seconds=12.0),
        person(12, "", ("a.mp4", 60.0, 75.5, 0), portraits=(tall, tall), **alone),
        person(13, "", ("a.mp4", 60.0, 75.5, 0), portraits=(wide, wide), **alone),
    ]
