"""Write frames into the ring: planes as decoded, and the detector's canvas beside them.

The decoder processes call it. Ordinary frames are 8-bit 4:2:0, limited range, square pixels, progressive, upright, with
even sides. They take the fast path: one copy of the planes. The canvas is made by scaling the three planes and
converting the small picture. That was measured five times as fast as converting the full frame. All other frames take
one slow path: swscale converts them to an ordinary frame as displayed.
"""

from time import perf_counter
from typing import Any, NamedTuple, cast

import av.error
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from fastface.errors import VideoError
from fastface.types import Geometry, Image, Size, VideoInfo
from fastface.video.frames.colour import yuv_matrix
from fastface.video.frames.frame import SampledFrame

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_LIMITED = (0, 1)
"""Colour ranges "unspecified" and "MPEG"."""
_Bytes = npt.NDArray[np.uint8]


class I420Planes(NamedTuple):
    """Views of the planes of a picture with even sides."""

    y: _Bytes  # (h, w)
    u: _Bytes  # (h / 2, w / 2)
    v: _Bytes  # (h / 2, w / 2)


class PlaneWriter:
    """Write the frames of one video into slots, while they keep one shape.

    Args:
        info: The video, with the shape of these frames.
        geometry: Sizes of the frames in the slot.
        seconds: {stage: total seconds}, increased here: `copy` of planes into the slot, `canvas` made of them.
    """

    def __init__(self, info: VideoInfo, geometry: Geometry, seconds: dict[str, float] | None = None) -> None:
        self.seconds = {} if seconds is None else seconds
        self._info = info
        self._geometry = geometry
        width, height = geometry.content
        self._small = np.empty(width * height * 3 // 2, np.uint8)
        self._scaler = VideoReformatter()
        self._ordinary = (
            info.rotation == 0
            and not info.mirrored
            and info.pixel_aspect == 1
            and info.coded_size == geometry.planes == geometry.display
        )

    def write(self, frame: SampledFrame, planes: _Bytes, canvas: _Bytes) -> None:
        """Write one frame.

        Args:
            frame: The frame, of the size of `info`.
            planes: (plane_bytes,), overwritten with I420 as displayed.
            canvas: (H, W, 3), overwritten with BGR: the picture in the top left corner, black elsewhere.

        Raises:
            VideoError: swscale cannot convert the frame's pixels.
        """
        began = perf_counter()
        parts = self._copy(frame, planes)
        copied = perf_counter()
        self._fill_canvas(parts, canvas)
        for stage, spent in (("copy", copied - began), ("canvas", perf_counter() - copied)):
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent

    def _copy(self, frame: SampledFrame, planes: _Bytes) -> I420Planes:
        size = self._geometry.planes
        parts = split_i420(planes, size)
        content = frame.content
        if isinstance(content, np.ndarray):
            planes[:] = _picture_planes(content, size).reshape(-1)
        elif self._ordinary and _is_plain(content, size):
            for plane, out in zip(content.planes, parts, strict=True):
                out[:] = _rows(plane, out.shape)
        else:
            self._convert(content, parts)
        return parts

    def _convert(self, frame: Any, out: I420Planes) -> None:
        """Convert a frame that is not ordinary."""
        width, height = self._geometry.planes
        if self._info.rotation % 180:
            width, height = height, width
        converted = self._rescale(frame, width, height)
        for number, (plane, target) in enumerate(zip(converted.planes, out, strict=True)):
            half = 1 if number == 0 else 2
            rows = _rows(plane, (height // half, width // half))
            if frame.interlaced_frame and len(rows) > 1:
                # Two moments in one frame comb moving faces: use only the first field.
                rows = as_bytes(cv2.resize(np.ascontiguousarray(rows[::2]), rows.shape[::-1]))
            if self._info.mirrored:
                rows = rows[:, ::-1]
            if self._info.rotation:
                rows = as_bytes(cv2.rotate(np.ascontiguousarray(rows), _TURNS[self._info.rotation]))
            target[:] = rows

    def _rescale(self, frame: Any, width: int, height: int) -> Any:
        matrix = yuv_matrix(frame)
        try:
            return self._scaler.reformat(
                frame,
                width,
                height,
                "yuv420p",
                src_colorspace=matrix,
                dst_colorspace=matrix,
                dst_color_range="MPEG",
                interpolation="BILINEAR",
                threads=1,
            )
        except av.error.FFmpegError as error:
            reason = f"its pixels cannot be converted: {frame.format.name}: {error.strerror}"
            raise VideoError(self._info.path, reason) from error

    def _fill_canvas(self, planes: tuple[_Bytes, _Bytes, _Bytes], canvas: _Bytes) -> None:
        width, height = self._geometry.content
        small = split_i420(self._small, (width, height))
        for plane, out in zip(planes, small, strict=True):
            cv2.resize(plane, out.shape[::-1], dst=out, interpolation=cv2.INTER_LINEAR)
        block = self._small.reshape(height * 3 // 2, width)
        if width == canvas.shape[1]:
            cv2.cvtColor(block, cv2.COLOR_YUV2BGR_I420, dst=canvas[:height])
        else:
            canvas[:height, :width] = cv2.cvtColor(block, cv2.COLOR_YUV2BGR_I420)
        canvas[height:] = 0
        canvas[:height, width:] = 0


def split_i420(flat: _Bytes, size: Size) -> I420Planes:
    """Return views of the Y, U and V planes of a flat I420 picture with even sides."""
    width, height = size
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    return I420Planes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def as_bytes(array: npt.NDArray[Any]) -> _Bytes:
    """Cast an array to uint8 for the type checker: OpenCV's hints lose the type."""
    return cast("_Bytes", array)


def _is_plain(frame: Any, size: Size) -> bool:
    return (
        frame.format.name == "yuv420p"
        and (frame.width, frame.height) == size
        and not frame.interlaced_frame
        and int(frame.color_range) in _LIMITED
    )


def _rows(plane: Any, shape: tuple[int, ...]) -> _Bytes:
    """Return a view of a decoder's plane without the padding of its lines."""
    padded = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return padded[: shape[0], : shape[1]]


def _picture_planes(picture: Image, size: Size) -> _Bytes:
    """Convert a BGR picture to I420, fitted into the size with its aspect and black around it."""
    height, width = picture.shape[:2]
    factor = min(size[0] / width, size[1] / height)
    fitted = cv2.resize(picture, (max(1, round(width * factor)), max(1, round(height * factor))))
    padded = np.zeros((size[1], size[0], 3), np.uint8)
    padded[: fitted.shape[0], : fitted.shape[1]] = fitted[: size[1], : size[0]]
    return as_bytes(cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420))
