"""How far is a lower precision from float32, on real films and on the drawn pictures that judge it?

    python benchmarks/precision.py [--shared ../shared] [--write]

Of every clip two frames a second go through each detector in float32 and in an emulated lower precision (emulation.py),
and the faces that float32 finds through each recogniser. The same for the drawn pictures of the check, and for weights
of too few bits, which it must refuse. The limits of `fastface.backends.precision` come from these figures.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import onnx
import onnxruntime
from emulation import PREPARE, emulate
from results import add_tiny, machine, write_section

from fastface.backends.precision import LIMITS, disagreement, pair_detections
from fastface.backends.trial_pictures import NUM_PICTURES, draw_pictures
from fastface.faces.align import align_picture

THRESHOLD = 0.5
CANVAS = (640, 384)
PERIOD_SECONDS = 0.5
DETECTORS = ("buffalo_s/det_500m.onnx", "single/scrfd_2.5g_bnkps.onnx")
RECOGNISERS = ("buffalo_s/w600k_mbf.onnx", "single/mobilefacenet.onnx")
FORMS = {"bfloat16": ("bfloat16", 0), "float16": ("float16", 0), "bfloat16, weights of 4 bits": ("bfloat16", 4)}
"""Name → precision, and significant bits of weights."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    models = options.shared / "models"
    detectors, recognisers = [models / name for name in DETECTORS], [models / name for name in RECOGNISERS]
    if options.tiny:
        detectors, recognisers = (sorted(models.glob(f"buffalo_s/{kind}_*.onnx")) for kind in ("det", "w600k"))
    frames = np.stack(list(islice(frames_of(options.shared / "media" / "clips"), 12 if options.tiny else None)))
    drawn, drawn_faces = draw_pictures(NUM_PICTURES, CANVAS[1], CANVAS[0]), draw_pictures(NUM_PICTURES, 112, 112)
    lines = [
        "| detector, in | pictures | faces | missed, added at 0.5 | highest of them | score moves: mean, largest "
        "| landmark moves: median, p99, largest | IoU at least | verdict |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    aligned: list[np.ndarray] = []
    for path in detectors:
        model = prepared(path, "detector")
        for pictures, name in ((frames, "films"), (drawn, "drawn")):
            exact = computed(model, pictures)
            if name == "films" and not aligned:
                aligned = faces_of(frames, exact)
            for form, (precision, bits) in forms_for(name):
                quick = computed(emulate(model, precision, bits), pictures)
                lines.append(f"| {path.stem}, {form} | {name} | {detector_row(exact, quick, precision)} |")
    lines += ["", "| recogniser, in | faces | cosine with float32: median, p1, least | verdict |", "|---|---|---|---|"]
    for path in recognisers:
        model = prepared(path, "recogniser")
        for pictures, name in ((np.stack(aligned), "films"), (drawn_faces, "drawn")):
            exact = computed(model, pictures)
            for form, (precision, bits) in forms_for(name):
                quick = computed(emulate(model, precision, bits), pictures)
                row = recogniser_row(exact, quick, precision)
                lines.append(f"| {path.stem}, {form} | {len(pictures)} of {name} | {row} |")
    how = (
        "`python benchmarks/precision.py`: lower precisions are emulated (benchmarks/emulation.py), not a processor's."
    )
    text = "\n".join(
        [machine(), "", f"{how} {len(frames)} frames of films; landmarks as shares of the face's width.", "", *lines]
    )
    print(text)
    if options.write:
        write_section("Precision", text)


def forms_for(name: str) -> list[tuple[str, tuple[str, int]]]:
    """All forms of the drawn pictures, bfloat16 alone of films: those take minutes."""
    return list(FORMS.items())[: 1 if name == "films" else len(FORMS)]


def frames_of(clips: Path) -> Iterator[np.ndarray]:
    """Two frames a second of every clip, on the detector's canvas."""
    for clip in sorted(clips.glob("*.mp4")):
        with av.open(str(clip)) as container:
            last = -PERIOD_SECONDS
            for frame in container.decode(video=0):
                if frame.time is None or frame.time - last < PERIOD_SECONDS:
                    continue
                last = frame.time
                picture = frame.to_ndarray(format="bgr24")
                height, width = picture.shape[:2]
                scale = min(CANVAS[0] / width, CANVAS[1] / height)
                size = round(width * scale), round(height * scale)
                canvas = np.zeros((CANVAS[1], CANVAS[0], 3), np.uint8)
                canvas[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
                yield canvas


def prepared(path: Path, kind: str) -> onnx.ModelProto:
    """The network as fastface runs it."""
    with tempfile.TemporaryDirectory() as folder:
        return onnx.load(PREPARE[kind](path, Path(folder)))


def computed(model: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
    """The only output, picture by picture."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: picture[None]})[0] for picture in pictures])


def faces_of(frames: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """Aligned faces that float32 finds."""
    faces = []
    for frame, found in zip(frames, rows, strict=True):
        kept = pair_detections(found[None], found[None], THRESHOLD).exact
        faces += [align_picture(frame, row[5:].reshape(5, 2)) for row in kept]
    return faces


def detector_row(exact: np.ndarray, quick: np.ndarray, precision: str) -> str:
    """Figures of one detector in one precision."""
    shown = pair_detections(exact, quick, THRESHOLD)
    pairs = pair_detections(exact, quick, THRESHOLD - LIMITS[precision].band)
    odd = np.concatenate([shown.missed, shown.added])[:, 0]
    moves, landmarks = np.abs(pairs.score_moves), pairs.landmark_moves
    told = disagreement([exact], [quick], LIMITS[precision])
    if not len(moves):
        return f"0 | {len(shown.missed)}, {len(shown.added)} | – | – | – | – | {told or 'agrees'}"
    return " | ".join(
        (
            f"{len(shown.exact) + len(shown.missed)}",
            f"{len(shown.missed)}, {len(shown.added)}",
            f"{odd.max():.3f}" if len(odd) else "–",
            f"{pairs.score_moves.mean():+.4f}, {moves.max():.3f}",
            f"{np.median(landmarks):.2%}, {np.percentile(landmarks, 99):.2%}, {landmarks.max():.2%}",
            f"{pairs.ious.min():.3f}",
            told or "agrees",
        )
    )


def recogniser_row(exact: np.ndarray, quick: np.ndarray, precision: str) -> str:
    """Figures of one recogniser in one precision."""
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(quick, axis=1)
    cosines = (exact * quick).sum(axis=1) / lengths
    told = disagreement([exact], [quick], LIMITS[precision])
    return f"{np.median(cosines):.5f}, {np.percentile(cosines, 1):.5f}, {cosines.min():.5f} | {told or 'agrees'}"


if __name__ == "__main__":
    main()
