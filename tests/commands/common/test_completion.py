"""Completion in a shell: scripts for bash, zsh and fish; commands, options, choices, profiles and packs."""

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tools import environment
from typer.testing import CliRunner

from fastface.cli.app import app
from fastface.models.catalog import PACKS

PROGRAM = Path(sys.executable).parent / "fastface"
SHELLS = {
    "bash": (".bash_completions/fastface.sh", "complete -o default -F _fastface_completion fastface"),
    "zsh": (".zfunc/_fastface", "#compdef fastface"),
    "fish": (".config/fish/completions/fastface.fish", "complete --command fastface"),
}
"""{shell: (file that its completion is installed in, a line of it)}"""
DEADLINE_SECONDS = 60


def _complete(line: str, **variables: str) -> list[str]:
    """What bash is offered for the last word of a line."""
    asked = {"_FASTFACE_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    done = CliRunner().invoke(app, [], prog_name="fastface", env={**asked, **variables})
    assert done.exit_code == 0
    return done.stdout.split()


def _in_shell(shell: str, option: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Call fastface from a process of this name: the shell is known by it, so that none must be installed."""
    fake = tmp_path / "shells" / shell
    fake.parent.mkdir(exist_ok=True)
    if not fake.exists():
        shutil.copy(shutil.which("bash") or "/bin/bash", fake)
    return subprocess.run(
        [fake, "-c", f"{PROGRAM} {option}; exit $?"],
        env=environment(HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("fastface pi", ["pick"]),
        ("fastface models exp", ["export-person"]),
        ("fastface run --thresh", ["--threshold"]),
        ("fastface run --weak", ["--weak-threshold"]),  # an option that --help does not list
        ("fastface run --clips ", ["none", "copy", "precise", "smart"]),
        ("fastface scan --device o", ["openvino"]),
        ("fastface people --rank ce", ["centrality"]),
        ("fastface run --profile ", ["dataset", "faces", "fast", "highlights"]),
        ("fastface run -s scan.clo", ["scan.close_ups="]),
        ("fastface models install antel", ["antelopev2"]),
        ("fastface run -t ", []),  # the shell completes files
    ],
)
def test_the_last_word_is_completed(line: str, offered: list[str]) -> None:
    assert _complete(line) == offered


def test_packs_are_completed_from_the_folder_in_use(tmp_path: Path) -> None:
    for name in ("mine/small", "mine/large", "mine/person", "other/medium"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.onnx").touch()
    (tmp_path / "mine" / "empty").mkdir()
    mine, other = str(tmp_path / "mine"), str(tmp_path / "other")
    assert _complete("fastface run --pack ", FASTFACE_MODELS=mine) == ["large", "small"]
    assert _complete("fastface run --pack s", FASTFACE_MODELS=mine) == ["small"]
    assert _complete(f"fastface run --models {other} --pack ", FASTFACE_MODELS=mine) == ["medium"]


def test_packs_are_completed_by_the_names_that_can_be_installed() -> None:
    assert len(PACKS) > 3
    assert _complete("fastface models install ") == list(PACKS)


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_shown_and_installed(shell: str, tmp_path: Path) -> None:
    file, line = SHELLS[shell]
    shown = _in_shell(shell, "--show-completion", tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert line in shown.stdout
    assert "_FASTFACE_COMPLETE=complete_" + shell in shown.stdout
    assert not (tmp_path / file).exists()
    installed = _in_shell(shell, "--install-completion", tmp_path)
    assert installed.returncode == 0, installed.stderr
    assert f"{shell} completion installed in {tmp_path / file}" in installed.stdout
    assert (tmp_path / file).read_text().strip() == shown.stdout.strip()


class _Terminal:
    """An interactive shell in which a person types."""

    def __init__(self, shell: str, home: Path) -> None:
        self.shown = ""
        self._screen, inner = pty.openpty()
        os.set_blocking(self._screen, False)
        self._shell = subprocess.Popen(
            [shell, "-i"], stdin=inner, stdout=inner, stderr=inner, start_new_session=True, env=_login(home)
        )
        os.close(inner)

    def type(self, keys: str) -> None:
        os.write(self._screen, keys.encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.shown!r}"
            try:
                self.shown += os.read(self._screen, 4096).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)
        self.shown = self.shown.partition(text)[2]

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait()
        os.close(self._screen)


def _login(home: Path) -> dict[str, str]:
    path = f"{PROGRAM.parent}:{os.environ['PATH']}"
    return {"HOME": str(home), "ZDOTDIR": str(home), "PATH": path, "TERM": "dumb", "LC_ALL": "C.UTF-8"}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_shell_completes_a_command_an_option_and_a_choice(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert _in_shell(shell, "--install-completion", tmp_path).returncode == 0
    with (tmp_path / f".{shell}rc").open("a") as file:
        file.write("PS1='ready> '\n")
    terminal = _Terminal(shell, tmp_path)
    try:
        terminal.wait_for("ready> ")
        terminal.type("fastface peo\t")
        if shell == "zsh":  # the first tab of a session only loads the script of typer, with a bell
            terminal.wait_for("\a")
            terminal.type("\t")
        terminal.wait_for("ple ")
        terminal.type("--link\t")
        terminal.wait_for("-threshold ")
        terminal.type("0.5 --rank cent\t")
        terminal.wait_for("rality ")
    finally:
        terminal.close()


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_a_command_an_option_and_a_choice(tmp_path: Path) -> None:
    assert _in_shell("fish", "--install-completion", tmp_path).returncode == 0
    for line, offered in (
        ("fastface peo", "people\tList every person in scanned videos."),
        ("fastface people --link", "--link-threshold\tMinimum similarity"),
        ("fastface people --rank cent", "centrality"),
    ):
        done = subprocess.run(
            ["fish", "-c", f"complete -C {line!r}"],
            env=_login(tmp_path),
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_SECONDS,
        )
        (found,) = done.stdout.splitlines()
        assert found.startswith(offered)
