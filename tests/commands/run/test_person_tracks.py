"""`--track persons`, end to end with real networks: who is seen from behind, the same whatever happened.

Of corridor.mp4 ten seconds are taken, looked at by eye: from 16 s a woman in grey stands at a table and leaves after
3.4 s; for 3 s the room is empty; then a man in black comes from 6.8 s on and stays. Neither shows the face.
"""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import run_tools
from cartoon_tools import decoded
from cli_tools import contents, errors, fastface
from media_tools import ffmpeg

EMPTY_ROOM = 50
"""Frame in which nobody is."""

SIDES = ("x1", "y1", "x2", "y2")

Row = dict[str, Any]


@pytest.fixture(scope="module")
def film(shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "corridor.mp4"
    ffmpeg("-ss 16 -t 10 -i {0} -c copy {1}", shared_media / "clips" / "corridor.mp4", path)
    return path


def scan(film: Path, models: Path, out: Path, *more: object, **variables: str) -> Path:
    """Scans in units of three seconds; gives the folder of the video's index."""
    given = ("--models", models, "-o", out, "-q", "-s", "scan.unit_seconds=3")
    done = fastface("scan", film, *given, *more, **variables)
    assert done.returncode == (-signal.SIGKILL if variables else 0), done.stderr
    return out / ".fastface" / "index" / film.name


PERSONS = ("--track", "persons")


@pytest.fixture(scope="module")
def index(film: Path, shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scan(film, shared_models, tmp_path_factory.mktemp("persons") / "out", *PERSONS)


def copied(index: Path, folder: Path) -> Path:
    """The index in a copy of OUT, to be changed."""
    out = shutil.copytree(index.parents[2], folder / "out")
    return out / ".fastface" / "index" / index.name


def bodies_in(index: Path) -> bytes:
    return (index / "bodies.parquet").read_bytes()


def rows_of(index: Path, name: str = "bodies") -> list[Row]:
    found: list[Row] = pq.read_table(index / f"{name}.parquet").to_pylist()
    return found


def box_of(row: Row) -> tuple[float, ...]:
    return tuple(row[side] for side in SIDES)


def cut_out(picture: np.ndarray, row: Row) -> np.ndarray:
    x1, y1, x2, y2 = (round(side) for side in box_of(row))
    return picture[y1:y2, x1:x2]


@pytest.fixture(scope="module")
def pictures(film: Path) -> dict[int, np.ndarray]:
    """{timestamp: frame}."""
    return {frame.pts: picture for frame, picture in decoded(film)}


def test_each_passage_is_one_long_track_of_somebody_whose_face_is_hardly_seen(index: Path) -> None:
    tracks: dict[int, list[float]] = {}
    for row in rows_of(index):
        tracks.setdefault(row["track"], []).append(row["time"])
    passages = [times for times in tracks.values() if len(times) > 5]
    assert [len(times) for times in passages] == [round(5 * (times[-1] - times[0])) + 1 for times in passages]
    ends = [(times[0], times[-1]) for times in passages]
    assert len(ends) == 2
    np.testing.assert_allclose(ends, [(0, 3.2), (7, 10)], atol=0.41)
    assert sum(map(len, tracks.values())) - sum(map(len, passages)) <= 5
    assert len(rows_of(index, "faces")) <= 2


def test_boxes_hold_what_moves_in_the_room(index: Path, pictures: dict[int, np.ndarray]) -> None:
    empty, shares = list(pictures.values())[EMPTY_ROOM], []
    for row in rows_of(index):
        moved = cv2.absdiff(pictures[row["pts"]], empty).max(axis=2) > 60
        shares.append(cut_out(moved, row).sum() / moved.sum())
        assert cut_out(moved, row).mean() > 0.3, row["time"]
    assert len(shares) > 30
    assert min(shares) > 0.75, min(shares)
    assert np.median(shares) > 0.95


def test_pictures_show_the_bodies_few_of_each_track_and_apart(index: Path, pictures: dict[int, np.ndarray]) -> None:
    empty = list(pictures.values())[EMPTY_ROOM]
    kept: dict[int, list[float]] = {}
    for row in rows_of(index):
        if row["jpeg"] is None:
            continue
        kept.setdefault(row["track"], []).append(row["time"])
        shown = cv2.imdecode(np.frombuffer(row["jpeg"], np.uint8), cv2.IMREAD_COLOR)
        seen, nobody = (
            cv2.resize(cut_out(picture, row), shown.shape[1::-1], interpolation=cv2.INTER_AREA).astype(float)
            for picture in (pictures[row["pts"]], empty)
        )
        width, height = row["x2"] - row["x1"], row["y2"] - row["y1"]
        assert shown.shape[0] == 160
        assert shown.shape[1] / 160 == pytest.approx(width / height, rel=0.05)
        near, far = (np.abs(picture - shown).mean() for picture in (seen, nobody))
        assert near < 6 < far / 4, (row["time"], near, far)
    lasting = [times for times in kept.values() if len(times) > 1]
    assert len(lasting) == 2
    assert all(len(times) <= 4 for times in lasting)
    assert all((np.diff(times) >= 1).all() for times in lasting)


@pytest.mark.parametrize("layout", ["--batch 1 --workers 2 --decoders 1", "--batch 7 --decoders 2"])
def test_bodies_are_the_same_for_any_batch_and_number_of_processes(
    film: Path, shared_models: Path, index: Path, tmp_path: Path, layout: str
) -> None:
    """To the byte."""
    other = scan(film, shared_models, tmp_path / "out", *PERSONS, *layout.split())
    assert bodies_in(other) == bodies_in(index)


KILLS = {"ledger.unit.begin:kill:2": 1, "scan.merged:kill:1": 3}
"""Place → units of which the ledger knows then: in the middle, and when all but the ledger has the whole video."""


@pytest.mark.parametrize("place", KILLS)
def test_a_killed_scan_goes_on_and_ends_with_the_same(
    film: Path, shared_models: Path, index: Path, tmp_path: Path, place: str
) -> None:
    out = tmp_path / "out"
    mine = scan(film, shared_models, out, *PERSONS, FASTFACE_FAILPOINT=place)
    done = set(run_tools.ledger_rows(out, "SELECT key, record FROM units"))
    assert len(done) == KILLS[place]
    assert len(list((mine / "units").glob("*.bodies.parquet"))) >= KILLS[place]
    assert scan(film, shared_models, out, *PERSONS) == mine
    assert done <= set(run_tools.ledger_rows(out, "SELECT key, record FROM units"))  # not looked at again
    assert bodies_in(mine) == bodies_in(index)
    assert run_tools.leftovers(out) == []
    assert not (mine / "units").exists()


def test_an_index_with_bodies_serves_who_asks_for_faces_and_one_without_is_made_again(
    film: Path, shared_models: Path, index: Path, tmp_path: Path
) -> None:
    mine = copied(index, tmp_path)
    before = contents(mine)
    bare = tmp_path / "models"  # without a person network
    bare.mkdir()
    (bare / "buffalo_s").symlink_to(shared_models / "buffalo_s")
    scan(film, shared_models, mine.parents[2])
    scan(film, bare, mine.parents[2])
    scan(film, shared_models, mine.parents[2], *PERSONS)
    assert contents(mine) == before

    other = scan(film, shared_models, tmp_path / "other")
    assert not (other / "bodies.parquet").exists()
    first = contents(other)
    assert scan(film, shared_models, tmp_path / "other", *PERSONS) == other
    assert contents(other)[str(other / "faces.parquet")] != first[str(other / "faces.parquet")]  # not the same file
    assert bodies_in(other) == bodies_in(index)
    assert (other / "faces.parquet").read_bytes() == (index / "faces.parquet").read_bytes()


def test_a_video_whose_bodies_are_gone_is_scanned_again(
    film: Path, shared_models: Path, index: Path, tmp_path: Path
) -> None:
    mine = copied(index, tmp_path)
    (mine / "bodies.parquet").unlink()
    before = contents(mine)
    scan(film, shared_models, mine.parents[2])  # faces are all there
    assert contents(mine) == before
    scan(film, shared_models, mine.parents[2], *PERSONS)
    assert bodies_in(mine) == bodies_in(index)


def test_without_a_person_network_it_is_said_in_one_line_and_nothing_is_begun(
    film: Path, shared_models: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "buffalo_s").symlink_to(shared_models / "buffalo_s")
    (line,) = errors(fastface("scan", film, "--models", models, "-o", tmp_path / "out", *PERSONS), 1, 1)
    assert "needs a person network" in line
    assert "--person-model" in line
    assert run_tools.ledger_rows(tmp_path / "out", "SELECT * FROM videos") == []
    assert list((tmp_path / "out").rglob("*.parquet")) == []


def test_equal_frames_have_equal_bodies_once_a_frame(
    film: Path, shared_models: Path, pictures: dict[int, np.ndarray], tmp_path: Path
) -> None:
    """A picture that stands still for two seconds is searched once in each of three batches."""
    picture, still = tmp_path / "picture.png", tmp_path / "still.mkv"
    assert cv2.imwrite(str(picture), list(pictures.values())[8])
    ffmpeg("-loop 1 -framerate 10 -i {0} -t 2 -c:v ffv1 -pix_fmt yuv420p {1}", picture, still)
    found = scan(still, shared_models, tmp_path / "out", *PERSONS, "--every-frame", "--batch", 8)
    counts = json.loads((tmp_path / "out" / "run.json").read_text())["counts"]
    assert (counts["sampled"], counts["repeated"]) == (20, 17)
    rows = rows_of(found)
    by_frame = [[row for row in rows if round(10 * row["time"]) == frame] for frame in range(20)]
    told = [name for name in rows[0] if name not in ("time", "pts", "jpeg")]
    first = [{name: row[name] for name in told} for row in by_frame[0]]
    assert len(first) >= 1
    assert len(rows) == 20 * len(first)
    for frame in by_frame:
        assert [{name: row[name] for name in told} for row in frame] == first
    assert [row["time"] for row in rows if row["jpeg"] is not None] == [0, 1]


@pytest.fixture(scope="module")
def exact(shared_models: Path, shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of a run with `--exact` over a film in which faces are seen; which boxes touch is float32's here."""
    out, film = tmp_path_factory.mktemp("exact") / "out", shared_media / "clips" / "hamilton.mp4"
    asked = ("-t", shared_media / "photos" / "hamilton", "--exact", "--clips", "none", "--crops", "none")
    given = ("--models", shared_models, "-o", out, "-q", "--sample-fps", 2.5, "--precision", "float32", *PERSONS)
    done = fastface("run", film, *asked, *given)
    assert done.returncode == 0, done.stderr
    return out / ".fastface" / "index" / film.name


def test_a_closer_look_does_not_look_for_bodies(exact: Path) -> None:
    dense = [path for path in (exact / "dense").iterdir() if not path.name.endswith(".frames.parquet")]
    assert len(dense) >= 2
    assert list(exact.rglob("*bodies*")) == [exact / "bodies.parquet"]
    records = [json.loads(text) for (text,) in run_tools.ledger_rows(exact.parents[2], "SELECT record FROM units")]
    told = [(unit["dense"], unit["bodies"], "persons" in unit["seconds"]) for unit in records]
    assert sorted(told, key=str) == [(False, len(rows_of(exact)), True)] + [(True, None, False)] * len(dense)


def test_the_face_of_a_body_is_the_row_of_a_face_in_it(exact: Path) -> None:
    faces, bodies = rows_of(exact, "faces"), rows_of(exact)
    owned = [row["face"] for row in bodies if row["face"] >= 0]
    assert len(set(owned)) == len(owned)
    large = [number for number, face in enumerate(faces) if face["y2"] - face["y1"] > 60 and face["det_score"] >= 0.5]
    assert len(large) > 10
    assert len(set(large) & set(owned)) > 0.9 * len(large)
    for row in bodies:
        if row["face"] < 0:
            continue
        face = faces[row["face"]]
        assert face["pts"] == row["pts"]
        assert row["x1"] < (face["x1"] + face["x2"]) / 2 < row["x2"]
        assert row["y1"] < (face["y1"] + face["y2"]) / 2 < (row["y1"] + row["y2"]) / 2 + 0.3 * (row["y2"] - row["y1"])
