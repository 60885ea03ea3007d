"""Open a container: local files only, explicitly allowed formats, errors converted to states of a video.

The probe, the decoders and the export call it. A new format must be added to `_FORMATS`.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.video.stream

from fastface.errors import CANNOT_READ, VideoError

MP4_FAMILY = "mov"
"""Start of FFmpeg's name for MP4, QuickTime and 3GP."""

# Excluded: demuxers that open other files (hls, concat, dash, image2 …) or accept any text (tty, subtitles).
_FORMATS = (
    "3dostr,aa,amv,apng,apv,asf,asf_o,av1,avi,avs,avs2,avs3,bink,cavsvideo,cdxl,cine,dhav,dirac,dnxhd,dv,dxa,evc,"
    "film_cpk,filmstrip,flic,flv,frm,gif,gxf,h261,h263,h264,hevc,hnm,hxvs,idf,ifv,ingenient,ipmovie,iv8,ivf,ivr,"
    "kux,live_flv,lmlm4,luodat,lvf,lxf,m4v,matroska,webm,mgsts,mjpeg,mjpeg_2000,mlv,moflex,mov,mp4,m4a,"
    "3gp,3g2,mj2,mpeg,mpegts,mpegvideo,mpjpeg,msnwctcp,mtv,mvi,mxf,mxg,nc,nsv,nut,nuv,obu,ogg,pmp,pva,r3d,"
    "rawvideo,rl2,rm,roq,rpl,rsd,ser,simbiosis_imx,smjpeg,smk,swf,thp,tiertexseq,tmv,txd,ty,usm,vc1,vc1test,vivo,"
    "vmd,vvc,wc3movie,webm,wsvqa,wtv,wv,xmv,yop,yuv4mpegpipe,mp3,aac,flac,wav,w64,aiff"
)
_MEDIA_BOXES = frozenset([b"ftyp", b"mdat", b"moov", b"moof", b"wide", b"skip", b"free"])
_INDEX_BOXES = frozenset([b"moov", b"moof"])
_MAX_BOXES = 64
SEEKS_WRONGLY = frozenset({"dhav"})
"""Formats in which FFmpeg loses the time when it seeks: Dahua's time is counted on from the old position."""

_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
_MOTION_JPEG = frozenset({".mjpeg", ".mjpg"})
"""Suffixes of bare JPEG streams. FFmpeg takes such a stream for one picture; only the name shows that it is a video."""


@contextmanager
def open_video(path: Path) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """Open a container and yield it with its video stream: the best one that is no cover picture.

    Args:
        path: A regular file; other files are refused, because opening a pipe hangs.

    Raises:
        VideoError: The file cannot be opened; `state` is the video's final state.
    """
    _check_regular(path)
    is_motion_jpeg = path.suffix.lower() in _MOTION_JPEG
    options = {**_OPTIONS, "format_whitelist": f"{_FORMATS},jpeg_pipe"} if is_motion_jpeg else _OPTIONS
    try:
        # `file:` keeps FFmpeg from parsing names such as `concat:x` or `-y.mp4`; metadata may be in any encoding.
        container = av.open("file:" + os.fspath(path.absolute()), options=options, metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise VideoError(path, _why_invalid(path)) from error
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise VideoError(path, _why_unopened(error)) from error
    with container:
        yield container, _best_stream(path, container)


def demux(container: av.container.InputContainer, stream: av.video.stream.VideoStream) -> Iterator[Any]:
    """Yield the packets of a stream, and an empty packet at its end.

    FFmpeg adds a stream while it reads if damage resembles packets of another stream. PyAV 18 then raises IndexError at
    the end, after all packets of the known streams.
    """
    try:
        yield from container.demux(stream)
    except IndexError:
        return


def demux_all(container: av.container.InputContainer) -> Iterator[Any]:
    """Yield the packets of all streams; see `demux`."""
    try:
        yield from container.demux()
    except IndexError:
        return


def is_fragmented(path: Path) -> bool:
    """Return whether an MP4 consists of fragments, as written by live streams and browsers."""
    return b"moof" in _boxes(path)


def count_films(container: av.container.InputContainer) -> int:
    """Count the video streams that are not a cover, a preview or a depth map."""
    return sum(stream.codec_context is not None and _is_long(stream) for stream in _films(container))


def _films(container: av.container.InputContainer) -> list[av.video.stream.VideoStream]:
    flags = av.stream.Disposition
    pictures = flags.attached_pic | flags.timed_thumbnails
    return [stream for stream in container.streams.video if not stream.disposition & pictures]


def _is_long(stream: av.video.stream.VideoStream) -> bool:
    """Return whether a stream has more than one picture by its header: nothing else marks a drone's cover."""
    return stream.frames != 1


def _best_stream(path: Path, container: av.container.InputContainer) -> av.video.stream.VideoStream:
    films = _films(container)
    known = [stream for stream in films if stream.codec_context is not None]
    if known:
        best = container.streams.best("video")
        # FFmpeg selects a large cover if the camera does not mark it as a cover.
        long = [stream for stream in known if _is_long(stream)] or known
        return best if best in long else long[0]
    if films:
        raise VideoError(path, "unknown codec, or a damaged header")
    if all(stream.type == "unknown" for stream in container.streams):
        raise VideoError(path, "not a video: its header is cut or damaged")
    raise VideoError(path, "it has no video stream", state="no_video")


def _check_regular(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise VideoError(path, f"{CANNOT_READ}: {error.strerror}") from error
    if not stat.S_ISREG(mode):
        raise VideoError(path, "not a regular file")


def _why_invalid(path: Path) -> str:
    """Return why a file is invalid: a film without its index, as after an interrupted recording, or another file."""
    if path.stat().st_size == 0:
        return "not a video: the file is empty"
    boxes = _boxes(path)
    if not boxes & _MEDIA_BOXES:
        return "not a video"
    if not boxes & _INDEX_BOXES:
        return "no index: the recording was not finished, or the file is cut"
    return "cannot be opened: its header is damaged or encrypted"


def _boxes(path: Path) -> set[bytes]:
    """Return the types of the first outer boxes of an MP4 file (ISO 14496-12: 4 bytes size, 4 bytes type)."""
    found: set[bytes] = set()
    with path.open("rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size
        for _ in range(_MAX_BOXES):
            head = file.read(16)
            if len(head) < 8:
                break
            size = int.from_bytes(head[:4], "big")
            if size == 1:
                size = int.from_bytes(head[8:], "big")
            found.add(head[4:8])
            following = file.tell() - len(head) + size
            # A raw stream starts like a box of 64-bit size; the next position can exceed the largest file offset.
            if size < 8 or following >= num_bytes:
                break
            file.seek(following)
    return found


def _why_unopened(error: Exception) -> str:
    if isinstance(error, av.error.ArgumentError):
        # FFmpeg returns this error for a format that is not allowed: a playlist, a list of files, a text.
        return "not a video: it is of a format that is refused"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{CANNOT_READ if isinstance(error, OSError) else 'cannot be opened'}: {reason}"
