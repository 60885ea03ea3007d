"""Write the sound of a clip: packets are copied if MP4 supports the codec, else encoded as AAC.

`clips` and `reel` call it. `sound_clock` gives the times on the clock of the scan.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from fastface.export.clips.muxing import TimedPacket
from fastface.export.clips.reading import demux, open_video, seek_before
from fastface.export.clips.sound_clock import SoundClock, find_sound_clock
from fastface.names import valid_text
from fastface.types import VideoInfo
from fastface.video.clock import find_reset
from fastface.video.containers.parts import keep_restarted

SOUND_OF_MP4 = frozenset({"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "opus"})
_BIT_RATE = 192_000
_AAC_RATES = frozenset({96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000})
_USUAL_RATE = 48000
_LAYOUTS = {1: "mono", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
"""Layout by number of channels; stereo for all others."""

_BREAK = Fraction(1, 100)
"""Seconds by which sound may miss its place before samples are dropped or silence is inserted."""

_LEAD = Fraction(1)
"""Seconds before the clip from which sound is decoded: a decoder's first blocks are incomplete."""

_SKEW = Fraction(10)
"""Maximum seconds by which a file stores sound behind the pictures of the same moment."""

_Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Track:
    """A stream of sound.

    Attributes:
        index: Its number in the film.
        fits: True if MP4 supports its codec.
        name: Its number, codec and language, for people.
        language: Language tag of the film.
    """

    index: int
    fits: bool
    name: str
    language: str


@dataclass(frozen=True, slots=True)
class _Request:
    """A request for the sound of one track.

    `start` is in seconds from the video's first frame, and so is the result of `get_end`.
    """

    info: VideoInfo
    track: Track
    clock: SoundClock
    start: Fraction
    get_end: Callable[[], Fraction]
    check_stop: Callable[[], object]


def list_tracks(container: Any) -> tuple[list[Track], list[str]]:
    """Return the streams of sound that can be kept, and the names of those whose codec FFmpeg does not support."""
    tracks, unknown = [], []
    for stream in container.streams:
        if stream.type != "audio":
            continue
        language = valid_text(stream.metadata.get("language", ""))
        codec = stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown codec"
        name = f"audio stream {stream.index} ({', '.join(filter(None, (codec, language)))})"
        if stream.codec_context is None or not stream.codec_context.codec.is_decoder:
            unknown.append(name)
        else:
            tracks.append(Track(stream.index, codec in SOUND_OF_MP4, name, language))
    return tracks, unknown


def add_tracks(
    clip: Any,
    info: VideoInfo,
    tracks: list[Track],
    clock: SoundClock,
    span: tuple[Fraction, Callable[[], Fraction]],
    *,
    keep_packets: bool,
    check_stop: Callable[[], object],
) -> tuple[list[Iterator[TimedPacket]], list[str]]:
    """Add streams of sound to a clip before its first packet is written.

    Args:
        clip: The output container.
        info: The video.
        tracks: Tracks to keep.
        clock: Clock that places them.
        span: (start, function that returns the end), in seconds from the video's first frame. It is called with each
            packet.
        keep_packets: Copy packets if MP4 supports their codec.
        check_stop: Called with each packet; its exceptions pass through.

    Returns:
        The packets of each new stream, and the names of tracks that cannot be decoded. A track without packets in the
        span gets no stream and is not named.
    """
    streams, unread = [], []
    for track in tracks:
        request = _Request(info, track, clock, *span, check_stop)
        if keep_packets and track.fits:
            packets = _keep(request)
            first = next(packets, None)
            if first is not None:
                streams.append(_add_copied(clip, request, first, packets))
            continue
        seen = _Seen()
        blocks = _decode(request, seen)
        block = next(blocks, None)
        if block is not None:
            streams.append(_add_encoded(clip, track.language, block, blocks))
        elif seen.packets:
            unread.append(f"{track.name}: no sound can be decoded")
    return streams, unread


def _tag(stream: Any, language: str) -> None:
    if language:
        stream.metadata["language"] = language


