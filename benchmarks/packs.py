"""How good and how fast are the packs beside each other, network by network, on photos of known persons?

    python benchmarks/packs.py [--shared ../shared] [--write]

The pack `free` is fetched; the other packs are those of --shared.

1. The largest face of each photo is embedded. Of all pairs of photos of one person, the table has the share above the
   similarity that 1 % and 0.1 % of the pairs of two persons reach. The folders hold photos as people have them, so the
   largest face of some is another person's. No network can match those.
2. Frames a second of the detector, and faces a second of the recogniser, on the processor. The packs take turns, and
   the table has the fastest round of each, which other processes disturb least.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from free_pack import letterbox
from results import add_tiny, machine, write_section

from fastface.backends import open_session, resolve_device
from fastface.faces.align import ALIGNMENTS, Alignment, align_picture
from fastface.faces.arcface import Recogniser
from fastface.faces.scrfd import Detector
from fastface.models.catalog import FREE
from fastface.models.download import install
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.models.packs import PackFolder
from fastface.pipeline.shapes import detector_shapes, recogniser_shapes

FOLDERS = ("friends_tv", "jurassic")
FALSE_ACCEPTS = (0.01, 0.001)
CLIP = "friends"
FRAME = (640, 384)
FRAMES, FACES, ROUNDS = 4, 16, 40
"""Frames and faces in a batch, and rounds of which the fastest is taken."""


@dataclass(frozen=True)
class Pack:
    """A pack, opened on the processor."""

    name: str
    detector: Detector
    recogniser: Recogniser
    alignment: Alignment


@dataclass(frozen=True)
class Photos:
    """The embeddings of a folder of photos: `vectors[k]` is of person `persons[k]`."""

    vectors: np.ndarray
    persons: np.ndarray
    total: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    models, media = options.shared / "models", options.shared / "media"
    with tempfile.TemporaryDirectory() as place:
        folders = [install(FREE, Path(place)), *sorted(path for path in models.iterdir() if path.is_dir())]
        packs = [pack for folder in folders for pack in open_pack(folder, Path(place))]
        lines = [machine(), "", "`python benchmarks/packs.py`", "", *compare_photos(packs, media, options.tiny), ""]
        lines += compare_speed(packs, media / "clips" / f"{CLIP}.mp4", 1 if options.tiny else ROUNDS)
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("The packs beside each other", text)


def open_pack(folder: Path, cache: Path) -> Iterator[Pack]:
    """The networks of a folder, if it has both."""
    found = PackFolder(folder)
    detector, recogniser = found.choose("detector"), found.choose("recogniser")
    if detector is None or recogniser is None or recogniser.dimension is None:
        return
    device = resolve_device("cpu", cache)
    shared = {"threads": 2, "cache_folder": cache}
    shapes = detector_shapes(FRAMES, FRAME)
    finder = open_session(prepare_detector(detector.path, cache), device, shapes=shapes, **shared)
    alignment = ALIGNMENTS[recogniser.aligned_size]
    shapes = recogniser_shapes(alignment.size)
    embedder = open_session(prepare_recogniser(recogniser.path, cache), device, shapes=shapes, **shared)
    recognise = Recogniser(embedder, recogniser.dimension, max_chunk=FACES, alignment=alignment)
    yield Pack(found.name, Detector(finder, 0.5), recognise, alignment)


def compare_photos(packs: Sequence[Pack], media: Path, is_tiny: bool) -> Iterator[str]:
    """The table of true accepts."""
    yield (
        "| photos | pack | photos with a face | pairs of one person, of two | "
        + " | ".join(f"true accepts at {share:.1%} false accepts" for share in FALSE_ACCEPTS)
        + " |"
    )
    yield "|---" * (4 + len(FALSE_ACCEPTS)) + "|"
    for folder in FOLDERS:
        paths = sorted((media / "photos" / folder).glob("*/*"))[: 2 if is_tiny else None]
        for pack in packs if paths else ():
            photos = embed_photos(pack, paths)
            pairs = np.triu_indices(len(photos.persons), 1)
            cosines = (photos.vectors @ photos.vectors.T)[pairs]
            is_same = (photos.persons[:, None] == photos.persons)[pairs]
            if is_same.all() or not is_same.any():
                continue
            limits = [np.quantile(cosines[~is_same], 1 - share) for share in FALSE_ACCEPTS]
            shares = " | ".join(f"{(cosines[is_same] > limit).mean():.3f}" for limit in limits)
            found = f"{len(photos.persons)} of {photos.total} | {is_same.sum():,}, {(~is_same).sum():,}"
            yield f"| {folder} | {pack.name} | {found} | {shares} |"


def embed_photos(pack: Pack, paths: Sequence[Path]) -> Photos:
    """The embedding of the largest face of each photo."""
    faces, persons, total = [], [], 0
    for path in paths:
        if (photo := cv2.imread(str(path))) is None:
            continue
        total += 1
        picture = letterbox(photo)
        (found,) = pack.detector.detect(picture[None])
        if len(found):
            largest = int((found.boxes[:, 2] - found.boxes[:, 0]).argmax())
            faces.append(align_picture(picture, found.landmarks[largest], alignment=pack.alignment))
            persons.append(path.parent.name)
    vectors = pack.recogniser.embed(np.stack(faces))[0] if faces else np.empty((0, pack.recogniser.dimension))
    return Photos(vectors, np.array(persons), total)


def compare_speed(packs: Sequence[Pack], clip: Path, rounds: int) -> Iterator[str]:
    """The table of frames and faces a second."""
    capture = cv2.VideoCapture(str(clip))
    frames = [cv2.resize(capture.read()[1], FRAME) for _ in range(FRAMES)]
    seconds: dict[tuple[str, str], list[float]] = {}
    for turn in range(rounds + 1):
        for pack in packs:
            side = pack.alignment.size
            faces = np.stack([cv2.resize(frames[0], (side, side))] * FACES)
            for part, run in (
                ("detect", lambda p=pack: p.detector.session.infer(np.stack(frames))),
                ("embed", lambda p=pack, f=faces: p.recogniser.embed(f)),
            ):
                start = time.perf_counter()
                run()
                if turn:  # the first warms up
                    seconds.setdefault((pack.name, part), []).append(time.perf_counter() - start)
    best = {key: min(values) for key, values in seconds.items()}
    base = packs[0].name
    yield f"| pack | frames a second ({FRAME[0]}×{FRAME[1]}) | of `{base}` | faces a second | of `{base}` |"
    yield "|---|---|---|---|---|"
    for pack in packs:
        detect, embed = best[pack.name, "detect"], best[pack.name, "embed"]
        ratios = best[base, "detect"] / detect, best[base, "embed"] / embed
        yield f"| {pack.name} | {FRAMES / detect:.0f} | {ratios[0]:.2f} | {FACES / embed:.0f} | {ratios[1]:.2f} |"


if __name__ == "__main__":
    sys.exit(main())
