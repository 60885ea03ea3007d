"""Decode whole frames at full quality, as displayed and in the film's own colours.

The export processes call it. Frames are found by the timestamps that the scan stored.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av.error
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from fastface.errors import VideoError
from fastface.types import Image, Sampling, Unit, VideoInfo
from fastface.video.decode import open_source
from fastface.video.frames.colour import tone_mapping, yuv_matrix
from fastface.video.frames.frame import SignOfLife, no_sign
from fastface.video.frames.planes import as_bytes

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_STRETCH_SECONDS = Fraction(20)
"""Seconds between wanted frames beyond which they are decoded in separate stretches: a seek is then cheaper."""


def decode_frames(info: VideoInfo, pts: Sequence[int], alive: SignOfLife = no_sign) -> Iterator[tuple[int, Image]]:
    """Yield the frames with the given timestamps, in one forward pass.

    Args:
        info: The video.
        pts: Timestamps of frames, as stored by the scan; any order, each once or more.
        alive: Called with each packet that is read.

    Yields:
        (pts, picture): (height, width, 3) BGR as displayed. A missing frame, or one whose pixels cannot be converted,
        is omitted.

    Raises:
        VideoError: The video cannot be opened any more.
    """
    scaler = VideoReformatter()
    for stretch in _stretches(info, sorted(set(pts))):
        wanted = set(stretch)
        start = info.frame_time(stretch[0])
        unit = Unit(info.video_id, 0, max(Fraction(0), start), info.frame_time(stretch[-1] + 1), Sampling(None))
        for frame in open_source(info, alive=alive).frames(unit):
            if frame.pts not in wanted:
                continue
            try:
                picture = _picture(frame.content, frame.info or info, scaler)
            except av.error.FFmpegError:
                continue
            yield frame.pts, picture


def decode_samples(
    info: VideoInfo, cells: Sequence[int], size: Fraction, alive: SignOfLife = no_sign
) -> Iterator[tuple[int, int, Image]]:
    """Yield the first frame of each given cell of a sampling grid, which is the frame that a scan samples.

    Args:
        info: The video.
        cells: Numbers of cells, in any order.
        size: Seconds of a cell.
        alive: Called with each packet that is read.

    Yields:
        (cell, pts, picture): picture as in `decode_frames`. A cell in which no frame starts is omitted.

    Raises:
        VideoError: The video cannot be opened any more.
    """
    scaler = VideoReformatter()
    wanted = sorted(set(cells))
    places = [info.to_pts(cell * size) for cell in wanted]
    for stretch in _stretches(info, places):
        first, last = bisect_left(places, stretch[0]), bisect_right(places, stretch[-1])
        left = set(wanted[first:last])
        unit = Unit(info.video_id, 0, wanted[first] * size, (wanted[last - 1] + 1) * size, Sampling(size))
        for frame in open_source(info, alive=alive).frames(unit):
            cell = int(frame.time // size)
            if cell not in left:
                continue
            left.discard(cell)
            try:
                picture = _picture(frame.content, frame.info or info, scaler)
            except av.error.FFmpegError:
                continue
            yield cell, frame.pts, picture


def frames_between(
    info: VideoInfo, start: float, end: float, alive: SignOfLife = no_sign
) -> Iterator[tuple[Fraction, Image]]:
    """Yield every frame of a stretch.

    Args:
        info: The video.
        start: Seconds from the first frame, inclusive.
        end: Seconds from the first frame, exclusive.
        alive: Called with each packet that is read.

    Yields:
        (seconds from the first frame, picture): picture as in `decode_frames`.

    Raises:
        VideoError: The video cannot be opened any more, or cannot be read to the end of the stretch.
    """
    scaler = VideoReformatter()
    unit = Unit(info.video_id, 0, Fraction(max(0.0, start)), Fraction(end), Sampling(None))
    source = open_source(info, alive=alive)
    for frame in source.frames(unit):
        try:
            picture = _picture(frame.content, frame.info or info, scaler)
        except av.error.FFmpegError:
            continue
        yield frame.time, picture
    if source.report.unread:
        raise VideoError(info.path, source.report.unread)


def _stretches(info: VideoInfo, pts: list[int]) -> Iterator[list[int]]:
    stretch: list[int] = []
    for value in pts:
        far = bool(stretch) and (value - stretch[-1]) * info.time_base > _STRETCH_SECONDS
        # Counted times are right only if decoding starts at the beginning, so one pass is cheapest.
        if far and not info.estimated_times:
            yield stretch
            stretch = []
        stretch.append(value)
    if stretch:
        yield stretch


def _picture(content: Any, info: VideoInfo, scaler: VideoReformatter) -> Image:
    if isinstance(content, np.ndarray):
        return content
    width, height = info.size if info.rotation % 180 == 0 else info.size[::-1]
    converted = scaler.reformat(
        content,
        width,
        height,
        "bgr24",
        src_colorspace=yuv_matrix(content),
        dst_color_range="JPEG",
        interpolation="BICUBIC",
        threads=1,
        **tone_mapping(content),
    )
    picture = as_bytes(converted.to_ndarray())
    if content.interlaced_frame and height > 1:
        picture = as_bytes(cv2.resize(picture[::2], (width, height), interpolation=cv2.INTER_CUBIC))
    if info.mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if info.rotation:
        return as_bytes(cv2.rotate(picture, _TURNS[info.rotation]))
    return np.ascontiguousarray(picture)
