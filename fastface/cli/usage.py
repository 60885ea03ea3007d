"""Define command classes with plain help and usage errors that show the correct form.

`cli.app` uses them for all commands.
"""

import shlex
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from fastface.cli.help_pages import cut_to_sentence, format_page, split_help

_USAGE = 2

_PATHS_BELONG = {
    "find": "give photos with -t, as: fastface find -t {paths}",
    "calibrate": "give photos with -t, as: fastface calibrate -t {paths}",
    "people": "name the output folder with -o, as: fastface people -o {paths}",
    "status": "name the output folder with -o, as: fastface status -o {paths}",
    "purge": "name the output folder with -o, as: fastface purge -o {paths}",
    "doctor": "name the output folder with -o, as: fastface doctor -o {paths}",
    "demo": "name the output folder with -o, as: fastface demo -o {paths}",
}
"""Advice for a path without an option, in commands that take no path."""


class PlainGroup(TyperGroup):
    """A group of commands with plain help."""

    def get_help(self, ctx: Any) -> str:
        """Return the help page."""
        return format_page(self, ctx, is_full=False)

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - the signature is click's
        """Return one line for the list of commands; never cut."""
        return cut_to_sentence(split_help(self)[0])

    def get_summary(self, ctx: Any, name: str) -> str:
        """Return one line on a command, for the list of commands."""
        return str(self.get_command(ctx, name).get_short_help_str())  # type: ignore[union-attr]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command's name; print the help if there are no arguments.

        typer checks each value with pydantic unless it is a bool, and pydantic takes half of the start of a help page.
        Absent switches are therefore false here, not None.
        """
        if not args and not ctx.resilient_parsing:
            typer.echo(self.get_help(ctx))
            raise typer.Exit(_USAGE)
        for param in self.get_params(ctx):
            if getattr(param, "is_flag", False) and param.default is None:
                param.default = False
        return super().parse_args(ctx, args)


class PlainCommand(TyperCommand):
    """A command with plain help. If it takes no path, its usage error names the option for a path."""

    def get_help(self, ctx: Any) -> str:
        """Return the help page."""
        return format_page(self, ctx, is_full=False)

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - the signature is click's
        """Return one line for the list of commands; never cut."""
        return cut_to_sentence(split_help(self)[0])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; refuse surplus arguments and folders, and show the correct form."""
        ctx.allow_extra_args = True
        if not ctx.resilient_parsing:
            self._check_folders(ctx, args)
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            paths = shlex.join(left)
            advice = _PATHS_BELONG.get(ctx.info_name, "remove it").format(paths=paths)
            ctx.fail(f"{ctx.info_name} takes no argument {paths}: {advice}")
        return left

    def _check_folders(self, ctx: Any, args: list[str]) -> None:
        """Refuse a second output folder, which would silently replace the first: `purge` must not skip a folder."""
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        count = sum(option.name == "out" and not option.multiple for option in given)
        if count > 1:
            ctx.fail(f"{ctx.info_name} takes one output folder, and -o names {count}: run it once for each")


def usage_line(error: Any) -> str:
    """Return one line for a command line that cannot be read.

    Args:
        error: Exception of typer; it has `format_message`.
    """
    option = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        near = get_close_matches(option, error.possibilities or (), n=1)
        message = f"no such option: {option}" + (f"; did you mean {near[0]}?" if near else "")
    else:
        message = " ".join(error.format_message().split()).rstrip(".")
        message = (message[:1].lower() + message[1:]).replace(". Did you", "; did you")
    context = getattr(error, "ctx", None)
    return f"{message} (see {context.command_path} --help)" if context is not None else message
