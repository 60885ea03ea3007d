"""Refuse frames that are too large before memory is reserved for them, anywhere in a film.

The probe and the decoders call it. `limit_size` works only before the decoder is opened.
"""

from pathlib import Path
from typing import Any

import av
import av.error

from fastface.errors import VideoError
from fastface.types import Size

_FFMPEG_LARGEST = 2**31 - 1

_FFMPEG_ROOM = 64 * 65536
"""Margin in pixels: FFmpeg rounds a frame's width up to 64. No frame of its codecs is higher than 65536."""

_TELL_WITHOUT_DECODING = frozenset({"mjpeg", "mpeg1video", "mpeg2video", "mpeg4", "vp8"})
"""Codecs for which `skip_frame=ALL` reads a packet's header without making a frame."""


def limit_size(codec: Any, max_pixels: int) -> None:
    """Make a decoder that is not open yet fail at packets with much larger frames; `check_size` is exact.

    Args:
        codec: An `av.VideoCodecContext`.
        max_pixels: Width × height of the largest frame that is decoded.
    """
    codec.options = {**codec.options, "max_pixels": str(min(max_pixels + _FFMPEG_ROOM, _FFMPEG_LARGEST))}


def packet_size(packet: Any, codec: Any) -> Size:
    """Return (width, height) of the frames that a decoder has just failed to decode, if known; else (0, 0).

    Args:
        packet: The last keyframe of the decoder's input: with several threads it fails some packets later.
        codec: The decoder, limited by `limit_size`.
    """
    if codec.width and codec.height:
        return codec.width, codec.height  # H.264 and HEVC store a size before they refuse it
    if codec.name not in _TELL_WITHOUT_DECODING:
        return 0, 0
    reader = av.VideoCodecContext.create(codec.name, "r")
    reader.skip_frame = "ALL"
    try:
        reader.decode(packet)
    except av.error.FFmpegError:
        return 0, 0
    return reader.width, reader.height


def check_size(path: Path, size: Size, max_pixels: int) -> None:
    """Refuse a film whose frames are too large.

    Raises:
        VideoError: The frames are larger than `max_pixels`.
    """
    width, height = size
    if width * height > max_pixels:
        raise VideoError(path, f"its frames of {width}x{height} are above max_pixels, {max_pixels}")
