"""How large: the planes that are kept of a frame, and the canvas that the detector sees. Pure."""

from fastface.types import Geometry, Size, VideoInfo

USUAL_CANVAS: Size = (640, 384)
"""The automatic canvas of a video of 16:9."""

CANVAS_SIDE = 640
"""Long side of the automatic canvas: what the networks were trained at and insightface looks at."""

MAX_PLANES = (4096, 2304)
"""Larger frames are stored smaller: a face that the canvas shows has more pixels there than its embedding needs."""

PICTURE_CANVAS = 640
"""Side of the canvas that a single picture is looked at in: insightface's default."""


def picture_limit(max_pixels: int) -> int:
    """Largest width × height of a picture where decoded frames may have `max_pixels`: large pictures are halved."""
    return max_pixels * 3 // 2


def choose_geometry(info: VideoInfo, det_size: Size | None) -> Geometry:
    """How the frames of a video lie in the ring.

    Args:
        info: The video.
        det_size: The canvas; None for 640 pixels on the long side and the video's aspect, in steps of 32, or for
            pictures, which are of any aspect, the one square that holds each.
    """
    width, height = info.size
    planes_factor = min(1.0, MAX_PLANES[0] * MAX_PLANES[1] / (width * height)) ** 0.5
    planes = (_even(width * planes_factor), _even(height * planes_factor))
    canvas = det_size or (_choose_canvas(width, height) if info.is_film else (PICTURE_CANVAS, PICTURE_CANVAS))
    factor = min(canvas[0] / width, canvas[1] / height)
    content = (min(canvas[0], _even(width * factor)), min(canvas[1], _even(height * factor)))
    return Geometry(display=(width, height), planes=planes, canvas=canvas, content=content)


def _choose_canvas(width: int, height: int) -> Size:
    short = max(1, -(-CANVAS_SIDE * min(width, height) // (32 * max(width, height)))) * 32
    return (CANVAS_SIDE, short) if width >= height else (short, CANVAS_SIDE)


def _even(side: float) -> int:
    return max(2, round(side / 2) * 2)
