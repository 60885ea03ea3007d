"""Draw a page of the contact sheet. It opens pictures, so only the child process `reader_process` imports this."""

from pathlib import Path

from PIL import Image

from fastface.curation.contact_sheet import COLUMNS, Page
from fastface.drawing.thumbnail_grid import GridStyle, draw_grid
from fastface.files import atomic_path
from fastface.video.frames.image_file import read_picture

_STYLE = GridStyle(COLUMNS, (160, 160), 11)


def draw_page(page: Page) -> None:
    """Write a page as PNG: completely or not at all, readable by its owner only.

    Raises:
        InputError: A picture cannot be read.
        SpaceError: No space is left.
    """
    sheet = draw_grid(page.strips, _STYLE, _open, "no picture was kept")
    with atomic_path(page.path, private=True) as part:
        sheet.save(part, "PNG")


def _open(path: Path) -> Image.Image:
    return Image.fromarray(read_picture(path)[:, :, ::-1].copy())
