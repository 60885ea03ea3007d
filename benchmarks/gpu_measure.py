"""The child of gpu_check.py that computes: two networks on one device. It may crash or hang without harm to its parent.

    python benchmarks/gpu_measure.py '{"device": "cuda", "pack": "models/buffalo_s", …}'

Prints one JSON object a line as soon as it is known, so that what was measured before a crash is kept:

* `device`: what the name means here; `missing`: why it means nothing, or fails; `unusable`: what is wrong with
  the pack.
* `open`: seconds until a network could compute (with TensorRT: the engine built, or read), and the precision in force.
* `capture`: whether a CUDA graph is used for a run's usual batch, or why not.
* `rate`: pictures a second at one batch, copies to and from the card included.
* `detections`, `embeddings`: how far the outputs of large batches are from ONNX Runtime's on the CPU in float32, one
  picture at a time; `note`: what they were compared on, where that is not what was asked for.
"""

import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fastface.backends import DeviceInfo, Session, open_session, resolve_device
from fastface.demo.film import draw_photo
from fastface.demo.scripts import random_script
from fastface.errors import BackendError, FastfaceError, InputError, ModelError
from fastface.faces.align import align_picture
from fastface.faces.scrfd import Detections, Detector
from fastface.models.graph import prepare_detector, prepare_recogniser
from fastface.models.packs import PackFolder
from fastface.pipeline.shapes import detector_shapes, recogniser_shapes
from fastface.types import ALIGNED_SIZE
from fastface.video.frames.image_file import read_picture

CANVAS = (640, 384)
"""Width and height of the canvas of a video of 16:9, as the pipeline has it."""

ALIGNED = (112, 112)
USUAL_BATCH = 32
"""Of a run on a card: frames, and faces."""

DET_THRESHOLD = 0.5
SAME_FACE_IOU = 0.5
WARM_UPS = 2
LEAST_RUNS = 3


@dataclass(frozen=True)
class Order:
    """What is to be measured.

    Attributes:
        device: As `--device`.
        pack: Folder of a detector and a recogniser.
        cache: Where rewritten graphs and engines are kept.
        batches: Pictures a run.
        seconds: How long each batch is run.
        pictures: Files to compare on; drawn ones where there are none.
        is_compared: Whether the outputs mean anything.
    """

    device: str
    pack: str
    cache: str
    batches: list[int]
    seconds: float
    pictures: list[str]
    is_compared: bool


def main() -> None:
    order = Order(**json.loads(sys.argv[1]))
    cv2.setNumThreads(1)
    try:
        for kind in ("detector", "recogniser"):
            network_of(order, kind)  # before the card is tried, which takes longer
        device = replace(resolve_device(order.device, Path(order.cache)), captures=True)
        tell("device", name=device.name, versions=device.versions, provider=device.provider, precision=device.precision)
        measure(order, device)
    except BackendError as error:
        tell("missing", reason=str(error))
    except FastfaceError as error:
        tell("unusable", reason=str(error))


def tell(kind: str, **facts: Any) -> None:
    """One line for the parent."""
    print(json.dumps({"kind": kind, **facts}), flush=True)


def measure(order: Order, device: DeviceInfo) -> None:
    """Both networks, the detector first: what it finds is what the recogniser is compared on."""
    pictures = canvases_of(order.pictures)
    faces = np.stack([cv2.resize(picture, ALIGNED) for picture in pictures])
    detector = opened(order, device, "detector")
    if order.is_compared:
        exact = Detector(reference(order, device, "detector"), DET_THRESHOLD)
        expected = [exact.detect(picture[None])[0] for picture in pictures]
        quick = Detector(detector, DET_THRESHOLD)
        compare_detections(expected, [found for part in chunks(order, pictures) for found in quick.detect(part)])
        cut = aligned_of(pictures, expected)
        if cut:
            faces = np.stack(cut)
        else:
            tell("note", reason=f"no face in {len(pictures)} pictures: embeddings are those of whole pictures")
    rates(order, detector, "detector", pictures)
    recogniser = opened(order, device, "recogniser")
    if order.is_compared:
        compare_embeddings(reference(order, device, "recogniser"), recogniser, chunks(order, faces))
    rates(order, recogniser, "recogniser", faces)


def chunks(order: Order, pictures: np.ndarray) -> list[np.ndarray]:
    """The pictures in the largest batches."""
    size = max(order.batches)
    return [pictures[begin : begin + size] for begin in range(0, len(pictures), size)]


def canvases_of(paths: list[str]) -> np.ndarray:
    """(n, 384, 640, 3) BGR: pictures in the canvas' top left corner; drawn portraits where none can be read."""
    read = []
    for path in paths:
        try:
            read.append(read_picture(Path(path)))
        except InputError:
            continue  # the folder is a test's, and holds broken ones on purpose
    if not read:
        tell("note", reason="no picture could be read: networks are compared on drawn persons")
        read = [draw_photo(person) for person in random_script(1, 300).persons]
    width, height = CANVAS
    canvases = np.zeros((len(read), height, width, 3), np.uint8)
    for canvas, picture in zip(canvases, read, strict=True):
        factor = min(width / picture.shape[1], height / picture.shape[0])
        size = max(1, int(picture.shape[1] * factor)), max(1, int(picture.shape[0] * factor))
        canvas[: size[1], : size[0]] = cv2.resize(picture, size)
    return canvases


