"""Ask for confirmation on a terminal before a command removes data. `forget`, `prune` and `purge` call it."""

import sys
from collections.abc import Iterable

import typer

from fastface.cli.options import Invocation
from fastface.errors import ConfigError
from fastface.names import valid_text


def confirm(question: str, lines: Iterable[str], without_terminal: str, invocation: Invocation) -> None:
    """Print what would be removed, and ask.

    Args:
        question: The question.
        lines: What would be removed, printed before it.
        without_terminal: Message if the question cannot be asked: it gives the command that does not ask.
        invocation: The arguments of the command; with `--json` nothing is asked.

    Raises:
        ConfigError: The user declined, or there is no terminal.
    """
    if invocation.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise ConfigError(without_terminal)
    for line in lines:
        typer.echo(valid_text(line), err=True)
    if not typer.confirm(valid_text(question), default=False, err=True):
        raise ConfigError("nothing was removed")
