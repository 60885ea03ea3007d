"""Events of the coordinator: `events()` yields them in the order in which they happened."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fastface.pipeline.messages import VideoProbed, VideoRefused
from fastface.types import Bodies, Faces, SampledFrames, Thumbnails, Unit
from fastface.video.frames.frame import UnitReport


@dataclass(frozen=True, slots=True)
class UnitScanned:
    """A unit is complete: `sampled = inferred + quarantined`, always.

    Attributes:
        unit: The unit.
        faces: All its faces, in order of time.
        report: What the decoder saw.
        inferred: Sampled frames that were searched.
        repeated: Of these, the frames equal to the one before them: they show the same faces.
        blurred: Of the searched frames, those too blurred to be given to the detector.
        unsharp: Faces that were left out, since not sharp enough.
        quarantined: Sampled frames that killed every worker that searched them.
        seconds: Time of each stage, summed over the processes.
        portraits: A row for each face that may be pictured, in order of time. Which of them are depends on the batches:
            at least those that `faces.portraits.choose_portraits` takes.
        due: (k,) int64, timestamps of the frames of which the best faces are pictured.
        bodies: All its bodies, in order of time; none where they were not looked for.
        frames: All its sampled frames, in order of time, with their signatures and without shots.
    """

    unit: Unit
    faces: Faces
    report: UnitReport
    inferred: int
    repeated: int
    quarantined: int
    seconds: dict[str, float] = field(default_factory=dict)
    portraits: Thumbnails = field(default_factory=Thumbnails.empty)
    due: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    blurred: int = 0
    unsharp: int = 0
    bodies: Bodies = field(default_factory=Bodies.empty)
    frames: SampledFrames = field(default_factory=SampledFrames.empty)


@dataclass(frozen=True, slots=True)
class UnitLost:
    """A unit has no result: it cannot be decoded (`failed`), or kills its decoders (`quarantined`)."""

    unit: Unit
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """For progress bars: so many more seconds of a unit were searched, and so many faces found in them."""

    unit: Unit
    seconds: float
    faces: int


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """A child process died and was replaced."""

    name: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProcessNote:
    """Note of a child at its start."""

    name: str
    text: str


Event = ProcessNote | VideoProbed | VideoRefused | UnitScanned | UnitLost | Progress | ProcessExited
