"""Leaving frames out that no sample needs: the samples are the same, bit for bit, and fewer frames are decoded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from index_tools import plain_info
from media_tools import run_ffmpeg

from fastface.types import Sampling, Unit
from fastface.video import pyav
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.frame import UnitReport
from fastface.video.packet_skipping import can_skip, mark_needed
from fastface.video.plan import plan_units
from fastface.video.probe import probe

TICK = Fraction(1, 1000)
INFO = plain_info(path=Path("a.mp4"), video_id="a", size=(64, 64), coded_size=(64, 64), start_pts=100)
UNIT = Unit("a", 0, Fraction(0), None, Sampling(Fraction(1, 5)))
DECLARED = 1 << 62
"""The container tells itself what is missing: steps in time are the film's own."""


@dataclass(frozen=True)
class FakePacket:
    """What a packet is judged by."""

    pts: int | None
    dts: int | None


def _marks(packets: list[FakePacket]) -> list[tuple[FakePacket, bool]]:
    return list(mark_needed(iter(packets), INFO, UNIT, DECLARED))


@st.composite
def _streams(draw: st.DrawFn) -> list[FakePacket]:
    """Frames shown at uneven times, decoded in groups whose last one comes first, as B-frames make it."""
    steps = draw(st.lists(st.integers(1, 400), min_size=1, max_size=60))
    times = [INFO.start_pts + sum(steps[: i + 1]) for i in range(len(steps))]
    order: list[int] = []
    while len(order) < len(times):
        size = draw(st.integers(1, 5))
        group = times[len(order) : len(order) + size]
        order += [group[-1], *draw(st.permutations(group[:-1]))]
    # Decoded at the time of the earliest frame not shown yet, at the latest.
    lateness = draw(st.integers(0, 500))
    dts = [min(order[i:]) - lateness for i in range(len(order))]
    without = draw(st.integers(0, 3))
    return [
        FakePacket(pts, None if i < without else when) for i, (pts, when) in enumerate(zip(order, dts, strict=True))
    ]


@given(_streams())
def test_the_first_frame_of_each_cell_is_needed_and_hardly_another(packets: list[FakePacket]) -> None:
    marks = _marks(packets)
    assert [packet for packet, _ in marks] == packets
    cells: dict[int, int] = {}
    for packet in packets:
        assert packet.pts is not None
        cell = (packet.pts - INFO.start_pts) // 200
        cells[cell] = min(cells.get(cell, packet.pts), packet.pts)
    needed = [packet.pts for packet, is_needed in marks if is_needed]
    assert set(cells.values()) <= set(needed)
    # The last few are always decoded, and whatever cannot be judged before the end.
    waiting = sum(packet.dts is None or packet.pts > packets[-1].dts for packet in packets if packet.pts)
    assert len(set(needed) - set(cells.values())) <= 4 + waiting


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

    assert sum(needed for _, needed in mark_needed(packets(), INFO, UNIT, DECLARED)) == pytest.approx(15_000, abs=4)


def test_only_where_a_packet_is_a_frame() -> None:
    assert can_skip(INFO, UNIT)
    assert not can_skip(replace(INFO, codec="vp9"), UNIT)
    assert not can_skip(replace(INFO, estimated_times=True), UNIT)
    assert not can_skip(INFO, replace(UNIT, sampling=Sampling(None)))


Samples = list[tuple[int, Fraction, bool, str]]


def _samples(path: Path, period: Fraction) -> tuple[Samples, list[UnitReport]]:
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


@pytest.mark.parametrize("period", [Fraction(1, 5), Fraction(3, 2), Fraction(1, 12)])
@pytest.mark.parametrize("name", sorted(FILMS))
def test_samples_are_the_same_as_when_all_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, period: Fraction
) -> None:
    drawn = ["-f", "lavfi", "-i", "testsrc2=size=160x96:rate=25:duration=6"]
    run_ffmpeg([*drawn, *FILMS[name], tmp_path / name])
    samples, reports = _samples(tmp_path / name, period)
    monkeypatch.setattr(pyav, "can_skip", lambda info, unit: False)
    all_samples, all_reports = _samples(tmp_path / name, period)
    assert len(samples) > 3
    assert samples == all_samples
    assert [report.covered for report in reports] == [report.covered for report in all_reports]
    assert sum(r.decoded for r in reports) < 0.85 * sum(r.decoded for r in all_reports)


def test_samples_of_real_films_are_the_same(shared_media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shared_media / "clips" / "azvi_testhyland.mp4"
    samples, reports = _samples(path, Fraction(1, 5))
    monkeypatch.setattr(pyav, "can_skip", lambda info, unit: False)
    all_samples, all_reports = _samples(path, Fraction(1, 5))
    assert len(samples) == 51
    assert samples == all_samples
    assert sum(r.decoded for r in reports) < 0.7 * sum(r.decoded for r in all_reports)
