"""Help that a new user can read: few options first, kinds and defaults of values, an example; completion in a shell."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import (
    environment,
    fastface,
)
from typer.testing import CliRunner

from fastface.cli.app import app

COMMANDS = (
    *("run", "scan", "find", "people", "pick", "enroll", "calibrate", "curate", "audit", "status", "bench", "doctor"),
    *("purge", "demo", "models list", "models install", "models verify", "models build", "models export-person"),
)
PROGRAM = Path(sys.executable).parent / "fastface"


def _help(command: str, columns: int = 120) -> str:
    done = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": str(columns), "TERM": "dumb"})
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_no_names_of_types(command: str) -> None:
    shown = _help(command)
    assert f"Example: fastface {command}" in shown
    assert re.findall(r"<\w+(?:\[\w+\])?>", shown) == []


def test_the_options_that_people_use_stand_first() -> None:
    first, rest = _help("run").split("More options")
    names = re.findall(r"^│ (--[\w-]+)", first, re.MULTILINE)
    assert 18 <= len(names) <= 24
    assert {"--targets", "--out", "--threshold", "--clips", "--models", "--dry-run", "--quiet"} <= set(names)
    assert {"--weak-threshold", "--ring-mb", "--jitter"} <= set(re.findall(r"^│ (--[\w-]+)", rest, re.MULTILINE))


@pytest.mark.parametrize(
    ("option", "kind", "words"),
    [
        ("--clips", "none|copy|precise", "(default copy)"),
        ("--sample-fps", "NUMBER", "(default 5; 0.001 to 240)"),
        ("--threshold", "NUMBER", ""),
        ("--pad", "BEFORE,AFTER", "(default 1,1)"),
        ("--batch", "N", "(0 to 64)"),
        ("--models", "PATH", ""),
        ("--grow", "--no-grow", "(default on)"),
        ("--det-threshold", "NUMBER", "(default 0.5; more than 0; less than 1)"),
    ],
)
def test_an_option_shows_what_to_write_and_its_default(option: str, kind: str, words: str) -> None:
    lines = _help("run", columns=400).splitlines()
    (line,) = (line for line in lines if re.match(rf"│ +{option} ", line))
    assert kind in line
    assert words in line


def test_the_shell_completes_commands_options_and_choices() -> None:
    def completed(line: str) -> list[str]:
        words = environment(
            _FASTFACE_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(line.split(" ")) - 1)
        )
        done = subprocess.run([PROGRAM], env=words, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout.split()

    assert completed("fastface pi") == ["pick"]
    assert completed("fastface run --thresh") == ["--threshold"]
    assert completed("fastface run --clips ") == ["none", "copy", "precise"]
    assert completed("fastface models install antel") == ["antelopev2"]


def test_completion_can_be_installed(tmp_path: Path) -> None:
    command = ["bash", "-c", f"{PROGRAM} --install-completion; exit $?"]
    home = environment(HOME=str(tmp_path))
    done = subprocess.run(command, env=home, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    installed = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any("_FASTFACE_COMPLETE" in path.read_text() for path in installed)


def test_without_a_command_help_is_shown() -> None:
    done = fastface()
    assert done.returncode == 2
    assert "Start with: fastface run videos/ -t photos/ -o out" in done.stdout
    assert done.stderr == ""


def test_python_m_is_not_needed_and_the_installed_command_is_this_one() -> None:
    command = Path(sys.executable).with_name("fastface")
    done = subprocess.run([str(command), "--version"], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == fastface("--version").stdout
