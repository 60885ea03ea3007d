"""The levers of the networks: canvas, input, output, runtime, threads, layers, precision. Called by levers.py."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import openvino
from insightface.model_zoo.scrfd import SCRFD
from lever_samples import BATCH, Lever, Samples, milliseconds, open_graph, take_turns

from fastface.backends.onnxruntime_session import describe as describe_onnxruntime
from fastface.backends.openvino_session import compile_options
from fastface.faces.scrfd import Detector
from fastface.models.dynamic_shapes import free_batch, free_resizes
from fastface.models.graph_edit import FLOAT, UINT8, GraphEditor, infer_shapes, network_inputs, tensor_info
from fastface.models.graph_input import PICTURES, RAW_RGB, Pixels, attach_picture_input
from fastface.models.graph_read import parse_graph
from fastface.models.graph_recogniser import normalises_itself
from fastface.runtime.resources import num_cores

__all__ = ["bfloat16_levers", "network_levers"]

FRAME, FACE = "ms a frame", "ms a face"
MEAN, SCRFD_SCALE, ARCFACE_SCALE = 127.5, 128.0, 127.5
DET_THRESHOLD = 0.5


def network_levers(samples: Samples, folder: Path, repeats: int) -> list[Lever]:
    """All of them."""
    return [
        canvas_size(samples, repeats),
        picture_input(samples, folder, repeats),
        anchors_in_graph(samples, folder, repeats),
        *runtimes(samples, repeats),
        *streams(samples, repeats),
        split_convolutions(samples, folder, repeats),
    ]


def canvas_size(samples: Samples, repeats: int) -> Lever:
    """A canvas of the film's aspect against insightface's square."""
    squares = np.zeros((len(samples.canvases), 640, 640, 3), np.uint8)
    squares[:, : samples.canvases.shape[1]] = samples.canvases
    session = open_graph(samples.networks.detector, samples.device, samples.canvases.shape[1:])
    took = take_turns(repeats, lambda: milliseconds(session, squares), lambda: milliseconds(session, samples.canvases))
    return Lever("detector: canvas of 640×384, not 640×640", took, FRAME)


class Compiled:
    """A network in OpenVINO for one picture at a time, all threads sharing it: any graph, as published or not."""

    def __init__(self, graph: Path, shape: tuple[int, ...]) -> None:
        core = openvino.Core()
        model = core.read_model(graph)
        model.reshape(list(shape))
        options = compile_options(min(2, num_cores()), 1, "float32")
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def infer(self, batch: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
        """The outputs for one picture, in the graph's order."""
        self._request.set_input_tensor(openvino.Tensor(batch, shared_memory=True))
        self._request.infer()
        return tuple(tensor.data.copy() for tensor in self._request.output_tensors)


def picture_input(samples: Samples, folder: Path, repeats: int) -> Lever:
    """Pictures as they are into the graph, against a float blob made before it."""
    height, width = samples.canvases.shape[1:3]
    published = Compiled(samples.detector, (1, 3, height, width))
    ours = Compiled(with_picture_input(samples, folder), (1, height, width, 3))

    def blobs() -> float:
        began = time.perf_counter()
        for canvas in samples.canvases:
            published.infer(
                cv2.dnn.blobFromImage(canvas, 1 / SCRFD_SCALE, (width, height), (127.5, 127.5, 127.5), swapRB=True)
            )
        return (time.perf_counter() - began) * 1e3 / len(samples.canvases)

    def pictures() -> float:
        began = time.perf_counter()
        for place in range(len(samples.canvases)):
            ours.infer(samples.canvases[place : place + 1])
        return (time.perf_counter() - began) * 1e3 / len(samples.canvases)

    return Lever("detector: bytes into the graph, not a float blob", take_turns(repeats, blobs, pictures), FRAME)


def with_picture_input(samples: Samples, folder: Path) -> Path:
    """The published detector with its nine outputs, reading pictures."""
    model = parse_graph(samples.detector, samples.detector.read_bytes())
    free_resizes(model)
    editor = GraphEditor(model.graph)
    attach_picture_input(editor, network_inputs(model.graph)[0].name, Pixels(MEAN, SCRFD_SCALE))
    # The exports declare their outputs for one canvas; without shapes they serve every one.
    outputs = [tensor_info(value.name, FLOAT, ("rows", "components")) for value in model.graph.output]
    editor.finish([tensor_info(PICTURES, UINT8, ("N", "H", "W", 3))], outputs)
    path = folder / "pictures.onnx"
    path.write_bytes(model.SerializeToString())
    return path


class _Canvases(SCRFD):  # type: ignore[misc]  # insightface has no types
    """insightface's own decoding of anchors, with a network that reads pictures: only what follows it is theirs."""

    def __init__(self, network: Compiled, canvases: npt.NDArray[np.uint8], outputs: list[str]) -> None:
        self._blob = np.zeros((1, 3, *canvases.shape[1:3]), np.float32)  # its shape is all that is read of it
        self.canvas = canvases[:1]
        described = [SimpleNamespace(name=name, shape=["rows", "components"]) for name in outputs]
        session = SimpleNamespace(
            get_inputs=lambda: [SimpleNamespace(name=PICTURES, shape=[1, 3, "H", "W"])],
            get_outputs=lambda: described,
            run=lambda _names, _feeds: network.infer(self.canvas),
        )
        super().__init__(session=session)

    def _prepare_input_blob(self, img: Any, input_size: Any) -> npt.NDArray[np.float32]:  # noqa: ARG002 - theirs
        return self._blob


