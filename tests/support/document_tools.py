"""Reads the documents: pages, fences, command lines, links, tables."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from places import ROOT
from typer.main import get_command

from fastface.cli.app import app
from fastface.config import Config, load_config

GENERATED = {"messages.md", "settings.md"}
"""Made from the source by `make messages` and `make settings`; their words are tested there."""

RUN_ORDER = (
    *("README.md", "docs/install.md", "docs/archivist.md", "docs/questions.md", "docs/scanning.md", "docs/matching.md"),
    *("docs/dataset.md", "docs/curate.md", "docs/people.md", "docs/researcher.md", "docs/editor.md"),
    *("docs/overnight.md", "docs/operator.md"),
)
"""Pages with `sh` fences, whose commands are run in this order in one folder."""

_GLOBAL = {"--help", "--version", "--install-completion", "--show-completion"}

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_IMAGES = {"fastface", "fastface:gpu"}


@dataclass(frozen=True)
class Command:
    """A command line of a document, without the program's name; `is_run` if it stands in a `sh` fence."""

    page: str
    words: tuple[str, ...]
    is_run: bool = False

    def __str__(self) -> str:
        return f"{self.page}: fastface {shlex.join(self.words)}"


def pages() -> list[Path]:
    """README, the documents, and the other texts for users and developers."""
    outside = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    found = [*outside, *sorted((ROOT / "docs").glob("*.md"))]
    assert len(found) > 20
    return found


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fences(text: str, language: str | None = None) -> list[tuple[str, str]]:
    """Language and content of each fence, indentation removed; of one language if it is named."""
    found = []
    for indent, kind, content in _FENCE.findall(text):
        if language in (None, kind):
            found.append((kind, re.sub(rf"^{indent}", "", content, flags=re.MULTILINE)))
    return found


def without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def shell_lines(content: str) -> list[str]:
    """Lines of a fence, continued ones joined."""
    return re.sub(r"\s*\\\n\s*", " ", content).splitlines()


def commands(page: Path) -> list[Command]:
    """Every command line of a page: in fences, in `docker run` lines, and between backticks."""
    text = page.read_text(encoding="utf-8")
    found = []
    for kind, content in fences(text):
        if kind in ("", "sh"):
            found += [Command(page_name(page), words, kind == "sh") for line in shell_lines(content)
                      if (words := _words(line)) is not None]  # fmt: skip
    for span in re.findall(r"`([^`]+)`", without_fences(text)):
        words = _words(" ".join(span.split()))
        if words:
            found.append(Command(page_name(page), words))
    return found


def _words(line: str) -> tuple[str, ...] | None:
    """The arguments of fastface in a line of a shell; None if it does not call it."""
    if not re.match(r"(\.venv/bin/)?fastface( |$)|docker run ", line):
        return None
    words = shlex.split(line, comments=True)
    if words[0] == "docker":
        (image,) = (n for n, word in enumerate(words) if word in _IMAGES)
        return tuple(words[image + 1 :])
    return tuple(words[1:])


def parse_command(words: Sequence[str]) -> dict[str, Any]:
    """What the command line makes of the words: the parameters of the innermost command. Nothing is run.

    Of a command's bare name, as prose has it, only the name is looked up.
    """
    command: Any = get_command(app)
    rest = [word for word in words if word not in _GLOBAL]
    context = command.make_context("fastface", list(rest), resilient_parsing=not rest)
    while rest and hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, list(rest), parent=context, resilient_parsing=not rest)
    return dict(context.params)


def check_command(words: Sequence[str]) -> dict[str, Any]:
    """The parameters of a command line whose commands, options, values and profile exist; raises for any other."""
    params = parse_command(words)
    flags: dict[str, dict[str, object]] = {}
    for name, value in params.items():
        section, _, key = name.partition("_")
        if section in Config.model_fields and value is not None:
            flags.setdefault(section, {})[key] = value
    for text in params.get("set_") or ():
        path, _, value = text.partition("=")
        section, _, key = path.partition(".")
        flags.setdefault(section, {})[key] = value
    load_config(environment={}, flags=flags, profile=params.get("profile"))
    return params


def anchors(text: str) -> set[str]:
    """The anchors that headings make, as GitHub names them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", without_fences(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        found.add(re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-"))
    return found


def links(text: str) -> list[str]:
    """Targets of links and pictures."""
    plain = re.sub(r"`[^`\n]*`", "", without_fences(text))
    return [*re.findall(r"\]\(([^)\s]+)\)", plain), *re.findall(r"(?:src|href)=\"([^\"]+)\"", plain)]


def sentences(text: str) -> list[str]:
    """Sentences of the prose: cells of tables and points of lists are sentences of their own; code is one word."""
    blocks: list[str] = []
    for paragraph in re.split(r"\n\s*\n", re.sub(r"^#.*$", "", without_fences(text), flags=re.MULTILINE)):
        current: list[str] = []
        for line in paragraph.splitlines():
            if line.lstrip().startswith("|"):
                blocks += line.strip().strip("|").split("|")
                continue
            if re.match(r"\s*(\*|\d+\.) ", line):
                blocks.append(" ".join(current))
                current = []
            current.append(line)
        blocks.append(" ".join(current))
    plain = [re.sub(r"`[^`]*`", "X", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", block)) for block in blocks]
    return [one.strip() for block in plain for one in re.split(r"(?<=[.:;?!])\s+", block) if one.strip()]


def tables(text: str) -> dict[str, list[list[str]]]:
    """The rows of the tables, without backticks, by the words before each: a heading, or the first code."""
    found: dict[str, list[list[str]]] = {}
    name = ""
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("#"):
            name = lines[0].lstrip("# ")
        elif lines and lines[0].startswith("|"):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
            assert name not in found, name
            found[name] = [[cell.replace("`", "") for cell in row] for row in rows]
        elif lines and (code := re.match(r"`([^`]+)`|A (bank)", lines[0])):
            name = code[1] or code[2]
    return found
