"""table.png: the persons of a census as a picture, one row each."""

from collections.abc import Sequence
from pathlib import Path

from fastface.files import atomic_path
from fastface.types.people import Person

__all__ = ["draw_people_table"]

_ROWS = 20
"""Persons of a page: it is somewhat higher than wide, and its portraits can be told apart on a screen."""


def draw_people_table(folder: Path, persons: Sequence[Person]) -> list[Path]:
    """Draws table.png, and table-2.png and so on where one page cannot hold all; equal persons are equal bytes.

    Each page is whole or not there, and for its owner's eyes only. Pages of an earlier, longer census stay.

    Args:
        folder: Where the pages go.
        persons: In the order of the rows.

    Returns:
        The pages; one that says so if there is nobody.

    Raises:
        SpaceError: No space is left.
    """
    from fastface.export.people_rows import drawn_page  # noqa: PLC0415 - Pillow, which all other commands can spare

    pages = []
    for first in range(0, max(1, len(persons)), _ROWS):
        number = first // _ROWS + 1
        path = folder / ("table.png" if number == 1 else f"table-{number}.png")
        sheet = drawn_page(persons[first : first + _ROWS])
        with atomic_path(path, private=True) as part:
            sheet.save(part, "PNG")
        pages.append(path)
    return pages
