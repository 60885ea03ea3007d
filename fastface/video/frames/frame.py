"""Contract of every decoder: `FrameSource` yields frames. Each must pass tests/contract/test_decoders.py.

`video.decode` chooses the decoder; `pipeline.decoder` reads its frames.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from fastface.types import Image, Size, Unit, VideoInfo

SignOfLife = Callable[[], object]
"""Callback for every step of long work, so that the process is not taken for stalled."""


def no_sign() -> None:
    """Ignore the sign of life."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A sampled frame; its pixels are valid until the next frame is requested.

    Attributes:
        pts: Timestamp in the stream's time base.
        time: Seconds from the video's first frame.
        content: The decoder's frame (`av.VideoFrame`), or a BGR picture of an image sequence.
        flagged: True if the decoder reports damage.
        info: The video with the size and rotation of this frame, which may change in a film; None for pictures.
    """

    pts: int
    time: Fraction
    content: Any | Image
    flagged: bool
    info: VideoInfo | None = None


@dataclass(frozen=True, slots=True)
class UnitReport:
    """Result of decoding a unit.

    Attributes:
        decoded: Number of decoded frames of the unit.
        sampled: Number of yielded frames.
        errors: Number of packets or frames that could not be decoded, or only with damage.
        encrypted: Number of these that are encrypted packets.
        covered: Seconds of the unit that were decoded: gaps without an error are the film's own and count.
        keyframes: Times of the yielded keyframes; empty unless only keyframes were requested.
        decoder: The decoder that decoded the whole unit: `pyav` or `nvdec`; empty for pictures.
        decoder_reason: Reason why that is not the requested decoder; empty if it is.
        unread: Read error of the disk or the share; empty without one.
        sizes: Displayed (width, height) of yielded frames that differ from the first frame's.
        read_seconds: Time for reading packets from the file.
    """

    decoded: int = 0
    sampled: int = 0
    errors: int = 0
    encrypted: int = 0
    covered: Fraction = Fraction(0)
    keyframes: tuple[Fraction, ...] = ()
    decoder: str = ""
    decoder_reason: str = ""
    unread: str = ""
    sizes: tuple[Size, ...] = ()
    read_seconds: float = 0.0


class FrameSource(Protocol):
    """Decode units of one video. One thread of one process uses it."""

    report: UnitReport
    """Report of the last unit; valid when its frames are exhausted."""

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """Yield the samples of a unit in order of time.

        Raises:
            VideoError: The video cannot be opened.
        """
        ...
