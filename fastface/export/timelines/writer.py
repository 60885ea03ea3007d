"""Write the timelines of OUT's answer: read spans.json and the ledger, render each format, record the files.

`commands.timelines` calls `write_timelines`; each new answer calls `remove_outdated`. Nothing is decoded.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from fastface.errors import ConfigError
from fastface.export.timelines.chapters import render_chapters
from fastface.export.timelines.edl import render_edl
from fastface.export.timelines.fcp7 import render_fcp7
from fastface.export.timelines.losslesscut import render_losslesscut
from fastface.export.timelines.markers import render_markers
from fastface.export.timelines.otio import render_otio
from fastface.export.timelines.presence import render_presence
from fastface.export.timelines.subtitles import render_srt, render_vtt
from fastface.export.timelines.timeline import Render, Timeline, TimelineSpan
from fastface.files import remove_empty, write_atomic
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.names import valid_text

FOLDER = "timelines"

FORMATS: Mapping[str, Render] = {
    "edl": render_edl,
    "markers": render_markers,
    "fcp7": render_fcp7,
    "otio": render_otio,
    "srt": render_srt,
    "vtt": render_vtt,
    "losslesscut": render_losslesscut,
    "chapters": render_chapters,
    "presence": render_presence,
}
"""{name of a format: its function}"""


@dataclass(frozen=True, slots=True)
class WrittenTimelines:
    """Result of `write_timelines`."""

    files: tuple[str, ...]  # paths below OUT, those included that were there already
    removed: int  # outdated files that were removed
    left_out: tuple[str, ...]  # remarks: videos and formats without a file, with the reason


def write_timelines(out: Path, ledger: Ledger, formats: Sequence[str], *, pretend: bool = False) -> WrittenTimelines:
    """Write timelines of all videos of the answer. The caller holds the lock of OUT.

    Files of these formats that are outdated are removed. Files of other formats stay.

    Args:
        out: The output folder.
        ledger: Its ledger.
        formats: Names of `FORMATS`.
        pretend: Whether to write and remove nothing.

    Raises:
        ConfigError: OUT has no answer, or spans.json cannot be read.
        SpaceError: No space is left; what is written stays.
    """
    records = {record.video_id: record for record in ledger.videos()}
    known, wanted, left_out = ledger.exports(), set[str](), list[str]()
    for video, spans in _group_spans(_read_spans(out)):
        timeline, reason = _build(video, spans, records.get(video))
        if timeline is None:
            left_out.append(f"{video}: {reason}")
            continue
        for name in formats:
            files = _list_files(timeline, name)
            if not files:
                left_out.append(f"{video}: no {name}, since timecode cannot count its frame rate")
            wanted |= files.keys()
            if not pretend:
                _write(out, ledger, known, name, files)
    facts = {path: json.loads(text) for path, (_, text) in known.items() if path.startswith(f"{FOLDER}/")}
    outdated = [path for path in facts.keys() - wanted if facts[path]["format"] in formats]
    if not pretend:
        _remove(out, ledger, outdated)
    return WrittenTimelines(tuple(sorted(wanted)), len(outdated), tuple(left_out))


def remove_outdated(out: Path, ledger: Ledger) -> int:
    """Remove timelines that no longer show the spans of OUT's answer; return their number.

    The caller has written the answer, and holds the lock of OUT.
    """
    known = {path: key for path, (key, _) in ledger.exports().items() if path.startswith(f"{FOLDER}/")}
    if not known:
        return 0
    records = {record.video_id: record for record in ledger.videos()}
    current: dict[str, str] = {}
    for video, spans in _group_spans(_read_spans(out)):
        timeline, _ = _build(video, spans, records.get(video))
        if timeline is not None:
            files = (_list_files(timeline, name).items() for name in FORMATS)
            current |= {path: _digest(text) for path, text in chain.from_iterable(files)}
    outdated = [path for path, key in known.items() if current.get(path) != key]
    _remove(out, ledger, outdated)
    return len(outdated)


def _read_spans(out: Path) -> list[dict[str, Any]]:
    """Read spans.json; its numbers become exact fractions."""
    path = out / "spans.json"
    try:
        spans: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"), parse_float=Fraction)
    except FileNotFoundError as error:
        raise ConfigError(f"{str(out)!r} holds no spans; search for persons first: fastface find -t PHOTOS") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error}; search again to write it") from error
    return spans


def _group_spans(spans: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[TimelineSpan]]]:
    """Yield each video with its spans, sorted.

    Raises:
        ConfigError: A span lacks a field.
    """
    try:
        found = [(str(span["video"]), _read_span(span)) for span in spans]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"cannot read spans.json: no span without {error}; search again to write it") from error
    found.sort(key=lambda row: (row[0], row[1].start, row[1].end, row[1].person))
    for video, rows in groupby(found, key=lambda row: row[0]):
        yield video, [span for _, span in rows]


def _read_span(span: Mapping[str, Any]) -> TimelineSpan:
    start, end, *player = (Fraction(span[key]) for key in ("start", "end", "player_start", "player_end"))
    return TimelineSpan(str(span["target"]), start, end, player[0], player[1])


def _build(video: str, spans: Sequence[TimelineSpan], record: VideoRecord | None) -> tuple[Timeline | None, str]:
    """Return the timeline of a video; None and the reason if it has none."""
    if record is None or record.info is None:
        return None, "the index does not hold it; scan it again"
    info = record.info
    if not info.is_film:
        return None, "a folder of pictures has no timeline"
    end = None if info.duration is None else info.duration + info.player_offset
    name, address = valid_text(record.path.name), record.path.absolute().as_uri()
    return Timeline(video, name, address, info.rate, info.timecode, info.duration, end, tuple(spans)), ""


def _list_files(timeline: Timeline, name: str) -> dict[str, str]:
    """Return {path below OUT: text} of one format."""
    return {f"{FOLDER}/{timeline.video_id}/{file}": text for file, text in FORMATS[name](timeline).items()}


def _write(
    out: Path, ledger: Ledger, known: Mapping[str, tuple[str, str]], name: str, files: Mapping[str, str]
) -> None:
    """Write files that are missing or differ. The ledger knows a file first: so `purge` finds it after a kill."""
    facts = json.dumps({"format": name})
    for path, text in files.items():
        key = _digest(text)
        if known.get(path, ("", ""))[0] == key and (out / path).is_file():
            continue
        ledger.put_export(path, "", facts)
        write_atomic(out / path, text)
        ledger.put_export(path, key, facts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _remove(out: Path, ledger: Ledger, paths: Iterable[str]) -> None:
    for path in paths:
        if not (out / path).is_dir():  # a folder of that name is the user's
            (out / path).unlink(missing_ok=True)
        ledger.forget_export(path)
        remove_empty((out / path).parent, out)