def _add_copied(clip: Any, request: _Request, first: Any, rest: Iterator[Any]) -> Iterator[TimedPacket]:
    """Add a stream of unchanged packets."""
    with open_video(request.info.path) as (container, _):
        stream = clip.add_stream_from_template(container.streams[request.track.index], opaque=True)
        _tag(stream, request.track.language)

    def packets() -> Iterator[TimedPacket]:
        for packet in chain((first,), rest):
            packet.stream = stream
            yield packet.dts * packet.time_base, stream.index, packet

    return packets()


def _keep(request: _Request) -> Iterator[Any]:
    """Yield packets that sound in the span, with times from its start, in samples; the first may begin before it."""
    last: int | None = None
    with closing(_timed_packets(request)) as packets:
        for packet, time in packets:
            duration = (packet.duration or 0) * packet.time_base
            if time + duration <= 0:
                continue
            if time >= request.get_end() - request.start:
                return
            rate = packet.stream.codec_context.sample_rate or _USUAL_RATE
            pts = round(time * rate)
            if last is not None and pts <= last:
                pts = last + 1
            last = pts
            packet.time_base = Fraction(1, rate)
            packet.pts = packet.dts = pts
            packet.duration = round(duration * rate)
            yield packet


@dataclass(slots=True)
class _Seen:
    packets: int = 0


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """Samples (channels, count) and the place of the first one, counted from the clip's start."""

    place: int
    samples: _Samples
    rate: int
    layout: str


def decode_main_track(
    info: VideoInfo, start: Fraction, end: Fraction, check_stop: Callable[[], object]
) -> Iterator[SoundBlock]:
    """Yield the samples of a film's first stream of sound in [start, end), as stereo of 48 kHz; none without sound.

    Args:
        info: The video.
        start: Seconds from its first frame.
        end: Seconds from its first frame.
        check_stop: Called with each packet; its exceptions pass through.

    Raises:
        ExportError, VideoError: The file cannot be read.
    """
    if info.codec == "images":
        return
    with open_video(info.path) as (container, _):
        tracks, _ = list_tracks(container)
    clock = find_sound_clock(info, info.to_pts(end), check_stop) if tracks else None
    if clock is not None:
        request = _Request(info, tracks[0], clock, start, lambda: end, check_stop)
        yield from _decode(request, _Seen(), _Converter(_USUAL_RATE, "stereo"))


def add_joined(clip: Any, blocks: Iterator[SoundBlock]) -> list[Iterator[TimedPacket]]:
    """Add a stream of AAC for blocks of one rate and layout, in order of their places; none without a block."""
    first = next(blocks, None)
    return [] if first is None else [_add_encoded(clip, "", first, blocks)]


def _decode(request: _Request, seen: _Seen, converter: "_Converter | None" = None) -> Iterator[SoundBlock]:
    """Yield consecutive blocks of the span: overlaps are cut, gaps are kept."""
    converter = converter or _Converter()
    until: int | None = None
    with closing(_timed_packets(request)) as packets:
        for packet, time in packets:
            length = request.get_end() - request.start
            if time >= length:
                break
            seen.packets += time >= 0
            for block in converter.convert(packet, time):
                first, end = max(0, until or 0), round(length * block.rate)
                kept = block.samples[:, max(0, first - block.place) : max(0, end - block.place)]
                if kept.shape[1]:
                    place = max(block.place, first)
                    until = place + kept.shape[1]
                    yield SoundBlock(place, kept, block.rate, block.layout)


