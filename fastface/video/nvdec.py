"""Decode on an NVIDIA card with PyNvVideoCodec, for packets that `PyavSource` reads.

`video.decode` uses it. `PyavSource` opens files, seeks and samples, so times and samples are the same as PyAV's. The
card returns NV12 in host memory; each sample becomes an ordinary `yuv420p` frame. H.264 and HEVC define every bit that
a decoder makes of an undamaged stream. The card does not report damage: it is counted only if the container shows it.

`NvdecError` is raised for everything that the card may decode differently; PyAV then decodes it:

* other codecs and pixel formats, interlaced films, frames without timestamps, keyframes alone;
* streams that start with a gradual refresh, and packets that their container marks as corrupt.

Written for PyNvVideoCodec 2.2.4 and 2.0.0; their signatures were checked without a card. Not tested on a card: no
padding of host frames, the end of the stream by an empty packet, unchanged timestamps, speed.
"""

import ctypes
import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from types import ModuleType
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.bitstream import BitStreamFilterContext

from fastface.distribution import describe_install
from fastface.types import Size, Unit, VideoInfo
from fastface.video.decode_stats import DecodeStats
from fastface.video.frames.frame import SampledFrame, SignOfLife, no_sign
from fastface.video.frames.shape import displayed_size
from fastface.video.frames.sizes import check_size
from fastface.video.pyav import PyavSource

_MODULE = "PyNvVideoCodec"
_CODECS = {"h264": "H264", "hevc": "HEVC"}
"""FFmpeg's name → PyNvVideoCodec's. AV1 and VP9 are excluded until tested on a card: parts of their headers lie outside
packets, or some frames are not shown."""

_PIXEL_FORMAT = "yuv420p"
_DRIVER_LIBRARIES = ("libcuda.so.1", "libnvcuvid.so.1")
_IDR, _SEI = 5, 6
_RECOVERY_POINT = 6
_START_CODE = b"\0\0\1"

# PyNvVideoCodec logs the errors that it also raises.
logging.getLogger(_MODULE).addHandler(logging.NullHandler())


class NvdecError(Exception):
    """The card cannot decode this, or not with certainty; the message gives the reason."""


def is_installed() -> bool:
    """Return whether PyNvVideoCodec is installed."""
    return find_spec(_MODULE) is not None


@cache
def _library() -> ModuleType:
    """Load PyNvVideoCodec after a check for a card: without a card it ends the whole process.

    Raises:
        NvdecError: It is not installed, or there is no card.
    """
    if not is_installed():
        raise NvdecError(f"PyNvVideoCodec is not installed; {describe_install('nvdec')}")
    _require_card()
    try:
        return import_module(_MODULE)
    except (ImportError, RuntimeError) as error:
        raise NvdecError(f"PyNvVideoCodec does not load: {_first_line(error)}") from error


def _require_card() -> None:
    for name in _DRIVER_LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            raise NvdecError(
                f"no card that decodes: {_first_line(error)}; "
                "in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"
            ) from error
        if name == "libcuda.so.1":
            count = ctypes.c_int()
            if library.cuInit(0) != 0 or library.cuDeviceGetCount(ctypes.byref(count)) != 0 or not count.value:
                raise NvdecError("no card: the NVIDIA driver finds none")


@dataclass(frozen=True, slots=True)
class _CardFrame:
    """A frame in host memory of the card's decoder; its pixels are valid until the next packet is decoded.

    `duration` and `key_frame` are the packet's. The card does not report damage.
    """

    pts: int
    duration: int
    key_frame: bool
    inner: Any
    size: Size
    is_corrupt: bool = False


