"""Define the names and limits that settings and arrays share.

The command line reads settings before it loads NumPy, so this module imports neither NumPy nor a module that does.
`fastface.types` exports these names too.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Size = tuple[int, int]
"""(width, height) in pixels."""

DecoderName = Literal["pyav", "nvdec", "auto"]
"""Decoder of videos: pyav is FFmpeg's libraries; nvdec is a card, or PyAV if it fails; auto is nvdec if installed."""

Rank = Literal["seconds", "coverage", "centrality", "quality"]
"""Order of persons; see `census.clusters.person_summaries.rank_clusters`."""

TimelineFormat = Literal[
    "edl", "markers", "fcp7", "fcpxml", "otio", "losslesscut", "srt", "vtt", "ass", "chapters", "elan", "annotations",
    "regions", "cvat", "coco", "presence",
]  # fmt: skip
"""Name of a format of timelines: the spans for other programs. `export.timelines.writer` has each."""

DOUBLE_COSINE = 0.968
"""Minimum cosine of two embeddings that count as one: neighbouring frames of one shot."""

PERSON_SIDES = "a multiple of 32 from 64 to 2048"
"""Allowed sides of a person network's canvas: the largest stride is 32."""

PROFILE_YAW = 50.0
"""Minimum yaw of a profile in degrees: half of the face is hidden. The estimate is accurate to ten degrees."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Choice of frames.

    A period P divides time into a grid of cells [kP, (k+1)P); the first frame of each cell is a sample. So the samples
    do not depend on the start of decoding, as long as it is a cell's edge.

    Attributes:
        period: Seconds between samples; None takes every frame.
        keyframes: True to sample only keyframes: the first keyframe of each cell that has one.
    """

    period: Fraction | None
    keyframes: bool = False

    def cell(self, time: Fraction) -> int | None:
        """Return the grid cell of a time; None if every frame is a sample."""
        return None if self.period is None else int(time // self.period)
