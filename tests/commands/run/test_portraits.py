"""Pictures of faces that a scan keeps: of real faces of the index, showing them, the same whatever happened."""

import json
import shutil
import signal
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import run_tools
from cartoon_tools import Cartoon, decoded
from cli_tools import contents, fastface
from faces_tools import PlainSession

from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.graph import prepare_detector, prepare_recogniser

LANDMARKS = np.float32([[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]])
"""Of insightface's 112×112 template; the picture shows half of that more on each side, in 144 pixels."""


def scan(cartoon: Cartoon, out: Path, *more: object, **variables: str) -> Path:
    """Scans all films in units of two seconds; gives the folder of the index."""
    given = ("--models", cartoon.models, "-o", out, "-q", "-s", "scan.unit_seconds=2")
    done = fastface("scan", cartoon.films, *given, *more, **variables)
    assert done.returncode == (-signal.SIGKILL if variables else 0), done.stderr
    return out / ".fastface" / "index"


@pytest.fixture(scope="module")
def index(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scan(cartoon, tmp_path_factory.mktemp("portraits") / "out")


def out_of(index: Path) -> Path:
    return index.parent.parent


def faces_of(index: Path, film: str) -> dict[tuple[int, float, float], dict[str, object]]:
    table = pq.read_table(index / film / "faces.parquet").to_pylist()
    found = {(row["pts"], row["x1"], row["y1"]): row for row in table}
    assert len(found) == len(table)
    return found


def portraits_of(index: Path, film: str) -> list[dict[str, object]]:
    return pq.read_table(index / film / "portraits.parquet").to_pylist()


def lies_in(frame: np.ndarray, landmarks: list[float]) -> bool:
    """Whether the frame shows all that lies around a face; else it is shown closer, or beside the middle."""
    inverse = cv2.invertAffineTransform(placing(landmarks))
    corners = np.float32([[0, 0, 1], [144, 0, 1], [0, 144, 1], [144, 144, 1]]) @ inverse.T
    return bool(((corners >= 0) & (corners <= frame.shape[1::-1])).all())


def placing(landmarks: list[float]) -> np.ndarray:
    target = (LANDMARKS + 56) * 144 / 224
    transform, _ = cv2.estimateAffinePartial2D(np.float32(landmarks).reshape(5, 2), target, method=cv2.LMEDS)
    return transform


def seen_in(frame: np.ndarray, landmarks: list[float]) -> np.ndarray:
    """The face as OpenCV cuts it out of the decoded frame, by its own estimate."""
    transform = placing(landmarks)
    scale = np.hypot(*transform[0, :2])
    soft = cv2.GaussianBlur(frame, (0, 0), 0.4 / scale) if scale < 0.7 else frame
    return cv2.warpAffine(soft, transform, (144, 144))


def likeness(shown: np.ndarray, frame: np.ndarray, landmarks: list[float]) -> float:
    """How well the face is found in a picture that may show it closer, and beside the middle."""
    transform, _ = cv2.estimateAffinePartial2D(np.float32(landmarks).reshape(5, 2), LANDMARKS, method=cv2.LMEDS)
    face = cv2.warpAffine(frame, transform, (112, 112), borderMode=cv2.BORDER_REPLICATE)
    sides = range(72, 104, 2)  # of 144 pixels: with half of the face's side around it, down to a fifth
    return max(
        float(cv2.matchTemplate(shown, cv2.resize(face, (side, side)), cv2.TM_CCOEFF_NORMED).max()) for side in sides
    )


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_every_portrait_is_of_a_face_of_the_index_and_shows_it(cartoon: Cartoon, index: Path) -> None:
    for film in cartoon.scripts:
        faces, portraits = faces_of(index, film), portraits_of(index, film)
        assert len(portraits) >= 4
        frames = {frame.pts: picture for frame, picture in decoded(cartoon.films / film)}
        near, far = [], []
        for row in portraits:
            face = faces[row["pts"], row["x1"], row["y1"]]
            assert row["quality"] == face["quality"]
            assert not face["damaged"]
            shown = cv2.imdecode(np.frombuffer(row["jpeg"], np.uint8), cv2.IMREAD_COLOR)
            assert shown.shape == (144, 144, 3)
            if not lies_in(frames[row["pts"]], face["landmarks"]):
                assert likeness(shown, frames[row["pts"]], face["landmarks"]) > 0.9
                continue
            near.append(difference(shown, seen_in(frames[row["pts"]], face["landmarks"])))
            moved = [value + 0.5 * (face["x2"] - face["x1"]) for value in face["landmarks"]]
            far.append(difference(shown, seen_in(frames[row["pts"]], moved)))
        assert len(near) >= 3
        assert max(near) < 12, max(near)
        assert np.median(near) < 5 < np.median(far) / 2


def test_each_track_that_lasts_has_a_few_apart_in_time(cartoon: Cartoon, index: Path) -> None:
    for film in cartoon.scripts:
        faces = faces_of(index, film)
        tracks: dict[int, list[float]] = {}
        for face in faces.values():
            tracks.setdefault(face["track"], []).append(face["time"])
        kept: dict[int, list[float]] = {}
        for row in portraits_of(index, film):
            face = faces[row["pts"], row["x1"], row["y1"]]
            kept.setdefault(face["track"], []).append(face["time"])
        lasting = {track for track, times in tracks.items() if max(times) - min(times) >= 0.6}
        assert lasting
        assert lasting <= kept.keys()
        for times in kept.values():
            assert len(times) <= 4
            assert all(later - earlier >= 1 for earlier, later in pairwise(times))


@pytest.mark.parametrize("layout", ["--batch 1", "--batch 7 --decoders 1", "--batch 16 --workers 2 --decoders 3"])
def test_they_are_the_same_for_any_batch_and_number_of_processes(
    cartoon: Cartoon, index: Path, tmp_path: Path, layout: str
) -> None:
    """To the byte, as the faces are."""
    other = scan(cartoon, tmp_path / "out", *layout.split())
    for film in cartoon.scripts:
        for name in ("faces.parquet", "portraits.parquet"):
            assert (other / film / name).read_bytes() == (index / film / name).read_bytes(), (film, name)


@pytest.mark.parametrize(
    "place", ["file.renamed:kill:1", "file.renamed:kill:2", "file.written:kill:3", "ledger.unit.begin:kill:3"]
)
def test_a_killed_scan_goes_on_and_ends_with_the_same(
    cartoon: Cartoon, index: Path, tmp_path: Path, place: str
) -> None:
    scan(cartoon, tmp_path / "out", FASTFACE_FAILPOINT=place)
    other = scan(cartoon, tmp_path / "out")
    assert run_tools.portraits(tmp_path / "out") == run_tools.portraits(out_of(index))
    assert run_tools.leftovers(tmp_path / "out") == []
    assert list(other.rglob("units")) == []


@pytest.fixture(scope="module")
def one_unit(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a scan of one film in one unit."""
    out = tmp_path_factory.mktemp("one-unit") / "out"
    assert fastface("scan", cartoon.films / "film3.mp4", "--models", cartoon.models, "-q", "-o", out).returncode == 0
    return out


@pytest.mark.parametrize("place", ["scan.merge", "file.renamed", "scan.merged", "scan.finished"])
def test_a_scan_killed_while_it_finishes_a_video_of_one_unit_goes_on(
    cartoon: Cartoon, one_unit: Path, tmp_path: Path, place: str
) -> None:
    given = (cartoon.films / "film3.mp4", "--models", cartoon.models, "-q", "-o")
    killed = fastface("scan", *given, tmp_path / "out", FASTFACE_FAILPOINT=f"{place}:kill:1")
    assert killed.returncode == -signal.SIGKILL
    assert fastface("scan", *given, tmp_path / "out").returncode == 0
    assert run_tools.portraits(tmp_path / "out") == run_tools.portraits(one_unit)
    assert run_tools.portraits(tmp_path / "out")


def test_a_finished_video_without_its_portraits_is_scanned_again_and_with_them_is_not(
    cartoon: Cartoon, index: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(out_of(index), tmp_path / "out")
    mine = out / ".fastface" / "index"
    before = contents(mine)
    scan(cartoon, out)
    assert contents(mine) == before
    (mine / "film2.mp4" / "portraits.parquet").unlink()
    scan(cartoon, out)
    assert run_tools.portraits(out) == run_tools.portraits(out_of(index))
    changed = {Path(name).parent.name for name, facts in contents(mine).items() if before.get(name) != facts}
    assert "film2.mp4" in changed
    assert not changed & {"film1.mp4", "film3.mp4"}


def test_none_are_kept_if_none_are_wanted_and_the_faces_are_the_same(
    cartoon: Cartoon, index: Path, tmp_path: Path
) -> None:
    none = scan(cartoon, tmp_path / "out", "-s", "scan.portrait_mb=0")
    assert list(none.rglob("*portraits*")) == []
    for film in cartoon.scripts:
        assert (none / film / "faces.parquet").read_bytes() == (index / film / "faces.parquet").read_bytes()
    again = scan(cartoon, tmp_path / "out")  # now they are wanted
    assert run_tools.portraits(tmp_path / "out") == run_tools.portraits(out_of(index))
    files = contents(again)
    scan(cartoon, tmp_path / "out", "-s", "scan.portrait_mb=4")  # how many is no question that a new scan answers
    assert contents(again) == files


def test_the_bound_holds_and_every_track_keeps_one_as_long_as_it_can(
    cartoon: Cartoon, index: Path, tmp_path: Path
) -> None:
    film = "film1.mp4"
    whole = portraits_of(index, film)
    most = 0.6 * (index / film / "portraits.parquet").stat().st_size
    small = scan(cartoon, tmp_path / "out", "-s", f"scan.portrait_mb={most / 2**20}")
    kept = portraits_of(small, film)
    assert (small / film / "portraits.parquet").stat().st_size <= most
    faces = faces_of(index, film)
    tracks = [{faces[row["pts"], row["x1"], row["y1"]]["track"] for row in found} for found in (whole, kept)]
    assert 0 < len(kept) < len(whole)
    assert len(tracks[1]) == min(len(kept), len(tracks[0]))


def test_purge_removes_them(cartoon: Cartoon, index: Path, tmp_path: Path) -> None:
    out = shutil.copytree(out_of(index), tmp_path / "out")
    size = sum(path.stat().st_size for path in (out / ".fastface" / "index").rglob("*.parquet"))
    done = fastface("purge", "-o", out, "--yes", "--json")
    assert json.loads(done.stdout)["bytes_freed"] >= size
    assert run_tools.portraits(out) == {}
    assert [path for path in out.rglob("*") if "portraits" in path.name] == []


def test_of_real_faces_they_show_the_person(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    """Each is detected and embedded again, out of the small picture alone."""
    pack = shared_models / "buffalo_s"
    film = shared_media / "clips" / "friends.mp4"
    done = fastface("scan", film, "--models", pack, "-o", tmp_path / "out", "-q", "--sample-fps", "2")
    assert done.returncode == 0, done.stderr
    index = tmp_path / "out" / ".fastface" / "index"
    faces, portraits = faces_of(index, film.name), portraits_of(index, film.name)
    assert len(portraits) > 20
    detector = Detector(PlainSession(prepare_detector(pack / "det_500m.onnx", tmp_path)), 0.5)
    recogniser = Recogniser(PlainSession(prepare_recogniser(pack / "w600k_mbf.onnx", tmp_path)), 512)
    analyser = FaceAnalyser(detector, recogniser, min_face=8)
    cosines = []
    # Some tracks show half a face or the back of a head; what the detector was not sure of it may not see again.
    whole = [row for row in portraits if row["worth"] >= 5]
    whole = [row for row in whole if faces[row["pts"], row["x1"], row["y1"]]["det_score"] >= 0.5]
    assert len(whole) > 20
    for row in whole:
        face = faces[row["pts"], row["x1"], row["y1"]]
        shown = cv2.imdecode(np.frombuffer(row["jpeg"], np.uint8), cv2.IMREAD_COLOR)
        again = analyser.analyse_picture(shown).embedding.astype(np.float32)
        cosines.append(max(again @ np.float32(face["embedding"]), default=0))
    assert np.mean(np.array(cosines) > 0.5) > 0.9, np.sort(cosines)
    assert np.median(cosines) > 0.75
