"""The child of gpu_check.py that draws a film of 1080p, or decodes one and does nothing else.

    python benchmarks/gpu_films.py draw FILM SECONDS PICTURE…
    python benchmarks/gpu_films.py decode FILM REPEATS
    python benchmarks/gpu_films.py compare FILM

`draw` shows photos three at a time, drifting over a grainy background (H.264, libx264 as PyAV brings it, 25 frames a
second, a keyframe every two seconds, three B-frames); without photos it draws cartoon persons. `decode` is libavcodec
with one thread, as a decoder process has; it prints frames, and the monotonic seconds at which it began and ended.
`compare` decodes every frame by PyAV and by the card, in units of two seconds, and says how many are the same.
"""

import argparse
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fastface.demo.film import Encoding, draw_film
from fastface.demo.scripts import random_script
from fastface.errors import InputError
from fastface.types import DecoderName, Sampling, Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.image_file import read_picture
from fastface.video.plan import plan_units
from fastface.video.probe import Probe, probe

RATE = 25
WIDTH, HEIGHT = 1920, 1080
PHOTO_HEIGHT = 620
SHOWN_AT_ONCE = 3
SHOT_SECONDS = 2
GRAIN = 6
MAX_PIXELS = 100_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    drawing = commands.add_parser("draw")
    drawing.add_argument("film", type=Path)
    drawing.add_argument("seconds", type=float)
    drawing.add_argument("pictures", type=Path, nargs="*")
    drawing.set_defaults(run=lambda given: draw(given.film, given.seconds, given.pictures))
    decoding = commands.add_parser("decode")
    decoding.add_argument("film", type=Path)
    decoding.add_argument("repeats", type=int)
    decoding.set_defaults(run=lambda given: decode(given.film, given.repeats))
    comparing = commands.add_parser("compare")
    comparing.add_argument("film", type=Path)
    comparing.set_defaults(run=lambda given: compare(given.film))
    given = parser.parse_args()
    given.run(given)


def draw(path: Path, seconds: float, pictures: list[Path]) -> None:
    """Writes a film and prints how many frames it has."""
    photos = [photo for picture in pictures if (photo := scaled(picture)) is not None]
    num_frames = round(seconds * RATE)
    if not photos:
        draw_film(path, random_script(1, num_frames), Encoding(gop=2 * RATE, zoom=3))
        print(num_frames)
        return
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = SHOT_SECONDS * RATE
        stream.options = {"preset": "veryfast", "crf": "20", "bf": "3"}
        for number, picture in enumerate(frames_of(photos, num_frames)):
            frame = av.VideoFrame.from_ndarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    print(num_frames)


def scaled(path: Path) -> np.ndarray | None:
    """A photo at the height that it is shown in; None where it cannot be read."""
    try:
        photo = read_picture(path)
    except InputError:
        return None
    width = round(photo.shape[1] * PHOTO_HEIGHT / photo.shape[0])
    return cv2.resize(photo, (min(width, WIDTH // SHOWN_AT_ONCE), PHOTO_HEIGHT))


def frames_of(photos: list[np.ndarray], num_frames: int) -> Iterator[np.ndarray]:
    """The film's pictures, BGR."""
    chance = np.random.default_rng(5)
    background = chance.integers(90 - GRAIN, 90 + GRAIN, (HEIGHT, WIDTH, 3), np.uint8)
    for number in range(num_frames):
        shot, place = divmod(number, SHOT_SECONDS * RATE)
        picture = np.roll(background, number * 3, axis=1)
        for column in range(SHOWN_AT_ONCE):
            photo = photos[(shot * SHOWN_AT_ONCE + column) % len(photos)]
            left = column * WIDTH // SHOWN_AT_ONCE + min(2 * place, WIDTH // SHOWN_AT_ONCE - photo.shape[1])
            top = 100 + 4 * place + 20 * column
            picture[top : top + PHOTO_HEIGHT, left : left + photo.shape[1]] = photo[: HEIGHT - top]
        yield picture


def decode(path: Path, repeats: int) -> None:
    """Decodes a film again and again with one thread."""
    began, frames = time.monotonic(), 0
    for _ in range(repeats):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            frames += sum(1 for _ in container.decode(stream))
    print(frames, began, time.monotonic())


def compare(path: Path) -> None:
    """Prints one line: how the card's frames differ from PyAV's, or why there are none."""
    found = probe(VideoFile(path, path.name), MAX_PIXELS)
    units = plan_units(found, Sampling(None), SHOT_SECONDS)
    by_pyav, _, slow = decoded(found, units, "pyav")
    by_card, reasons, quick = decoded(found, units, "nvdec")
    if reasons:
        print(f"left out: {'; '.join(sorted(reasons))}")
        return
    same_times = sum(one[0] == other[0] for one, other in zip(by_pyav, by_card, strict=False))
    same = sum(one == other for one, other in zip(by_pyav, by_card, strict=False))
    rates = f"{len(by_pyav) / slow:.0f} and {len(by_card) / quick:.0f} frames a second of one process"
    print(
        f"{len(by_pyav)} and {len(by_card)} frames, {same_times} at the same times, {same} the same to the bit; {rates}"
    )


def decoded(
    found: Probe, units: tuple[Unit, ...], decoder: DecoderName
) -> tuple[list[tuple[int, int]], set[str], float]:
    """((timestamp, digest of the pixels) of each frame, why the decoder was not used, seconds)."""
    frames, reasons, began = [], set(), time.perf_counter()
    for unit in units:
        source = open_source(found.info)
        for frame in source.frames(replace(unit, decoder=decoder)):
            frames.append((frame.pts, zlib.crc32(frame.content.to_ndarray(format="yuv420p"))))
        reasons |= {source.report.decoder_reason} - {""}
    return frames, reasons, time.perf_counter() - began


if __name__ == "__main__":
    main()
