"""Real photos → gallery, by real networks: persons are kept apart, and strays are found."""

from collections.abc import Callable
from pathlib import Path

import pytest
from faces_tools import PlainSession

from fastface.faces.analyse import FaceAnalyser
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.gallery.references import ReferenceRule, load_gallery
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.types import Faces
from fastface.video.frames.image_file import read_picture


@pytest.fixture(scope="module")
def real(shared_models, tmp_path_factory) -> Callable[[Path], Faces]:
    pack, cache = shared_models / "buffalo_s", tmp_path_factory.mktemp("cache")
    detector = PlainSession(prepare_detector(pack / "det_500m.onnx", cache))
    recogniser = PlainSession(prepare_recogniser(pack / "w600k_mbf.onnx", cache))
    analyser = FaceAnalyser(Detector(detector, 0.5), Recogniser(recogniser, 512), 16)
    return lambda path: analyser.analyse_picture(read_picture(path))


def test_real_photos_of_single_persons_load(real, shared_media):
    folders = [shared_media / "photos" / name for name in ("friends", "hamilton", "hyland")]
    gallery, report = load_gallery(folders, analyse=real, rule=ReferenceRule("c", 0.4))
    friends = ["Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross"]
    assert [t.label for t in gallery.targets] == ["Bill", *friends[:2], "Mike", *friends[2:], *_HAMILTON]
    assert len(report.photos) == 14
    assert all(photo.used for photo in report.photos)
    # The three photos of Mike show three different men.
    assert [photo.label for photo in report.photos if photo.remarks] == ["Mike"] * 3


_HAMILTON = ["alex-lacamoire", "lin-manuel-miranda"]


def test_real_photos_by_the_dozen_load(real, shared_media, tmp_path):
    for person in ("Joey_Tribbiani", "Ross_Geller"):
        (tmp_path / person).mkdir()
        photos = sorted((shared_media / "photos" / "friends_tv" / person).iterdir())
        for photo in photos[8:16]:
            (tmp_path / person / photo.name).symlink_to(photo)
    stray = next((shared_media / "photos" / "friends").glob("Monica*"))
    (tmp_path / "Ross_Geller" / "stray.png").symlink_to(stray)
    gallery, report = load_gallery([tmp_path], analyse=real, rule=ReferenceRule("c", 0.4))
    assert [len(target.embeddings) for target in gallery.targets] == [8, 8]
    left_out = [photo for photo in report.photos if not photo.used]
    assert [Path(photo.source).name for photo in left_out] == ["stray.png"]
    used = [photo for photo in report.photos if photo.used]
    assert min(photo.sibling_similarity for photo in used) > max(photo.other_similarity for photo in used)
