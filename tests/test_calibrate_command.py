"""`fastface calibrate` as users meet it, on real photos: the suggestion, the picture, the second time, too little."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from cli_tools import errors, fastface
from PIL import Image

from fastface.config import Config, load_config
from fastface.errors import ConfigError
from fastface.pipeline.crew import Crew
from fastface.workflows.calibrate import calibrate
from fastface.workflows.observer import Observer
from fastface.workflows.run import scan

PER_PERSON = 6


@pytest.fixture(scope="module")
def persons(shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six photos each of three persons."""
    root = tmp_path_factory.mktemp("calibrate") / "photos"
    for name in ("Joey_Tribbiani", "Monica_Geller", "Ross_Geller"):
        (root / name).mkdir(parents=True)
        for photo in sorted((shared_media / "photos" / "friends_tv" / name).iterdir())[:PER_PERSON]:
            (root / name / photo.name).symlink_to(photo)
    return root


@pytest.fixture(scope="module")
def config(shared_models: Path) -> Config:
    return load_config(environment={}, flags={"models": {"dir": shared_models / "buffalo_s", "device": "cpu"}})


def test_the_suggestion_can_be_pasted_and_is_drawn(persons: Path, shared_models: Path, tmp_path: Path) -> None:
    pack = shared_models / "buffalo_s"
    done = fastface("calibrate", "-t", persons, "--models", pack, "-o", tmp_path, "--json", "-q")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    threshold, margin = found["suggested"]["threshold"], found["suggested"]["margin"]
    assert found["options"] == f"--threshold {threshold:.2f} --margin {margin:.2f}"
    assert 0.25 < threshold < 0.6
    assert 0 <= margin <= 0.3
    mates, strangers = found["comparisons"]
    assert (mates["mates"], mates["count"]) == (True, 3 * PER_PERSON)
    assert (strangers["mates"], strangers["count"]) == (False, 3 * PER_PERSON * 2)
    assert strangers["suggested"]["value"] == 0
    assert strangers["suggested"]["method"] == "rule of three"
    assert 0 < strangers["estimated"]["value"] <= found["wanted"]
    assert strangers["estimated"]["method"] == "exponential tail"
    with Image.open(tmp_path / "calibration.png") as chart:
        assert (chart.format, chart.width) == ("PNG", 1000)
        assert len(chart.getcolors(1 << 20) or ()) > 5


def test_the_index_counts_too_and_known_photos_start_no_process(
    persons: Path, config: Config, shared_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(config, [str(shared_media / "clips" / "friends.mp4")], tmp_path / "out", Observer())
    targets = [str(persons)]
    first = calibrate(config, targets, tmp_path, Observer(), index=tmp_path / "out", wanted=1e-3)
    kinds = {found.kind: found for found in first.comparisons}
    assert list(kinds) == [
        "photo, own person", "first, last of track", "photo, other person", "two in a frame", "track, not nearest",
        "all strangers",
    ]  # fmt: skip
    assert kinds["all strangers"].count == sum(
        kinds[kind].count for kind in ("photo, other person", "two in a frame", "track, not nearest")
    )
    assert kinds["all strangers"].highest < first.suggested.threshold
    assert kinds["two in a frame"].extreme.startswith("friends.mp4: two faces at ")
    with Image.open(first.chart) as chart:
        column = [chart.getpixel((46, y)) for y in range(chart.height)]  # through the squares before the names
    runs = [(colour, len(list(same))) for colour, same in itertools.groupby(column)]
    # Two kinds of pairs of photos, and all kinds of the table but the sum.
    assert sum(length > 10 and colour != (255, 255, 255) for colour, length in runs) == 2 + len(kinds) - 1
    monkeypatch.setattr(Crew, "start", None)  # no process may be started
    assert calibrate(config, targets, tmp_path, Observer(), index=tmp_path / "out", wanted=1e-3) == first


def test_a_folder_without_an_index_is_a_fault(persons: Path, config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no scanned videos"):
        calibrate(config, [str(persons)], tmp_path, Observer(), index=tmp_path / "nothing", wanted=1e-3)


def test_too_little_ends_with_2_and_draws_nothing(shared_media: Path, shared_models: Path, tmp_path: Path) -> None:
    photos, pack = shared_media / "photos" / "friends", shared_models / "buffalo_s"
    done = fastface("calibrate", "-t", photos, "--models", pack, "-o", tmp_path / "out", "-q")
    (line,) = errors(done, 2, 1)
    assert line.startswith("fastface: too little to calibrate with: 0 photos have another one of the same person")
    assert not (tmp_path / "out").exists()
