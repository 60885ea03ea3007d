"""Fixtures that every room's tests use: where the real networks, clips and photos lie."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

from fastface.demo.film import Encoding, draw_film, draw_photo
from fastface.demo.networks import write_pack
from fastface.demo.script import Script
from fastface.demo.scripts import random_script

if TYPE_CHECKING:
    from cli_tools import Ran

ROOT = Path(__file__).resolve().parent.parent
RELIABILITY = ROOT / "benchmarks" / "RELIABILITY.md"
SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="hours of kills, mutants and full disks, not a share")


TOLD_EVERY = 50


@dataclass(frozen=True)
class Torture:
    """How much of a long test is done: a quick share, or all of it with `--torture`, which also notes the figures.

    Figures are counted by the test; one that fails notes none. Each test has sections of its own, so that any of them
    can be run alone and leaves those of the others as they are.
    """

    whole: bool
    say: Callable[[str], None]
    """Writes a line to the terminal, past what pytest captures."""

    def count(self, quick: int, whole: int) -> int:
        return whole if self.whole else quick

    def progress(self, turn: int, how_far: str) -> None:
        """Tells a line now and then in hours of turns."""
        if self.whole and turn % TOLD_EVERY == 0:
            self.say(how_far)

    def note(self, title: str, **figures: object) -> None:
        """Writes a section of RELIABILITY.md, if the whole was done."""
        if not self.whole:
            return
        sys.path.insert(0, str(ROOT / "benchmarks"))
        from results import machine, write_section

        table = [f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()]
        write_section(title, "\n".join([machine(), "", "| | |", "|---|---|", *table]), RELIABILITY)


@pytest.fixture(scope="session")
def torture(request: pytest.FixtureRequest) -> Torture:
    plugins = request.config.pluginmanager
    reporter, capture = plugins.getplugin("terminalreporter"), plugins.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(line)

    return Torture(bool(request.config.getoption("--torture")), say)


def _existing(path: Path) -> Path:
    if not path.is_dir():
        pytest.skip(f"{path} is not there: real networks and media are needed")
    return path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party networks and media beside the checkout."""
    return _existing(SHARED)


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Packs of real networks."""
    return _existing(SHARED / "models")


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real clips, photos and reference hits."""
    return _existing(SHARED / "media")


@dataclass(frozen=True)
class Cartoon:
    """Drawn films with known truth, photos of the persons in them, and the networks that see them."""

    films: Path
    photos: Path
    models: Path
    scripts: dict[str, Script]


@pytest.fixture(scope="session")
def cartoon(tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """Three films of chance, of 12, 8 and 4 seconds; photos of four of the six persons in them."""
    root = tmp_path_factory.mktemp("cartoon")
    films, photos = root / "films", root / "photos"
    films.mkdir()
    photos.mkdir()
    scripts = {}
    for seed, num_frames in ((1, 300), (2, 200), (3, 100)):
        script = random_script(seed, num_frames)
        draw_film(films / f"film{seed}.mp4", script, Encoding(gop=25))
        scripts[f"film{seed}.mp4"] = script
    persons = {one.name: one for script in scripts.values() for one in script.persons}
    for name in sorted(persons)[:4]:
        assert cv2.imwrite(str(photos / f"{name}.png"), draw_photo(persons[name]))
    write_pack(root / "models")
    return Cartoon(films, photos, root / "models", scripts)


@pytest.fixture(scope="session")
def ran(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> "Ran":
    """A finished run over the cartoon's films and a broken one; tests that change its output folder copy it."""
    from cli_tools import run_with_one_broken  # it takes `Cartoon` from here

    return run_with_one_broken(cartoon, tmp_path_factory.mktemp("ran"))


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in for NVIDIA's libraries."""
    import card_tools

    if lacking := card_tools.missing():
        assert not os.environ.get("CI"), lacking
        pytest.skip(lacking)
    folder = tmp_path_factory.mktemp("libraries")
    card_tools.build_libraries(folder)
    return folder
