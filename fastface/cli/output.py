"""Print lines or one JSON object on standard output, without tables.

The modules of `cli.commands` call it. It loads neither rich nor NumPy: help pages and `status` must start quickly.
"""

import json
import shlex

import typer

from fastface.cli.arguments import OUT_FOLDER
from fastface.names import is_shown, valid_text

MOST_ROWS = 20
"""Maximum rows of a table in a terminal; files have all."""


def say(text: str) -> None:
    """Print one line on standard output."""
    typer.echo(valid_text(text))


def as_json(value: object) -> None:
    """Print one JSON object on standard output."""
    say(json.dumps(value, indent=2))


def out_option(result_out: object) -> str:
    """Return ` -o FOLDER` for the next command; empty for the default folder."""
    return "" if str(result_out) == str(OUT_FOLDER) else f" -o {shlex.quote(valid_text(str(result_out)))}"


def plain(text: str) -> str:
    """Escape foreign text: no markup, no control characters."""
    return valid_text(text if is_shown(text) else ascii(text)).replace("[", r"\[")
