"""Define the messages between the coordinator and its children. Frames never cross a pipe: they are in the ring.

Small pictures of faces cross it as JPEG: a few kilobytes a batch, beside embeddings of a kilobyte a face. Every message
is a small frozen dataclass, pickled by the connection. A child accepts only the messages under "to a …".
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fastface.backends import DeviceInfo, Precision
from fastface.persons.network import PersonNetwork
from fastface.pipeline.ring import RingShape
from fastface.types import (
    ALIGNED_SIZE,
    BlurGate,
    Bodies,
    Faces,
    FrameCounts,
    Geometry,
    Sampling,
    SecondLooks,
    Size,
    Thumbnails,
    Unit,
    VideoInfo,
)
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import UnitReport

Role = Literal["detector", "recogniser", "person"]
"""The purpose of a network."""

# ── settings: the first message to every child ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class DecoderSettings:
    """Settings of a decoder for its whole life.

    `card` is the number of the card that decodes, or None. If `cards` has several numbers, decoders get them in turn.
    `portraits` is true if faces get pictures.
    """

    ring: RingShape
    det_size: Size | None
    sampling: Sampling
    unit_seconds: float
    max_pixels: int
    threads: int
    portraits: bool = False
    card: int = 0
    cards: tuple[int, ...] = ()

    def at(self, place: int) -> "DecoderSettings":
        """Return the settings of the decoder at a place of the pool."""
        return replace(self, card=self.cards[place % len(self.cards)]) if self.cards else self


@dataclass(frozen=True, slots=True)
class Precisions:
    """The precision of each network, settled before any process starts."""

    detector: Precision
    recogniser: Precision
    person: Precision | None = None  # None if it is not used
    notes: tuple[str, ...] = ()  # one line for each network that cannot compute in the wanted precision


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of an inference worker for its whole life.

    Graphs are the rewritten ones. `canvas` is the detector's usual size, for which the worker prepares at its start. If
    there are several `cards`, workers get them in turn; `device` is then the first. Without a `gate` no frame is too
    blurred; with a `min_sharpness` of 0 no face is. Without `persons` the worker finds no bodies. Without `precisions`
    every network computes in the device's precision. `aligned_size` is the side of the recogniser's input.
    """

    ring: RingShape
    canvas: Size
    detector: Path
    recogniser: Path
    dimension: int
    device: DeviceInfo
    threads: int
    cache_folder: Path
    det_threshold: float
    min_face: int
    min_sharpness: float = 0.0
    gate: BlurGate | None = None
    persons: PersonNetwork | None = None
    cards: tuple[DeviceInfo, ...] = ()
    looks: SecondLooks = field(default_factory=SecondLooks)
    clear_score: float | None = None
    precisions: Precisions | None = None
    aligned_size: int = ALIGNED_SIZE

    def network_device(self, role: Role) -> DeviceInfo:
        """Return the device with the precision of one network."""
        return with_network_precision(self.device, self.precisions, role)

    def at(self, place: int) -> "WorkerSettings":
        """Return the settings of the worker at a place of the pool."""
        return replace(self, device=self.cards[place % len(self.cards)]) if self.cards else self


def with_network_precision(device: DeviceInfo, precisions: Precisions | None, role: Role) -> DeviceInfo:
    """Return a device with the precision of one network.

    TensorRT keeps the wanted precision, because the name of an engine depends on it. A note beside the engine holds the
    precision in which the engine was built.
    """
    precision = None if precisions is None else getattr(precisions, role)
    return device if precision is None or device.provider == "TensorRT" else replace(device, precision=precision)


# ── to a decoder ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ProbeVideo:
    """Read the headers and the first frame of a video, and plan its units."""

    file: VideoFile


@dataclass(frozen=True, slots=True)
class DecodeUnit:
    """Decode a unit into granted slots."""

    work: int
    info: VideoInfo
    unit: Unit


@dataclass(frozen=True, slots=True)
class Grant:
    """A slot that the decoder may fill, now or for a later unit."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class CancelUnit:
    """Stop decoding this unit; its results are no longer needed."""

    work: int


# ── to a worker ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class InferFrames:
    """Find and embed the faces of frames `first … first + count` of a slot's batch.

    If `portraits` is true, `faces.portraits.choose_portraits` chooses the faces to picture. It receives the frames that
    are due and the first frames after a cut; frames in `damaged` get no pictures. A track bridges `max_gap` seconds.
    The batch is number `sequence` of the attempt `work` at a unit. With a person network, the worker finds `bodies`
    too, and pictures the best of frames that are due. Still pictures are searched at more scales than films.
    """

    batch: int
    slot: int
    geometry: Geometry
    first: int
    count: int
    pts: tuple[int, ...]
    times: tuple[float, ...]
    faces_due: tuple[int, ...] = ()
    bodies_due: tuple[int, ...] = ()
    bodies: bool = True
    is_film: bool = True
    portraits: bool = False
    damaged: frozenset[int] = frozenset()
    cuts: tuple[int, ...] = ()
    max_gap: float = 0.0
    work: int = 0
    sequence: int = 0


# ── to any child ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Stop:
    """End now."""


# ── from any child ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Ready:
    """The child has started and takes work; `notes` are lines for the user."""

    device: DeviceInfo | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The child ends because of an error: `reason` is one line, `details` the traceback, `kind` the error class."""

    kind: str
    reason: str
    details: str


# ── from a decoder ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class VideoProbed:
    """A video can be decoded in these units; also an event. The receiver schedules the units that it needs."""

    file: VideoFile
    info: VideoInfo
    units: tuple[Unit, ...]
    fingerprint: str  # of the content
    stamp: str  # size and times of the file before it was read


@dataclass(frozen=True, slots=True)
class VideoRefused:
    """A video ends in this state without a unit; also an event."""

    file: VideoFile
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class SlotFilled:
    """A slot holds a batch of a unit.

    Frame i has the timestamp `pts[i]` and is `times[i]` seconds after the first frame. Its signature is row i of
    `signatures`, the bytes of (n, SIGNATURE_SIZE) uint8. Frames in `damaged` may be damaged; frames in `cuts` are the
    first after a cut. The best faces, or bodies, of due frames get pictures.
    """

    work: int
    sequence: int
    slot: int
    generation: int
    geometry: Geometry
    pts: tuple[int, ...]
    times: tuple[float, ...]
    signatures: bytes
    damaged: frozenset[int] = frozenset()
    cuts: tuple[int, ...] = ()
    faces_due: tuple[int, ...] = ()
    bodies_due: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Progress of long work; it proves that the child is alive."""


@dataclass(frozen=True, slots=True)
class UnitDecoded:
    """All frames of the unit were sampled into `batches` slots."""

    work: int
    batches: int
    report: UnitReport
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnitRefused:
    """The unit cannot be decoded; a retry would fail too."""

    work: int
    state: str
    reason: str


# ── from a worker ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Inferred:
    """The faces of the task's frames, in frame order.

    `portraits` has a row for each face that may get a picture, also if it has none. `seconds` is the time of each
    stage. `counts` has the repeated and blurred frames, and the faces that are not sharp.
    """

    batch: int
    first: int
    faces: Faces
    seconds: dict[str, float]
    counts: FrameCounts = field(default_factory=FrameCounts)
    portraits: Thumbnails = field(default_factory=Thumbnails.empty)
    bodies: Bodies = field(default_factory=Bodies.empty)
