"""table.png: the persons of a census as a picture, one row each."""

from collections.abc import Sequence
from pathlib import Path

from fastface.files import atomic_path
from fastface.types.people import Person

_ROWS = 20
"""Persons of a page: it is somewhat higher than wide, and its portraits can be told apart on a screen."""


def draw_people_table(folder: Path, persons: Sequence[Person]) -> list[Path]:
    """Draws table.png, and table-2.png and so on where one page cannot hold all; equal persons are equal bytes.

    Each page is whole or not there, and for its owner's eyes only. Pages of an earlier, longer census stay.

    Args:
        folder: Where the pages go.
        persons: In the order of the rows.

    Returns:
        The pages; an empty one says so.

    Raises:
        SpaceError: No space is left.
    """
    from fastface.export.tables.people_rows import drawn_page  # noqa: PLC0415 - Pillow, which all other commands can spare

    pages = [folder / name for name in table_names(len(persons))]
    for number, path in enumerate(pages):
        sheet = drawn_page(persons[number * _ROWS : (number + 1) * _ROWS])
        with atomic_path(path, private=True) as part:
            sheet.save(part, "PNG", compress_level=3)  # 1.7 times as fast as 6, 9–18 % larger
    return pages


def table_names(count: int) -> list[str]:
    """Name the pages of so many persons."""
    num_pages = max(1, -(-count // _ROWS))
    return ["table.png", *(f"table-{number}.png" for number in range(2, num_pages + 1))]
