"""A stand-in for NVIDIA's module where there is no card: the same names and arguments, decoding by PyAV inside.

It takes Annex B out of the memory that a packet points to, gives NV12 in host memory in the order of showing, and
forgets a frame's memory with the next call, as the card does. `calls` counts, `fail_after` makes it fail.
"""

import ctypes
from enum import Enum
from types import SimpleNamespace

import av
import numpy as np

calls = SimpleNamespace(decoders=0, packets=0)
fail_after: int | None = None


class PyNvVCException(Exception):  # noqa: N818 - its name there
    pass


class PyNvVCExceptionUnsupported(Exception):  # noqa: N818 - its name there
    pass


class cudaVideoCodec(Enum):  # noqa: N801 - its name there
    H264 = "h264"
    HEVC = "hevc"


class PacketData:
    def __init__(self) -> None:
        self.bsl_data = self.bsl = self.pts = self.dts = self.duration = self.key = 0


class DecodedFrame:
    def __init__(self, frame: av.VideoFrame) -> None:
        self._pts = frame.pts
        self.pixels = np.ascontiguousarray(frame.to_ndarray(format="nv12"))

    def getPTS(self) -> int:
        return self._pts

    def framesize(self) -> int:
        return self.pixels.nbytes

    def GetPtrToPlane(self, plane: int) -> int:
        assert plane == 0
        return self.pixels.ctypes.data


class PyNvDecoder:
    def __init__(self, codec: cudaVideoCodec) -> None:
        self._codec = av.CodecContext.create(codec.value, "r")
        self._size = (0, 0)
        self._given: list[DecodedFrame] = []

    def Decode(self, packet: PacketData) -> list[DecodedFrame]:
        calls.packets += 1
        if fail_after is not None and calls.packets > fail_after:
            raise PyNvVCException("cuvidDecodePicture failed\nand more of it")
        for frame in self._given:
            frame.pixels[:] = 0
        made = None
        if packet.bsl:
            made = av.Packet(ctypes.string_at(packet.bsl_data, packet.bsl))
            made.pts = packet.pts
        frames = self._codec.decode(made)
        if frames:
            self._size = frames[-1].width, frames[-1].height
        self._given = [DecodedFrame(frame) for frame in frames]
        return self._given

    def GetWidth(self) -> int:
        return self._size[0]

    def GetHeight(self) -> int:
        return self._size[1]


def CreateDecoder(gpuid: int = 0, codec: cudaVideoCodec = cudaVideoCodec.H264, usedevicememory: bool = False):
    assert not usedevicememory
    calls.decoders += 1
    calls.card = gpuid
    return PyNvDecoder(codec)