class _Converter:
    """Decode packets of one stream to float samples of one rate and layout, by default those of the first samples."""

    def __init__(self, rate: int = 0, layout: str = "") -> None:
        self._rate = rate
        self._layout = layout
        self._source: tuple[object, ...] = ()
        self._resampler: Any = None
        self._expected: Fraction | None = None
        self._place = 0

    def convert(self, packet: Any, time: Fraction) -> Iterator[SoundBlock]:
        """Yield the samples of a packet that begins `time` seconds from the clip's start; none if it is damaged."""
        frames: list[Any] = []
        with suppress(av.error.FFmpegError):
            frames = packet.decode()
        for frame in frames:
            begin = time
            if frame.pts is not None and packet.pts is not None:
                # Decoders hold samples back, or omit those before the first.
                begin += frame.pts * frame.time_base - packet.pts * packet.time_base
            elif self._expected is not None:
                begin = self._expected
            yield from self._resample(frame, begin)

    def _resample(self, frame: Any, begin: Fraction) -> Iterator[SoundBlock]:
        if not self._rate:
            self._rate = frame.sample_rate if frame.sample_rate in _AAC_RATES else _USUAL_RATE
            self._layout = _LAYOUTS.get(len(frame.layout.channels), "stereo")
        source = frame.sample_rate, frame.layout.name, frame.format.name
        is_broken = self._expected is None or abs(begin - self._expected) > _BREAK
        if is_broken or source != self._source:
            self._source = source
            self._resampler = av.AudioResampler("fltp", self._layout, self._rate)
            self._place = round(begin * self._rate)
            self._expected = begin
        assert self._expected is not None
        self._expected += Fraction(frame.samples, frame.sample_rate)
        frame.pts = None
        for converted in self._resampler.resample(frame):
            samples = converted.to_ndarray()
            yield SoundBlock(self._place, samples, self._rate, self._layout)
            self._place += samples.shape[1]


def _add_encoded(clip: Any, language: str, first: SoundBlock, rest: Iterator[SoundBlock]) -> Iterator[TimedPacket]:
    """Add a stream of AAC; gaps between blocks become silence, so that no sound moves."""
    stream = clip.add_stream("aac", rate=first.rate, layout=first.layout, bit_rate=_BIT_RATE)
    stream.time_base = Fraction(1, first.rate)
    _tag(stream, language)

    def encode_samples(place: int, samples: _Samples) -> Iterator[TimedPacket]:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=first.layout)
        frame.sample_rate, frame.pts, frame.time_base = first.rate, place, Fraction(1, first.rate)
        yield from packets(stream.encode(frame))

    def packets(made: list[Any]) -> Iterator[TimedPacket]:
        for packet in made:
            yield packet.dts * packet.time_base, stream.index, packet

    def all_packets() -> Iterator[TimedPacket]:
        yield from encode_samples(first.place, first.samples)
        until = first.place + first.samples.shape[1]
        for block in rest:
            while until < block.place:
                silence = np.zeros((block.samples.shape[0], min(block.place - until, first.rate)), np.float32)
                yield from encode_samples(until, silence)
                until += silence.shape[1]
            yield from encode_samples(block.place, block.samples)
            until += block.samples.shape[1]
        yield from packets(stream.encode(None))

    return all_packets()


def _timed_packets(request: _Request) -> Generator[tuple[Any, Fraction]]:
    """Yield packets of a track from before the span on, each with its seconds from the span's start."""
    if not (request.clock.seeks and (yield from _read_packets(request, is_seeking=True))):
        yield from _read_packets(request, is_seeking=False)


def _read_packets(request: _Request, *, is_seeking: bool) -> Generator[tuple[Any, Fraction], None, bool]:
    """Yield the packets from the seek's place on, or from the beginning; return false if the seek lands too late."""
    info, shifts = request.info, request.clock.shifts
    with open_video(info.path) as (container, video):
        if is_seeking and not seek_before(container, video, info, request.start - _LEAD):
            return False
        sound = container.streams[request.track.index]
        part, last, expected = 0, None, None
        packets = demux(container, video, sound)
        for number, packet in enumerate(keep_restarted(packets) if len(shifts) > 1 else packets):
            request.check_stop()
            pts = packet.dts if packet.pts is None else packet.pts
            if pts is None and expected is None:
                continue
            raw = expected if pts is None else pts * packet.time_base
            assert raw is not None
            if is_seeking and number == 0 and raw + shifts[0] > request.start - _LEAD / 2:
                return False
            if packet.stream is video:
                if len(shifts) == 1 and raw + shifts[0] > request.get_end() + _SKEW:
                    break
                continue
            if last is not None and raw < last - find_reset(info):
                part += 1
            last, expected = raw, raw + (packet.duration or 0) * packet.time_base
            if part >= len(shifts):
                break
            time = raw + shifts[part] - request.start
            if time >= -_LEAD:
                yield packet, time
    return True
