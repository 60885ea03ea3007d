"""Each lever alone: what one design decision gives, against what one would write without it, on the same input.

    python benchmarks/levers.py [--shared ../shared] [--repeats 5] [--only decode,slides,networks,eight] [--write]

The input is the mixed film (1080p, see films.py): whole for decoding, else a frame a second and all faces in those.
The two ways of a lever take turns, after one turn that does not count; medians. CPU milliseconds are those of the one
thread that does the work; all others are of the clock, with as many threads as a worker has: measure on a machine that
does nothing else. Networks are in float32.
"""

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from films import TINY_SHARE, mixed_film
from lever_eight_bit import eight_bit_levers
from lever_networks import bfloat16_levers, network_levers
from lever_samples import Lever, Samples, samples_of, take_turns
from lever_slides import SLIDE_SECONDS, slide_levers
from results import add_tiny, machine, write_section

from fastface.types import Sampling, Unit, VideoInfo
from fastface.video.container import open_video
from fastface.video.decode import open_source
from fastface.video.frames.planes import PlaneWriter

FIVE_A_SECOND = Sampling(Fraction(1, 5))
GROUPS = ("decode", "slides", "networks", "eight")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default=",".join(GROUPS), help="some of the groups; the section is then not written")
    add_tiny(parser)
    options = parser.parse_args()
    groups = options.only.split(",")
    cv2.setNumThreads(1)  # as in every process of fastface
    with tempfile.TemporaryDirectory() as folder:
        text = measure(options, groups, Path(folder))
    print(text)
    if options.write and set(groups) == set(GROUPS):
        write_section("Levers", text)


def measure(options: argparse.Namespace, groups: list[str], folder: Path) -> str:
    """The section of RESULTS.md."""
    models = options.shared / "models" / "buffalo_s"
    repeats: int = options.repeats
    share = TINY_SHARE if options.tiny else 1
    samples = samples_of(mixed_film(options.shared / "media" / "clips", folder / "mixed.mp4", share), models)
    levers: list[Lever] = []
    remarks: list[str] = []
    if "decode" in groups:
        levers += [skipping(samples, repeats), two_decoders(samples, repeats), canvas_from_planes(samples, repeats)]
    if "slides" in groups:
        levers += slide_levers(options.shared, folder, repeats, SLIDE_SECONDS * share)
    if "networks" in groups:
        levers += network_levers(samples, folder, repeats)
        lower = bfloat16_levers(samples, repeats)
        levers += lower
        remarks += [] if lower else ["bfloat16: this processor has none."]
    if "eight" in groups:
        # More pictures than speed needs: half of them calibrate, the other half judge.
        for found in eight_bit_levers(samples_of(samples.film, models, Fraction(1, 3)), folder, repeats):
            levers.append(found.lever)
            remarks.append(found.parity)
    lines = [
        machine(),
        "",
        f"`python benchmarks/levers.py`: {len(samples.frames)} frames, {len(samples.aligned)} faces, medians of "
        f"{repeats}, taking turns.",
        "",
        "| lever | without | with | ratio | unit |",
        "|---|---|---|---|---|",
        *(lever.row() for lever in levers),
    ]
    return "\n".join([*lines, "", *remarks])


def skipping(samples: Samples, repeats: int) -> Lever:
    """Five samples a second with the frames left out that no other refers to, against decoding all and picking."""
    info = samples.info
    unit = Unit(info.video_id, 0, Fraction(0), None, FIVE_A_SECOND)
    counts: dict[str, list[int]] = {}

    def picked() -> float:
        began = time.thread_time()
        counts["picked"] = decoded_and_picked(info)
        return (time.thread_time() - began) * 1e3 / length(info)

    def skipped() -> float:
        began = time.thread_time()
        counts["skipped"] = [frame.pts for frame in open_source(info).frames(unit)]
        return (time.thread_time() - began) * 1e3 / length(info)

    took = take_turns(repeats, picked, skipped)
    assert counts["picked"] == counts["skipped"], "both ways must give the same samples"
    return Lever("decoder: frames that nothing needs are skipped, at 5 samples/s", took, "CPU ms a second of film")


def decoded_and_picked(info: VideoInfo) -> list[int]:
    """The samples' pts, with every frame decoded."""
    kept: list[int] = []
    last: int | None = None
    with open_video(info.path) as (container, stream):
        stream.thread_type = "NONE"
        for frame in container.decode(stream):
            assert frame.pts is not None
            cell = FIVE_A_SECOND.cell(info.frame_time(frame.pts))
            if cell != last:
                last = cell
                kept.append(frame.pts)
    return kept


def length(info: VideoInfo) -> float:
    """Seconds of a film that declares them."""
    assert info.duration is not None
    return float(info.duration)


def two_decoders(samples: Samples, repeats: int) -> Lever:
    """Two stretches of one film in two processes, against one after the other in one."""
    info = samples.info
    middle = min(samples.found.cuts, key=lambda cut: abs(float(cut) - length(info) / 2))
    bounds = [(Fraction(0), middle), (middle, None)]
    units = [Unit(info.video_id, n, start, end, Sampling(None)) for n, (start, end) in enumerate(bounds)]
    frames = []

    def way(pool: Executor) -> float:
        began = time.perf_counter()
        frames.append(sum(pool.map(decode_unit, [info] * 2, units)))
        return (time.perf_counter() - began) * 1e3 / frames[-1]

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as one, ProcessPoolExecutor(2, context) as two:
        took = take_turns(repeats, lambda: way(one), lambda: way(two))
    assert len(set(frames)) == 1, frames
    return Lever("decoder: two stretches side by side", took, "ms a frame")


def decode_unit(info: VideoInfo, unit: Unit) -> int:
    """Frames of a stretch, decoded with one thread."""
    return sum(1 for _ in open_source(info).frames(unit))


def canvas_from_planes(samples: Samples, repeats: int) -> Lever:
    """Planes kept and the canvas made of the three of them, against the whole frame as BGR and its resize."""
    geometry = samples.geometry
    width, height = geometry.content
    canvas = np.zeros((geometry.canvas[1], geometry.canvas[0], 3), np.uint8)
    planes = np.zeros(geometry.plane_bytes, np.uint8)
    writer = PlaneWriter(samples.info, geometry)

    def from_picture() -> float:
        began = time.thread_time()
        for frame in samples.frames:
            picture = frame.content.to_ndarray(format="bgr24")
            canvas[:height] = cv2.resize(picture, (width, height))
        return (time.thread_time() - began) * 1e3 / len(samples.frames)

    def from_planes() -> float:
        began = time.thread_time()
        for frame in samples.frames:
            writer.write(frame, planes, canvas)
        return (time.thread_time() - began) * 1e3 / len(samples.frames)

    took = take_turns(repeats, from_picture, from_planes)
    return Lever("decoder: planes and a canvas made of them, not the whole frame as BGR", took, "CPU ms a frame")


if __name__ == "__main__":
    main()
