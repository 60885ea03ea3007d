"""How fast: against insightface's own classes at the same samples, at every frame, and against decoding alone.

    python benchmarks/throughput.py [--shared ../shared] [--film mixed|sparse|large|FILE] [--repeats 5]
                                     [--second-peer PYTHON] [--write]

The film is made of real clips (see films.py): `mixed` is 1080p with two faces a frame, `sparse` 1080p with 0.8, `large`
2160p. The peers decode with OpenCV, detect with insightface's SCRFD class at 640×640 and embed with its ArcFace class,
on all cores: every frame; five frames a second, with `grab` for those between; and the same with the faces of a frame
in one batch. Decoding alone is PyAV with as many threads as it likes. fastface runs its own command over the same film
with the same networks and six photos, with no clips and crops. All take turns; medians count. A rate is that of the
whole command, its start included, or without the start: the time of a film of one second is taken off.

A second peer is face_recognition (dlib), which goes over a film as its own example for video files does: every frame
at full size, its default settings, HOG detector and 128 components. It needs a Python of its own:

    python3 -m venv peer && peer/bin/pip install dlib-bin face_recognition_models opencv-python-headless pillow click
    peer/bin/pip install "setuptools<81" && peer/bin/pip install --no-deps face_recognition

and then `--second-peer peer/bin/python`. It is so slow that it gets one second of every five of the film; its rate is
per second of those, in one turn. `dlib-bin` is dlib as a wheel, with AVX and without an outer BLAS.

Every hit and span of a mode is compared with those of `--every-frame`: recall is the share of that mode's seconds in
spans of at least two seconds which the other finds too; IoU is that of all spans.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from films import TINY_SHARE, large_film, mixed_film, run_ffmpeg, sparse_film
from results import add_tiny, machine, write_section

PEER = Path(__file__).with_name("insightface_peer.py")
EVERY_FRAME, SAME_SAMPLES = "insightface + OpenCV, every frame", "insightface + OpenCV, 5 frames a second"
PEERS = {
    SAME_SAMPLES: (5, "single"),
    "insightface + OpenCV, 5 frames a second, faces in batches": (5, "batches"),
    EVERY_FRAME: (0, "single"),
}
"""{name: (frames a second or 0 for all, whether the faces of a frame are one batch)}"""

SECOND_PEER = """
import sys, cv2, face_recognition
video = cv2.VideoCapture(sys.argv[1])
frames = faces = 0
while True:
    more, frame = video.read()
    if not more:
        break
    frames += 1
    picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    places = face_recognition.face_locations(picture)
    faces += len(face_recognition.face_encodings(picture, places))
