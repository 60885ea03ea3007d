"""Command lines that cannot be read: what is wrong with them, and how to write them."""

import shlex
from difflib import get_close_matches
from typing import Any

from typer.core import TyperCommand, TyperGroup

_PATHS_BELONG = {
    "find": "give photos with -t, as: fastface find -t {paths}",
    "calibrate": "give photos with -t, as: fastface calibrate -t {paths}",
    "people": "name the output folder with -o, as: fastface people -o {paths}",
    "status": "name the output folder with -o, as: fastface status -o {paths}",
    "purge": "name the output folder with -o, as: fastface purge -o {paths}",
    "doctor": "name the output folder with -o, as: fastface doctor -o {paths}",
    "demo": "name the output folder with -o, as: fastface demo -o {paths}",
}
"""What a path without an option is meant for, in commands that take none."""


def _with_plain_kinds(params: list[Any]) -> list[Any]:
    """Parameters, each with the kind of its value as users say it: PATH and N, not `<path>` and `<int>`."""
    for param in params:
        is_argument = getattr(param, "param_type_name", "") == "argument"
        if is_argument:
            param.display_type_rich = lambda ctx: ""  # noqa: ARG005 - its name says enough
        elif param.metavar is None:
            param.metavar = "" if getattr(param, "is_flag", False) else _kind(param)
    return params


def _kind(param: Any) -> str:
    shown = str(getattr(param, "type", "")) + str(getattr(getattr(param, "type_descriptor", None), "annotation", ""))
    kinds = {"path": "PATH", "int": "N", "float": "NUMBER"}
    return next((kind for name, kind in kinds.items() if name in shown.lower()), "TEXT")


class PlainGroup(TyperGroup):
    """A group of commands whose help is in plain words."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, for parsing and for help."""
        return _with_plain_kinds(super().get_params(ctx))


class PlainCommand(TyperCommand):
    """A command whose help is in plain words. If it takes no path, it says where a path belongs."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, for parsing and for help."""
        return _with_plain_kinds(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; refuse those that are too many with the right way to write them."""
        ctx.allow_extra_args = True
        left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            paths = shlex.join(left)
            advice = _PATHS_BELONG.get(ctx.info_name, "remove it").format(paths=paths)
            ctx.fail(f"{ctx.info_name} takes no argument {paths}: {advice}")
        return left


def usage_line(error: Any) -> str:
    """One line for a command line that cannot be read; empty where help was printed instead.

    Args:
        error: What typer raised; it has `format_message`.
    """
    if type(error).__name__ == "NoArgsIsHelpError":
        return ""
    option = getattr(error, "option_name", "")
    if hasattr(error, "possibilities"):
        near = get_close_matches(option, error.possibilities or (), n=1)
        message = f"no such option: {option}" + (f"; did you mean {near[0]}?" if near else "")
    else:
        message = " ".join(error.format_message().split()).rstrip(".")
        message = (message[:1].lower() + message[1:]).replace(". Did you", "; did you")
    context = getattr(error, "ctx", None)
    return f"{message} (see {context.command_path} --help)" if context is not None else message