class NvdecSource(PyavSource):
    """A video that an NVIDIA card decodes. One thread of one process uses it; each unit creates its own decoder."""

    name = "nvdec"

    def __init__(self, info: VideoInfo, card: int = 0, alive: SignOfLife = no_sign) -> None:
        """Check whether the card can decode the video.

        Args:
            info: The video.
            card: Number of the card.
            alive: Called with each packet that is read.

        Raises:
            NvdecError: The card cannot decode it.
        """
        super().__init__(info, 1, alive)
        if reason := _unsuitable(info):
            raise NvdecError(reason)
        self._module = _library()
        self._card = card
        self._colour = (0, 0)

    def frames(self, unit: Unit) -> Generator[SampledFrame]:
        """Yield the samples of a unit in order of time.

        Raises:
            NvdecError: The card fails, or cannot decode a packet with certainty.
        """
        if unit.sampling.keyframes:
            raise NvdecError("keyframes only: PyAV decodes them, since the card finds other keyframes")
        yield from super().frames(unit)

    def _decode(
        self,
        packets: Iterator[Any],
        stream: Any,
        unit: Unit,  # noqa: ARG002 - the card decodes every frame
        account: DecodeStats,  # noqa: ARG002 - the card reports no damage
    ) -> Iterator[Any]:
        """Yield every frame of the packets: the card cannot skip frames that no sample needs.

        Raises:
            NvdecError: The card fails, or cannot decode a packet with certainty.
        """
        self._colour = int(stream.codec_context.color_range), int(stream.codec_context.colorspace)
        return self._frames(packets, stream)

    def _frames(self, packets: Iterator[Any], stream: Any) -> Iterator[_CardFrame]:
        nvc, codec = self._module, self._info.codec
        # RuntimeError and ValueError come from C++ through pybind11; PyAV's error, from its filter for damaged packets.
        of_card = (nvc.PyNvVCException, nvc.PyNvVCExceptionUnsupported, RuntimeError, ValueError)
        marks: dict[int, tuple[int, bool]] = {}
        try:
            # Packets of MP4 carry lengths, and their parameter sets lie in the header; the card reads neither.
            # The first filter alone adds the sets only to IDR pictures, and a unit may begin at another keyframe.
            annex_b = BitStreamFilterContext(f"{codec}_mp4toannexb,dump_extra=freq=keyframe", stream)
            decoder = nvc.CreateDecoder(
                gpuid=self._card, codec=getattr(nvc.cudaVideoCodec, _CODECS[codec]), usedevicememory=False
            )
            for number, packet in enumerate(chain.from_iterable(_filter(annex_b, packets))):
                _check_packet(packet, codec, is_first=number == 0)
                marks[packet.pts] = packet.duration or 0, packet.is_keyframe
                yield from self._take(decoder, decoder.Decode(_packet_data(nvc, packet)), marks)
            yield from self._take(decoder, decoder.Decode(nvc.PacketData()), marks)
        except (*of_card, av.error.FFmpegError) as error:
            raise NvdecError(f"the card failed: {_first_line(error)}") from error

    def _take(self, decoder: Any, frames: Any, marks: dict[int, tuple[int, bool]]) -> Iterator[_CardFrame]:
        for frame in frames:
            pts = frame.getPTS()
            if pts not in marks:
                raise NvdecError(f"the card gives a frame at {pts}, where no packet is")
            size = decoder.GetWidth(), decoder.GetHeight()
            check_size(self._info.path, size, self._info.max_pixels)
            if frame.framesize() != size[0] * size[1] * 3 // 2:
                raise NvdecError(f"the card gives frames of {frame.framesize()} bytes for {size[0]}x{size[1]} pixels")
            yield _CardFrame(pts, *marks.pop(pts), frame, size)

    def _get_info(self, frame: _CardFrame) -> VideoInfo:
        info = self._info
        if frame.size == info.coded_size:
            return info
        return replace(info, coded_size=frame.size, size=displayed_size(frame.size, info.rotation, info.pixel_aspect))

    def _content(self, frame: _CardFrame) -> av.VideoFrame:
        """Return a copy of the frame as PyAV's own decoder would have made it."""
        width, height = frame.size
        nbytes = width * height * 3 // 2
        address = frame.inner.GetPtrToPlane(0)
        memory: Any = (ctypes.c_uint8 * nbytes).from_address(address)
        pixels = np.frombuffer(memory, np.uint8).reshape(-1, width)
        made = av.VideoFrame(width, height, _PIXEL_FORMAT)
        chroma = pixels[height:].reshape(height // 2, width // 2, 2)
        parts = (pixels[:height], *(cv2.extractChannel(chroma, channel) for channel in (0, 1)))
        planes: Any = made.planes
        for plane, part in zip(planes, parts, strict=True):
            np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: part.shape[0], : part.shape[1]] = part
        made.pts, made.time_base = frame.pts, self._info.time_base
        made.color_range, made.colorspace = self._colour
        return made


def _unsuitable(info: VideoInfo) -> str:
    """Return why the card cannot decode a video; empty if it can."""
    if info.codec not in _CODECS:
        return f"codec {info.codec} is left to PyAV; the card decodes {', '.join(_CODECS)}"
    if info.pixel_format != _PIXEL_FORMAT:
        return f"pixel format {info.pixel_format} is left to PyAV; the card decodes {_PIXEL_FORMAT}"
    if info.interlaced:
        return "an interlaced video is left to PyAV: the card mixes its fields"
    if info.coded_size[0] % 2 or info.coded_size[1] % 2:
        return "odd sides are left to PyAV"
    if info.estimated_times:
        return "a video whose timestamps are missing, or set back, is left to PyAV"
    return ""


def _filter(annex_b: Any, packets: Iterator[Any]) -> Iterator[list[Any]]:
    """Yield packets in Annex B, without the empty packet that ends a stream."""
    for packet in packets:
        if packet.size:
            yield annex_b.filter(packet)
    yield annex_b.filter(None)


def _check_packet(packet: Any, codec: str, *, is_first: bool) -> None:
    if packet.pts is None:
        raise NvdecError("a packet has no timestamp")
    if packet.is_corrupt:
        raise NvdecError("its container calls a packet corrupt")
    if is_first and not (packet.is_keyframe and (codec != "h264" or _is_clean(bytes(packet)))):
        raise NvdecError("it does not begin with a whole picture")


def _is_clean(data: bytes) -> bool:
    """Return whether H.264 decodes at once from this access unit: an IDR picture, or a recovery point of 0 frames.

    With a gradual refresh, the frames before the recovery point are damaged. PyAV omits them, the card does not.
    """
    place = data.find(_START_CODE)
    while place >= 0:
        unit = data[place + 3 :]
        kind = unit[0] & 31 if unit else 0
        if kind == _IDR:
            return True
        # A message has a type, a size and content: here `recovery_frame_cnt`, where a first bit of 1 means 0.
        if kind == _SEI and len(unit) > 3 and unit[1] == _RECOVERY_POINT:
            return unit[3] >= 128
        place = data.find(_START_CODE, place + 3)
    return False


def _packet_data(nvc: ModuleType, packet: Any) -> Any:
    """Convert a packet for the library. The result points into PyAV's packet, which must outlive the call."""
    made = nvc.PacketData()
    made.bsl_data, made.bsl = packet.buffer_ptr, packet.buffer_size
    made.pts, made.key = packet.pts, int(packet.is_keyframe)
    return made


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
