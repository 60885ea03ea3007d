"""Stretches that are missing from films whose containers declare no index: told whatever is decoded of them."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
import video_tools as tools

from fastface.types import Sampling

KEYFRAMES = Sampling(Fraction(1, 5), keyframes=True)
FIVE_A_SECOND = Sampling(Fraction(1, 5))
WITH_B = "-c:v libx264 -preset fast -g 25 -pix_fmt yuv420p"
HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=0:keyint=25:min-keyint=25:bframes=3"
FILMS = {
    "plain.ts": tools.X264,
    "b.ts": WITH_B,
    "hevc.ts": HEVC,
    "plain.flv": tools.X264,
    "b.flv": WITH_B,
    "plain.nut": tools.X264,
    "b.nut": WITH_B,
    "plain.mpg": tools.X264,
    "mpeg2.mpg": "-c:v mpeg2video -q:v 3 -g 25 -sc_threshold 1000000000",
    "mpeg4.avi": "-c:v mpeg4 -q:v 3 -g 25",
    "mpeg2.mxf": "-c:v mpeg2video -q:v 3 -g 25 -sc_threshold 1000000000",
}
"""Four seconds, a keyframe at the beginning of each."""


@pytest.fixture(autouse=True)
def quiet() -> None:
    av.logging.set_level(None)


@pytest.mark.parametrize("sampling", [KEYFRAMES, FIVE_A_SECOND, tools.EVERY_FRAME], ids=["keyframes", "five", "every"])
@pytest.mark.parametrize("is_cut_out", [False, True], ids=["zeros", "nothing"])
@pytest.mark.parametrize("name", sorted(FILMS))
def test_a_hole_is_never_done(tmp_path: Path, name: str, is_cut_out: bool, sampling: Sampling) -> None:
    """From 45 % to 60 % of the bytes; the keyframe at two seconds is among them."""
    path = tmp_path / name
    tools.ffmpeg(f"{tools.T} {FILMS[name]} {{0}}", path)
    assert tools.outcome(path, sampling).state == "done"
    content = path.read_bytes()
    begin, end = len(content) * 45 // 100, len(content) * 60 // 100
    path.write_bytes(content[:begin] + (b"" if is_cut_out else bytes(end - begin)) + content[end:])
    for unit_seconds in (60.0, 1.0):
        found = tools.outcome(path, sampling, unit_seconds)
        assert (found.state, found.reason != "") == ("partial", True)
        assert 3 <= len(found.times) < {KEYFRAMES: 5, FIVE_A_SECOND: 21, tools.EVERY_FRAME: 101}[sampling]


def test_frames_that_a_decoder_drops_after_a_hole_are_not_covered(tmp_path: Path) -> None:
    """No packet fails: H.264 only waits for the next keyframe. That time is not covered, as ffprobe's frames show."""
    path = tmp_path / "v.ts"
    tools.ffmpeg(f"{tools.T} {WITH_B} {{0}}", path)
    content = path.read_bytes()
    begin, end = len(content) * 45 // 100, len(content) * 60 // 100
    path.write_bytes(content[:begin] + content[end:])
    times = sorted(tools.ffprobe_times(path))
    longest = max(after - before for before, after in pairwise(times))
    assert longest > Fraction(1, 2)
    found = tools.outcome(path)
    assert len(found.times) == len(times)
    assert found.coverage == pytest.approx(1 - (float(longest) - 0.04) / 4, abs=0.03)


def _without_tags(path: Path, first: int, last: int) -> None:
    """Takes whole tags of video out of an FLV film; the tags that are left follow on each other."""
    with av.open(str(path)) as container:
        begins = [packet.pos for packet in container.demux(video=0) if packet.size]
    assert len(begins) == 100
    content = path.read_bytes()
    path.write_bytes(content[: begins[first]] + content[begins[last] :])


