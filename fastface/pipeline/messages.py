"""Messages between the coordinator and its children. Frames never cross a pipe: they lie in the ring.

Small pictures of faces do, as JPEG: a few kilobytes a batch, beside embeddings of a kilobyte a face.

Every message is a small frozen dataclass, pickled by the connection. A child obeys only what is under "to a …".
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fastface.backends import DeviceInfo, Precision
from fastface.persons.network import PersonNetwork
from fastface.pipeline.ring import RingShape
from fastface.types import BlurGate, Bodies, Faces, Geometry, Sampling, SecondLooks, Size, Thumbnails, Unit, VideoInfo
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import UnitReport

Role = Literal["detector", "recogniser", "person"]
"""What a network is for."""

# ── settings: the first message to every child ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class DecoderSettings:
    """Settings of a decoder for all of its life.

    `card` is the number of the card that decodes, where one does; of several, `cards`, decoders are dealt to them in
    turn. `portraits`: whether faces are to be pictured.
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
        """The settings of the decoder at a place of the crew."""
        return replace(self, card=self.cards[place % len(self.cards)]) if self.cards else self


@dataclass(frozen=True, slots=True)
class Precisions:
    """In which precision each network computes, as it was settled before any process was started."""

    detector: Precision
    recogniser: Precision
    person: Precision | None = None  # None: it is not used
    notes: tuple[str, ...] = ()  # a line for each network that does not bear the precision aimed at


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Settings of an inference worker for all of its life.

    Graphs are the rewritten ones; `canvas` is the detector's usual size, which it gets ready for before work comes.
    Where there are several `cards`, workers are dealt to them in turn; `device` is then the first. Without a `gate` no
    frame is too blurred, and no face with a `min_sharpness` of 0. Without `persons` bodies are not looked for. Without
    `precisions` every network computes in the device's.
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

    def network_device(self, role: Role) -> DeviceInfo:
        """The device, with the precision of one of the networks."""
        return with_network_precision(self.device, self.precisions, role)

    def at(self, place: int) -> "WorkerSettings":
        """The settings of the worker at a place of the crew."""
        return replace(self, device=self.cards[place % len(self.cards)]) if self.cards else self


def with_network_precision(device: DeviceInfo, precisions: Precisions | None, role: Role) -> DeviceInfo:
    """A device with the precision of one of the networks.

    TensorRT keeps the one aimed at: it is part of what an engine is found by, and a note beside the engine says in
    which precision that engine was built.
    """
    precision = None if precisions is None else getattr(precisions, role)
    return device if precision is None or device.provider == "TensorRT" else replace(device, precision=precision)


# ── to a decoder ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ProbeVideo:
    """Look at the headers and the first frame of a video, and plan its units."""

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
    """Stop decoding this unit; nothing of it is wanted any more."""

    work: int


# ── to a worker ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class InferFrames:
    """Find and embed the faces of frames `first … first + count` of a slot's batch.

    Where `portraits` are wanted, faces are pictured by `faces.portraits.choose_portraits`, which is given the frames
    that are due; no face is pictured in those of `damaged`. A track bridges `max_gap` seconds. The batch is number
    `sequence` of the attempt `work` at a unit. Where the worker has a network for them, it finds `bodies` too, and
    pictures the best of frames that are due. Pictures of no film are searched at more scales.
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
    """The child has started and takes work; `notes` is what a person may want to know of it."""

    device: DeviceInfo | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """The child cannot go on and ends: `reason` is one line, `details` the traceback; `kind` the error's class name."""

    kind: str
    reason: str
    details: str


# ── from a decoder ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class VideoProbed:
    """A video can be decoded in these units; also an event. Its receiver schedules those that it wants."""

    file: VideoFile
    info: VideoInfo
    units: tuple[Unit, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class VideoRefused:
    """A video ends in this state without a unit; also an event."""

    file: VideoFile
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class SlotFilled:
    """A slot holds a batch of a unit.

    Frame i of it has `pts[i]` and `times[i]` seconds from the first frame, and looks like row i of `signatures`, which
    are the bytes of (n, SIGNATURE_SIZE) uint8; those in `damaged` may be damaged. Of the frames that are due the best
    faces, or bodies, are pictured.
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
    faces_due: tuple[int, ...] = ()
    bodies_due: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life during long work."""


@dataclass(frozen=True, slots=True)
class UnitDecoded:
    """All frames of the unit were sampled into `batches` slots."""

    work: int
    batches: int
    report: UnitReport
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnitRefused:
    """The unit cannot be decoded, and would not be on another try."""

    work: int
    state: str
    reason: str


# ── from a worker ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Inferred:
    """The faces of the asked frames, in frame order.

    `portraits` has a row for each of them that may be pictured, also for those that are not. `seconds` is the time of
    each stage; `repeated` frames were equal to the one before them and not computed again, `blurred` ones not searched;
    `unsharp` faces were left out.
    """

    batch: int
    first: int
    faces: Faces
    seconds: dict[str, float]
    repeated: int
    portraits: Thumbnails = field(default_factory=Thumbnails.empty)
    blurred: int = 0
    unsharp: int = 0
    bodies: Bodies = field(default_factory=Bodies.empty)
