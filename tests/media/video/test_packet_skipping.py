"""Skipping frames that no sample needs: the samples are the right frames, bit for bit, and fewer frames are decoded.

The right frames come from ffprobe's list of reference frames.
"""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_tools import plain_info
from media_tools import run_ffmpeg

from fastface.types import Sampling, Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import UnitReport
from fastface.video.packet_skipping import SampleChoices, can_skip, mark_needed
from fastface.video.plan import plan_units
from fastface.video.probe import probe

TICK = Fraction(1, 1000)
INFO = plain_info(path=Path("a.mp4"), video_id="a", size=(64, 64), coded_size=(64, 64), start_pts=100)
UNIT = Unit("a", 0, Fraction(0), None, Sampling(Fraction(1, 5)))
DECLARED = 1 << 62
"""The container tells itself what is missing: steps in time are the film's own."""


class FakePacket(bytes):
    """An H.264 packet of one slice, with the times that it is judged by."""

    pts: int | None
    dts: int | None
    is_reference: bool

    def __new__(cls, pts: int | None, dts: int | None, *, is_reference: bool = True) -> "FakePacket":
        # The first byte of a slice: nal_ref_idc 3 or 0, type 1.
        made = super().__new__(cls, bytes([0, 0, 1, 0x61 if is_reference else 0x01, 0x88]))
        made.pts, made.dts, made.is_reference = pts, dts, is_reference
        return made


def _choices() -> SampleChoices:
    return SampleChoices(SimpleNamespace(name="h264", extradata=None))


def _marks(packets: list[FakePacket]) -> list[tuple[FakePacket, bool]]:
    return list(mark_needed(iter(packets), INFO, UNIT, DECLARED, _choices()))


@st.composite
def _streams(draw: st.DrawFn) -> list[FakePacket]:
    """Frames shown at uneven times, decoded in groups whose last one comes first, as B-frames make it.

    Other frames refer to the last one of each group, and perhaps to others.
    """
    steps = draw(st.lists(st.integers(1, 400), min_size=1, max_size=60))
    times = [INFO.start_pts + sum(steps[: i + 1]) for i in range(len(steps))]
    order: list[int] = []
    references: set[int] = set()
    while len(order) < len(times):
        size = draw(st.integers(1, 5))
        group = times[len(order) : len(order) + size]
        references |= {group[-1]} | {time for time in group if draw(st.booleans())}
        order += [group[-1], *draw(st.permutations(group[:-1]))]
    # Decoded at the time of the earliest frame not shown yet, at the latest.
    lateness = draw(st.integers(0, 500))
    dts = [min(order[i:]) - lateness for i in range(len(order))]
    without = draw(st.integers(0, 3))
    return [
        FakePacket(pts, None if i < without else when, is_reference=pts in references)
        for i, (pts, when) in enumerate(zip(order, dts, strict=True))
    ]


