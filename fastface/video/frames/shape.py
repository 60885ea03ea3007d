"""Compute the displayed shape of frames: size, rotation and pixel aspect, and their changes within a film.

The decoders and the probe call it. A phone turns during a call, a broadcast changes from 4:3 to 16:9, a stream adapts
its size. The first frame's shape is valid until a frame has another one; faces are then in that frame's own pixels.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from fastface.types import Size, VideoInfo

_MOST_UNSQUARE = 10
_QUARTER = 90

_Form = tuple[int, int, int, Fraction]


class FrameShapes:
    """Track the shape of the frames of one pass over a video.

    Args:
        info: The video, with the shape of its first frame.
        stream: The stream before it is decoded, an `av.VideoStream`.
    """

    def __init__(self, info: VideoInfo, stream: Any) -> None:
        self._first = self._shown = info
        self._codec = stream.codec_context
        # The container's pixel aspect is valid for all of the stream, whatever the codec declares.
        own = read_pixel_aspect(self._codec.sample_aspect_ratio)
        self._follows_aspect = own == read_pixel_aspect(stream.sample_aspect_ratio)
        clockwise = info.rotation if not info.mirrored else None
        self._form: _Form = (*info.coded_size, -1 if clockwise is None else clockwise, info.pixel_aspect)

    def frame_info(self, frame: Any) -> VideoInfo:
        """Return the video with the shape of this frame: the given `info` if the shape is the same.

        Args:
            frame: An `av.VideoFrame`. With many threads the pixel aspect may change a few frames early.
        """
        aspect = (
            read_pixel_aspect(self._codec.sample_aspect_ratio) if self._follows_aspect else self._first.pixel_aspect
        )
        form = (frame.width, frame.height, round(-frame.rotation / _QUARTER) * _QUARTER % 360, aspect)
        if form != self._form:
            self._form = form
            rotation, mirrored = read_orientation(frame)
            self._shown = self._reshape((frame.width, frame.height), rotation, mirrored, aspect)
        return self._shown

    def _reshape(self, coded: Size, rotation: int, mirrored: bool, aspect: Fraction) -> VideoInfo:
        first = self._first
        if (coded, rotation, mirrored, aspect) == (
            first.coded_size,
            first.rotation,
            first.mirrored,
            first.pixel_aspect,
        ):
            return first
        return replace(
            first,
            size=displayed_size(coded, rotation, aspect),
            coded_size=coded,
            rotation=rotation,
            mirrored=mirrored,
            pixel_aspect=aspect,
        )


def displayed_size(coded: Size, rotation: int, aspect: Fraction) -> Size:
    """Compute the displayed (width, height).

    Args:
        coded: Decoded (width, height).
        rotation: Clockwise rotation of the frame in degrees.
        aspect: Width of a decoded pixel over its height.
    """
    width = max(1, round(coded[0] * aspect))
    return (width, coded[1]) if rotation % 180 == 0 else (coded[1], width)


def read_pixel_aspect(stored: Fraction | None) -> Fraction:
    """Return width over height of a pixel; 1 if the stream gives no valid value."""
    aspect = stored or Fraction(1)
    return aspect if Fraction(1, _MOST_UNSQUARE) <= aspect <= _MOST_UNSQUARE else Fraction(1)


def read_orientation(frame: Any) -> tuple[int, bool]:
    """Read the display matrix (rows a b u, c d v): (degrees clockwise, mirrored first), in quarter turns."""
    for data in frame.side_data:
        if data.type.name != "DISPLAYMATRIX":
            continue
        a, b, _, c, d, *_ = memoryview(bytes(data)).cast("i")
        mirrored = a * d - b * c < 0
        if mirrored:
            a, b = -a, -b
        if abs(a) >= abs(b):
            return (0 if a >= 0 else 180), mirrored
        return (90 if b > 0 else 270), mirrored
    return 0, False
