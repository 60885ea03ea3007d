"""Write the cartoon film and the photos, and list the hits that a search must find.

The demo and the tests call it. The encoded pictures must stay the same bytes on every processor of an architecture.
"""

import math
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from fastface.demo.backdrops import Backdrop
from fastface.demo.persons import Disguise, Person
from fastface.demo.script import BARCODE_HEIGHT, Appearance, Scene, Script
from fastface.files import atomic_path
from fastface.types import Image

_PHOTO_SIZE = 640
_BARCODE_BITS: Final = 18
_BARCODE_CELLS: Final = 40
_SOUND_RATE = 48000
_SOUND_BLOCK = 1024
_CONTAINER_OPTIONS: Final = {"fflags": "+bitexact"}
"""Without this option Matroska's segments get random identifiers."""
_ENCODER_THREADS: Final = 4
# Every x86-64 processor has SSE2, and without it libx264 takes three times as long; 0 is plain C.
_ENCODER_EXTENSIONS: Final = "sse2" if platform.machine() in ("x86_64", "AMD64") else "0"


@dataclass(frozen=True, slots=True)
class Encoding:
    """Encoding of a film.

    Attributes:
        rate: Frames per second; frame k is shown at `start` + k / `rate`.
        gop: Maximum number of frames between two keyframes. Cuts are keyframes too, as in usual encoders.
        crf: libx264's constant quality: 18 looks perfect, 35 is poor. The networks give equal results up to 35.
        bframes: Maximum number of B-frames in a row.
        start: Seconds from zero to the first frame of the script, rounded down to a whole frame.
        skipped: Frames of the script that are not written: a variable frame rate.
        zoom: Whole factor from the script's pixels to the film's pixels.
        sound: True to add an audio track: a scale of sine tones, one a second.
    """

    rate: Fraction = Fraction(25)
    gop: int = 50
    crf: int = 23
    bframes: int = 2
    start: Fraction = Fraction(0)
    skipped: frozenset[int] = frozenset()
    zoom: int = 1
    sound: bool = False

    def frames(self, script: Script) -> list[int]:
        """Return the frames of the script that are written, in order."""
        return [frame for frame in range(script.num_frames) if frame not in self.skipped]

    def times(self, script: Script) -> list[Fraction]:
        """Return the seconds of each written frame from the first written one."""
        frames = self.frames(script)
        return [(frame - frames[0]) / self.rate for frame in frames]


def draw_film(path: Path, script: Script, encoding: Encoding = Encoding()) -> None:
    """Draw and encode a film: H.264, yuv420p, the container of `path`'s suffix. The file appears only when complete.

    Times are exact in .mp4 and .nut; .ts rounds to 1/90000 s, .mkv to milliseconds. The encoded pictures are the same
    bytes on all processors of an architecture; the sound is not.

    Raises:
        SpaceError: No space is left.
    """
    with atomic_path(path) as part, av.open(str(part), "w", options=_CONTAINER_OPTIONS) as container:
        stream = _video_stream(container, script, encoding)
        sound = container.add_stream("aac", rate=_SOUND_RATE, layout="mono") if encoding.sound else None
        tick = 1 / encoding.rate
        first = int(encoding.start / tick)
        for frame, picture in film_frames(script, encoding):
            planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
            video = av.VideoFrame.from_ndarray(np.asarray(planes, np.uint8), format="yuv420p")
            video.pts, video.time_base = first + frame, tick
            container.mux(stream.encode(video))
        container.mux(stream.encode(None))
        if sound is not None:
            for block in _sound_blocks(encoding.start, script.num_frames * tick):
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))


def _video_stream(container: Any, script: Script, encoding: Encoding) -> Any:
    stream = container.add_stream("libx264", rate=encoding.rate)
    stream.width, stream.height = (side * encoding.zoom for side in script.size)
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = 1 / encoding.rate
    stream.codec_context.gop_size = encoding.gop
    # cv2's conversion is BT.601, limited range; without the tag players guess from the size.
    stream.codec_context.colorspace = av.video.reformatter.Colorspace.SMPTE170M
    stream.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
    # By default libx264 splits pictures by the number of cores, and its decisions depend on CPU extensions.
    stream.codec_context.thread_count = _ENCODER_THREADS
    stream.options = {
        "preset": "veryfast",
        "crf": str(encoding.crf),
        "bf": str(encoding.bframes),
        "x264-params": f"asm={_ENCODER_EXTENSIONS}",
    }
    return stream


