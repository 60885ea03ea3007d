"""Every remedy that a message or a document gives works in a clone: its extra and its make target exist."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from places import ROOT

from fastface.distribution import DISTRIBUTION, Extra, describe_install, describe_reinstall

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(PROJECT["optional-dependencies"])
TEXTS = [
    *sorted((ROOT / "fastface").rglob("*.py")),
    *sorted((ROOT / "benchmarks").glob("*.py")),
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "in_video/README.md")),
    *(ROOT / name for name in ("samples/README.md", "Makefile", "Dockerfile", "Dockerfile.gpu")),
]


def remedies() -> list[tuple[str, str]]:
    """Each text that can hold a remedy, with its path; what the package's two functions return is among them."""
    texts = [(path, path.read_text(encoding="utf-8")) for path in TEXTS if path.exists()]
    found = [(str(path.relative_to(ROOT)), without_prose(t) if path.suffix == ".py" else t) for path, t in texts]
    assert len(found) > 300
    made = [describe(extra) for extra in get_args(Extra) for describe in (describe_install, describe_reinstall)]
    return [*found, *(("fastface/distribution.py", text) for text in made)]


def make_targets() -> set[str]:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    (phony,) = (line for line in lines if line.startswith(".PHONY:"))
    return set(phony.split()[1:])


def test_the_distribution_has_the_name_that_the_package_asks_for() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "fastface-video"
    assert PROJECT["scripts"] == {"fastface": "fastface.cli:main"}


def test_the_package_knows_each_extra_of_the_project() -> None:
    assert sorted(get_args(Extra)) == EXTRAS


def test_no_text_names_the_project_of_another_that_is_called_fastface() -> None:
    """`pip install fastface` installs that project."""
    pattern = re.compile(r"pip install[^\n]*[ '\"]fastface(?!-video)\b(?=[\['\" \n]|$)|fastface\[")
    assert [(path, found) for path, text in remedies() for found in pattern.findall(text)] == []


def test_each_extra_that_a_text_names_exists() -> None:
    named = {(path, extra) for path, text in remedies() for group in re.findall(r"'\.\[([a-z, ]+)\]'", text)
             for extra in re.split(r", *", group)}  # fmt: skip
    named |= {(path, extra) for path, text in remedies() for extra in re.findall(r"\bEXTRA=([a-z]+)", text)}
    assert len(named) > len(EXTRAS)
    assert {extra for _, extra in named} <= set(EXTRAS), named
    assert {extra for path, extra in named if path == "fastface/distribution.py"} == set(EXTRAS)


def without_prose(source: str) -> str:
    """Drop the docstrings but for what stands in backticks: "…: make a page" names no target."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            quoted = " ".join(re.findall("`[^`]*`", node.value.value))
            lines[node.lineno - 1 : node.end_lineno] = [quoted, *[""] * ((node.end_lineno or 0) - node.lineno)]
    return "\n".join(lines)


def test_each_make_target_that_a_text_names_exists() -> None:
    pattern = re.compile(r"(?:`|^    |: |&& |\$ )make((?: [a-z]+(?![\w'.]))+)", re.MULTILINE)
    named = {(path, target) for path, text in remedies() for group in pattern.findall(text) for target in group.split()}
    assert {"env", "run", "test", "clean"} <= {target for _, target in named}
    assert [one for one in sorted(named) if one[1] not in make_targets()] == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_make_installs_each_extra(extra: str, tmp_path: Path) -> None:
    command = ["make", "-n", "env", f"EXTRA={extra}", f"VENV={tmp_path / 'new'}"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"--editable '.[{extra}]'" in told
