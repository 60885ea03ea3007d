"""From a drawn film through decoding, detection, alignment and embedding: exactly the hits of its script."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from backends_tools import CPU_DEVICES, openvino_in

from fastface.backends import DeviceInfo, ShapeRange, open_session
from fastface.demo.film import Encoding, draw_film, draw_photo, expected_hits
from fastface.demo.networks import write_pack
from fastface.demo.persons import DISGUISE_SIMILARITY, Disguise, Person
from fastface.demo.recogniser import DIMENSION
from fastface.demo.script import Appearance, Script
from fastface.demo.scripts import demo_script, random_script
from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.types import Faces, Sampling, Size
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.planes import PlaneWriter
from fastface.video.plan import plan_units
from fastface.video.probe import probe

BATCH = 8
ROUNDING = 1e-3
"""Of embeddings kept as float16."""

DEVICES: dict[str, Callable[[], DeviceInfo]] = {
    "onnxruntime": CPU_DEVICES["onnxruntime"],
    "openvino": CPU_DEVICES["openvino"],
    "openvino-bfloat16": lambda: openvino_in("bfloat16"),
}
"""The networks are exact in any precision."""


@pytest.fixture(scope="module", params=DEVICES)
def analyser(request, tmp_path_factory: pytest.TempPathFactory) -> FaceAnalyser:
    """Both cartoon networks on one of the runtimes, as the workers open them."""
    pytest.importorskip(request.param.partition("-")[0])
    device = DEVICES[request.param]()
    folder = tmp_path_factory.mktemp("chain")
    pack = write_pack(folder)
    canvas, face = (384, 640, 3), (112, 112, 3)
    graphs = {
        canvas: prepare_detector(pack / "cartoon_detector.onnx", folder),
        face: prepare_recogniser(pack / "cartoon_recogniser.onnx", folder),
    }
    detector, recogniser = (
        open_session(
            graph,
            device,
            threads=1,
            cache_folder=folder,
            shapes=ShapeRange((1, *shape), (BATCH, *shape), (BATCH, *shape)),
        )
        for shape, graph in graphs.items()
    )
    return FaceAnalyser(Detector(detector, 0.5), Recogniser(recogniser, DIMENSION), 16)


def scanned(path: Path, analyser: FaceAnalyser, period: Fraction | None, det_size: Size | None = None) -> Faces:
    """All faces of a film at the samples, in units of two seconds and batches of eight."""
    found = probe(VideoFile(path, "film"), 10**8)
    geometry = choose_geometry(found.info, det_size)
    writer = PlaneWriter(found.info, geometry)
    parts = [Faces.empty(DIMENSION)]
    for unit in plan_units(found, Sampling(period), 2.0):
        frames = list(open_source(found.info).frames(unit))
        planes = np.zeros((len(frames), geometry.plane_bytes), np.uint8)
        canvases = np.zeros((len(frames), geometry.canvas[1], geometry.canvas[0], 3), np.uint8)
        for row, frame in enumerate(frames):
            writer.write(frame, planes[row], canvases[row])
        for begin in range(0, len(frames), BATCH):
            batch = slice(begin, begin + BATCH)
            pts, times = [one.pts for one in frames[batch]], [one.time for one in frames[batch]]
            parts.append(analyser.describe(analyser.detect(canvases[batch]), planes[batch], geometry, pts, times))
    return Faces.concatenate(parts)


def hits_of(faces: Faces, script: Script, analyser: FaceAnalyser) -> dict[str, list[float]]:
    """name → times of the faces that are the photo's, disguised or not; every face is somebody's, exactly."""
    similarities = np.stack([_similarities(faces, analyser, one) for one in script.persons])
    best = similarities.max(axis=0)
    nearest = np.abs(best[:, None] - np.array(DISGUISE_SIMILARITY)).min(axis=1)
    np.testing.assert_allclose(nearest, 0, atol=ROUNDING)
    others = np.sort(similarities, axis=0)[:-1]
    np.testing.assert_allclose(others, 0, atol=ROUNDING)
    return {
        one.name: sorted(faces.time[similarities.argmax(axis=0) == row].tolist())
        for row, one in enumerate(script.persons)
    }


def _similarities(faces: Faces, analyser: FaceAnalyser, who: Person) -> np.ndarray:
    photo = analyser.analyse_picture(draw_photo(who))
    assert len(photo) == 1
    return faces.embedding.astype(np.float32) @ photo.embedding[0].astype(np.float32)


@pytest.mark.parametrize(
    ("encoding", "period", "det_size"),
    [
        (Encoding(), Fraction(1, 5), None),
        (Encoding(rate=Fraction(30000, 1001), crf=35, gop=30), None, (640, 640)),
        (Encoding(zoom=2, skipped=frozenset({*range(30), *range(50, 90, 3)})), Fraction(1, 5), None),
    ],
)
def test_films_of_chance_give_exactly_their_hits(analyser, tmp_path: Path, encoding, period, det_size) -> None:
    script = random_script(21, 120, num_persons=12)
    draw_film(tmp_path / "film.mp4", script, encoding)
    expected = expected_hits(script, encoding, period)
    assert sum(map(len, expected.values())) > 20
    faces = scanned(tmp_path / "film.mp4", analyser, period, det_size)
    found = hits_of(faces, script, analyser)
    assert found == {name: [float(time) for time in times] for name, times in expected.items()}


def test_the_demo_gives_exactly_its_hits(analyser, tmp_path: Path) -> None:
    script = demo_script()
    draw_film(tmp_path / "film.mp4", script)
    period = Fraction(1, 5)
    found = hits_of(scanned(tmp_path / "film.mp4", analyser, period), script, analyser)
    assert found == {name: [float(t) for t in times] for name, times in expected_hits(script, period=period).items()}
    # By hand: in samples at 0, 5, 10 …, Ada is in frames 65–155 and 470–585, Bo in 190–335 and 410–455.
    assert (len(found["Ada"]), len(found["Bo"])) == (19 + 24, 30 + 10)


def test_boxes_are_where_the_faces_are_drawn(analyser, tmp_path: Path) -> None:
    script = Script(4, tuple(Appearance(one, 0, 4, place) for one, place in _row()))
    draw_film(tmp_path / "film.mp4", script, Encoding(zoom=2))
    faces = scanned(tmp_path / "film.mp4", analyser, None)
    expected = np.array([one.box for one in script.sightings(0)], np.float32) * 2
    assert len(faces) == 4 * 3
    for time in np.unique(faces.time):
        boxes = faces.boxes[faces.time == time]
        np.testing.assert_array_equal(boxes[np.argsort(boxes[:, 0])], expected)
    assert len(np.unique(faces.embedding, axis=0)) == 3


def _row() -> list[tuple]:
    return list(zip(demo_script().persons[:3], ((112, 160), (320, 168), (528, 176)), strict=True))


def test_disguises_are_as_unlike_as_documented(analyser) -> None:
    who = demo_script().persons[0]
    plain = analyser.analyse_picture(draw_photo(who)).embedding[0].astype(np.float32)
    for disguise in Disguise:
        faces = analyser.analyse_picture(draw_photo(who, disguise))
        assert len(faces) == 1
        similarity = float(faces.embedding[0].astype(np.float32) @ plain)
        assert similarity == pytest.approx(DISGUISE_SIMILARITY[disguise], abs=ROUNDING)