def _sound_blocks(start: Fraction, seconds: Fraction) -> Iterator[av.AudioFrame]:
    """Yield blocks of 1024 samples, mono float: C D E F G A B, a second each, with a soft attack."""
    pitches = 261.63 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11]) / 12)
    for block in range(math.ceil(seconds * _SOUND_RATE / _SOUND_BLOCK)):
        samples = np.arange(block * _SOUND_BLOCK, (block + 1) * _SOUND_BLOCK)
        second, phase = np.divmod(samples / _SOUND_RATE, 1)
        wave = 0.15 * np.exp(-3 * phase) * np.sin(2 * np.pi * pitches[second.astype(int) % 7] * phase)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate = _SOUND_RATE
        frame.time_base = Fraction(1, _SOUND_RATE)
        frame.pts = int(start * _SOUND_RATE) + block * _SOUND_BLOCK
        yield frame


def film_frames(script: Script, encoding: Encoding = Encoding()) -> Iterator[tuple[int, Image]]:
    """Yield (frame of the script, BGR picture before encoding) of each written frame.

    A picture is valid only until the next one is yielded.
    """
    zoomed, drawn = None, -1
    for frame in encoding.frames(script):
        if zoomed is None or drawn != frame - 1 or not script.looks_like_before(frame):
            picture = script.draw(frame)
            zoomed = picture if encoding.zoom == 1 else _zoom(picture, encoding.zoom)
        drawn = frame
        if script.barcode:
            _draw_barcode(zoomed, frame, BARCODE_HEIGHT * encoding.zoom)
        yield frame, zoomed


def _zoom(picture: Image, zoom: int) -> Image:
    return np.ascontiguousarray(picture.repeat(zoom, axis=0).repeat(zoom, axis=1))


def _draw_barcode(picture: Image, number: int, height: int) -> None:
    """Draw along the bottom: white, black, 18 bits, the same bits inverted, black, white; the highest bit first."""
    bits = number >> np.arange(_BARCODE_BITS - 1, -1, -1) & 1
    cells = np.concatenate([[1, 0], bits, 1 - bits, [0, 1]]).astype(np.uint8) * 255
    edges = np.linspace(0, picture.shape[1], _BARCODE_CELLS + 1).round().astype(int)
    row = np.repeat(cells, np.diff(edges))
    picture[-height:] = row[None, :, None]


def read_barcode(picture: Image) -> int:
    """Read the frame number from the barcode of a picture of any size that shows the whole frame.

    Raises:
        ValueError: There is no barcode, or it cannot be read for certain.
    """
    height, width = picture.shape[:2]
    y = height - round(height * BARCODE_HEIGHT / 360 / 2)
    centres = ((np.arange(_BARCODE_CELLS) + 0.5) * width / _BARCODE_CELLS).astype(int)
    light = (picture[y, centres].mean(axis=1) > 127).astype(int)
    bits, inverted = light[2 : 2 + _BARCODE_BITS], light[2 + _BARCODE_BITS : -2]
    if [*light[:2], *light[-2:]] != [1, 0, 0, 1] or (bits == inverted).any():
        raise ValueError("the picture carries no readable barcode")
    return int("".join(map(str, bits)), 2)


def draw_photo(person: Person, disguise: Disguise = Disguise.NONE) -> Image:
    """Draw a portrait of 640×640, for a gallery."""
    portrait = Appearance(person, 0, 1, (320, 304), scale=2, disguise=disguise)
    return Script(1, (portrait,), (Scene(0, Backdrop.PLAIN),), (_PHOTO_SIZE, _PHOTO_SIZE)).draw(0)


def expected_hits(
    script: Script,
    encoding: Encoding = Encoding(),
    period: Fraction | None = None,
) -> dict[str, list[Fraction]]:
    """Return {person's name: times of the expected hits, in seconds from the film's first frame}.

    Args:
        script: The film.
        encoding: Its encoding.
        period: Seconds between samples, of which the first frame in each [k × period, (k + 1) × period) counts; None
            takes every frame.
    """
    hits: dict[str, list[Fraction]] = {one.name: [] for one in script.persons}
    last_cell = None
    for frame, time in zip(encoding.frames(script), encoding.times(script), strict=True):
        cell = None if period is None else time // period
        if cell is not None and cell == last_cell:
            continue
        last_cell = cell
        for sighting in script.sightings(frame):
            hits[sighting.person.name].append(time)
    return hits
