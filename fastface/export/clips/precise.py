"""Encode a precise clip: the frames that the scan placed in a span, decoded as the scan decodes them.

`clips` and `reel` call it. All frames of a clip have one size and one kind of colours.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import Any, Self

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from fastface.errors import ExportError
from fastface.export.clips.muxing import TimedPacket
from fastface.types import Sampling, Size, Unit, VideoInfo
from fastface.video.clock import UNKNOWN_RATE
from fastface.video.decode import open_source
from fastface.video.frames.colour import is_rgb, matrix_by_size, yuv_matrix

_OPTIONS = {"preset": "veryfast", "crf": "18"}
_THREADS = 2
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_UNSPECIFIED, _LIMITED = 2, 1
_SRGB = 1, 13
"""Primaries and transfer of RGB pictures without tags (ITU-T H.273)."""


@dataclass(frozen=True, slots=True)
class PlacedFrame:
    """A frame of the scan."""

    pts: int  # timestamp of the scan
    duration: int  # ticks for which it is shown
    content: Any  # `av.VideoFrame` or a BGR picture
    info: VideoInfo  # the video with the size and rotation of this frame


def frames_from(info: VideoInfo, first: int, end: int, check_stop: Callable[[], object]) -> Generator[PlacedFrame]:
    """Decode the frames whose pts lie in [first, end), each with the ticks for which it is shown.

    Raises:
        VideoError: The file cannot be read any more.
    """
    unit = Unit(info.video_id, 0, info.frame_time(first), None, Sampling(None))
    usual = max(1, round(1 / (info.rate or UNKNOWN_RATE) / info.time_base))
    before: Any = None
    threads = 1 if info.other_sizes else _THREADS  # with more threads, pixels may change their shape too early
    with closing(open_source(info, threads, check_stop).frames(unit)) as frames:
        for frame in chain(frames, (None,)):
            if before is not None:
                # The last frame is not shown through a gap that follows.
                own = getattr(before.content, "duration", 0) or usual
                stands = own if frame is None else frame.pts - before.pts
                is_last = frame is None or frame.pts >= end
                stands = min(stands, max(own, usual)) if is_last else stands
                yield PlacedFrame(before.pts, stands, before.content, before.info or info)
            if frame is None or frame.pts >= end:
                return
            before = frame


@dataclass(slots=True)
class Colours:
    """Tags of the encoded pictures, as ITU-T H.273 numbers them."""

    matrix: int
    primaries: int
    transfer: int


class EncodedVideo:
    """The stream of pictures of a precise clip.

    Attributes:
        first: pts of the first frame.
        last: pts of the last frame so far.
        end: End of the last frame so far, as pts.
        is_complete: True if all frames were encoded.
        num_frames: Number of frames so far.
    """

    def __init__(self, clip: Any, info: VideoInfo, frames: Iterator[PlacedFrame], canvas: Size | None) -> None:
        """Add the stream to a clip.

        Args:
            clip: The output container.
            info: The video.
            frames: Result of `frames_from`; the first one is taken at once.
            canvas: Result of `find_canvas`: the clip's size, with square pixels. None keeps the first frame's size and
                pixels.

        Raises:
            ExportError: There is no frame.
        """
        first = next(frames, None)
        if first is None:
            raise ExportError("no frame of this span can be decoded")
        self.first = self.last = self.end = first.pts
        self.num_frames = 0
        self.is_complete = False
        self._info = info
        self._frames = remove_combs(info, chain((first,), frames))
        self._durations: dict[int, int] = {}
        self._painter = Painter.like(first, canvas)
        self.stream = self._add_stream(clip)

    def _add_stream(self, clip: Any) -> Any:
        info, painter = self._info, self._painter
        stream = clip.add_stream("libx264", rate=info.rate or UNKNOWN_RATE, options=dict(_OPTIONS))
        codec = stream.codec_context
        codec.width, codec.height = painter.size
        codec.pix_fmt = "yuv420p"
        # Encode each frame once, at its own time.
        codec.time_base = stream.time_base = info.time_base
        codec.sample_aspect_ratio = painter.pixel_aspect
        colours = painter.colours
        codec.colorspace, codec.color_primaries = colours.matrix, colours.primaries
        codec.color_trc, codec.color_range = colours.transfer, _LIMITED
        return stream

    def packets(self) -> Iterator[TimedPacket]:
        """Encode all frames; the first is shown at 0."""
        for placed in self._frames:
            picture = self._painter.paint(placed)
            picture.pts, picture.time_base = placed.pts - self.first, self._info.time_base
            self._durations[picture.pts] = placed.duration
            self.num_frames += 1
            self.last, self.end = placed.pts, placed.pts + placed.duration
            yield from self._retime(self.stream.encode(picture))
        self.is_complete = True
        yield from self._retime(self.stream.encode(None))

    def _retime(self, packets: list[Any]) -> Iterator[TimedPacket]:
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            yield packet.dts * packet.time_base, self.stream.index, packet


class Painter:
    """Convert frames to one size and one kind of colours, upright.

    Args:
        size: Even (width, height) of the pictures.
        pixel_aspect: Width of a pixel over its height.
        colours: Tags of the pictures.
    """

    def __init__(self, size: Size, pixel_aspect: Fraction, colours: Colours) -> None:
        self._scaler = VideoReformatter()
        self.size = size
        self.pixel_aspect = pixel_aspect
        self.colours = colours

    @classmethod
    def like(cls, first: PlacedFrame, canvas: Size | None) -> Self:
        """Return a painter that keeps the colours of the first frame and, without a canvas, its size and pixels."""
        size, info = _get_size(first.content), first.info
        turned = size if info.rotation % 180 == 0 else size[::-1]
        aspect = _upright_aspect(info) if canvas is None else Fraction(1)
        even = (turned[0] + turned[0] % 2, turned[1] + turned[1] % 2)
        painter = cls(canvas or even, aspect, Colours(_UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED))
        painter.colours = painter._get_colours(first)
        return painter

    def _get_colours(self, placed: PlacedFrame) -> Colours:
        first = placed.content
        if isinstance(first, np.ndarray) or is_rgb(first):
            own = (2, 2) if isinstance(first, np.ndarray) else (int(first.color_primaries), int(first.color_trc))
            primaries, transfer = (usual if tag == _UNSPECIFIED else tag for tag, usual in zip(own, _SRGB, strict=True))
            return Colours(matrix_by_size(self.size[1]), primaries, transfer)
        matrix = int(first.colorspace) or _UNSPECIFIED  # 0 is RGB, and these pixels are not RGB
        if matrix == _UNSPECIFIED and not self._is_plain(first, placed.info):
            matrix = yuv_matrix(first)
        return Colours(matrix, int(first.color_primaries), int(first.color_trc))

    def _is_plain(self, frame: Any, info: VideoInfo) -> bool:
        is_upright = info.rotation == 0 and not info.mirrored and info.pixel_aspect == self.pixel_aspect
        is_ready = frame.format.name == "yuv420p" and int(frame.color_range) in (0, _LIMITED)
        return is_upright and is_ready and (frame.width, frame.height) == self.size

    def paint(self, placed: PlacedFrame) -> Any:
        """Return the frame to encode, without a picture type."""
        content, info = placed.content, placed.info
        if isinstance(content, np.ndarray):
            content = av.VideoFrame.from_ndarray(content, format="bgr24")
        if self._is_plain(content, info) and self.colours.matrix in (_UNSPECIFIED, int(content.colorspace)):
            content.pict_type = 0
            return content
        return self._rotate(self._scale(content, info), info)

    def _scale(self, frame: Any, info: VideoInfo) -> Any:
        """Fit the frame as displayed into the clip's size before it is rotated: a film may change its size."""
        is_lying = info.rotation % 180 != 0
        full = self.size[::-1] if is_lying else self.size
        aspect = _upright_aspect(info) / self.pixel_aspect
        own = frame.width * (1 / aspect if is_lying else aspect), Fraction(frame.height)
        factor = min(full[0] / own[0], full[1] / own[1])
        width, height = (max(2, min(most, round(side * factor / 2) * 2)) for side, most in zip(own, full, strict=True))
        if abs(own[0] - full[0]) <= 1 and abs(own[1] - full[1]) <= 1:
            width, height = full  # an odd side is stretched by one line
        source, target = self._matrices(frame)
        scaled = self._scaler.reformat(
            frame,
            width,
            height,
            "yuv420p",
            src_colorspace=source,
            dst_colorspace=target,
            dst_color_range="MPEG",
            interpolation="BICUBIC",
        )
        return _frame(scaled, full)

    def _matrices(self, frame: Any) -> tuple[int, int]:
        """Return the matrices to read and to write a frame."""
        source, target = yuv_matrix(frame), self.colours.matrix
        if is_rgb(frame) or target not in (_UNSPECIFIED, int(frame.colorspace)):
            return source, source if target == _UNSPECIFIED else target
        return source, source  # the matrix needs no swscale, which does not support every matrix

    def _rotate(self, frame: Any, info: VideoInfo) -> Any:
        rotation, mirrored = info.rotation, info.mirrored
        if rotation or mirrored:
            frame = _with_planes(frame, self.size, lambda plane: _turn(plane, rotation, mirrored=mirrored))
        frame.pict_type = 0
        return frame


