"""Draw a page of a person's contact sheet: the best frame of each span, with a box around the face.

The export process calls `draw_sheet`. Frames become thumbnails one by one, so memory does not grow with their size.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image as PillowImage
from PIL import ImageDraw

from fastface.drawing.thumbnail_grid import GridStyle, draw_grid
from fastface.errors import VideoError
from fastface.export.jobs import SheetJob
from fastface.files import atomic_path
from fastface.names import pluralize
from fastface.types import Image, Size, Strip, Tile, VideoInfo
from fastface.video.frames.display_frames import decode_frames

_STYLE = GridStyle(4, (320, 180), 13)
_BOX = (80, 220, 100)
_QUALITY = 88


def draw_sheet(job: SheetJob, *, alive: Callable[[], object]) -> tuple[str, ...]:
    """Write the page as JPEG, readable for its owner only.

    Args:
        job: The page.
        alive: Called with each packet that is read.

    Returns:
        A line if frames cannot be decoded any more: their places are empty.

    Raises:
        SpaceError: No space is left.
    """
    thumbnails = _decode_thumbnails(job, alive)
    tiles = [Tile(number, tile.lines) for number, tile in enumerate(job.tiles)]
    columns = _STYLE.columns
    rows = [tuple(tiles[first : first + columns]) for first in range(0, len(tiles), columns)]
    strips = [Strip("" if number else job.heading, row) for number, row in enumerate(rows)]
    sheet = draw_grid(strips, _STYLE, thumbnails.get, "no span")
    with atomic_path(job.destination, private=True) as part:
        sheet.save(part, "JPEG", quality=_QUALITY)
    num_lost = sum(tile.pts is not None for tile in job.tiles) - len(thumbnails)
    return (f"{pluralize(num_lost, 'frame')} could not be decoded again",) if num_lost else ()


def _decode_thumbnails(job: SheetJob, alive: Callable[[], object]) -> dict[int, PillowImage.Image]:
    """Return {number of the tile: thumbnail}; each video is decoded in one pass."""
    wanted: dict[VideoInfo, dict[int, list[int]]] = {}
    for number, tile in enumerate(job.tiles):
        if tile.pts is not None:
            wanted.setdefault(tile.info, {}).setdefault(tile.pts, []).append(number)
    thumbnails = {}
    for info, numbers in wanted.items():
        try:
            for pts, picture in decode_frames(info, sorted(numbers), alive):
                for number in numbers[pts]:
                    thumbnails[number] = _draw_thumbnail(picture, job.tiles[number].box)
        except VideoError:
            continue  # the other videos are still there
    return thumbnails


def _draw_thumbnail(picture: Image, box: tuple[float, float, float, float] | None) -> PillowImage.Image:
    frame = PillowImage.fromarray(np.ascontiguousarray(picture[:, :, ::-1]))
    full: Size = frame.size
    frame.thumbnail(_STYLE.cell, PillowImage.Resampling.LANCZOS)
    if box is not None:
        scale = frame.width / full[0], frame.height / full[1]
        corners = tuple(side * scale[number % 2] for number, side in enumerate(box))
        ImageDraw.Draw(frame).rectangle((corners[0], corners[1], corners[2], corners[3]), outline=_BOX, width=2)
    return frame
