"""Compute sizes: of the planes that are stored of a frame, and of the canvas that the detector searches. Pure.

`pipeline`, `enrollment` and `faces` call it. Every computed size is even, because chroma planes have half the size.
"""

from fastface.types import Geometry, Size, VideoInfo

USUAL_CANVAS: Size = (640, 384)
"""Automatic canvas of a 16:9 video, (width, height) in pixels."""

CANVAS_SIDE = 640
"""Long side of the automatic canvas in pixels: the networks' training size, and insightface's default."""

MAX_PLANES = (4096, 2304)
"""Maximum stored (width, height). Larger frames are scaled down: a face found in the canvas keeps enough pixels."""

PICTURE_CANVAS = 640
"""Side in pixels of the square canvas for a single picture: insightface's default."""


def picture_limit(max_pixels: int) -> int:
    """Return the largest width × height of a picture for a limit of decoded frames: large pictures are halved."""
    return max_pixels * 3 // 2


def choose_geometry(info: VideoInfo, det_size: Size | None) -> Geometry:
    """Compute the sizes of a video's frames in the ring.

    Args:
        info: The video.
        det_size: The canvas. None for 640 pixels on the long side and the video's aspect, in steps of 32. Pictures have
            any aspect and then get one square canvas.
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
