"""How many frames a second, every frame, against insightface's own classes one image at a time.

    python benchmarks/against_insightface.py [VIDEO] [--models ../shared/models/buffalo_s] [--repeats 3] [--write]

The peer decodes with OpenCV, detects with the SCRFD class at 640×640 and embeds each face with the ArcFace class, on
all cores. fastface scans the same film with `--every-frame`, its own canvas and the same networks. The two take turns;
medians count. Rates are those of the whole command, its start included, and without the start: the time of a film of
one second is taken off both.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import machine, write_section

SCAN = """
import sys, fastface
result = fastface.scan(sys.argv[1], sys.argv[2], scan={"every_frame": True, "det_size": sys.argv[4]},
                       models={"dir": sys.argv[3]}, run={"fresh": True})
print(result.counts.sampled, result.counts.faces)
"""

PEER = """
import sys, cv2
from pathlib import Path
from insightface.model_zoo import get_model
from insightface.app.common import Face
detector = get_model(str(next(Path(sys.argv[2]).glob("det*.onnx"))), providers=["CPUExecutionProvider"])
detector.prepare(ctx_id=-1, input_size=(640, 640), det_thresh=0.5)
recogniser = get_model(str(next(Path(sys.argv[2]).glob("w600k*.onnx"))), providers=["CPUExecutionProvider"])
recogniser.prepare(ctx_id=-1)
video = cv2.VideoCapture(sys.argv[1])
frames = faces = 0
while True:
    more, frame = video.read()
    if not more:
        break
    frames += 1
    boxes, landmarks = detector.detect(frame)
    for box, points in zip(boxes, landmarks):
        recogniser.get(frame, Face(bbox=box[:4], kps=points, det_score=box[4]))
        faces += 1
print(frames, faces)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=Path("../shared/media/clips/street.mp4"))
    parser.add_argument("--models", type=Path, default=Path("../shared/models/buffalo_s"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--loops", type=int, default=3, help="how often the film is repeated, to be long enough")
    parser.add_argument("--write", action="store_true", help="replace this section of RESULTS.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = measure(options, Path(folder))
    print(text)
    if options.write:
        write_section("Every frame, against insightface one image at a time", text)


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The section of RESULTS.md."""
    long, short = folder / "long.mp4", folder / "short.mp4"
    ffmpeg("-stream_loop", str(options.loops), "-i", str(options.video), "-c", "copy", "-an", str(long))
    ffmpeg("-i", str(options.video), "-c", "copy", "-an", "-t", "1", str(short))
    contenders = {
        "insightface + OpenCV": lambda film: run(PEER, film, options.models),
        "fastface": lambda film: run(SCAN, film, folder / "out", options.models, "auto"),
        "fastface, 640×640 canvas": lambda film: run(SCAN, film, folder / "out", options.models, "640x640"),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    counts: dict[str, tuple[int, int, int]] = {}
    for _ in range(options.repeats):
        for name, contender in contenders.items():
            start_seconds, (few, _) = contender(short)
            all_seconds, (frames, faces) = contender(long)
            seconds[name].append((all_seconds, start_seconds))
            counts[name] = (frames, few, faces)
    rates = {name: rate(seconds[name], counts[name]) for name in contenders}
    peer = rates["insightface + OpenCV"]
    rows = [
        f"| {name} | {counts[name][0]} | {counts[name][2]} | {whole:.1f} | {steady:.1f} "
        f"| {whole / peer[0]:.2f} | {steady / peer[1]:.2f} |"
        for name, (whole, steady) in rates.items()
    ]
    head = [
        machine(),
        "",
        f"`python benchmarks/against_insightface.py {options.video}`, medians of {options.repeats}, taking turns.",
        "",
        "| | frames | faces | frames/s, whole | frames/s, without the start | ratio | ratio without the start |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def rate(seconds: list[tuple[float, float]], counts: tuple[int, int, int]) -> tuple[float, float]:
    """(frames a second of the whole command, and without its start)."""
    frames, few, _ = counts
    whole = statistics.median(frames / every for every, _ in seconds)
    return whole, statistics.median((frames - few) / (every - start) for every, start in seconds)


def run(code: str, *arguments: object) -> tuple[float, tuple[int, int]]:
    """(seconds, (frames, faces)) of one process."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=True, timeout=1800
    )
    frames, faces = map(int, done.stdout.split()[-2:])
    return time.perf_counter() - started, (frames, faces)


def ffmpeg(*arguments: str) -> None:
    """Makes a film."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], check=True)


if __name__ == "__main__":
    main()
