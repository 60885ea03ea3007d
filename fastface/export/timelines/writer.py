"""Write the timelines of OUT's answer: read spans.json, hits.csv and the ledger, render each format, record the files.

`commands.timelines` and each new answer call `write_timelines`; a new answer also calls `remove_outdated`. Nothing is
decoded.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from fastface.errors import ConfigError
from fastface.export.timelines.boxes.hit_boxes import BoxTimeline, read_boxes
from fastface.export.timelines.formats import BOX_FORMATS, FORMATS
from fastface.export.timelines.timeline import Timeline, TimelineSpan
from fastface.files import atomic_path, remove_empty
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.names import text_cell, valid_text

FOLDER = "timelines"


@dataclass(frozen=True, slots=True)
class WrittenTimelines:
    """Result of `write_timelines`."""

    files: tuple[str, ...]  # paths below OUT, those included that were there already
    removed: int  # outdated files that were removed
    left_out: tuple[str, ...]  # remarks: videos and formats without a file, with the reason


@dataclass(frozen=True, slots=True)
class _TimelineFile:
    """A file of an answer."""

    path: str  # below OUT
    format: str
    read_parts: Callable[[], Iterable[bytes]]  # each call returns the whole content again

    def digest(self) -> str:
        content = hashlib.sha256()
        for part in self.read_parts():
            content.update(part)
        return content.hexdigest()


def write_timelines(out: Path, ledger: Ledger, formats: Collection[str], *, pretend: bool = False) -> WrittenTimelines:
    """Write timelines of all videos of the answer. The caller holds the lock of OUT.

    Files of these formats that are outdated are removed. Files of other formats stay.

    Args:
        out: The output folder.
        ledger: Its ledger.
        formats: Names of `FORMATS` and `BOX_FORMATS`.
        pretend: Whether to write and remove nothing.

    Raises:
        ConfigError: OUT has no answer, or its tables cannot be read.
        SpaceError: No space is left; what is written stays.
    """
    known, wanted, left_out = ledger.exports(), set[str](), list[str]()
    for file in _list_files(out, ledger, formats, left_out):
        wanted.add(file.path)
        if not pretend:
            _write(out, ledger, known.get(file.path, ("", ""))[0], file)
    facts = {path: json.loads(text) for path, (_, text) in known.items() if path.startswith(f"{FOLDER}/")}
    outdated = [path for path in facts.keys() - wanted if facts[path]["format"] in formats]
    if not pretend:
        _remove(out, ledger, outdated)
    return WrittenTimelines(tuple(sorted(wanted)), len(outdated), tuple(sorted(left_out)))


def remove_outdated(out: Path, ledger: Ledger) -> int:
    """Remove timelines that no longer show OUT's answer; return their number.

    The caller has written the answer, and holds the lock of OUT.
    """
    known = {path: found for path, found in ledger.exports().items() if path.startswith(f"{FOLDER}/")}
    if not known:
        return 0
    formats = {json.loads(text)["format"] for _, text in known.values()}
    current = {file.path: file.digest() for file in _list_files(out, ledger, formats, [])}
    outdated = [path for path, (key, _) in known.items() if current.get(path) != key]
    _remove(out, ledger, outdated)
    return len(outdated)


def _list_files(out: Path, ledger: Ledger, formats: Collection[str], left_out: list[str]) -> Iterator[_TimelineFile]:
    """Yield the files of the answer in these formats; add a line to `left_out` for each video or format without one."""
    records = {record.video_id: record for record in ledger.videos()}
    timelines: dict[str, Timeline] = {}
    for video, spans in _group_spans(_read_spans(out)):
        timeline, reason = _build(video, spans, records.get(video))
        if timeline is None:
            left_out.append(f"{video}: {reason}")
            continue
        timelines[text_cell(video)] = timeline
        for name, render in FORMATS.items():
            if name in formats:
                files = render(timeline)
                for file, content in files.items():
                    yield _TimelineFile(f"{FOLDER}/{video}/{file}", name, _repeat(content))
                if not files:
                    left_out.append(f"{video}: no {name}, since timecode cannot count its frame rate")
    if not formats & BOX_FORMATS.keys():
        return
    for boxes in read_boxes(out / "hits.csv", timelines):
        timeline, chosen = boxes.timeline, [name for name in BOX_FORMATS if name in formats]
        for name in chosen:
            form = BOX_FORMATS[name]
            if not timeline.has_one_size:
                left_out.append(f"{timeline.video_id}: no {name}, since its frames have several sizes")
            elif form.needs_rate and timeline.rate is None:
                left_out.append(f"{timeline.video_id}: no {name}, since its frame rate is unknown")
            else:
                yield _TimelineFile(f"{FOLDER}/{timeline.video_id}/{form.file}", name, _encode(form.render, boxes))


def _repeat(content: str | bytes) -> Callable[[], Iterable[bytes]]:
    part = content if isinstance(content, bytes) else content.encode()
    return lambda: (part,)


def _encode(render: Callable[[BoxTimeline], Iterator[str]], boxes: BoxTimeline) -> Callable[[], Iterable[bytes]]:
    return lambda: (part.encode() for part in render(boxes))


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
    timeline = Timeline(
        video_id=video,
        file_name=valid_text(record.path.name),
        address=record.path.absolute().as_uri(),
        rate=info.rate,
        timecode=info.timecode,
        end=info.duration,
        player_end=None if info.duration is None else info.duration + info.player_offset,
        size=info.size,
        has_one_size=not info.other_sizes,
        has_sound=info.has_sound,
        spans=tuple(spans),
    )
    return timeline, ""


def _write(out: Path, ledger: Ledger, known: str, file: _TimelineFile) -> None:
    """Write a file that is missing or differs. The ledger knows a file first: so `purge` finds it after a kill."""
    path, facts = out / file.path, json.dumps({"format": file.format})
    if known and path.is_file() and file.digest() == known:
        return
    ledger.put_export(file.path, "", facts)
    content = hashlib.sha256()
    with atomic_path(path) as part, part.open("wb") as stream:
        for piece in file.read_parts():
            content.update(piece)
            stream.write(piece)
    ledger.put_export(file.path, content.hexdigest(), facts)


def _remove(out: Path, ledger: Ledger, paths: Iterable[str]) -> None:
    for path in paths:
        if not (out / path).is_dir():  # a folder of that name is the user's
            (out / path).unlink(missing_ok=True)
        ledger.forget_export(path)
        remove_empty((out / path).parent, out)
