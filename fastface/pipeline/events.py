"""Define the events of the coordinator; `events()` yields them in the order in which they happened.

The scanner consumes them. All are frozen and hold small arrays, never frames.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fastface.pipeline.messages import VideoProbed, VideoRefused
from fastface.types import Bodies, Faces, FrameCounts, SampledFrames, Thumbnails, Unit
from fastface.video.frames.frame import UnitReport


@dataclass(frozen=True, slots=True)
class UnitScanned:
    """A unit is complete.

    Attributes:
        unit: The unit.
        faces: All its faces, in order of time.
        report: The decoder's report.
        counts: Counts of its frames.
        seconds: Time of each stage, summed over the processes.
        portraits: A row for each face that may get a picture, in order of time. The choice depends on the batches: it
            contains at least the choice of `faces.portraits.choose_portraits`.
        due: (k,) int64, timestamps of the frames whose best faces get a picture.
        cuts: (c,) int64, timestamps of the first frames after a cut, rising.
        bodies: All its bodies, in order of time; empty if the scan does not search for bodies.
        frames: All its sampled frames, in order of time, with their signatures and without shots.
    """

    unit: Unit
    faces: Faces
    report: UnitReport
    counts: FrameCounts
    seconds: dict[str, float] = field(default_factory=dict)
    portraits: Thumbnails = field(default_factory=Thumbnails.empty)
    due: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    cuts: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
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
    """Progress for the progress bars: seconds of a unit searched since the last event, and faces found in them."""

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
    """A note that a child sent at its start."""

    name: str
    text: str


Event = ProcessNote | VideoProbed | VideoRefused | UnitScanned | UnitLost | Progress | ProcessExited
