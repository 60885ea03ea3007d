"""`fastface calibrate` as users meet it, on real photos: the suggestion, the picture, the second time, too little."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from cli_tools import errors, fastface
from PIL import Image

from fastface.commands.evaluation.calibrate import calibrate
from fastface.commands.run import scan
from fastface.config import Config, load_config
from fastface.errors import ConfigError
from fastface.pipeline.process_pool import ProcessPool
from fastface.runtime.events.observer import Observer

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
    # How many tracks a film has depends on the rounding of scores; the numbers of these tests are those of float32.
    models = {"dir": shared_models / "buffalo_s", "device": "cpu", "precision": "float32"}
    return load_config(environment={}, flags={"models": models})


def test_few_photos_keep_the_threshold_that_the_risk_gives_and_the_picture_shows_why(
    persons: Path, shared_models: Path, tmp_path: Path
) -> None:
    pack = shared_models / "buffalo_s"
    done = fastface("calibrate", "-t", persons, "--models", pack, "-o", tmp_path, "--json", "-q")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["options"] == ""
    assert found["suggested"] == found["in_use"]
    (reason,) = found["reasons"]
    assert reason.startswith(
        "keep the threshold in use, since there are too few comparisons to judge it: of 36 comparisons with"
    )
    mates, strangers = found["comparisons"]
    assert (mates["mates"], mates["count"]) == (True, 3 * PER_PERSON)
    assert (strangers["mates"], strangers["count"]) == (False, 3 * PER_PERSON * 2)
    assert strangers["in_use"] == strangers["suggested"]
    assert strangers["estimated"]["method"] == "exponential tail"
    # At the threshold in use as many false tracks are expected as the risk says: four fifths of it, of any track.
    assert found["pairs"] == 10_000
    near = min(found["risk"], key=lambda point: abs(point["threshold"] - found["in_use"]["threshold"]))
    assert near["usual"] == pytest.approx(0.8 * found["false_tracks"], rel=0.3)
    expected = [point["usual"] for point in found["risk"]]
    assert expected == sorted(expected, reverse=True)
    with Image.open(tmp_path / "calibration.png") as chart:
        assert (chart.format, chart.width) == ("PNG", 1000)
        assert len(chart.getcolors(1 << 20) or ()) > 5


def test_a_smaller_risk_needs_more_evidence_and_a_threshold_in_the_settings_is_the_one_in_use(
    persons: Path, shared_models: Path, tmp_path: Path
) -> None:
    fixed = ("calibrate", "-t", persons, "--models", shared_models / "buffalo_s", "-o", tmp_path, "--json", "-q")
    usual, careful, given = (
        json.loads(fastface(*fixed, *rest).stdout)["in_use"]["threshold"]
        for rest in ((), ("--false-tracks", "0.001"), ("--threshold", "0.5"))
    )
    assert usual < careful < given == 0.5


def test_the_index_counts_too_and_known_photos_start_no_process(
    persons: Path, config: Config, shared_media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan(config, [str(shared_media / "clips" / "friends.mp4")], tmp_path / "out", Observer())
    targets = [str(persons)]
    first = calibrate(config, targets, tmp_path, Observer(), index=tmp_path / "out")
    kinds = {found.kind: found for found in first.comparisons}
    assert list(kinds) == [
        "photo, own person", "track, person it is given to", "photo, other person", "track, other person"
    ]  # fmt: skip
    assert first.judged == "track, other person"
    assert first.tracks >= 20
    # Of three persons a track is compared with two at least, and with all who are on screen beside it.
    assert 2 * first.tracks <= kinds["track, other person"].count < 3 * first.tracks
    assert kinds["track, person it is given to"].lowest > kinds["track, other person"].highest
    assert kinds["track, other person"].extreme.startswith("friends.mp4: ")
    assert not (tmp_path / "out" / "bank_growth.csv").exists()
    with Image.open(first.chart) as chart:
        column = [chart.getpixel((66, y)) for y in range(chart.height)]  # through the squares before the names
    runs = [(colour, len(list(same))) for colour, same in itertools.groupby(column)]
    # All kinds of the table, and the two curves of the risk.
    assert sum(length > 10 and colour != (255, 255, 255) for colour, length in runs) == len(kinds) + 2
    monkeypatch.setattr(ProcessPool, "start", None)  # no process may be started
    assert calibrate(config, targets, tmp_path, Observer(), index=tmp_path / "out") == first


def test_a_folder_without_an_index_is_a_fault(persons: Path, config: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no scanned videos"):
        calibrate(config, [str(persons)], tmp_path, Observer(), index=tmp_path / "nothing")


def test_faces_decided_by_themselves_have_no_evidence_of_tracks(persons: Path, tmp_path: Path) -> None:
    alone = load_config(environment={}, flags={"match": {"tracks": False}})
    with pytest.raises(ConfigError, match=r"switch match\.tracks on"):
        calibrate(alone, [str(persons)], tmp_path, Observer(), index=None)


def test_nothing_to_compare_ends_with_2_and_draws_nothing(
    shared_media: Path, shared_models: Path, tmp_path: Path
) -> None:
    photo, pack = shared_media / "photos" / "friends" / "Ross.png", shared_models / "buffalo_s"
    done = fastface("calibrate", "-t", photo, "--models", pack, "-o", tmp_path / "out", "-q")
    (line,) = errors(done, 2, 1)
    assert line.startswith("fastface: nothing to compare: give several photos of a person")
    assert not (tmp_path / "out").exists()
