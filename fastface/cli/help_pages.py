"""Format the help pages of commands: `--help` lists the usual options, `--help-all` lists every option and setting.

An option without a panel (`rich_help_panel`) is usual; the others follow under their panel's name. The first sentence
of a text must make sense alone, since the short page shows only that. The man page uses the same sections.
"""

import re
import shutil
import textwrap
from dataclasses import dataclass
from typing import Any

_MOST_COLUMNS = 100
_TERM_COLUMNS = 26
"""Columns of the left side; the text of a longer term begins on the next line."""

_EXAMPLE = "Example: "
_NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One argument, option, setting or command."""

    term: str  # as typed: `-o, --out FOLDER`
    text: str
    remark: str = ""  # `[default: out]`, `[required]`


def format_page(command: Any, ctx: Any, *, is_full: bool) -> str:
    """Format the help page of a command.

    Args:
        command: A command or a group of commands.
        ctx: Its context.
        is_full: True to list every option and setting with its full text.
    """
    columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    about, example = split_help(command)
    paragraphs = [_wrap(f"Usage: {format_usage(command, ctx)}", columns), _wrap(about, columns)]
    for title, entries in list_sections(command, ctx, is_full=is_full).items():
        left = min(_TERM_COLUMNS, max(len(entry.term) for entry in entries))
        shown = [_format_entry(entry, left, columns, is_full=is_full) for entry in entries]
        paragraphs.append("\n".join([*_wrap(f"{title}:", columns).splitlines(), *shown]))
    return "\n\n".join([*paragraphs, example])


def format_usage(command: Any, ctx: Any) -> str:
    """Format the usage line of a command: `fastface run [OPTIONS] [VIDEOS]...`."""
    pieces = " ".join(command.collect_usage_pieces(ctx))
    return f"{ctx.command_path} {pieces}".replace("{", "").replace("}", "")  # braces: required, in newer typer


def list_sections(command: Any, ctx: Any, *, is_full: bool) -> dict[str, list[Entry]]:
    """Return {title: entries} of a help page."""
    sections: dict[str, list[Entry]] = {"Arguments": [], "Commands": [], "Options": []}
    for param in command.get_params(ctx):
        if param.param_type_name == "argument":
            sections["Arguments"].append(_describe_argument(param, ctx))
        elif is_full or param.rich_help_panel is None:
            sections.setdefault(param.rich_help_panel or "Options", []).append(_describe_option(param, ctx))
    if is_full:
        for title, entry in getattr(command.callback, "settings_without_option", ()):
            sections.setdefault(title, []).append(entry)
    if hasattr(command, "list_commands"):
        names = command.list_commands(ctx)
        sections["Commands"] = [Entry(name, command.get_summary(ctx, name)) for name in names]
    return {title: entries for title, entries in sections.items() if entries}


def split_help(command: Any) -> tuple[str, str]:
    """Split the help of a command into its text and its example, which is the last paragraph."""
    about, _, example = " ".join((command.help or "").split()).rpartition(_EXAMPLE)
    return about.strip(), f"{_EXAMPLE}{example}"


def cut_to_sentence(text: str) -> str:
    """Return the first sentence of a text."""
    return re.split(r"(?<=\.)\s+", text, maxsplit=1)[0]


def _describe_argument(param: Any, ctx: Any) -> Entry:
    return Entry(param.metavar, param.help, _format_remark(param, ctx))


def _describe_option(param: Any, ctx: Any) -> Entry:
    names = sorted(param.opts, key=len)
    term = ", ".join(names) + "".join(f" / {name}" for name in param.secondary_opts)
    return Entry(f"{term} {param.metavar or ''}".strip(), param.help, _format_remark(param, ctx))


def _format_remark(param: Any, ctx: Any) -> str:
    """Format the default in brackets; empty if there is none, or if the option is a plain switch."""
    if param.required:
        return "[required]"
    shown = param.show_default if isinstance(param.show_default, str) else param.get_default(ctx, call=False)
    is_absent = shown is None or shown is False or shown == ""
    return "" if is_absent else f"[default: {shown}]"


def _format_entry(entry: Entry, left: int, columns: int, *, is_full: bool) -> str:
    text = entry.text if is_full else cut_to_sentence(entry.text)
    remark = entry.remark.replace(" ", _NO_BREAK)
    lines = _wrap(f"{text} {remark}".strip(), columns - left - 4).replace(_NO_BREAK, " ").splitlines()
    if len(entry.term) > left:
        lines.insert(0, "")
    terms = [entry.term, *[""] * (len(lines) - 1)]
    return "\n".join(f"  {term:{left}}  {line}".rstrip() for term, line in zip(terms, lines, strict=True))


def _wrap(text: str, columns: int) -> str:
    """Wrap a text; names are never broken at their hyphens."""
    return textwrap.fill(text, max(columns, 20), break_on_hyphens=False, break_long_words=False)
