"""Write the man page from the help of all commands: `python -m fastface.cli.man_page build/man/fastface.1`.

The build runs it. All texts come from `help_pages`, so the man page needs no text of its own.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer import Context
from typer.main import get_command

from fastface.cli.app import app
from fastface.cli.help_pages import Entry, format_usage, list_sections, split_help
from fastface.distribution import read_version
from fastface.files import write_atomic

_EXIT_STATUS = {
    "0": "All is done.",
    "1": "The run failed.",
    "2": "The command line or a setting is wrong.",
    "3": "The run ended, but some inputs are not done.",
    "4": "The device is not available.",
    "11": "Another run uses the output folder.",
    "28": "No space is left on the disk.",
    "130": "The run was interrupted. The same command continues it.",
}
_ENVIRONMENT = {
    "FASTFACE_MODELS": "Folder of the networks, as --models.",
    "FASTFACE_SECTION__KEY": "Any setting, as FASTFACE_SCAN__BATCH=8. Options on the command line come first.",
}
_NAME = re.compile(r"--[\w-]+|[a-z]+\.\w+|^[A-Z]+")
"""Name in the term of an option, of a setting without an option, or of an argument."""


def format_man_page() -> str:
    """Return the man page in the man(7) language."""
    root: Any = get_command(app)
    commands = list(_walk_commands(root, Context(root, info_name="fastface", **root.context_settings)))
    lines = [
        f'.TH FASTFACE 1 "" "fastface {_escape(read_version())}"',
        ".nh",  # no hyphenation of names
        ".ad l",
        ".SH NAME",
        r"fastface \- find chosen persons in videos",
        ".SH SYNOPSIS",
        _escape(format_usage(*commands[0])),
        ".SH DESCRIPTION",
        _escape(split_help(root)[0]),
        ".SH COMMANDS",
    ]
    seen: set[Entry] = set()
    for command, ctx in commands[1:]:
        lines += _format_command(command, ctx, seen)
    lines += [".SH EXIT STATUS", *_format_items(_EXIT_STATUS), ".SH ENVIRONMENT", *_format_items(_ENVIRONMENT)]
    examples = [split_help(command)[1] for command, _ in commands]
    lines += [".SH EXAMPLES", ".nf", *(_escape(one.partition(": ")[2]) for one in dict.fromkeys(examples)), ".fi"]
    return "\n".join(lines) + "\n"


def _walk_commands(command: Any, ctx: Context) -> Iterator[tuple[Any, Context]]:
    """Yield a command and all commands below it, each with its context."""
    yield command, ctx
    for name in command.list_commands(ctx) if hasattr(command, "list_commands") else ():
        below = command.get_command(ctx, name)
        yield from _walk_commands(below, Context(below, parent=ctx, info_name=name))


def _format_command(command: Any, ctx: Context, seen: set[Entry]) -> Iterator[str]:
    """Format the section of a command; options described in an earlier section are only named."""
    yield from (".SS " + _escape(format_usage(command, ctx)), _escape(split_help(command)[0]))
    known = []
    for title, entries in list_sections(command, ctx, is_full=True).items():
        known += [_NAME.findall(entry.term)[0] for entry in entries if entry in seen]
        new = {entry.term: f"{entry.text} {entry.remark}".strip() for entry in entries if entry not in seen}
        seen.update(entries)
        if new:
            yield from (".P", rf"\fI{_escape(title)}\fP", *_format_items(new))
    if known:
        yield from (".P", _escape(f"Also, as above: {', '.join(known)}."))


def _format_items(items: dict[str, str]) -> Iterator[str]:
    for term, text in items.items():
        yield from (".TP", rf"\fB{_escape(term)}\fP", _escape(text))


def _escape(text: str) -> str:
    r"""Escape a text for troff; hyphens stay ASCII, so that options can be searched and copied."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, format_man_page())
