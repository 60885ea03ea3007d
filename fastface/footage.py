"""Define facts about a video, and counts of its frames.

The ledger stores both. `status` reads them without arrays, so this module imports neither NumPy nor a module that does.
`fastface.types` exports these names too. Times are `Fraction`s, so that they are exact.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from fractions import Fraction
from operator import attrgetter
from pathlib import Path

from fastface.choices import Size


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts about a video before its frames are decoded.

    Attributes:
        path: The file, or the pattern of an image sequence.
        video_id: The input's relative path made safe for a folder name; unique in a run.
        size: (width, height) of the first frame as displayed: after rotation and pixel aspect ratio.
        coded_size: (width, height) as decoded.
        rotation: Degrees clockwise by which a decoded frame is turned for display: 0, 90, 180 or 270.
        mirrored: True if the display matrix also mirrors the frame, left to right, before it is turned.
        pixel_aspect: Width of a decoded pixel over its height.
        interlaced: True if the first frame is flagged as interlaced.
        time_base: Seconds of one pts tick.
        rate: Average frames per second from the header; None if the header has none.
        start_pts: pts of the first frame; every time counts from it.
        duration: Seconds of picture from the header. If the header has none: None until the whole video was read, then
            the seconds read.
        codec: The codec's short name.
        pixel_format: The decoder's pixel format.
        estimated_times: True if frames have no timestamps, or the clock jumps back in the middle. Times are then
            counted by `rate` there and are valid only if decoding begins at the beginning.
        uses_dts: True if the container has no presentation times, and FFmpeg's estimates are wrong. A frame then has
            the decoding time of the packet that brought it out of the decoder, in order of output.
        player_offset: Seconds from a player's zero, the start of the file's first stream, to the first frame: sound or
            another stream may start before it. A player, and `ffmpeg -ss`, count from that zero.
        is_counted: True if no frame has a valid timestamp: each is shown 1 / `rate` after the previous one.
        is_rate_assumed: True if they are counted at a rate that no header gives.
        max_pixels: Width × height of the largest decoded frame, since a film may change its size.
        is_film: True if its frames follow each other. Pictures of a folder need not: each may have another size, and
            shows a separate moment.
        sound_end: Seconds from the first frame to the end of the sound, if the picture ends clearly before it.
        other_sizes: (width, height) as displayed of later frames of other sizes; known after the scan. Boxes and
            landmarks are in pixels of their own frame.
        num_other_films: Number of further video streams in the file.
        declared: Seconds that the header declares, if the file is shorter but complete.
        timecode: SMPTE timecode of the first frame, as the file has it; empty without one.
        has_sound: True if the file has a sound track.
    """

    path: Path
    video_id: str
    size: Size
    coded_size: Size
    rotation: int
    mirrored: bool
    pixel_aspect: Fraction
    interlaced: bool
    time_base: Fraction
    rate: Fraction | None
    start_pts: int
    duration: Fraction | None
    codec: str
    pixel_format: str
    estimated_times: bool = False
    uses_dts: bool = False
    player_offset: Fraction = Fraction(0)
    max_pixels: int = 2**31 - 1
    is_film: bool = True
    is_counted: bool = False
    is_rate_assumed: bool = False
    sound_end: Fraction | None = None
    declared: Fraction | None = None
    other_sizes: tuple[Size, ...] = ()
    num_other_films: int = 0
    timecode: str = ""
    has_sound: bool = False

    def frame_time(self, pts: int) -> Fraction:
        """Return the seconds of a pts from the first frame."""
        return (pts - self.start_pts) * self.time_base

    def to_pts(self, time: Fraction) -> int:
        """Return the largest pts that is not after `time` seconds from the first frame."""
        return self.start_pts + int(time // self.time_base)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCounts:
    """Counts of the frames of a batch, unit, video or run, and of their faces. They can be added.

    `sampled = inferred + quarantined` for every unit, video and run.
    """

    sampled: int = 0  # sampled frames
    inferred: int = 0  # sampled frames that were searched
    repeated: int = 0  # searched frames that equal the previous frame; they get its faces
    blurred: int = 0  # searched frames that the detector skipped because of blur
    unsharp: int = 0  # faces left out because they are not sharp
    quarantined: int = 0  # sampled frames that killed every worker that searched them
    faces: int = 0  # faces found

    def __add__(self, other: "FrameCounts") -> "FrameCounts":
        return FrameCounts(**{name: getattr(self, name) + getattr(other, name) for name in _COUNTS})

    @classmethod
    def sum_up(cls, counted: Collection["FrameCounts"]) -> "FrameCounts":
        """Return the sums of many counts: adding the counts of 100,000 videos one by one takes a second."""
        return FrameCounts(**{name: sum(map(attrgetter(name), counted)) for name in _COUNTS})

    def select_counts(self) -> dict[str, int]:
        """Return {name of a count: count}, without the fields of a subclass."""
        return {name: getattr(self, name) for name in _COUNTS}


_COUNTS = tuple(field.name for field in fields(FrameCounts))
