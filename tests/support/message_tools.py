"""Collects every message of the package, and writes docs/messages.md of them.

A message is found by walking the syntax trees: what errors are raised with, what is noted and printed, headings of
tables, and every other literal of several words, since reasons and remarks are often made far from where they are
printed. Help is collected too, but not written: `--help` shows it. `make messages` writes the file.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from places import ROOT

PACKAGE = ROOT / "fastface"
FILE = ROOT / "docs" / "messages.md"

HEAD = """# Every message of fastface

Made by `make messages` from the source. `{…}` stands for a value. A test fails while this file is out of date.

"""
KINDS = ("Errors", "Lines that commands print", "Tables", "Reasons, remarks and other words")
HELP = "Help"

_PRINTING = {"note", "say", "echo", "print", "_fail"}
_TABLES = {"Table", "add_column", "add_row"}
_NO_TEXT = {
    *("compile", "execute", "executescript", "fullmatch", "sub", "match", "search", "fail_point", "strptime", "get"),
    *("startswith", "endswith", "removeprefix", "partition", "split", "CDLL", "atomic_path", "TypeAdapter"),
}
"""Functions with arguments that no person reads: patterns, SQL, names."""
_NO_TEXT_KEYWORDS = {"style", "overflow", "justify", "mode", "encoding", "errors", "metavar", "options"}
_OWN_MISTAKES = {"ValueError", "AttributeError", "KeyError", "TypeError", "RuntimeError", "AssertionError"}
"""Raised for mistakes of a caller in Python, not for users; settings alone use ValueError for what users write."""
_OUTSIDE = ("demo/", "failpoints.py", "timeline.py")
"""Modules that have nothing to say to users: the drawn film, tests' fail points, arithmetic."""
_FOREIGN = re.compile(
    r"^\.[A-Z]{2} |^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|BEGIN|DROP|REPLACE|WITH|ALTER|WHERE|ORDER)\b|</|=>|"
    r"\bvar\(|;\n|\{\n|^[-\w.]+/[-\w.]+$|default-src|import sys|\{font:"
)
"""Requests of troff, SQL, HTML, JavaScript, CSS, Python and media types."""


@dataclass(frozen=True, order=True)
class Message:
    """One text.

    Attributes:
        kind: One of KINDS.
        module: The file below the package.
        line: Where it begins.
        text: The text, with `{name}` for each value.
    """

    kind: str
    module: str
    line: int
    text: str


def collect() -> list[Message]:
    """All texts of the package, in order of kind, module and line."""
    found: list[Message] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = str(path.relative_to(PACKAGE))
        if module.startswith(_OUTSIDE):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [Message(kind, module, line, text) for kind, line, text in _texts(tree, module)]
    order = {kind: place for place, kind in enumerate((*KINDS, HELP))}
    return sorted(set(found), key=lambda one: (order[one.kind], one.module, one.line, one.text))


def document(messages: list[Message]) -> str:
    """The file's text; lines of the source are left out, so that it changes with the words alone."""
    parts = [HEAD]
    seen: set[str] = set()
    for kind in KINDS:
        parts.append(f"## {kind}\n\n")
        module = ""
        for one in messages:
            shown = " / ".join(line.strip() for line in one.text.splitlines() if line.strip())
            if one.kind != kind or shown in seen:
                continue
            seen.add(shown)
            if one.module != module:
                module = one.module
                parts.append(f"**{module}**\n")
            parts.append(f"- {shown.replace('<', '&lt;')}\n")
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def _texts(tree: ast.Module, module: str) -> Iterator[tuple[str, int, str]]:
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.JoinedStr | ast.Constant) or isinstance(
            parents.get(node), ast.JoinedStr | ast.FormattedValue
        ):
            continue
        text = _text_of(node)
        if text is None or _is_docstring(node, parents):
            continue
        kind = _kind(node, parents, is_settings=module.startswith("config/"))
        if kind and _is_prose(text, kind):
            yield kind, node.lineno, text


def _text_of(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    assert isinstance(node, ast.JoinedStr)
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else f"{{{_name(part.value)}}}" for part in node.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )  # fmt: skip


def _name(value: ast.expr) -> str:
    """What stands for a value: the last name of its expression."""
    match value:
        case ast.Name():
            return value.id
        case ast.Attribute():
            return value.attr
        case ast.Call(
            func=ast.Name(id="str" | "repr" | "len" | "int" | "float" | "valid_text" | "plain"), args=[inner, *_]
        ):
            return _name(inner)
        case ast.Call(func=ast.Name(id="pluralize"), args=[_, ast.Constant(value=str(noun))]):
            return f"n {noun}s"
        case ast.Call():
            return _name(value.func)
    return "…"


def _is_docstring(node: ast.expr, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents.get(node), ast.Expr)


def _kind(node: ast.AST, parents: dict[ast.AST, ast.AST], *, is_settings: bool) -> str:
    """What a literal is used for, by the nearest call around it; empty if no person reads it."""
    child, parent = node, parents.get(node)
    kind = KINDS[-1]
    while parent is not None and not isinstance(parent, ast.stmt):
        if isinstance(parent, ast.keyword):
            if parent.arg in ("help", "description", "rich_help_panel"):
                return HELP
            if parent.arg in _NO_TEXT_KEYWORDS:
                return ""
        if isinstance(parent, ast.Compare) or (isinstance(parent, ast.Subscript) and child is parent.slice):
            return ""
        if isinstance(parent, ast.Call) and child is not parent.func:
            name = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
            if (found := _kind_of_call(name, is_settings=is_settings)) is not None:
                return found
        child, parent = parent, parents.get(parent)
    return kind


def _kind_of_call(name: str, *, is_settings: bool) -> str | None:
    """What the arguments of a function are used for; None if its name does not say."""
    if name in _NO_TEXT or (name in _OWN_MISTAKES and not is_settings):
        return ""
    if name == "Shown":
        return HELP
    if name.endswith("Error"):
        return KINDS[0]
    return KINDS[1] if name in _PRINTING else KINDS[2] if name in _TABLES else None


def _is_prose(text: str, kind: str) -> bool:
    if _FOREIGN.search(text) or not re.search("[a-zA-Z]{2}", text):
        return False
    words = re.findall(r"[a-zA-Z]{2,}", re.sub(r"\{[^}]*\}", "", text))
    least = {KINDS[0]: 1, KINDS[2]: 1, HELP: 1}.get(kind, 2)
    return len(words) >= least and (kind in (KINDS[2], HELP) or " " in text.strip())


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(document(collect()), encoding="utf-8")
