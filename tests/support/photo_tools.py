"""Photos whose pixels say which faces they show."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from gallery_tools import DIMENSION, axis, faces_of
from PIL import Image

from fastface.errors import ConfigError
from fastface.gallery.references import GalleryReport, ReferenceRule, load_gallery
from fastface.types import Faces, Gallery
from fastface.video.frames.image_file import read_picture

ALIKE = 0.5

ANN, BOB, ZOE = axis(0), axis(1), axis(2)

Face = tuple[np.ndarray, int]
"""Embedding and size in pixels."""


class Drawn:
    """Writes pictures of one colour each and, as the analyser, knows which faces each colour stands for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faces: list[tuple[list[Face], float]] = []

    def photo(self, name: str, *faces: Face, sharpness: float = 100.0) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (0, 0, len(self.faces))).save(path, "PNG")
        self.faces.append((list(faces), sharpness))
        return path

    def analyse(self, path: Path) -> Faces:
        faces, sharpness = self.faces[read_picture(path)[0, 0, 0]]
        if not faces:
            return Faces.empty(DIMENSION)
        boxes = [(0.0, 0.0, float(size), size * 1.25) for _, size in faces]
        found = faces_of([embedding for embedding, _ in faces], [0.0] * len(faces), boxes=boxes)
        found.sharpness[:] = sharpness
        return found

    def load(
        self, *targets: str | Path, lookalikes: Sequence[str | Path] = (), tolerant: bool = False
    ) -> tuple[Gallery, GalleryReport]:
        return load_gallery(
            targets, lookalikes, analyse=self.analyse, rule=ReferenceRule("c", ALIKE, tolerant=tolerant)
        )

    def faults(self, *targets: str | Path, lookalikes: Sequence[str | Path] = ()) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(*targets, lookalikes=lookalikes)
        assert caught.value.exit_code == 2
        return [fault.replace(f"{self.folder}/", "") for fault in caught.value.faults]


def remarks(report: GalleryReport) -> dict[str, tuple[str, ...]]:
    return {Path(photo.source).name: photo.remarks for photo in report.photos if photo.remarks}
