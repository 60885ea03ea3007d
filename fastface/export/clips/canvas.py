"""Find the picture size of a clip if a film changes its size or rotation within it.

`clips` and `overlay_video` call it before they encode. It decodes the whole stretch, but only for such films.
"""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from fastface.types import Sampling, Size, Unit, VideoInfo
from fastface.video.decode import open_source


def find_canvas(
    info: VideoInfo, start: float | Fraction, end: float | Fraction, check_stop: Callable[[], object]
) -> Size | None:
    """Return the (width, height), as displayed and even, of most frames of a stretch; None if it never changes.

    Args:
        info: The video, scanned.
        start: Seconds from the first frame, inclusive.
        end: Seconds from the first frame, exclusive.
        check_stop: Called with each packet; its exceptions pass through.
    """
    if not info.other_sizes:
        return None
    counts = Counter[Size]()
    unit = Unit(info.video_id, 0, max(Fraction(0), Fraction(start)), Fraction(end), Sampling(None))
    for frame in open_source(info, alive=check_stop).frames(unit):
        counts[(frame.info or info).size] += 1
    width, height = counts.most_common(1)[0][0] if counts else info.size
    return -(-width // 2) * 2, -(-height // 2) * 2