@given(_streams())
def test_the_first_reference_of_each_cell_is_needed_and_hardly_another(packets: list[FakePacket]) -> None:
    marks = _marks(packets)
    assert [packet for packet, _ in marks] == packets
    cells: dict[int, FakePacket] = {}
    for packet in sorted(packets, key=lambda packet: (not packet.is_reference, packet.pts)):
        assert packet.pts is not None
        cells.setdefault((packet.pts - INFO.start_pts) // 200, packet)
    wanted = {packet.pts for packet in cells.values()}
    needed = [packet.pts for packet, is_needed in marks if is_needed]
    # The last few are always decoded, and whatever cannot be judged before the end.
    waiting = 4 + sum(packet.dts is None or packet.pts > packets[-1].dts for packet in packets if packet.pts)
    assert len(wanted - set(needed[:-waiting])) <= waiting
    assert len(set(needed) - wanted) <= waiting


def test_a_frame_without_references_is_the_sample_of_a_cell_that_has_no_other() -> None:
    # Two temporal layers: every second frame is no reference. Cells of 200 ticks, frames every 150.
    packets = [FakePacket(100 + 150 * i, 100 + 150 * i, is_reference=i % 2 == 0) for i in range(40)]
    choices = _choices()
    needed = [
        packet.pts for packet, is_needed in mark_needed(iter(packets), INFO, UNIT, DECLARED, choices) if is_needed
    ]
    # By hand, ticks from the first frame: 0 | 300 | 450 (no reference in its cell) | 600 | 900 | 1050 …
    assert needed[:6] == [100, 400, 550, 700, 1000, 1150]
    assert [choices.chosen[cell] for cell in (0, 1, 2, 3, 4, 5)] == [100, 400, 550, 700, 1000, 1150]


@pytest.mark.parametrize(
    "odd", [FakePacket(None, 4000), FakePacket(4000, 4040), FakePacket(2000, 1000)], ids=["no pts", "late", "set back"]
)
def test_where_timestamps_tell_nothing_every_frame_is_needed_from_there_on(odd: FakePacket) -> None:
    before = [FakePacket(100 + 40 * i, 100 + 40 * i) for i in range(90)]
    after = [FakePacket(4100 + 40 * i, 4100 + 40 * i) for i in range(20)]
    marks = _marks([*before, odd, *after])
    assert [packet for packet, _ in marks] == [*before, odd, *after]
    assert sum(needed for _, needed in marks[:85]) == 17  # five frames a cell
    assert all(needed for _, needed in marks[90:])


def test_what_is_kept_does_not_grow_with_the_film() -> None:
    def packets() -> Iterator[FakePacket]:
        for i in range(30_000):
            yield FakePacket(100 + 100 * i, 100 + 100 * i)

    assert sum(needed for _, needed in mark_needed(packets(), INFO, UNIT, DECLARED, _choices())) == pytest.approx(
        15_000, abs=4
    )


def test_only_where_a_packet_is_a_frame() -> None:
    assert can_skip(INFO, UNIT)
    assert not can_skip(replace(INFO, codec="vp9"), UNIT)
    assert not can_skip(replace(INFO, estimated_times=True), UNIT)
    assert not can_skip(INFO, replace(UNIT, sampling=Sampling(None)))


Samples = list[tuple[int, Fraction, bool, str]]


def _samples(path: Path, period: Fraction | None) -> tuple[Samples, list[UnitReport]]:
    found = probe(VideoFile(path, path.name), 10**8)
    samples: Samples = []
    reports = []
    for unit in plan_units(found, Sampling(period), 2.0):
        source = open_source(found.info)
        for frame in source.frames(unit):
            planes = frame.content.to_ndarray(format="yuv420p")
            samples.append((frame.pts, frame.time, frame.flagged, sha256(np.ascontiguousarray(planes)).hexdigest()))
        reports.append(source.report)
    return samples, reports


X264 = ["-c:v", "libx264", "-preset", "fast", "-bf", "5", "-g", "50"]
FILMS = {
    "pyramid.mp4": [*X264, "-x264-params", "b-pyramid=normal:b-adapt=0"],
    "open-gop.mkv": [*X264, "-x264-params", "open-gop=1:b-adapt=0"],
    "late.ts": [*X264, "-muxdelay", "0", "-output_ts_offset", "1000"],
    "uneven.mkv": [*X264, "-vf", "select='not(between(n,30,60))*mod(n,7)'", "-fps_mode", "vfr"],
    "hevc.mp4": ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=0:bframes=4"],
    "mpeg2.mpg": ["-c:v", "mpeg2video", "-bf", "2", "-q:v", "3"],
    "mpeg4.mp4": ["-c:v", "mpeg4", "-bf", "2", "-q:v", "3"],
}


def _references(path: Path) -> set[int]:
    """pts of the frames that ffprobe decodes if it leaves out all that no other frame refers to."""
    asked = ["-v", "error", "-skip_frame", "noref", "-select_streams", "v:0"]
    shown = ["-show_entries", "frame=pts", "-of", "csv=p=0", str(path)]
    lines = subprocess.run(["ffprobe", *asked, *shown], check=True, capture_output=True, text=True).stdout.split()
    return {int(line.strip(",")) for line in lines}


_TAIL = Fraction(12, 25)
"""Seconds before the end in which all frames are decoded: the sample of a cell is then its first frame."""


def _expected(frames: Samples, references: set[int], period: Fraction) -> Samples:
    """The first reference of each cell, else its first frame; without the cells at the end of the film."""
    cells: dict[int, list[tuple[int, Fraction, bool, str]]] = {}
    for frame in frames:
        cells.setdefault(int(frame[1] // period), []).append(frame)
    wanted = (next((frame for frame in cell if frame[0] in references), cell[0]) for cell in cells.values())
    return [frame for frame in wanted if frame[1] < frames[-1][1] - _TAIL]


@pytest.mark.parametrize("period", [Fraction(1, 5), Fraction(3, 2), Fraction(1, 12)])
@pytest.mark.parametrize("name", sorted(FILMS))
def test_samples_are_the_first_references_of_their_cells(tmp_path: Path, name: str, period: Fraction) -> None:
    drawn = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=6"]
    run_ffmpeg([*drawn, *FILMS[name], tmp_path / name])
    samples, reports = _samples(tmp_path / name, period)
    frames, all_reports = _samples(tmp_path / name, None)
    assert len(samples) > 3
    expected = _expected(frames, _references(tmp_path / name), period)
    assert len(expected) > 2
    assert samples[: len(expected)] == expected
    assert set(samples) <= set(frames)
    assert len({frame[1] // period for frame in samples}) == len(samples) == len({f[1] // period for f in frames})
    assert sum(report.covered for report in reports) == sum(report.covered for report in all_reports)
    assert sum(r.decoded for r in reports) < 0.85 * sum(r.decoded for r in all_reports)


def test_samples_of_real_films_are_their_references(shared_media: Path) -> None:
    path = shared_media / "clips" / "azvi_testhyland.mp4"
    samples, reports = _samples(path, Fraction(1, 5))
    frames, all_reports = _samples(path, None)
    assert len(samples) == 51
    expected = _expected(frames, _references(path), Fraction(1, 5))
    assert samples[: len(expected)] == expected
    assert len(expected) > 45
    assert sum(r.decoded for r in reports) < 0.7 * sum(r.decoded for r in all_reports)
