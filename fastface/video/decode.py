"""Choose the decoder of a unit, and continue with PyAV if an NVIDIA card fails.

`pipeline.decoder`, `display_frames` and the clips call `open_source`. Both decoders must return the same frames.
"""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

from fastface.types import Unit, VideoInfo
from fastface.video.frames.frame import FrameSource, SampledFrame, SignOfLife, UnitReport, no_sign
from fastface.video.nvdec import NvdecError, NvdecSource, is_installed
from fastface.video.pyav import PyavSource
from fastface.video.sequence import SequenceSource


def open_source(info: VideoInfo, threads: int = 1, alive: SignOfLife = no_sign, card: int = 0) -> FrameSource:
    """Return the frame source for a probed video.

    Args:
        info: Result of `probe`.
        threads: Number of threads that the decoder may use.
        alive: Called with each packet or picture that is read.
        card: Number of the NVIDIA card that decodes.
    """
    if info.codec == "images":
        return SequenceSource(info, alive)
    return _FileSource(info, threads, alive, card)


class _FileSource:
    """A video file, decoded by the decoder that each unit requests."""

    def __init__(self, info: VideoInfo, threads: int, alive: SignOfLife, card: int) -> None:
        self.report = UnitReport()
        self._info = info
        self._threads = threads
        self._alive = alive
        self._card = card

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """Yield the samples of a unit: from the card until it fails, then from PyAV, which samples the same frames."""
        reason, last, sampled = "", None, 0
        if unit.decoder == "nvdec" or (unit.decoder == "auto" and is_installed()):
            try:
                source = NvdecSource(self._info, self._card, self._alive)
                for frame in _close(source, unit):
                    last = frame.pts
                    sampled += 1
                    yield frame
            except NvdecError as error:
                reason = str(error)
            else:
                self.report = source.report
                return
        rest = PyavSource(self._info, self._threads, self._alive)
        for frame in _close(rest, unit):
            if last is None or frame.pts > last:
                sampled += 1
                yield frame
        self.report = replace(rest.report, sampled=sampled, decoder_reason=reason)


def _close(source: FrameSource, unit: Unit) -> Generator[SampledFrame]:
    """Yield the frames of a source, and close its file as soon as no more are needed."""
    with closing(source.frames(unit)) as frames:
        yield from frames