print(frames, faces)
"""
SECOND_PEER_NAME = "face_recognition + OpenCV, 1 s of every 5"

DECODE = """
import sys, av
with av.open(sys.argv[1]) as container:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    print(sum(1 for _ in container.decode(stream)), 0)
"""

DECODING = "PyAV, decoding alone"
MODES = {
    "fastface, every frame": ["--every-frame"],
    "fastface, every frame, 640×640 canvas": ["--every-frame", "--det-size", "640x640"],
    "fastface, default": [],
    "fastface, default, --exact": ["--exact"],
    "fastface, --profile fast": ["--profile", "fast"],
}
FILMS = {
    "mixed": (mixed_film, "two faces a frame"),
    "sparse": (sparse_film, "0.8 faces a frame"),
    "large": (large_film, "2160p"),
}
REFERENCE = "fastface, every frame"
LEAST_SPAN_SECONDS = 2.0

Spans = dict[str, list[tuple[float, float]]]


@dataclass
class Contender:
    """One way to go over a film, and what it took; `part` is what it gets of the film, if it does not get all."""

    go: Callable[[Path], tuple[int, int]]
    part: Path | None = None
    seconds: list[tuple[float, float]] = field(default_factory=list)
    searched: int = 0
    faces: int = 0

    def measure(self, long: Path, short: Path) -> None:
        """One turn: the short film, then the long one."""
        took = []
        for film in (short, self.part or long):
            began = time.perf_counter()
            self.searched, self.faces = self.go(film)
            took.append(time.perf_counter() - began)
        self.seconds.append((took[1], took[0]))

    def rates(self, length: float, short_length: float) -> tuple[float, float]:
        """(seconds of film a second, the same without the start)."""
        length = film_seconds(self.part) if self.part else length
        whole = statistics.median(length / long for long, _ in self.seconds)
        return whole, statistics.median((length - short_length) / (long - short) for long, short in self.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--film", default="mixed", help="mixed, sparse, large, or a file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--second-peer", metavar="PYTHON", help="executable of an environment with face_recognition")
    add_tiny(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = measure(options, Path(folder))
    print(text)
    if options.write:
        write_section(
            f"Throughput: {FILMS[options.film][1] if options.film in FILMS else Path(options.film).name}", text
        )


def measure(options: argparse.Namespace, folder: Path) -> str:
    """The section of RESULTS.md."""
    shared: Path = options.shared
    if options.film in FILMS:
        make = FILMS[options.film][0]
        long = make(shared / "media" / "clips", folder / "film.mp4", TINY_SHARE if options.tiny else 1)
    else:
        long = Path(options.film)
    short = folder / "short.mp4"
    run_ffmpeg("-i", str(long), "-c", "copy", "-an", "-t", "1", str(short))
    length, short_length = film_seconds(long), film_seconds(short)
    pack = shared / "models" / "buffalo_s"
    contenders = {
        name: Contender(partial(peer, pack=pack, how=how))
        for name, how in PEERS.items()
        if not (options.tiny and "batches" in how)  # the drawn recogniser takes one face at a time
    }
    contenders[DECODING] = Contender(lambda film: count(DECODE, film))
    modes = {REFERENCE: MODES[REFERENCE]} if options.tiny else MODES
    for name, options_of_mode in modes.items():
        contenders[name] = Contender(mode(shared, folder / name, options_of_mode))
    remark = "The second peer, face_recognition, is left out: no --second-peer was given."
    if options.second_peer:
        part = one_second_of_five(long, folder / "part.mp4")
        second = partial(count, SECOND_PEER, python=options.second_peer)
        contenders[SECOND_PEER_NAME] = Contender(second, part)
        frames, faces = peer(part, pack, PEERS[EVERY_FRAME])
        remark = f"In the {frames} frames that the second peer gets, the first finds {faces} faces."
    for turn in range(options.repeats):
        for contender in contenders.values():
            if turn == 0 or contender.part is None:  # the second peer takes ten times as long as all others together
                contender.measure(long, short)
    spans = {name: spans_of(folder / name) for name in modes}
    lines = [
        machine(),
        "",
        f"`python benchmarks/throughput.py --film {options.film}`: {length:.1f} s of film, medians of "
        f"{options.repeats}, taking turns.",
        "",
        "| | frames searched | faces | × real time | without the start | × the peer at 5 frames a second "
        "| without the start | × the peer at every frame, without the start | × decoding alone, without the start "
        "| span IoU | recall |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    rates = {name: contender.rates(length, short_length) for name, contender in contenders.items()}
    fair, every, decoding = rates[SAME_SAMPLES], rates[EVERY_FRAME], rates[DECODING]
    for name, contender in contenders.items():
        whole, steady = rates[name]
        found = spans.get(name)
        quality = "| | |" if found is None else f"| {iou(found, spans[REFERENCE]):.3f} | {recall(found, spans):.3f} |"
        lines.append(
            f"| {name} | {contender.searched} | {contender.faces} | {figure(whole)} | {figure(steady)} "
            f"| {figure(whole / fair[0])} | {figure(steady / fair[1])} | {figure(steady / every[1])} "
            f"| {figure(steady / decoding[1])} {quality}"
        )
    return "\n".join([*lines, "", remark])


def figure(ratio: float) -> str:
    """Two decimals, or four where these would say nothing."""
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.4f}"


def one_second_of_five(film: Path, path: Path) -> Path:
    """The first second of every five of a film, so that all of its scenes are in it; returns its path."""
    chosen = "select='lt(mod(t-start_t,5),1)',setpts='N/FRAME_RATE/TB'"
    run_ffmpeg("-i", str(film), "-an", "-vf", chosen, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", str(path))
    return path


def count(code: str, *arguments: object, python: str = sys.executable) -> tuple[int, int]:
    """(frames, faces) of a Python program."""
    return counts([python, "-c", code, *map(str, arguments)])


def counts(command: list[str]) -> tuple[int, int]:
    """The first two numbers of the last line that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
    frames, faces, *_ = done.stdout.splitlines()[-1].split()
    return int(frames), int(faces)


def peer(film: Path, pack: Path, how: tuple[int, str]) -> tuple[int, int]:
    """One of the peers."""
    return counts([sys.executable, *map(str, (PEER, film, pack, *how))])


def mode(shared: Path, out: Path, more: list[str]) -> Callable[[Path], tuple[int, int]]:
    """One mode of `fastface run` as a contender."""

    def go(film: Path) -> tuple[int, int]:
        found = json.loads(fastface(shared, film, out, more))["counts"]
        return found["inferred"], found["faces"]

    return go


def fastface(shared: Path, film: Path, out: Path, more: list[str]) -> str:
    """Runs the command into a new folder; returns what it prints."""
    shutil.rmtree(out, ignore_errors=True)
    fixed = ["-t", shared / "media" / "photos" / "friends", "--models", shared / "models" / "buffalo_s", "-o", out]
    kept = ["--clips", "none", "--crops", "none", "--pad", "0,0", "--merge-gap", "1", "--json", "-q"]
    command = [Path(sys.executable).with_name("fastface"), "run", film, *fixed, *kept, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
    return done.stdout


def spans_of(out: Path) -> Spans:
    """{target: [(start, end)]} of a finished run."""
    found: Spans = {}
    rows: list[dict[str, Any]] = json.loads((out / "spans.json").read_text(encoding="utf-8"))
    for row in rows:
        found.setdefault(row["target"], []).append((row["start"], row["end"]))
    return found


def common_seconds(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> float:
    """Seconds that lie in spans of both; spans of one target are disjoint."""
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in other)


def iou(found: Spans, reference: Spans) -> float:
    """Intersection over union of all targets' spans."""
    common = sum(common_seconds(found.get(label, []), spans) for label, spans in reference.items())
    total = sum(end - start for spans in (*found.values(), *reference.values()) for start, end in spans)
    return common / (total - common) if total else 1.0


def recall(found: Spans, spans: dict[str, Spans]) -> float:
    """Share of the seconds of long spans of `--every-frame` that are found."""
    common = total = 0.0
    for label, reference in spans[REFERENCE].items():
        long = [span for span in reference if span[1] - span[0] >= LEAST_SPAN_SECONDS]
        common += common_seconds(found.get(label, []), long)
        total += sum(end - start for start, end in long)
    return common / total if total else 1.0


def film_seconds(path: Path) -> float:
    """The declared duration."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
