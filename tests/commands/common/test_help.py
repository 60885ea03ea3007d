"""Help that a new user can read: few options first, kinds and defaults of values, an example that works."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import cv2
import pytest
from cartoon_tools import Cartoon
from cli_tools import environment, fastface
from places import ROOT
from typer import Context
from typer.main import get_command
from typer.testing import CliRunner

from fastface.cli.app import app
from fastface.cli.man_page import format_man_page
from fastface.config import Config

COMMANDS = (
    *("run", "scan", "find", "people", "pick", "correct", "report", "timelines", "enroll", "calibrate", "curate"),
    *("audit", "status", "merge", "bench", "doctor", "forget", "prune", "purge", "demo"),
    *("models list", "models install", "models verify", "models build", "models export-person"),
)
SCREEN = 40
"""Lines of a short help page that a person reads without scrolling."""

FEW = 24
"""Options of a short help page."""


def _page(*arguments: str, columns: int = 80) -> str:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(columns), "TERM": "dumb"})
    assert done.exit_code == 0
    return done.stdout


def _has_more(command: str) -> bool:
    return "--help-all" in _page(*command.split(), "--help")


def _full(command: str, columns: int = 80) -> str:
    return _page(*command.split(), "--help-all" if _has_more(command) else "--help", columns=columns)


def _command(words: list[str]) -> tuple[Any, Context]:
    """The click command of these words, and its context."""
    command: Any = get_command(app)
    ctx = Context(command, info_name="fastface", **command.context_settings)
    for word in words:
        command = command.get_command(ctx, word)
        ctx = Context(command, parent=ctx, info_name=word)
    return command, ctx


def _option_names(page: str) -> list[str]:
    return re.findall(r"^  (?:-\w, )?(--[\w-]+)", page, re.MULTILINE)


@pytest.mark.parametrize("command", ["", "models", *COMMANDS])
def test_a_help_page_is_one_screen_of_eighty_columns(command: str) -> None:
    lines = _page(*command.split(), "--help").splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 80
    assert len(_option_names("\n".join(lines))) <= FEW
    assert lines[-1].startswith(f"Example: fastface {command}")


def test_the_list_of_commands_has_all_of_them() -> None:
    page = _page("--help")
    listed = re.findall(r"^  (\w+) +[A-Z]", page, re.MULTILINE)
    assert listed == list(dict.fromkeys([*(command.split()[0] for command in COMMANDS)]))
    group = re.findall(r"^  ([\w-]+) +[A-Z]", _page("models", "--help"), re.MULTILINE)
    assert [f"models {name}" for name in group] == [command for command in COMMANDS if " " in command]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_no_type_of_python(command: str) -> None:
    page = _full(command)
    assert re.findall(r"<[\w\[\]| ]+>|\b(?:TEXT|INTEGER|BOOLEAN|FLOAT)\b", page) == []
    for line in page.splitlines():  # a long option that takes a value says which
        assert not re.fullmatch(r"  --\w+ *", line), line


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_width_cuts_a_name(command: str, columns: int) -> None:
    words = set(re.findall(r"[\w-]+", _full(command, columns)))
    params = _command(command.split())[0].params
    names = {name for param in params for name in (*param.opts, *param.secondary_opts) if name.startswith("-")}
    assert len(names) > 6
    assert names - words == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_full_page_has_the_short_one(command: str) -> None:
    short, full = _page(*command.split(), "--help"), _full(command)
    assert set(_option_names(short)) <= set(_option_names(full))
    hidden = [param for param in _command(command.split())[0].params if getattr(param, "rich_help_panel", None)]
    assert _has_more(command) == bool(hidden)


def test_the_options_that_people_use_stand_first() -> None:
    first, rest = _page("run", "--help"), _page("run", "--help-all").split("\n\n", 4)[4]
    names = _option_names(first)
    assert 18 <= len(names) <= FEW
    assert {"--targets", "--out", "--threshold", "--clips", "--models", "--dry-run", "--quiet"} <= set(names)
    assert {"--weak-threshold", "--ring-mb", "--jitter", "--precision"} <= set(_option_names(rest)) - set(names)
    titles = re.findall(r"^[A-Z].*\((\w+)\):$", rest, re.MULTILINE)
    sections = ["body", "export", "growth", "match", "models", "question", "references", "run", "scan", "spans"]
    assert sorted(titles) == sections


def test_every_setting_is_on_a_full_page() -> None:
    pages = {command: _full(command, columns=200) for command in COMMANDS}
    everything = "\n".join(pages.values())
    settings = [
        (section, field.alias or name)
        for section, group in Config.model_fields.items()
        for name, field in group.annotation.model_fields.items()  # type: ignore[union-attr]
    ]
    assert len(settings) > 120
    options = {param.name for command in COMMANDS for param in _command(command.split())[0].params}
    for section, key in settings:
        if f"{section}_{key}" not in options:
            assert f"  -s {section}.{key}=" in everything, f"{section}.{key}"
    assert "-s scan.close_ups=on|off" in pages["run"]
    assert "-s curate.close_up=NUMBER" in pages["curate"]
    assert "-s body.headroom=NUMBER" in pages["pick"]
    assert "scan." not in pages["find"].replace("-s scan.batch=8", "")  # find does not scan


@pytest.mark.parametrize(
    ("option", "kind", "words"),
    [
        ("--clips", "none|copy|precise|smart", "[default: copy]"),
        ("--sample-fps", "NUMBER", "From 0.001 to 240. [default: 5]"),
        ("--threshold", "NUMBER", "From -1 to 1. [default: from --false-tracks]"),
        ("--pad", "BEFORE,AFTER", "[default: 1,1]"),
        ("--merge-gap", "SECONDS", "From 0 to 86400. [default: 2]"),
        ("--batch", "N", "From 0 to 64. [default: 0]"),
        ("--min-face", "PIXELS", "From 1 to 4096. [default: 16]"),
        ("--models", "FOLDER", "[default: installed packs]"),
        ("--grow", "--no-grow", "[default: on]"),
        ("--det-threshold", "NUMBER", "More than 0 and less than 1. [default: 0.5]"),
        ("--until", "HH:MM", "[default: no end]"),
        ("--size", "WxH", "[default: not scaled]"),
    ],
)
def test_an_option_shows_what_to_write_and_its_default(option: str, kind: str, words: str) -> None:
    page = _full("run")
    (entry,) = re.findall(rf"^  (?:-\w, )?{option} .*(?:\n {{10,}}.*)*", page, re.MULTILINE)
    entry = " ".join(entry.split())
    assert kind in entry
    assert entry.endswith(words)


def test_each_setting_shows_its_default() -> None:
    page = _full("run", columns=200)
    entries = re.findall(r"^  (?:-s \w|(?:-\w, )?--).*(?:\n {10,}.*)*", page.partition("(scan):")[2], re.MULTILINE)
    assert len(entries) > 60
    assert [entry for entry in entries if "[default: " not in entry] == []


def test_the_profiles_are_named_with_their_purpose() -> None:
    files = sorted((ROOT / "configs").glob("*.toml"))
    assert len(files) == 4
    short, full = (" ".join(page.split()) for page in (_page("run", "--help"), _full("run")))
    assert ", ".join(path.stem for path in files) in short
    for path in files:
        assert tomllib.loads(path.read_text())
        purpose = path.read_text().splitlines()[0].removeprefix("# ")
        assert f"{path.stem}: {purpose[0].lower()}{purpose[1:]}" in full


def test_a_switch_of_a_setting_is_read_as_the_help_writes_it() -> None:
    for value, shown in (("on", True), ("off", False)):
        done = fastface("doctor", "-s", f"scan.close_ups={value}", "--json", "-s", "scan.batch=99")
        assert done.stderr == "fastface: -s scan.batch=99: must be at most 64\n", (value, shown)


def test_without_a_command_help_is_shown() -> None:
    done = fastface()
    assert done.returncode == 2
    assert "Example: fastface run videos/ -t photos/ -o out" in done.stdout
    assert done.stderr == ""


def _example(command: str) -> list[str]:
    return shlex.split(_page(*command.split(), "--help").splitlines()[-1].removeprefix("Example: "))


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_read_by_the_command_line(command: str) -> None:
    program, *words = _example(command)
    assert program == "fastface"
    names = command.split()
    assert words[: len(names)] == names
    found, ctx = _command(names)
    assert found.make_context(names[-1], words[len(names) :], parent=ctx.parent).params


@pytest.fixture
def home(cartoon: Cartoon, tmp_path: Path) -> Path:
    """A folder as the examples have it: videos and photos, one of Bob."""
    shutil.copytree(cartoon.films, tmp_path / "videos")
    (tmp_path / "videos" / "film3.mp4").rename(tmp_path / "videos" / "old.mp4")
    shutil.copytree(cartoon.photos, tmp_path / "photos")
    bob = min((tmp_path / "photos").iterdir())
    assert cv2.imwrite(str(tmp_path / "photos" / "Bob.jpg"), cv2.imread(str(bob)))
    bob.unlink()
    return tmp_path


def _write_decisions(home: Path) -> None:
    """The file that the report saves after the first span was confirmed."""
    span = json.loads((home / "out" / "spans.json").read_text())[0]
    moment = {key: span[key] for key in ("video", "target", "start", "end")}
    decision = {**moment, "what": "span", "verdict": "confirmed", "person": None}
    saved = {"schema_version": 1, "kind": "decisions", "decisions": [decision]}
    (home / "decisions.json").write_text(json.dumps(saved))


def test_the_examples_work_one_after_another(home: Path, cartoon: Cartoon) -> None:
    """What would take minutes, the internet, another network or an answer of the user is only planned."""
    planned = {"bench", "forget", "demo", "models install"}
    ran = []
    for name in COMMANDS:
        if name == "models export-person":
            continue  # needs weights
        _, *words = _example(name)
        dry = ["--dry-run"] if name in planned else []
        if name == "correct":
            _write_decisions(home)
        if name == "merge":
            for shard in ("shard1", "shard2"):
                shutil.copytree(home / "out", home / shard)
        done = fastface(*words, *dry, folder=home, FASTFACE_MODELS=str(cartoon.models))
        assert (name, done.returncode) == (name, 0), done.stderr
        assert done.stdout
        ran.append(name)
    assert len(ran) == len(COMMANDS) - 1
    assert (home / "alice" / "curation.csv").is_file()
    assert (home / "family.npz").is_file()


def test_the_man_page_has_every_command_and_option_and_no_fault(tmp_path: Path) -> None:
    text = format_man_page()
    (tmp_path / "fastface.1").write_text(text)
    plain = text.replace("\\-", "-")
    for command in COMMANDS:
        assert f"\n.SS fastface {command} [OPTIONS]" in plain
        assert set(_option_names(_full(command))) <= set(re.findall(r"--[\w-]+", plain))
    for code in (0, 1, 2, 3, 4, 11, 28, 130):
        assert f"\\fB{code}\\fP" in plain
    known = {"TH", "SH", "SS", "P", "TP", "nf", "fi", "nh", "ad l"}
    requests = {
        line[1:].partition(" ")[0] if line != ".ad l" else "ad l" for line in text.split("\n") if line[:1] == "."
    }
    assert requests == known
    assert not re.search(r"\\(?![efI&-])", text.replace("\\fB", "").replace("\\fP", ""))


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_the_man_page_is_rendered_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "fastface.1").write_text(format_man_page())
    command = ["groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", "fastface.1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    assert "fastface - find chosen persons in videos" in done.stdout
    assert "--threshold NUMBER" in done.stdout


def test_make_writes_the_man_page(tmp_path: Path) -> None:
    root = ROOT
    rule = re.search(r"^man: .*\n\t(.*)$", (root / "Makefile").read_text(), re.MULTILINE)
    assert rule is not None
    assert rule[1] == "$(BIN)/python -m fastface.cli.man_page build/man/fastface.1"
    command = [*rule[1].replace("$(BIN)/python", sys.executable).split()]
    subprocess.run(command, cwd=tmp_path, env=environment(PYTHONPATH=str(root)), check=True, timeout=60)
    assert (tmp_path / "build" / "man" / "fastface.1").read_text() == format_man_page()


def test_python_m_is_not_needed_and_the_installed_command_is_this_one() -> None:
    command = Path(sys.executable).with_name("fastface")
    done = subprocess.run([str(command), "--version"], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == fastface("--version").stdout
