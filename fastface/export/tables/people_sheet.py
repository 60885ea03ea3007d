"""Write table.png: the persons of a census as a picture, one row each.

`census.files` calls it. Pillow is loaded only here, because other commands do not need it.
"""

from collections.abc import Sequence
from pathlib import Path

from fastface.files import atomic_path
from fastface.types.people import Person

_ROWS = 20
"""Number of persons of a page: it is somewhat higher than wide, and its portraits are recognizable on a screen."""


def draw_people_table(folder: Path, persons: Sequence[Person]) -> list[Path]:
    """Draw table.png, and table-2.png and so on if one page is not enough; equal persons give equal bytes.

    Each page is written atomically, readable for its owner only. Pages of an earlier, longer census stay.

    Args:
        folder: Folder of the pages.
        persons: Persons in the order of the rows.

    Returns:
        The pages; at least one.

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
    """Return the names of the pages for a number of persons."""
    num_pages = max(1, -(-count // _ROWS))
    return ["table.png", *(f"table-{number}.png" for number in range(2, num_pages + 1))]