def opened(order: Order, device: DeviceInfo, kind: str) -> Session:
    """One network on the device; tells how long that took."""
    began = time.perf_counter()
    session = session_of(order, device, kind)
    session.infer(np.zeros((1, *sides(kind)), np.uint8))
    tell("open", network=kind, seconds=time.perf_counter() - began, precision=session.device.precision)
    if capture := getattr(session, "capture", ""):
        tell("capture", network=kind, reason=capture)
    return session


def reference(order: Order, device: DeviceInfo, kind: str) -> Session:
    """The same network through ONNX Runtime on the CPU in float32."""
    cpu = replace(
        device, backend="onnxruntime", provider="CPU", precision="float32", versions="", compute_capability=""
    )
    return session_of(order, cpu, kind)


def session_of(order: Order, device: DeviceInfo, kind: str) -> Session:
    """A session for every batch that is measured: of the shapes that a run with the largest would have."""
    prepare = prepare_detector if kind == "detector" else prepare_recogniser
    cache, largest = Path(order.cache), max(order.batches)
    shapes = detector_shapes(largest, CANVAS) if kind == "detector" else recogniser_shapes(ALIGNED_SIZE, largest)
    # As in a run the engine is tuned for its usual batch, and that is captured.
    shapes = replace(shapes, usual=(min(USUAL_BATCH, largest), *shapes.usual[1:]))
    threads = len(os.sched_getaffinity(0))
    graph = prepare(network_of(order, kind), cache)
    return open_session(graph, device, threads=threads, cache_folder=cache, shapes=shapes)


def network_of(order: Order, kind: str) -> Path:
    """The pack's file of a kind.

    Raises:
        ModelError: It has none.
    """
    network = PackFolder(Path(order.pack)).choose("detector" if kind == "detector" else "recogniser")
    if network is None:
        raise ModelError(f"there is no {kind} in {order.pack!r}")
    return network.path


def sides(kind: str) -> tuple[int, int, int]:
    """Height, width, channels of a network's picture."""
    width, height = CANVAS if kind == "detector" else ALIGNED
    return height, width, 3


def rates(order: Order, session: Session, kind: str, pictures: np.ndarray) -> None:
    """Pictures a second at every batch."""
    for batch in order.batches:
        filled = np.ascontiguousarray(np.resize(pictures, (batch, *sides(kind))))
        try:
            rate = rate_of(session, filled, order.seconds)
        except BackendError as error:  # as of a card whose memory a large batch does not fit
            tell("rate", network=kind, batch=batch, rate=None, reason=str(error))
            continue
        tell("rate", network=kind, batch=batch, rate=rate)


def rate_of(session: Session, batch: np.ndarray, seconds: float) -> float:
    """Pictures a second, once the shape is known to the runtime."""
    for _ in range(WARM_UPS):
        session.infer(batch)
    runs, began = 0, time.perf_counter()
    while runs < LEAST_RUNS or time.perf_counter() - began < seconds:
        session.infer(batch)
        runs += 1
    return runs * len(batch) / (time.perf_counter() - began)


def aligned_of(canvases: np.ndarray, found: list[Detections]) -> list[np.ndarray]:
    """(112, 112, 3) of each face that the CPU found."""
    pairs = zip(canvases, found, strict=True)
    return [align_picture(canvas, points) for canvas, faces in pairs for points in faces.landmarks]


def compare_detections(expected: list[Detections], found: list[Detections]) -> None:
    """Tells how many faces both find, and how far they are apart."""
    boxes, scores = [0.0], [0.0]
    for one, other in zip(expected, found, strict=True):
        for box, score in zip(one.boxes, one.det_score, strict=True):
            overlaps = [iou(box, candidate) for candidate in other.boxes]
            if max(overlaps, default=0) < SAME_FACE_IOU:
                continue
            nearest = int(np.argmax(overlaps))
            boxes.append(float(np.abs(box - other.boxes[nearest]).max()))
            scores.append(float(abs(score - other.det_score[nearest])))
    counts = {"expected": sum(map(len, expected)), "found": sum(map(len, found)), "common": len(boxes) - 1}
    tell("detections", pictures=len(expected), **counts, box=max(boxes), score=max(scores))


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    sides_of_both = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.maximum(sides_of_both, 0).prod())
    return common / (float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()) - common)


def compare_embeddings(exact: Session, quick: Session, batches: list[np.ndarray]) -> None:
    """Tells the cosines of each face's two embeddings."""
    cosines = []
    for batch in batches:
        pairs = zip(np.concatenate([exact.infer(face[None])[0] for face in batch]), quick.infer(batch)[0], strict=True)
        cosines += [float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)) for one, other in pairs]
    tell("embeddings", faces=len(cosines), least=min(cosines), median=float(np.median(cosines)))


if __name__ == "__main__":
    main()
