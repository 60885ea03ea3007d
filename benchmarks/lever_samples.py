"""What the levers are measured on: frames, canvases and faces of the mixed film; and how two ways take turns."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastface.backends import DeviceInfo, Session, ShapeRange, open_session
from fastface.config import load_config
from fastface.faces.align import align_planes
from fastface.faces.scrfd import Detector
from fastface.runtime.networks import Networks, open_networks
from fastface.runtime.resources import num_cores
from fastface.types import Geometry, Sampling, Unit, VideoInfo
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.canvas import choose_geometry
from fastface.video.frames.frame import SampledFrame
from fastface.video.frames.planes import PlaneWriter
from fastface.video.probe import Probe, probe

__all__ = ["BATCH", "Lever", "Samples", "milliseconds", "open_graph", "samples_of", "take_turns"]

BATCH = 4
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Lever:
    """One row: what is pulled, and the two medians of what it takes: without it, with it."""

    name: str
    took: Sequence[float]
    unit: str

    def row(self) -> str:
        """The row of the table."""
        without, with_it = self.took
        return f"| {self.name} | {without:.2f} | {with_it:.2f} | **{without / with_it:.2f}** | {self.unit} |"


@dataclass(frozen=True)
class Samples:
    """Frames of the film, as every stage has them.

    Attributes:
        film: The file.
        found: What `probe` says of it.
        networks: The rewritten networks.
        device: OpenVINO in float32, which all levers but bfloat16 are measured in.
        geometry: Of the film's frames.
        frames: As the decoder made them.
        canvases: (n, 384, 640, 3) BGR.
        aligned: (m, 112, 112, 3) BGR, all faces of all frames.
    """

    film: Path
    found: Probe
    networks: Networks
    device: DeviceInfo
    geometry: Geometry
    frames: list[SampledFrame]
    canvases: Pixels
    aligned: Pixels

    @property
    def info(self) -> VideoInfo:
        """The film's facts."""
        return self.found.info

    @property
    def detector(self) -> Path:
        """The detector as published."""
        return self.networks.models.detector.path

    @property
    def recogniser(self) -> Path:
        """The recogniser as published."""
        return self.networks.models.recogniser.path


def samples_of(film: Path, models: Path, period: Fraction = Fraction(1)) -> Samples:
    """Decodes a frame every `period` seconds, detects and aligns."""
    networks = open_networks(load_config(flags={"models": {"dir": models, "device": "openvino"}}))
    device = replace(networks.device, precision="float32")
    found = probe(VideoFile(film, film.name), 10**8)
    geometry = choose_geometry(found.info, None)
    unit = Unit(film.name, 0, Fraction(0), None, Sampling(period))
    frames = list(open_source(found.info).frames(unit))
    width, height = geometry.canvas
    canvases = np.empty((len(frames), height, width, 3), np.uint8)
    planes = np.empty((len(frames), geometry.plane_bytes), np.uint8)
    writer = PlaneWriter(found.info, geometry)
    for place, frame in enumerate(frames):
        writer.write(frame, planes[place], canvases[place])
    detector = Detector(open_graph(networks.detector, device, canvases.shape[1:]), 0.5)
    scale = np.array(geometry.canvas_to_display, np.float32)
    found_faces, canvas = detector.detect_all(canvases)
    aligned = align_planes(planes, geometry, canvas, found_faces.landmarks * scale)
    return Samples(film, found, networks, device, geometry, frames, canvases, aligned)


def open_graph(graph: Path, device: DeviceInfo, size: Sequence[int], *, batch: int = BATCH) -> Session:
    """A session as a worker opens it; of a batch of one, all threads share each picture.

    Its compiled forms are stored beside the graph: in the cache of networks, or in the folder of this run.
    """
    usual = (batch, *size)
    threads = min(2, num_cores())
    return open_session(
        graph, device, threads=threads, cache_folder=graph.parent, shapes=ShapeRange(usual, usual, usual)
    )


def milliseconds(session: Session, pictures: Pixels) -> float:
    """Milliseconds a picture, in batches as a worker's."""
    began = time.perf_counter()
    for first in range(0, len(pictures), BATCH):
        session.infer(pictures[first : first + BATCH])
    return (time.perf_counter() - began) * 1e3 / len(pictures)


def take_turns(repeats: int, *ways: Callable[[], float]) -> list[float]:
    """The median of what each way says that it took, all taking turns after one turn that does not count."""
    for way in ways:
        way()
    turns: list[Any] = [[way() for way in ways] for _ in range(repeats)]
    return [statistics.median(column) for column in zip(*turns, strict=True)]
