"""What every format of timelines must pass, and what ffprobe reads of those that FFmpeg knows."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest
from timeline_tools import HOSTILE, boxes, hit, hostile_boxes, hostile_timeline, span, timeline

from fastface.export.timelines.timeline import Timeline
from fastface.export.timelines.writer import BOX_FORMATS, FORMATS
from fastface.types import TimelineFormat


def _read_cues(path: Path) -> list[tuple[float, float, bytes]]:
    """Start, end and text of each subtitle, by ffprobe."""
    command = ["ffprobe", "-v", "error", "-show_packets", "-show_data", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    packets = json.loads(done.stdout)["packets"]
    return [
        (
            float(packet["pts_time"]),
            round(float(packet["pts_time"]) + float(packet["duration_time"]), 3),
            _bytes(packet["data"]),
        )
        for packet in packets
    ]


def _bytes(dump: str) -> bytes:
    """The bytes of ffprobe's dump: `00000000: 416c 6963 65  Alice`."""
    lines = [line for line in dump.split("\n") if line]
    return b"".join(bytes.fromhex(line[10:50]) for line in lines)


def _read_chapters(path: Path) -> list[tuple[float, float, str]]:
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    chapters = json.loads(done.stdout)["chapters"]
    return [(float(one["start_time"]), float(one["end_time"]), one["tags"]["title"]) for one in chapters]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "shown",
    [
        hostile_timeline(),
        timeline(span("Alice", "0", "0.001"), rate=None, end="0.001"),
        timeline(span("Alice", "86399.9", "86400.5"), rate=Fraction(60_000, 1001), end="90000"),
        timeline(span("Alice", "1", "3"), file_name="a\nb --> \udce9.mov", timecode="23:59:59:24", end="4"),
    ],
    ids=["hostile", "no rate", "a day", "file name"],
)
def test_a_format_gives_files_that_can_be_written(name: str, shown: Timeline) -> None:
    files = FORMATS[name](shown)
    assert files or shown.rate is None
    assert FORMATS[name](shown) == files
    for file, content in files.items():
        _assert_writable(file)
        if isinstance(content, bytes):
            assert content.startswith(b"PAR1")
            continue
        assert content.encode()
        assert content.endswith("\n")
        assert "\x00" not in content or name == "presence"  # a table keeps names as they are


@pytest.mark.parametrize("name", BOX_FORMATS)
def test_a_format_with_boxes_gives_text_that_can_be_written(tmp_path: Path, name: str) -> None:
    shown = [
        hostile_boxes(tmp_path),
        boxes(tmp_path, timeline(span("Alice", "0", "1")), hit("Alice", "0.000", None)),
        boxes(
            tmp_path, timeline(span("Alice", "86399", "86401"), end="90000"), hit("Alice", "86400.000", (1, 2, 3, 4))
        ),
    ]
    for video in shown:
        text = "".join(BOX_FORMATS[name].render(video))
        assert "".join(BOX_FORMATS[name].render(video)) == text
        assert text.encode()
        assert text.endswith("\n")
        assert "\x00" not in text
        _assert_writable(BOX_FORMATS[name].file)


def _assert_writable(file: str) -> None:
    assert 0 < len(file.encode()) <= 255
    assert Path(file).name == file


def test_every_name_is_one_format() -> None:
    assert sorted([*FORMATS, *BOX_FORMATS]) == sorted(get_args(TimelineFormat))


def test_no_two_formats_write_one_file() -> None:
    named = [file for render in FORMATS.values() for file in render(hostile_timeline())]
    named += [one.file for one in BOX_FORMATS.values()]
    assert len(named) > len(FORMATS) + len(BOX_FORMATS)
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_ffprobe_reads_the_cues_of_each_person(tmp_path: Path, name: str) -> None:
    spans = (span("Alice", "1", "3.5", "0.25"), span("Zoë 👩", "2", "2.04"), span("Alice", "3661.001", "3700"))
    for file, text in FORMATS[name](timeline(*spans)).items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    assert _read_cues(tmp_path / f"Alice.{name}") == [(1.25, 3.75, b"Alice"), (3661.001, 3700.0, b"Alice")]
    assert _read_cues(tmp_path / f"Zoë 👩.{name}") == [(2.0, 2.04, "Zoë 👩".encode())]


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_ffprobe_reads_one_cue_of_each_hostile_name(tmp_path: Path, name: str) -> None:
    times = []
    for place, text in enumerate(FORMATS[name](hostile_timeline()).values()):
        path = tmp_path / f"{place}.{name}"
        path.write_text(text, encoding="utf-8")
        ((start, end, _),) = _read_cues(path)
        times.append((start, end))
    assert sorted(times) == [(2.0 * place, 2.0 * place + 3) for place in range(len(HOSTILE))]


def test_ffprobe_reads_the_chapters(tmp_path: Path) -> None:
    spans = (span("Alice", "1", "5", "0.5"), span("Bob", "3", "8", "0.5"))
    (text,) = FORMATS["chapters"](timeline(*spans, end="12")).values()
    (tmp_path / "chapters.ffmeta").write_text(text, encoding="utf-8")
    assert _read_chapters(tmp_path / "chapters.ffmeta") == [
        (0.0, 1.5, "–"),
        (1.5, 3.5, "Alice"),
        (3.5, 5.5, "Alice, Bob"),
        (5.5, 8.5, "Bob"),
        (8.5, 12.0, "–"),
    ]


def test_ffprobe_reads_hostile_names_in_titles_as_they_are(tmp_path: Path) -> None:
    """Spans overlap by a second, so each name is also alone for a second. A backslash at the end gets a space."""
    (text,) = FORMATS["chapters"](hostile_timeline()).values()
    (tmp_path / "chapters.ffmeta").write_text(text, encoding="utf-8")
    chapters = _read_chapters(tmp_path / "chapters.ffmeta")
    assert len(chapters) == 2 * len(HOSTILE)
    titles = {title for _, _, title in chapters}
    assert {"a --> b", "; comment # = \\ ", "[CHAPTER]", "=1+1", "👩‍👩‍👧 Zoë", "a|b |D:9"} <= titles