def _upright_aspect(info: VideoInfo) -> Fraction:
    """Return the width of a pixel over its height, after the frame is rotated."""
    return info.pixel_aspect if info.rotation % 180 == 0 else 1 / info.pixel_aspect


def _get_size(content: Any) -> Size:
    if isinstance(content, np.ndarray):
        return content.shape[1], content.shape[0]
    return content.width, content.height


def _turn(plane: Any, rotation: int, *, mirrored: bool) -> Any:
    if mirrored:
        plane = plane[:, ::-1]
    return cv2.rotate(np.ascontiguousarray(plane), _TURNS[rotation]) if rotation else plane


def _with_planes(frame: Any, size: Size, change: Callable[[Any], Any]) -> Any:
    """Return a new frame of `size` with the changed planes of another frame."""
    made = av.VideoFrame(*size, "yuv420p")
    planes: Any = made.planes
    for number, (source, target) in enumerate(zip(frame.planes, planes, strict=True)):
        half = 2 if number else 1
        rows = np.frombuffer(source, np.uint8).reshape(-1, source.line_size)
        plane = change(rows[: frame.height // half, : frame.width // half])
        into = np.frombuffer(target, np.uint8).reshape(-1, target.line_size)
        into[: size[1] // half, : size[0] // half] = plane
    return made


def _frame(frame: Any, size: Size) -> Any:
    """Return the frame in the middle of a black frame of `size`."""
    if (frame.width, frame.height) == size:
        return frame
    left, top = (size[0] - frame.width) // 4 * 2, (size[1] - frame.height) // 4 * 2

    def add_borders(plane: Any) -> Any:
        is_luma = plane.shape[0] == frame.height
        half = 1 if is_luma else 2
        canvas = np.full((size[1] // half, size[0] // half), 16 if is_luma else 128, np.uint8)
        canvas[top // half : top // half + plane.shape[0], left // half : left // half + plane.shape[1]] = plane
        return canvas

    return _with_planes(frame, size, add_borders)


def remove_combs(info: VideoInfo, frames: Iterator[PlacedFrame]) -> Iterator[PlacedFrame]:
    """Yield the same frames without combs: FFmpeg's yadif, for frames with the interlaced flag."""
    return _progressive(frames) if info.interlaced else frames


def _progressive(frames: Iterator[PlacedFrame]) -> Iterator[PlacedFrame]:
    graph: Any = None
    kind: tuple[object, ...] = ()
    waiting: deque[PlacedFrame] = deque()
    for placed in frames:
        content = placed.content
        if graph is None or kind != (content.width, content.height, content.format.name):
            if graph is not None:
                yield from _pull(graph, waiting, None)
            kind = content.width, content.height, content.format.name
            graph = _deinterlacer(content)
        waiting.append(placed)
        content.pts = placed.pts
        yield from _pull(graph, waiting, content)
    if graph is not None:
        yield from _pull(graph, waiting, None)


def _deinterlacer(content: Any) -> Any:
    graph = Graph()
    source = graph.add_buffer(
        width=content.width, height=content.height, format=content.format, time_base=content.time_base
    )
    graph.link_nodes(source, graph.add("yadif", "deint=interlaced"), graph.add("buffersink")).configure()
    return graph


def _pull(graph: Any, waiting: deque[PlacedFrame], content: Any) -> Iterator[PlacedFrame]:
    graph.push(content)
    with suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            frame = graph.pull()
            yield replace(waiting.popleft(), content=frame)
