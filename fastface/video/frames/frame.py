"""Contract of every decoder: the frames that a source yields."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from fastface.types import Image, Size, Unit, VideoInfo

CANNOT_READ = "cannot be read"
"""How the reason begins where the disk or the share fails, and another run may do better."""

SignOfLife = Callable[[], object]
"""Called wherever long work gets on."""


def no_sign() -> None:
    """Sign of life that is ignored."""


@dataclass(frozen=True, slots=True)
class SampledFrame:
    """A frame to be looked at; its pixels are valid until the next one is asked for.

    Attributes:
        pts: In the stream's time base.
        time: Seconds from the video's first frame.
        content: The decoder's frame (`av.VideoFrame`), or a BGR picture of an image sequence.
        flagged: Whether the decoder said that it is damaged.
        info: The video as this frame shows it, where a film changes its size or turn; None for pictures.
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
        decoded: Frames of the unit that were decoded.
        sampled: Frames that were handed out.
        errors: Packets or frames that could not be decoded, or only with damage.
        encrypted: Of these, packets that are encrypted.
        covered: Seconds of the unit that were decoded: gaps without an error are the film's own and count.
        keyframes: When those that were handed out are shown; empty unless only they were asked for.
        decoder: What decoded it, to its end: `pyav` or `nvdec`; empty for pictures.
        decoder_reason: Why that is not the decoder that was asked for; empty if it is.
        unread: Why the disk or the share did not give all of the file; empty if it did.
        sizes: (width, height) as displayed of frames that were handed out, where that is not the first frame's.
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


class FrameSource(Protocol):
    """Decodes units of one video. One thread of one process uses it."""

    report: UnitReport
    """Of the last unit, once its frames are exhausted."""

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """The samples of a unit in order of time.

        Raises:
            VideoError: The video cannot be opened.
        """
        ...
