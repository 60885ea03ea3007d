"""Write the timelines of OUT's answer: read spans.json, hits.csv and the ledger, render each format, record the files.

`commands.timelines` and each new answer call `write_timelines`; a new answer also calls `remove_outdated`. Nothing is
decoded.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from fastface.errors import ConfigError
from fastface.export.timelines.boxes.ass import render_ass
from fastface.export.timelines.boxes.coco import render_coco
from fastface.export.timelines.boxes.cvat import render_cvat
from fastface.export.timelines.boxes.hit_boxes import RenderBoxes, read_boxes
from fastface.export.timelines.boxes.web_annotations import render_annotations, render_regions
from fastface.export.timelines.edit_lists import render_edl, render_markers
from fastface.export.timelines.sequences import render_fcp7, render_fcpxml, render_otio
from fastface.export.timelines.tables import render_losslesscut, render_presence
from fastface.export.timelines.timed_texts import render_chapters, render_elan, render_srt, render_vtt
from fastface.export.timelines.timeline import Render, Timeline, TimelineSpan
from fastface.files import atomic_path, remove_empty
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.names import text_cell, valid_text
from fastface.types import TimelineFormat

FOLDER = "timelines"


@dataclass(frozen=True, slots=True)
class BoxFormat:
    """A format that shows the boxes of hits."""

    file: str  # name of its file
    render: RenderBoxes
    needs_rate: bool = False  # whether it counts frames


FORMATS: Mapping[TimelineFormat, Render] = {
    "edl": render_edl,
    "markers": render_markers,
    "fcp7": render_fcp7,
    "fcpxml": render_fcpxml,
    "otio": render_otio,
    "losslesscut": render_losslesscut,
    "srt": render_srt,
    "vtt": render_vtt,
    "chapters": render_chapters,
    "elan": render_elan,
    "annotations": render_annotations,
    "presence": render_presence,
}
"""{name of a format: its function}"""

BOX_FORMATS: Mapping[TimelineFormat, BoxFormat] = {
    "ass": BoxFormat("boxes.ass", render_ass),
    "regions": BoxFormat("regions.json", render_regions),
    "cvat": BoxFormat("cvat.xml", render_cvat, needs_rate=True),
    "coco": BoxFormat("coco.json", render_coco, needs_rate=True),
}
"""{name of a format: the format}"""


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
    render: Callable[[], Iterable[str | bytes]]  # each call returns all parts of the content again

    def read_parts(self) -> Iterator[bytes]:
        for part in self.render():
            yield part if isinstance(part, bytes) else part.encode()

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


def remove_outdated(out: Path, ledger: Ledger, *, but: Collection[str] = ()) -> int:
    """Remove timelines that no longer show OUT's answer; return their number.

    The caller has written the answer, and holds the lock of OUT.

    Args:
        out: The output folder.
        ledger: Its ledger.
        but: Formats that the caller has just written.
    """
    known: dict[str, str] = {}
    formats: set[str] = set()
    for path, (key, facts) in ledger.exports().items():
        if path.startswith(f"{FOLDER}/") and (name := json.loads(facts)["format"]) not in but:
            known[path] = key
            formats.add(name)
    if not known:
        return 0
    current = {file.path: file.digest() for file in _list_files(out, ledger, formats, [])}
    outdated = [path for path, key in known.items() if current.get(path) != key]
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
                    yield _TimelineFile(f"{FOLDER}/{video}/{file}", name, partial(iter, [content]))
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
                yield _TimelineFile(f"{FOLDER}/{timeline.video_id}/{form.file}", name, partial(form.render, boxes))


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
    found: list[tuple[str, TimelineSpan]] = []
    try:
        for span in spans:
            start, end, *player = (Fraction(span[key]) for key in ("start", "end", "player_start", "player_end"))
            found.append((str(span["video"]), TimelineSpan(str(span["target"]), start, end, player[0], player[1])))
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"cannot read spans.json: no span without {error}; search again to write it") from error
    found.sort(key=lambda row: (row[0], row[1].start, row[1].end, row[1].person))
    for video, rows in groupby(found, key=lambda row: row[0]):
        yield video, [span for _, span in rows]


def _build(video: str, spans: Sequence[TimelineSpan], record: VideoRecord | None) -> tuple[Timeline | None, str]:
    """Return the timeline of a video; None and the reason if it has none."""
    if record is None or record.info is None:
        return None, "the index does not hold it; scan it again"
    info = record.info
    if not info.is_film:
        return None, "a folder of pictures has no timeline"
    width, height = info.coded_size
    timeline = Timeline(
        video_id=video,
        file_name=valid_text(record.path.name),
        address=record.path.absolute().as_uri(),
        rate=info.rate,
        timecode=info.timecode,
        end=info.duration,
        player_end=None if info.duration is None else info.duration + info.player_offset,
        size=info.size,
        stored_size=(width, height) if info.rotation % 180 == 0 else (height, width),
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
