"""Write the reel of a person: one film with spans of several videos, one after the other, and a chapter for each.

The export process calls `write_reel`. Each span has exactly its length. Each frame keeps its time within the span, so
varying rates stay. Pictures of other sizes are fitted into one canvas, and sound becomes stereo of 48 kHz.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av.error
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from fastface.errors import ExportError, VideoError
from fastface.export.clips.cutting import to_ticks
from fastface.export.clips.muxing import TimedPacket, open_clip, write_packets
from fastface.export.clips.precise import Colours, Painter, PlacedFrame, frames_from, remove_combs
from fastface.export.clips.sound import SoundBlock, add_joined, decode_main_track
from fastface.export.jobs import ReelPart
from fastface.files import atomic_path
from fastface.names import clean_text
from fastface.types import Size
from fastface.video.frames.colour import matrix_by_size

_TIME_BASE = Fraction(1, 90_000)
"""Time base of the pictures: each frame keeps its time to a hundredth of a millisecond."""

_OPTIONS = {"preset": "veryfast", "crf": "18"}
_USUAL_RATE = 25
_UNSPECIFIED = 2
"""Tag of unknown primaries and transfer (ITU-T H.273): the videos may differ."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """A part and the tick of the reel at which it begins."""

    part: ReelPart
    begin: int

    @property
    def end(self) -> int:
        """Return the tick at which the next part begins."""
        return self.begin + _find_length(self.part)


def write_reel(parts: Sequence[ReelPart], destination: Path, *, alive: Callable[[], object]) -> tuple[str, ...]:
    """Write an MP4 (H.264, AAC) of all parts that can be decoded.

    The parts are decoded one after the other; memory does not grow with their number.

    Args:
        parts: Spans in their order.
        destination: The file. It is readable for its owner only.
        alive: Called with each packet that is read.

    Returns:
        A line for each part that is left out, ends early or is silent because it cannot be read.

    Raises:
        ExportError: No part can be decoded, or the file cannot be written.
        SpaceError: No space is left.
    """
    faults = {part: fault for part in parts if (fault := _find_fault(part, alive))}
    kept = [part for part in parts if part not in faults]
    if not kept:
        raise ExportError("; ".join(faults.values()))
    begins = accumulate(map(_find_length, kept), initial=0)
    placed = [_Placed(part, begin) for part, begin in zip(kept, begins, strict=False)]
    with atomic_path(destination, private=True) as part_path, open_clip(part_path) as clip:
        _add_chapters(clip, placed)
        losses: list[str] = []
        pictures = _add_pictures(clip, placed, alive, losses)
        sound = add_joined(clip, _place_sound(placed, alive, losses))
        write_packets(clip, (pictures, *sound))
    return (*faults.values(), *losses)


def _find_length(part: ReelPart) -> int:
    """Return the length of a part in ticks of the reel."""
    return max(1, round((part.end - part.start) / float(_TIME_BASE)))


def _find_fault(part: ReelPart, alive: Callable[[], object]) -> str:
    """Return why a part cannot be shown; empty if its first frame can be decoded."""
    try:
        with closing(_decode(part, alive)) as frames:
            return "" if next(frames, None) is not None else f"{part.title}: no frame can be decoded"
    except (ExportError, VideoError) as error:
        return f"{part.title}: {error}"


def choose_canvas(parts: Sequence[ReelPart]) -> Size:
    """Return the even (width, height) that most seconds of the parts have; the larger of two."""
    seconds: dict[Size, float] = {}
    for part in parts:
        size = part.info.size
        seconds[size] = seconds.get(size, 0.0) + part.end - part.start
    width, height = max(seconds, key=lambda size: (round(seconds[size], 3), size[0] * size[1], size))
    return width + width % 2, height + height % 2


def _add_chapters(clip: Any, placed: Sequence[_Placed]) -> None:
    clip.set_chapters(
        [
            {
                "id": number,
                "start": one.begin,
                "end": one.end,
                "time_base": _TIME_BASE,
                "metadata": {"title": clean_text(one.part.title)},
            }
            for number, one in enumerate(placed)
        ]
    )


def _decode(part: ReelPart, alive: Callable[[], object]) -> Any:
    return frames_from(part.info, to_ticks(part.info, part.start), to_ticks(part.info, part.end), alive)


def _add_pictures(
    clip: Any, placed: Sequence[_Placed], alive: Callable[[], object], losses: list[str]
) -> Iterator[TimedPacket]:
    """Add the stream of pictures and return its packets."""
    parts = [one.part for one in placed]
    canvas = choose_canvas(parts)
    rate = max((part.info.rate for part in parts if part.info.rate), default=Fraction(_USUAL_RATE))
    stream = clip.add_stream("libx264", rate=rate, options=dict(_OPTIONS))
    codec = stream.codec_context
    codec.width, codec.height = canvas
    codec.pix_fmt = "yuv420p"
    codec.time_base = stream.time_base = _TIME_BASE
    matrix = matrix_by_size(canvas[1])
    codec.colorspace, codec.color_range = matrix, ColorRange.MPEG
    painter = Painter(canvas, Fraction(1), Colours(matrix, _UNSPECIFIED, _UNSPECIFIED))

    def packets() -> Iterator[TimedPacket]:
        durations: dict[int, int] = {}
        for one in placed:
            for pts, duration, frame in _place_frames(one, alive, losses):
                picture = painter.paint(frame)
                picture.pts, picture.time_base = pts, _TIME_BASE
                if pts == one.begin:
                    picture.pict_type = PictureType.I  # a player may start at each chapter
                durations[pts] = duration
                yield from retime(stream.encode(picture), durations)
        yield from retime(stream.encode(None), durations)

    def retime(made: list[Any], durations: dict[int, int]) -> Iterator[TimedPacket]:
        for packet in made:
            packet.duration = durations.pop(packet.pts, packet.duration)
            yield packet.dts * packet.time_base, stream.index, packet

    return packets()


def _place_frames(
    one: _Placed, alive: Callable[[], object], losses: list[str]
) -> Iterator[tuple[int, int, PlacedFrame]]:
    """Yield (tick of the reel, ticks for which it is shown, frame); the first frame stands at the part's begin.

    Damage ends a part early: its last frame then stands until the next part, and `losses` gets a line.
    """
    info, end = one.part.info, one.end
    start = Fraction(one.part.start)
    before: tuple[int, PlacedFrame] | None = None
    try:
        with closing(_decode(one.part, alive)) as frames:
            for placed in remove_combs(info, frames):
                place = one.begin + round((info.frame_time(placed.pts) - start) / _TIME_BASE)
                place = one.begin if before is None else min(place, end - 1)
                if before is not None and place <= before[0]:
                    continue
                if before is not None:
                    yield before[0], place - before[0], before[1]
                before = place, placed
    except (VideoError, ExportError, av.error.FFmpegError) as error:
        lost = (end - (one.begin if before is None else before[0])) * _TIME_BASE
        losses.append(f"{one.part.title}: the last {float(lost):.1f} s show no new frame: {error}")
    if before is not None:
        yield before[0], end - before[0], before[1]


def _place_sound(placed: Sequence[_Placed], alive: Callable[[], object], losses: list[str]) -> Iterator[SoundBlock]:
    """Yield the sound of all parts, placed in the reel; a part whose sound cannot be read is silent from there on."""
    until = 0
    for one in placed:
        start = Fraction(one.part.start)
        try:
            for block in decode_main_track(one.part.info, start, start + (one.end - one.begin) * _TIME_BASE, alive):
                place = block.place + round(one.begin * _TIME_BASE * block.rate)
                samples = block.samples[:, max(0, until - place) :]  # parts are rounded to samples one by one
                until = max(until, place) + samples.shape[1]
                yield replace(block, place=until - samples.shape[1], samples=samples)
        except (VideoError, ExportError) as error:
            losses.append(f"{one.part.title}: a part of the sound is missing: {error}")
