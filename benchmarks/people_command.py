"""How long `fastface people` takes as a whole over an index of very many faces, and again once it knows everyone.

    python benchmarks/people_command.py --models DIR [--videos N] [--write]

The index is drawn, in tracks of five faces; those of a person lie around a direction of its own, a third of them turned
away so far that they are only just alike. There are no pictures and no bodies in it.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from find_scale import drawn_info
from results import machine, write_section

from fastface.config import load_config
from fastface.distribution import read_version
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.runtime.index_settings import build_index_settings
from fastface.runtime.networks import open_networks
from fastface.runtime.output_folder import OutputFolder
from fastface.types import SIGNATURE_SIZE, Faces, SampledFrames

TRACKS_A_VIDEO = 400
FACES_A_TRACK = 5
TRACKS_A_PERSON = 20


def draw_index(out: Path, models: Path, videos: int) -> int:
    """An index as a scan leaves it; returns the number of persons in it."""
    config = load_config(flags={"models": {"dir": models}})
    networks = open_networks(config)
    recipe, folder = build_index_settings(config.scan, networks, read_version()), OutputFolder(out)
    chance = np.random.default_rng(3)
    num_persons = max(1, videos * TRACKS_A_VIDEO // TRACKS_A_PERSON)
    persons = chance.standard_normal((num_persons, networks.dimension)).astype(np.float32)
    seen: set[int] = set()
    with Ledger(folder.ledger) as ledger:
        for number in range(videos):
            video_id, fingerprint = f"video-{number:04d}.mp4", f"drawn {number}"
            who = chance.integers(len(persons), size=TRACKS_A_VIDEO)
            seen.update(who.tolist())
            faces, metadata = drawn(chance, persons[who]), {**recipe.metadata, "fingerprint": fingerprint}
            pts, first = np.unique(faces.pts, return_index=True)
            signature = np.zeros((len(pts), SIGNATURE_SIZE), np.uint8)
            frames = SampledFrames(faces.time[first], pts, np.zeros(len(pts), np.int32), signature)
            index = VideoIndex(folder.index, video_id)
            index.write_frames(frames, metadata)
            index.write_faces([faces], networks.dimension, metadata, lambda found: found.track)
            info = drawn_info(video_id)
            ledger.put_video(VideoRecord(video_id, info.path, fingerprint, recipe.key, "done", info=info))
    return len(seen)


def drawn(chance: np.random.Generator, persons: np.ndarray) -> Faces:
    """The faces of a video, of a track for each row of `persons`."""
    spread = chance.choice([0.6, 0.9, 1.2], size=(len(persons), 1)).astype(np.float32)
    tracks = persons + spread * chance.standard_normal(persons.shape).astype(np.float32)
    looks = np.repeat(tracks, FACES_A_TRACK, axis=0)
    looks += 0.3 * chance.standard_normal(looks.shape).astype(np.float32)
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    count = len(looks)
    return Faces(
        time=np.arange(count) / 5,
        pts=np.arange(count) * 200,
        boxes=np.tile(np.array([100, 100, 200, 220], np.float32), (count, 1)),
        landmarks=np.full((count, 5, 2), 150, np.float32),
        det_score=np.full(count, 0.8, np.float32),
        quality=np.full(count, 0.7, np.float32),
        sharpness=np.full(count, 500, np.float32),
        yaw=np.zeros(count, np.float32),
        track=np.repeat(np.arange(len(persons)), FACES_A_TRACK).astype(np.int32),
        damaged=np.zeros(count, np.bool_),
        embedding=looks.astype(np.float16),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("../shared/models/buffalo_s"))
    parser.add_argument("--videos", type=int, default=500)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        drawn_persons = draw_index(out, options.models, options.videos)
        fastface = Path(sys.executable).with_name("fastface")
        command = [str(fastface), "people", "--json", "--models", str(options.models), "-o", str(out)]
        seconds, listed = [], 0
        for _ in range(2):
            began = perf_counter()
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds.append(perf_counter() - began)
            report = json.loads(said)
            assert report["faces"] == options.videos * TRACKS_A_VIDEO * FACES_A_TRACK, report["faces"]
            listed = len(report["persons"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    tracks = options.videos * TRACKS_A_VIDEO
    rows = {
        "videos, tracks, faces": f"{options.videos:,}, {tracks:,}, {tracks * FACES_A_TRACK:,}",
        "persons drawn, listed": f"{drawn_persons:,}, {listed:,}",
        "seconds": f"{seconds[0]:.0f}",
        "seconds, once everyone is in the store": f"{seconds[1]:.0f}",
        "peak of memory": f"{peak:.0f} MiB",
    }
    told = f"{machine()}\n\n`python benchmarks/people_command.py`: the whole command, once each."
    table = "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
    print(f"{told}\n\n{table}")
    if options.write:
        write_section("Everyone in a large index", f"{told}\n\n{table}")


if __name__ == "__main__":
    main()
