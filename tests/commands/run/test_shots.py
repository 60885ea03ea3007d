"""Slide shows of real portraits at one place: each person is found in her seconds alone, however the scan is cut up."""

import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import run_tools
from faces_tools import PlainSession
from slides_tools import Slide, make_slides, order_slides, write_slides

from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.index.store import VideoIndex
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.video.frames.image_file import read_picture

NUM_PHOTOS = 7
"""Of each of six persons."""

PERSONS = ("Chandler_Bing", "Joey_Tribbiani", "Monica_Geller", "Phoebe_Buffay", "Rachel_Green", "Ross_Geller")

Scan = Callable[..., Path]


@pytest.fixture(scope="module")
def slides(shared_models: Path, shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Slide]:
    pack, cache = shared_models / "buffalo_s", tmp_path_factory.mktemp("cache")
    detector = Detector(PlainSession(prepare_detector(pack / "det_500m.onnx", cache)), 0.5)
    recogniser = Recogniser(PlainSession(prepare_recogniser(pack / "w600k_mbf.onnx", cache)), 512)
    analyser = FaceAnalyser(detector, recogniser, 16)
    folders = [shared_media / "photos" / "friends_tv" / person for person in PERSONS]
    made = make_slides(folders, lambda path: analyser.analyse_picture(read_picture(path)), NUM_PHOTOS)
    assert Counter(slide.label for slide in made) == dict.fromkeys(PERSONS, NUM_PHOTOS)
    order = order_slides(made)
    assert len(order) > 30
    assert all(one.label != other.label for one, other in pairwise(order))
    # Some neighbours are as alike as links within a shot allow.
    assert max(float(one.embedding @ other.embedding) for one, other in pairwise(order)) > 0.2
    return order


@pytest.fixture(scope="module")
def film(slides: list[Slide], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "slides.mp4"
    write_slides(path, slides)
    return path


@pytest.fixture(scope="module")
def scan(film: Path, shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Scan:
    def scanned(*more: str) -> Path:
        out = tmp_path_factory.mktemp("out")
        given = ("--models", str(shared_models), "--pack", "buffalo_s", "-o", str(out), "-q", *more)
        done = run_tools.finish([*run_tools.COMMAND, "scan", str(film), *given])
        assert done.returncode == 0, done.stderr
        return out

    return scanned


@pytest.fixture(scope="module")
def whole(scan: Scan) -> Path:
    """The film as one unit."""
    return scan()


def test_every_slide_is_a_shot_and_no_track_goes_into_the_next(whole: Path, slides: list[Slide]) -> None:
    index = VideoIndex(whole / ".fastface" / "index", "slides.mp4")
    frames, faces = index.frames(), index.faces()
    second = frames.time.astype(np.int64)
    assert second.max() == len(slides) - 1
    spans = [set(second[frames.shot == shot].tolist()) for shot in np.unique(frames.shot)]
    assert spans == [{number} for number in range(len(slides))]
    assert len(faces) >= 5 * len(slides)
    assert all(len(set(faces.time[faces.track == track].astype(int).tolist())) == 1 for track in np.unique(faces.track))


def test_hits_of_each_person_lie_in_her_seconds(
    whole: Path, slides: list[Slide], shared_models: Path, shared_media: Path
) -> None:
    given = ("--models", str(shared_models), "--pack", "buffalo_s", "-o", str(whole), "-q")
    for person in PERSONS:
        photos = shared_media / "photos" / "friends_tv" / person
        target = ("-t", f"{person}={photos}", "--clips", "none", "--crops", "none")
        done = run_tools.finish([*run_tools.COMMAND, "find", *target, *given])
        assert done.returncode == 0, done.stderr
        hits = Counter(int(float(row["time"])) for row in run_tools.rows(whole / "hits.csv"))
        expected = {second for second, slide in enumerate(slides) if slide.label == person}
        assert set(hits) == expected, person
        assert set(hits.values()) == {5}


def is_as_whole(out: Path, whole: Path) -> bool:
    """Whether frames are the same byte for byte, and tracks the same."""
    index, other = (VideoIndex(one / ".fastface" / "index", "slides.mp4") for one in (out, whole))
    found, expected = (pq.read_table(one.frames_path) for one in (index, other))
    assert expected.num_rows > 150
    return found.equals(expected) and index.faces().track.tolist() == other.faces().track.tolist()


@pytest.mark.parametrize("processes", [("1", "1"), ("3", "2")])
def test_units_and_processes_do_not_matter(scan: Scan, whole: Path, processes: tuple[str, str]) -> None:
    """A keyframe, and so the edge of a unit, lies at every second cut."""
    decoders, workers = processes
    out = scan("--set", "scan.unit_seconds=2", "--decoders", decoders, "--workers", workers)
    assert run_tools.num_units(out) > 10
    assert run_tools.num_units(whole) == 1
    assert is_as_whole(out, whole)


def test_a_killed_scan_goes_on_to_the_same_shots(film: Path, whole: Path, shared_models: Path, tmp_path: Path) -> None:
    given = ("--models", str(shared_models), "--pack", "buffalo_s", "-o", str(tmp_path), "-q")
    command = [*run_tools.COMMAND, "scan", str(film), *given, "--set", "scan.unit_seconds=2"]
    process = subprocess.Popen(command)
    run_tools.wait_until(lambda: run_tools.num_units(tmp_path) >= 3, "three units")
    process.kill()
    process.wait()
    committed = run_tools.num_units(tmp_path)
    assert 3 <= committed < NUM_PHOTOS * len(PERSONS) / 2 - 3
    assert run_tools.finish(command).returncode == 0
    assert run_tools.num_units(tmp_path) > committed
    assert is_as_whole(tmp_path, whole)


def test_a_dissolve_joins_no_two_persons(slides: list[Slide], shared_models: Path, tmp_path: Path) -> None:
    """Slides of two seconds, the first of which fades from the slide before: few tracks are two persons'."""
    film, out, kept = tmp_path / "faded.mp4", tmp_path / "out", slides[:16]
    write_slides(film, kept, seconds=2, dissolve=12)
    given = ("--models", str(shared_models), "--pack", "buffalo_s", "-o", str(out), "-q")
    assert run_tools.finish([*run_tools.COMMAND, "scan", str(film), *given]).returncode == 0
    faces = VideoIndex(out / ".fastface" / "index", "faded.mp4").faces()
    clear = faces[faces.time % 2 > 0.6]
    shown = np.array([kept[int(time // 2)].label for time in clear.time])
    persons = [set(shown[clear.track == track].tolist()) for track in np.unique(clear.track)]
    assert set().union(*persons) == {slide.label for slide in kept}
    # Before tracks were taken apart, all sixteen slides were two tracks.
    assert sum(len(found) > 1 for found in persons) <= 2
    assert max(map(len, persons)) <= 2