def anchors_in_graph(samples: Samples, folder: Path, repeats: int) -> Lever:
    """Anchors decoded and ranked in the graph, against insightface's NumPy on the same network."""
    height, width = samples.canvases.shape[1:3]
    shape = (1, height, width, 3)
    model = parse_graph(samples.detector, samples.detector.read_bytes())
    names = [value.name for value in model.graph.output]
    theirs = _Canvases(Compiled(with_picture_input(samples, folder), shape), samples.canvases, names)
    ours = Detector(Compiled(samples.networks.detector, shape), DET_THRESHOLD)  # type: ignore[arg-type]
    counts: dict[str, int] = {}

    def in_numpy() -> float:
        began, counts["theirs"] = time.perf_counter(), 0
        for place in range(len(samples.canvases)):
            theirs.canvas = samples.canvases[place : place + 1]
            scores, boxes, _ = theirs.forward(theirs.canvas[0], DET_THRESHOLD)
            rows = np.hstack((np.vstack(boxes), np.vstack(scores)))
            counts["theirs"] += len(theirs.nms(rows[np.argsort(-rows[:, 4], kind="stable")]))
        return (time.perf_counter() - began) * 1e3 / len(samples.canvases)

    def in_graph() -> float:
        began, counts["ours"] = time.perf_counter(), 0
        for place in range(len(samples.canvases)):
            counts["ours"] += len(ours.detect(samples.canvases[place : place + 1])[0])
        return (time.perf_counter() - began) * 1e3 / len(samples.canvases)

    took = take_turns(repeats, in_numpy, in_graph)
    assert counts["ours"] == counts["theirs"] > 0, counts
    return Lever("detector: anchors decoded and ranked in the graph, not in NumPy", took, FRAME)


def runtimes(samples: Samples, repeats: int) -> Iterator[Lever]:
    """OpenVINO against ONNX Runtime, on the same rewritten graphs in the same batches."""
    other = describe_onnxruntime("CPU")
    for name, graph, pictures, unit in parts(samples):
        sessions = [open_graph(graph, device, pictures.shape[1:]) for device in (other, samples.device)]
        ways = [lambda session=session, pictures=pictures: milliseconds(session, pictures) for session in sessions]
        yield Lever(f"{name}: OpenVINO, not ONNX Runtime", take_turns(repeats, *ways), unit)


def streams(samples: Samples, repeats: int) -> Iterator[Lever]:
    """A picture a thread, against all threads on each picture; alone, and beside a process that takes a core."""
    for name, graph, pictures, unit in parts(samples):
        size = pictures.shape[1:]
        sessions = [open_graph(graph, samples.device, size, batch=batch) for batch in (1, BATCH)]
        ways = [lambda session=session, pictures=pictures: milliseconds(session, pictures) for session in sessions]
        title = f"{name}: a thread a picture, not all threads on each"
        yield Lever(title, take_turns(repeats, *ways), unit)
        with busy_core():
            yield Lever(f"{title}; beside a busy process", take_turns(repeats, *ways), unit)


def parts(samples: Samples) -> list[tuple[str, Path, npt.NDArray[np.uint8], str]]:
    """(name, rewritten graph, pictures, unit) of both networks."""
    networks = samples.networks
    return [
        ("detector", networks.detector, samples.canvases, FRAME),
        ("recogniser", networks.recogniser, samples.aligned, FACE),
    ]


@contextmanager
def busy_core() -> Iterator[None]:
    """A process that computes all the time, as a decoder does."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            yield
        finally:
            process.kill()


def split_convolutions(samples: Samples, folder: Path, repeats: int) -> Lever:
    """Grouped convolutions of two channels a group as two depthwise ones, against as they were exported."""
    whole = folder / "whole.onnx"
    whole.write_bytes(without_split(samples.recogniser))
    size = samples.aligned.shape[1:]
    sessions = [open_graph(graph, samples.device, size) for graph in (whole, samples.networks.recogniser)]
    ways = [lambda session=session: milliseconds(session, samples.aligned) for session in sessions]
    return Lever("recogniser: grouped convolutions of two split", take_turns(repeats, *ways), FACE)


def without_split(path: Path) -> bytes:
    """The recogniser as `models.graph_recogniser` rewrites it, but for the split."""
    model = parse_graph(path, path.read_bytes())
    free_batch(model)
    output = model.graph.output[0].name
    dimension = infer_shapes(model, (2, 3, 112, 112))[output][1]
    assert dimension is not None
    editor = GraphEditor(model.graph)
    source = network_inputs(model.graph)[0].name
    pixels = RAW_RGB if normalises_itself(editor, source) else Pixels(MEAN, ARCFACE_SCALE)
    attach_picture_input(editor, source, pixels)
    embeddings = editor.add("Flatten", output, axis=1)
    editor.finish(
        [tensor_info(PICTURES, UINT8, ("N", 112, 112, 3))], [tensor_info(embeddings, FLOAT, ("N", dimension))]
    )
    return bytes(model.SerializeToString())


def bfloat16_levers(samples: Samples, repeats: int) -> list[Lever]:
    """Both networks in bfloat16 against float32; nothing where the processor has none."""
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return []
    levers = []
    for name, graph, pictures, unit in parts(samples):
        devices = samples.device, replace(samples.device, precision="bfloat16")
        sessions = [open_graph(graph, device, pictures.shape[1:]) for device in devices]
        ways = [lambda session=session, pictures=pictures: milliseconds(session, pictures) for session in sessions]
        in_force = sessions[1].device.precision
        levers.append(Lever(f"{name}: bfloat16 ({in_force} in force)", take_turns(repeats, *ways), unit))
    return levers
