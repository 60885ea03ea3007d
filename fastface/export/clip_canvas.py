"""The picture into which the frames of a clip are fitted, where a film changes its size or turn within it."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from fastface.types import Sampling, Size, Unit, VideoInfo
from fastface.video.decode import open_source

__all__ = ["EVEN_SIDES", "find_canvas", "fit_filter"]

EVEN_SIDES = "scale=w=ceil(iw/2)*2:h=ceil(ih/2)*2"
"""4:2:0 halves both sides."""


def find_canvas(info: VideoInfo, start: float, end: float, check_stop: Callable[[], object]) -> Size | None:
    """The size, with even sides, that most frames of a stretch have; None where the film never changes it.

    Args:
        info: The video, scanned.
        start: Seconds from the first frame.
        end: Exclusive.
        check_stop: Called with each packet; what it raises ends the work and goes on to the caller.
    """
    if not info.other_sizes:
        return None
    counts = Counter[Size]()
    unit = Unit(info.video_id, 0, Fraction(max(0.0, start)), Fraction(end), Sampling(None))
    for frame in open_source(info, alive=check_stop).frames(unit):
        counts[(frame.info or info).size] += 1
    width, height = counts.most_common(1)[0][0] if counts else info.size
    return -(-width // 2) * 2, -(-height // 2) * 2


def fit_filter(canvas: Size | None) -> str:
    """Ffmpeg's filters that make each frame fit: with its own aspect, black around it; None: with even sides only.

    ffmpeg makes its filters anew where frames change their size, and would squeeze the later ones into the first's.
    """
    if canvas is None:
        return EVEN_SIDES
    width, height = canvas
    wide, high = f"min({width},{height}*dar)", f"min({height},{width}/dar)"
    fitted = ":".join(f"{side}='max(2,trunc({value}/2+0.5)*2)'" for side, value in (("w", wide), ("h", high)))
    return f"scale={fitted},setsar=1,pad={width}:{height}:(ow-iw)/2:(oh-ih)/2"
