"""Read image sequences as videos: a folder of pictures, or a `%04d` pattern.

`video.probe` and `video.decode` call it. The pictures have no times: they are counted at `SEQUENCE_RATE`.
"""

from collections.abc import Generator
from fractions import Fraction

from fastface.errors import InputError, VideoError
from fastface.types import Unit, VideoInfo
from fastface.video.discover import SEQUENCE_CODEC, VideoFile, sequence_files
from fastface.video.frames.canvas import picture_limit
from fastface.video.frames.frame import SampledFrame, SignOfLife, UnitReport, no_sign
from fastface.video.frames.image_file import MAX_PIXELS, read_picture

SEQUENCE_RATE = Fraction(25)
"""Pictures a second; ffmpeg's default for sequences, which have no times."""

_UNKNOWN_LIMIT = 2**31 - 1
"""`VideoInfo.max_pixels` of records without a limit."""


def probe_sequence(file: VideoFile, max_pixels: int) -> VideoInfo:
    """Probe a sequence by its first readable picture.

    Raises:
        VideoError: No picture of it can be read.
    """
    files = sequence_files(file.path)
    for path in files:
        try:
            height, width = read_picture(path, picture_limit(max_pixels)).shape[:2]
        except InputError:
            continue
        return VideoInfo(
            path=file.path,
            video_id=file.video_id,
            size=(width, height),
            coded_size=(width, height),
            rotation=0,
            mirrored=False,
            pixel_aspect=Fraction(1),
            interlaced=False,
            time_base=1 / SEQUENCE_RATE,
            rate=SEQUENCE_RATE,
            start_pts=0,
            duration=len(files) / SEQUENCE_RATE,
            codec=SEQUENCE_CODEC,
            pixel_format="bgr24",
            estimated_times=True,
            is_film=not file.path.is_dir(),
            max_pixels=max_pixels,
        )
    raise VideoError(file.path, f"none of its {len(files)} pictures can be read")


class SequenceSource:
    """Source of the pictures of a sequence in order; an unreadable picture is counted as an error."""

    def __init__(self, info: VideoInfo, alive: SignOfLife = no_sign) -> None:
        self.report = UnitReport()
        self._info = info
        self._alive = alive
        # Older records do not contain the limit.
        is_known = info.max_pixels < _UNKNOWN_LIMIT
        self._max_pixels = picture_limit(info.max_pixels) if is_known else MAX_PIXELS

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """Yield the samples of a unit.

        Numbered pictures are a film: with a sampling rate, only the first picture of each cell is read. Pictures of a
        folder may be unrelated: all are read.
        """
        last_cell: int | None = None
        decoded = sampled = errors = 0
        for pts, path in enumerate(sequence_files(self._info.path)):
            self._alive()
            time = self._info.frame_time(pts)
            if time < unit.start or (unit.end is not None and time >= unit.end):
                continue
            decoded += 1
            cell = unit.sampling.cell(time) if self._info.is_film else None
            if cell is not None and cell == last_cell:
                continue
            try:
                picture = read_picture(path, self._max_pixels)
            except InputError:
                decoded -= 1
                errors += 1
                continue
            last_cell = cell
            sampled += 1
            yield SampledFrame(pts, time, picture, flagged=False)
        self.report = UnitReport(decoded, sampled, errors, covered=decoded / SEQUENCE_RATE)
