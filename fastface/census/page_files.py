"""Read the JSON files that the pages of fastface save: selections of persons, corrections of persons, decisions.

`cli.commands.pick`, `people_file`, `commands.correction.correct_file` and `review.decision_file` call it. Such a file
may come from another person: its size is limited, and a fault is described on one line without control characters.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from fastface.errors import ConfigError
from fastface.names import clean_text, valid_text

_LARGEST_BYTES = 64 << 20
"""Maximum size of a file: some hundred thousand decisions."""

_Content = TypeVar("_Content", bound=BaseModel)


class PeopleSelection(BaseModel):
    """Content of the file that people.html saves: persons, their name, and the census that defines the numbers."""

    model_config = ConfigDict(strict=True, frozen=True)

    schema_version: Literal[1]
    people: list[int]
    name: str = ""
    census: str = ""


def read_page_bytes(path: Path, option: str = "") -> bytes:
    """Read a file that a page saved; `option` names it in messages.

    Raises:
        ConfigError: The file cannot be read, or is larger than any page saves.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        where = "; browsers save files of a page in the folder for downloads" * isinstance(error, FileNotFoundError)
        raise ConfigError(f"{option}{str(path)!r} cannot be read: {error.strerror}{where}") from error
    if len(content) > _LARGEST_BYTES:
        raise ConfigError(
            f"{option}{str(path)!r} is larger than {_LARGEST_BYTES >> 20} MB, the most that a page of fastface saves: "
            "choose the file that the page saved"
        )
    return content


def read_page_file(path: Path, model: type[_Content], page: str, *, most_faults: int = 1, option: str = "") -> _Content:
    """Read and check a file that a page saved.

    Args:
        path: The file.
        model: Its content.
        page: Name of the page, for messages.
        most_faults: Maximum number of faults that are listed.
        option: Option that named the file, with a space behind it, for messages.

    Raises:
        ConfigError: The file cannot be read, or is not a file of this page.
    """
    try:
        return model.model_validate_json(read_page_bytes(path, option))
    except ValidationError as error:
        found = error.errors()[:most_faults]
        lines = [_describe_fault(fault["loc"], fault["msg"]) for fault in found]
        first = f"{option}{str(path)!r} is not a file that {page} saved"
        if most_faults == 1 or error.error_count() == 1:
            raise ConfigError(f"{first}: {lines[0]}") from error
        hidden = error.error_count() - len(lines)
        raise ConfigError([first, *lines, *([f"and {hidden} more"] if hidden else [])]) from error


def _describe_fault(location: Sequence[int | str], message: str) -> str:
    """Describe a fault with its place, as `decisions.3.start: Input should be a valid number`."""
    where, reason = ".".join(map(str, location)), message.removeprefix("Value error, ")
    return " ".join(clean_text(valid_text(f"{where}: {reason}".removeprefix(": "))).split())