@pytest.mark.parametrize("first", range(40, 48))
def test_a_late_packet_counts_though_it_shows_no_sample(tmp_path: Path, first: int) -> None:
    """A hole from one packet's beginning to another's cuts no packet, and only the step in time shows it.

    The packet after the step is the only late one. Where it showed no sample, its lateness was dropped with it: nothing
    was owed any more, and the frames that H.264 left out up to the next keyframe were not missed.
    """
    path = tmp_path / "v.flv"
    tools.ffmpeg(f"{tools.T} {WITH_B} {{0}}", path)
    _without_tags(path, first, first + 16)
    assert len(tools.ffprobe_times(path)) < 84
    found = tools.outcome(path, FIVE_A_SECOND)
    assert (found.state, found.reason != "") == ("partial", True)


@pytest.mark.parametrize("sampling", [KEYFRAMES, FIVE_A_SECOND, tools.EVERY_FRAME], ids=["keyframes", "five", "every"])
def test_a_hole_from_tag_to_tag_is_never_done(shared_media: Path, sampling: Sampling) -> None:
    """Its zeros begin where a tag does, so that each packet that FFmpeg gives is whole; 77 of 100 frames come out."""
    path = shared_media / "failing" / "video" / "S_hole_in_flv" / "b_frames_zeros.flv"
    assert len(tools.ffprobe_times(path)) == 77
    assert tools.outcome(path, sampling).state == "partial"


UNEVEN = "-vf select='not(between(n,30,60))*not(mod(n,3))' -fps_mode vfr"
JUMP = "-vf setpts='if(gt(N,50),PTS+3600/TB,PTS)' -fps_mode passthrough"
HONEST = {
    "uneven.ts": f"{UNEVEN} {WITH_B}",
    "uneven.mpg": f"{UNEVEN} -c:v mpeg2video -g 25 -bf 2",
    "uneven.avi": f"{UNEVEN} {WITH_B}",
    "uneven.mp4": f"{UNEVEN} {WITH_B}",
    "uneven.mkv": f"{UNEVEN} {WITH_B}",
    "fragments.mp4": f"{UNEVEN} {WITH_B} -movflags frag_keyframe+empty_moov",
    "jump.ts": f"{JUMP} {WITH_B}",
    "jump.flv": f"{JUMP} {WITH_B}",
    "jump.nut": f"{JUMP} {WITH_B}",
}


@pytest.mark.parametrize("name", sorted(HONEST))
def test_steps_that_are_the_films_own_are_no_holes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    tools.ffmpeg(f"{tools.T} {HONEST[name]} {{0}}", path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        # An AVI holds decoding times alone; what FFmpeg gives as pts is early where frames are left out.
        frames = [
            (frame.dts if name.endswith(".avi") else frame.pts, frame.key_frame) for frame in container.decode(stream)
        ]
        keyframes = [(stamp - frames[0][0]) * stream.time_base for stamp, is_keyframe in frames if is_keyframe]
    assert len(keyframes) >= 1
    for sampling in (KEYFRAMES, FIVE_A_SECOND, tools.EVERY_FRAME):
        for unit_seconds in (60.0, 1.0):
            found = tools.outcome(path, sampling, unit_seconds)
            assert (found.state, found.reason) == ("done", "")
            if sampling is KEYFRAMES:
                assert list(found.times) == keyframes


@pytest.mark.parametrize("sampling", [KEYFRAMES, FIVE_A_SECOND, tools.EVERY_FRAME], ids=["keyframes", "five", "every"])
@pytest.mark.parametrize("offset", [0, 4], ids=["set back", "goes on"])
def test_a_seam_of_two_recordings_is_no_hole(tmp_path: Path, offset: int, sampling: Sampling) -> None:
    """Their counters of packets do not follow on each other, which a transport stream's reader calls damage."""
    parts = []
    for place in (0, offset):
        part = tmp_path / f"part{place}.ts"
        tools.ffmpeg(f"{tools.T} {WITH_B} -output_ts_offset {place} {{0}}", part)
        parts.append(part.read_bytes())
    path = tmp_path / "v.ts"
    path.write_bytes(b"".join(parts))
    found = tools.outcome(path, sampling)
    assert (found.state, found.reason) == ("done", "")
    assert len(found.times) == {KEYFRAMES: 8, FIVE_A_SECOND: 40, tools.EVERY_FRAME: 200}[sampling]
