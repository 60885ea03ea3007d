"""Films that become larger than `max_pixels` in the middle: refused by name, and before there is memory for them."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest
import video_tools as tools

from fastface.errors import VideoError
from fastface.types import Sampling
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.plan import plan_units
from fastface.video.probe import probe

FILMS = {
    "h264.ts": "-c:v libx264 -preset ultrafast -pix_fmt yuv420p",
    "hevc.ts": "-c:v libx265 -preset ultrafast -x265-params log-level=0",
    "mpeg2.ts": "-c:v mpeg2video",
    "mpeg4.ts": "-c:v mpeg4",
}
SAMPLINGS = [Sampling(None), Sampling(Fraction(1, 5)), Sampling(Fraction(1, 5), keyframes=True)]


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


def _growing(path: Path, encoding: str, size: str, source: str = "testsrc2") -> None:
    """Eight seconds of 320×240, more than FFmpeg looks at for a header; then half a second of another size."""
    parts = []
    for begin, seconds, shown in ((0, 8, "320x240"), (8, 0.5, size)):
        part = path.with_name(f"part{begin}.ts")
        drawn = f"-f lavfi -i {source}=size={shown}:rate=10:duration={seconds}"
        tools.ffmpeg(f"{drawn} {encoding} -output_ts_offset {begin} {{0}}", part)
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=["every", "five", "keyframes"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", sorted(FILMS))
def test_a_size_above_max_pixels_in_the_middle_is_refused(
    tmp_path: Path, name: str, threads: int, sampling: Sampling
) -> None:
    path = tmp_path / name
    _growing(path, FILMS[name], "1280x720")
    for max_pixels in (1280 * 720, 1280 * 720 - 1):
        found = probe(VideoFile(path, "v"), max_pixels)
        (unit,) = plan_units(found, sampling, 60.0)
        source = open_source(found.info, threads)
        if max_pixels == 1280 * 720:
            sizes = {(frame.content.width, frame.content.height) for frame in source.frames(unit)}
            assert (320, 240) in sizes
            assert sizes <= {(320, 240), (1280, 720)}
            assert source.report.errors == 0
            continue
        with pytest.raises(VideoError) as caught:
            list(source.frames(unit))
        assert caught.value.state == "failed"
        assert caught.value.reason == "its frames of 1280x720 are above max_pixels, 921599"


@pytest.mark.parametrize("size", ["100x100", "1000x500"])
def test_a_film_of_just_so_many_pixels_is_decoded(tmp_path: Path, size: str) -> None:
    """FFmpeg's own limit counts widths rounded up to 64."""
    path = tmp_path / "v.mp4"
    tools.ffmpeg(f"-f lavfi -i testsrc2=size={size}:rate=10:duration=1 -c:v libx264 -pix_fmt yuv420p {{0}}", path)
    width, height = (int(side) for side in size.split("x"))
    found = probe(VideoFile(path, "v"), width * height)
    (unit,) = plan_units(found, Sampling(None), 60.0)
    source = open_source(found.info)
    assert len(list(source.frames(unit))) == 10
    assert source.report.errors == 0
    with pytest.raises(VideoError, match=rf"{size} are above max_pixels"):
        probe(VideoFile(path, "v"), width * height - 1)


def test_a_codec_that_does_not_tell_its_size_is_refused_by_its_frames(tmp_path: Path) -> None:
    parts = []
    for size in ("320x240", "1280x720"):
        part = tmp_path / f"{size}.ivf"
        tools.ffmpeg(f"-f lavfi -i testsrc2=size={size}:rate=10:duration=0.5 -c:v libvpx-vp9 -cpu-used 8 {{0}}", part)
        parts.append(part.read_bytes())
    path = tmp_path / "v.ivf"
    path.write_bytes(parts[0] + parts[1][32:])  # without the second header
    found = probe(VideoFile(path, "v"), 100_000)
    (unit,) = plan_units(found, Sampling(None), 60.0)
    source = open_source(found.info)
    with pytest.raises(VideoError, match="1280x720 are above max_pixels, 100000"):
        list(source.frames(unit))


SCRIPT = """
import json, resource, sys
from fractions import Fraction
from pathlib import Path
from fastface.errors import VideoError
from fastface.types import Sampling
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.plan import plan_units
from fastface.video.probe import probe

found, reason = probe(VideoFile(Path(sys.argv[1]), "v"), 1_000_000), ""
try:
    for unit in plan_units(found, Sampling(None), 60.0):
        list(open_source(found.info).frames(unit))
except VideoError as error:
    reason = error.reason
print(json.dumps([reason, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def test_there_is_never_memory_for_what_is_refused(tmp_path: Path) -> None:
    """Frames of 8192×4320 are 53 MB each."""
    film, small = tmp_path / "film.ts", tmp_path / "small.ts"
    _growing(film, FILMS["h264.ts"], "8192x4320", source="color")
    _growing(small, FILMS["h264.ts"], "320x240", source="color")
    answers = []
    for path in (small, film):
        done = subprocess.run([sys.executable, "-c", SCRIPT, str(path)], check=True, capture_output=True, text=True)
        answers.append(json.loads(done.stdout))
    assert [reason for reason, _ in answers] == ["", "its frames of 8192x4320 are above max_pixels, 1000000"]
    assert answers[1][1] - answers[0][1] < 20_000  # KiB
