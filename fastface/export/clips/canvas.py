"""The picture into which the frames of a clip are fitted, where a film changes its size or turn within it."""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from fastface.types import Sampling, Size, Unit, VideoInfo
from fastface.video.decode import open_source


def find_canvas(
    info: VideoInfo, start: float | Fraction, end: float | Fraction, check_stop: Callable[[], object]
) -> Size | None:
    """The size, as displayed and with even sides, that most frames of a stretch have; None where it never changes.

    Args:
        info: The video, scanned.
        start: Seconds from the first frame.
        end: Exclusive.
        check_stop: Called with each packet; what it raises ends the work and goes on to the caller.
    """
    if not info.other_sizes:
        return None
    counts = Counter[Size]()
    unit = Unit(info.video_id, 0, max(Fraction(0), Fraction(start)), Fraction(end), Sampling(None))
    for frame in open_source(info, alive=check_stop).frames(unit):
        counts[(frame.info or info).size] += 1
    width, height = counts.most_common(1)[0][0] if counts else info.size
    return -(-width // 2) * 2, -(-height // 2) * 2
