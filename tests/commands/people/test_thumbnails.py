"""Every listed person of real videos can be looked at, and is shown whole if it ever is."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from cli_tools import fastface


def people(out: Path, models: Path, *more: object) -> tuple[list[dict[str, Any]], str]:
    """The persons as `people --json` has them, and what it notes."""
    done = fastface("people", "-o", out, "--models", models / "buffalo_s", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["persons"], done.stderr


def scan(video: Path, out: Path, models: Path, *more: object) -> None:
    done = fastface("scan", video, "-o", out, "--models", models / "buffalo_s", "--device", "cpu", "-q", *more)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def gallery(shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video call: 24 persons side by side, for three seconds."""
    film = shared_media / "failing" / "faces" / "people_without_picture" / "gallery24.mp4"
    return Path(shutil.copy(film, tmp_path_factory.mktemp("gallery") / "gallery24.mp4"))


@pytest.fixture(scope="module")
def scanned(shared_media: Path, shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that returns OUT of a scan of a clip; each clip is scanned once. Tests copy OUT."""

    @cache
    def scan_once(name: str) -> Path:
        out = tmp_path_factory.mktemp("scanned") / name
        # Whether a face reaches a threshold narrowly is a matter of rounding.
        scan(shared_media / "clips" / f"{name}.mp4", out, shared_models, "--precision", "float32")
        return out

    return scan_once


def test_everyone_in_a_video_call_has_a_picture(gallery: Path, shared_models: Path, tmp_path: Path) -> None:
    """The best eight of a frame were always the same eight."""
    scan(gallery, tmp_path, shared_models)
    persons, _ = people(tmp_path, shared_models)
    assert len(persons) == 24
    for person in persons:
        assert person["portraits"], person["number"]
        picture = cv2.imread(str(tmp_path / person["portraits"][0]))
        assert (picture.max(axis=2) <= 6).mean() < 0.1, person["number"]


def test_where_there_is_no_room_the_video_is_looked_at_again_or_the_reason_is_told(
    gallery: Path, shared_models: Path, tmp_path: Path
) -> None:
    film, out = Path(shutil.copy(gallery, tmp_path / "call.mp4")), tmp_path / "out"
    scan(film, out, shared_models, "-s", "scan.portrait_mb=0.05")
    path = out / ".fastface" / "index" / "call.mp4" / "portraits.parquet"
    assert path.stat().st_size <= 0.05 * 2**20
    assert 0 < pq.read_metadata(path).num_rows < 24
    persons, told = people(out, shared_models)
    assert len(persons) == 24
    assert all(person["portraits"] for person in persons)
    assert "without a picture" not in told
    for person in persons:
        assert cv2.imread(str(out / person["portraits"][0])).shape == (144, 144, 3)
    film.unlink()
    persons, told = people(out, shared_models)
    bare = sum(not person["portraits"] for person in persons)
    assert bare == 24 - pq.read_metadata(path).num_rows
    assert f"{bare} persons without a picture: scan.portrait_mb is used up, and call.mp4" in told


@pytest.mark.parametrize("name", ["azvi_herapheri", "corridor", "hamilton"])
def test_persons_who_pass_by_have_a_picture(
    scanned: Callable[[str], Path], shared_models: Path, tmp_path: Path, name: str
) -> None:
    """Pictures were taken each half second, and of good faces only: one of 11 faces and one of 3 had none."""
    out = shutil.copytree(scanned(name), tmp_path / "out")
    # Those of the corridor are seen from behind and from the side, which nothing calls clear.
    persons, _ = people(out, shared_models, "-s", "people.clear_score=0.5")
    assert persons
    assert all(person["portraits"] for person in persons)
    assert_every_track_has_a_picture(out / ".fastface" / "index" / f"{name}.mp4")
    for person in persons:
        for file in person["portraits"]:
            assert np.isfinite(cv2.imread(str(out / file))).all()


def assert_every_track_has_a_picture(folder: Path) -> None:
    """Of an index of a video that is not damaged."""
    faces = pq.read_table(folder / "faces.parquet", columns=["pts", "x1", "y1", "track"]).to_pylist()
    track = {(row["pts"], row["x1"], row["y1"]): row["track"] for row in faces}
    assert len(set(track.values())) > 3
    kept = pq.read_table(folder / "portraits.parquet", columns=["pts", "x1", "y1"]).to_pylist()
    assert {track[row["pts"], row["x1"], row["y1"]] for row in kept} == set(track.values())


def test_a_track_that_begins_at_a_cut_has_a_picture(shared_media: Path, shared_models: Path, tmp_path: Path) -> None:
    """In bfloat16 a face before the cut was too weak to be kept, and stood for the track after it all the same."""
    scan(shared_media / "clips" / "hamilton.mp4", tmp_path, shared_models)
    assert_every_track_has_a_picture(tmp_path / ".fastface" / "index" / "hamilton.mp4")


def test_where_no_face_is_clear_people_says_what_lists_them(
    scanned: Callable[[str], Path], shared_models: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(scanned("corridor"), tmp_path / "out")
    done = fastface("people", "-o", out, "--models", shared_models / "buffalo_s")
    assert done.returncode == 0, done.stderr
    assert (
        "no person is listed: no face is clear enough; -s people.clear_score=0.5 accepts less clear faces"
        in done.stdout
    )
