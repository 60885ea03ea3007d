"""Containers that were changed by chance: each ends in a named state, soon, and nothing else ends with it."""

import itertools
import json
import random
import resource
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from media_tools import FAST_VP8, run_ffmpeg
from run_tools import COMMAND, leftovers
from torture_tools import Torture

STATES = {"done", "partial", "no_video", "failed", "quarantined"}
MEMORY_BYTES = 6 << 30
"""Address space of each process: OpenVINO alone reserves two."""

MOST_SECONDS = 20.0
"""For one file."""

A_RUN = 250

CONTAINERS = {
    "mp4": ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10"],
    "mkv": ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-bf", "2"],
    "ts": ["-c:v", "mpeg2video", "-g", "10"],
    "avi": ["-c:v", "mpeg4", "-g", "10"],
    "webm": ["-c:v", "libvpx", *FAST_VP8, "-g", "10"],
}


def _flipped(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice((1, 1, 4, 32))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _overwritten(content: bytearray, chance: random.Random) -> None:
    begin = chance.randrange(len(content))
    length = min(chance.choice((1, 2, 4, 8, 64, 1024)), len(content) - begin)
    content[begin : begin + length] = chance.choice((b"\x00", b"\xff", bytes([chance.randrange(256)]))) * length


def _cut(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def _removed(content: bytearray, chance: random.Random) -> None:
    begin = chance.randrange(len(content))
    del content[begin : begin + chance.choice((1, 4, 188, 4096))]


def _repeated(content: bytearray, chance: random.Random) -> None:
    begin = chance.randrange(len(content))
    piece = bytes(content[begin : begin + chance.choice((4, 188, 4096))])
    content[begin:begin] = piece * chance.choice((1, 3))


def _in_head(content: bytearray, chance: random.Random) -> None:
    content[chance.randrange(min(512, len(content)))] = chance.choice((0, 1, 127, 128, 255))


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _flipped,
    _overwritten,
    _cut,
    _removed,
    _repeated,
    _in_head,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("originals")
    picture = "testsrc2=size=160x120:rate=10:duration=2"
    for suffix, encoder in CONTAINERS.items():
        run_ffmpeg(["-f", "lavfi", "-i", picture, *encoder, "-pix_fmt", "yuv420p", folder / f"base.{suffix}"])
    return {suffix: (folder / f"base.{suffix}").read_bytes() for suffix in CONTAINERS}


def _mutant(original: bytes, chance: random.Random) -> bytes:
    content = bytearray(original)
    for _ in range(chance.choice((1, 1, 2, 3))):
        if content:
            chance.choice(CHANGES)(content, chance)
    return bytes(content)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _longest(log: Path) -> float:
    """Most seconds from one video's end to the next one's, and from the scan's begin to the first."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    ends = [datetime.fromisoformat(line["time"]) for line in lines if line["event"] in ("begin", "video")]
    return max((later - earlier).total_seconds() for earlier, later in itertools.pairwise(ends))


def test_every_mutant_ends_in_a_named_state(
    cartoon: Cartoon, originals: dict[str, bytes], tmp_path: Path, torture: Torture
) -> None:
    chance = random.Random(20261121)
    wanted, states, longest = torture.count(60, 20_000), Counter[str](), 0.0
    while states.total() < wanted:
        films, out = tmp_path / "films", tmp_path / "out"
        films.mkdir()
        count = min(A_RUN, wanted - states.total())
        for number in range(count):
            suffix = chance.choice(sorted(CONTAINERS))
            (films / f"{number:04d}.{suffix}").write_bytes(_mutant(originals[suffix], chance))
        command = [*COMMAND, "scan", str(films), "--models", str(cartoon.models), "-o", str(out), "-q"]
        command += ["-s", "scan.copies=true"]  # chance makes the same file twice
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60 + MOST_SECONDS * count, check=False, preexec_fn=_limited
        )
        assert done.returncode in (0, 3), done.stderr
        assert "Traceback" not in done.stderr
        videos = json.loads((out / "run.json").read_text())["videos"]
        assert len(videos) == count
        assert {video["state"] for video in videos} <= STATES
        assert [video["id"] for video in videos if video["state"] != "done" and not video["reason"]] == []
        assert leftovers(out) == []
        states.update(video["state"] for video in videos)
        longest = max(longest, _longest(out / ".fastface" / "log.jsonl"))
        assert longest <= MOST_SECONDS
        torture.progress(states.total(), f"changed containers: {states.total()} of {wanted}")
        shutil.rmtree(films)
        shutil.rmtree(out)
    assert states["done"] < wanted
    assert states["failed"] > 0
    torture.note("Changed containers", mutants=wanted, longest_seconds=f"{longest:.1f}", **dict(states))
