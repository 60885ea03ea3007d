"""Write report.html: the answer of an output folder on one self-contained page, to look through and to correct.

The commands call it after run.json. Everything is read from the answer's own files and the index, so `fastface report`
needs no search. Template, style and scripts are the other files named report beside this module; see
`export.tables.html_page`. The page has a fixed size limit: of many spans, curves and pictures, some are left out, and
the page says how many.
"""

import base64
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fastface.export.plan import clip_name
from fastface.export.tables.html_page import shown_text, to_json, write_page
from fastface.index.ledger import Ledger
from fastface.index.store import VideoIndex
from fastface.names import label_name, pluralize, valid_text
from fastface.review.nights.night_report import NightReport
from fastface.review.nights.night_text import format_night, summarize_night
from fastface.review.report.answer import Answer, ReportSpan, read_answer
from fastface.review.report.hit_table import DecidedHits, SimilarityCurves, iterate_hits
from fastface.review.report.pictures import (
    ChosenPicture,
    PictureChooser,
    choose_crops,
    limit_pictures,
    read_crop,
    shrink_picture,
)
from fastface.review.report.run_facts import list_faults, list_run_facts
from fastface.runtime.output_folder import ANSWER_TABLES, OutputFolder

REPORT = "report.html"
"""Name of the page in the folder of an answer."""

_SCRIPTS = ("report_timelines", "report_review", "report_views")

_MOST_FILES = 500
"""Maximum number of reels, and of sheets, that the page links."""
_MOST_VIDEOS = 10_000
_MOST_PAIRS = 100_000
_MOST_NEAR_MISSES = 15_000
_SPAN_BYTES, _ROW_BYTES = 6_500_000, 48
"""Limit of all spans, and bytes of one besides its texts."""
_CURVE_BYTES = 2_600_000
"""Limit of all curves before base64, which adds a third."""
_PAGE_BYTES = 18_000_000
"""Limit of the data of the page; pictures get what is left of it. Style and scripts come on top."""


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """Result of `write_report_page`."""

    path: Path
    num_spans: int
    num_near_misses: int
    num_pictures: int
    left_out: tuple[str, ...]  # what did not fit into the page, in words


@dataclass(frozen=True, slots=True)
class _Pair:
    """All spans of one target in one video."""

    video: int
    target: int
    seconds: float
    spans: int


def write_report_page(out: OutputFolder, ledger: Ledger, answer_folder: Path | None = None) -> WrittenReport:
    """Write the page of an answer: completely or not at all, readable by its owner only.

    The caller holds the lock of OUT.

    Args:
        out: The output folder.
        ledger: Its ledger.
        answer_folder: Folder of the answer; None for the last answer, which is in OUT itself.

    Raises:
        ConfigError: There is no answer, or it is damaged.
        SpaceError: No space is left.
    """
    folder = answer_folder or out.root
    whole = read_answer(folder, ledger)
    pairs = _sum_up_pairs(whole.spans)
    answer, left_out = _limit_answer(whole, pairs)
    curves, decided = SimilarityCurves(answer, _CURVE_BYTES), DecidedHits(answer)
    chooser = PictureChooser(out.index, ledger, answer)
    for block in iterate_hits(folder / "hits.csv", answer):
        curves.add(block)
        decided.add(block)
        chooser.add(block)
    option = "--out=" if str(out.root).startswith("-") else "-o "
    facts = to_json(
        {
            **_page_facts(whole, answer, curves, decided),
            "pairs": _list_pairs(whole, answer, pairs),
            "files": _list_files(folder),
            "night": _describe_night(out.root, whole),
            "command": shown_text(f"fastface correct decisions.json {option}{shlex.quote(str(out.root))}"),
        }
    )
    curve_texts = to_json([[video, target, _text(curve)] for video, target, curve in curves.list_curves()])
    chosen = chooser.choose()
    chosen += choose_crops(folder, answer, chosen)
    room = max(0, _PAGE_BYTES - len(facts) - len(curve_texts)) * 3 // 4
    kept, is_smaller = limit_pictures(chosen, answer, room)
    if curves.num_left_out:
        left_out.append(pluralize(curves.num_left_out, "similarity curve"))
    if len(kept) < len(chosen):
        left_out.append(pluralize(len(chosen) - len(kept), "picture"))
    write_page(
        folder / REPORT,
        __package__,
        "report",
        scripts=_SCRIPTS,
        has_media=True,
        facts=facts,
        curves=curve_texts,
        left_out=to_json(left_out),
        pictures="\n".join(_picture_elements(out.index, folder, answer, kept, is_smaller=is_smaller)),
    )
    return WrittenReport(folder / REPORT, len(answer.spans), len(answer.near_misses), len(kept), tuple(left_out))


def _describe_night(out: Path, answer: Answer) -> dict[str, Any] | None:
    """Return the news of the run that gave the answer; None if it is another command's, or no run was before it."""
    report = NightReport.load(out)
    if report is None or not report.since or report.started != answer.run["started"]:
        return None
    lines = [shown_text(line) for line in format_night(report)]
    return {"summary": shown_text(summarize_night(report)), "lines": lines}


def _list_files(folder: Path) -> list[str]:
    """List the tables, reels and sheets of an answer, as paths below its folder."""
    found = [name for name in ANSWER_TABLES if (folder / name).is_file()]
    for kind in ("reels", "sheets"):
        paths = sorted((folder / kind).glob("[!.]*"))[:_MOST_FILES]
        found += [f"{kind}/{path.name}" for path in paths if valid_text(path.name) == path.name]
    return found


def _list_pairs(whole: Answer, answer: Answer, pairs: Sequence[_Pair]) -> list[list[Any]]:
    """Return the sums of the pairs with the most screen time, with the places of their videos in the page."""
    names = {video.id: place for place, video in enumerate(answer.videos)}
    places = {place: names[video.id] for place, video in enumerate(whole.videos) if video.id in names}
    return [
        [places[pair.video], pair.target, round(pair.seconds, 3), pair.spans]
        for pair in sorted(pairs, key=lambda pair: -pair.seconds)[:_MOST_PAIRS]
        if pair.video in places
    ]


def _sum_up_pairs(spans: Sequence[ReportSpan]) -> list[_Pair]:
    seconds: dict[tuple[int, int], float] = defaultdict(float)
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for span in spans:
        seconds[span.video, span.target] += span.end - span.start
        counts[span.video, span.target] += 1
    return [_Pair(*pair, seconds[pair], counts[pair]) for pair in sorted(seconds)]


def _limit_answer(answer: Answer, pairs: Sequence[_Pair]) -> tuple[Answer, list[str]]:
    """Return the part of an answer that fits into the page, and what is left out, in words.

    Videos with the most screen time, the longest spans and the most similar near misses are kept.
    """
    left_out = []
    if num_videos := max(0, len(answer.videos) - _MOST_VIDEOS):
        left_out.append(pluralize(num_videos, "video"))
        answer = _keep_videos(answer, pairs)
    near = sorted(answer.near_misses, key=lambda one: -(one.best or 0.0))[:_MOST_NEAR_MISSES]
    if num_near := len(answer.near_misses) - len(near):
        left_out.append(pluralize(num_near, "near miss", "near misses"))
        near.sort(key=lambda one: (one.video, one.start, one.target))
        answer = replace(answer, near_misses=tuple(near))
    sizes = [
        _ROW_BYTES + len(span.picture) + (0 if _has_usual_clip(answer, span) else len(span.clip))
        for span in answer.spans
    ]
    by_length = sorted(range(len(sizes)), key=lambda place: answer.spans[place].start - answer.spans[place].end)
    room, fits = _SPAN_BYTES, []
    for place in by_length:
        room -= sizes[place]
        if room >= 0:
            fits.append(place)
    if num_short := len(sizes) - len(fits):
        left_out.append(pluralize(num_short, "short span"))
        answer = replace(answer, spans=tuple(answer.spans[place] for place in sorted(fits)))
    return answer, left_out


def _keep_videos(answer: Answer, pairs: Sequence[_Pair]) -> Answer:
    seconds = [0.0] * len(answer.videos)
    for pair in pairs:
        seconds[pair.video] += pair.seconds
    kept = sorted(sorted(range(len(seconds)), key=lambda video: -seconds[video])[:_MOST_VIDEOS])
    places = {video: place for place, video in enumerate(kept)}
    return replace(
        answer,
        videos=tuple(answer.videos[video] for video in kept),
        spans=tuple(replace(span, video=places[span.video]) for span in answer.spans if span.video in places),
        near_misses=tuple(replace(one, video=places[one.video]) for one in answer.near_misses if one.video in places),
    )


def _has_usual_clip(answer: Answer, span: ReportSpan) -> bool:
    """Return whether the page can derive the path of the clip from the span."""
    label = answer.targets[span.target]
    name = clip_name(label, answer.targets, span.start, span.end)
    return span.clip == f"clips/{answer.videos[span.video].id}/{name}"


def _page_facts(whole: Answer, answer: Answer, curves: SimilarityCurves, decided: DecidedHits) -> dict[str, Any]:
    """Return what the script shows; lists of many rows are stored by column, which is half as long."""
    run = whole.run
    rule = run["thresholds"]["tracks"]
    reasons = sorted({one.reason for one in answer.near_misses})
    reason_places = {reason: place for place, reason in enumerate(reasons)}
    spans, near = answer.spans, answer.near_misses
    where = set(run["where"])
    totals = {
        "videos": len(whole.videos),
        "spans": len(whole.spans),
        "nearMisses": len(whole.near_misses),
        "seconds": round(sum(span.end - span.start for span in whole.spans), 3),
        "duration": round(sum(video.duration or 0.0 for video in whole.videos), 3),
    }
    return {
        "digest": answer.digest,
        "question": {"command": run["command"], "finished": run["finished"], "version": run["version"]},
        "totals": totals,
        "threshold": run["thresholds"]["enter"] if rule is None else rule["anywhere"],
        "targets": answer.targets,
        "where": [place for place, label in enumerate(answer.targets) if label in where],
        "expressions": list(answer.expressions),
        "clipNames": [label_name(label, answer.targets) for label in answer.targets],
        "videos": [
            [video.id, video.address, round(length, 3), video.player_offset, int(video.is_film), video.state]
            for video, length in zip(answer.videos, curves.lengths, strict=True)
        ],
        "faults": [asdict(fault) for fault in list_faults(whole)],
        "run": [asdict(group) for group in list_run_facts(run)],
        "spans": {
            **_columns(spans, ("video", "target", "start", "end", "hits", "best", "mean")),
            "decided": decided.counts if any(decided.counts) else [],
            "clip": [1 if span.clip and _has_usual_clip(answer, span) else span.clip or 0 for span in spans],
            "clipStart": [0 if span.clip_start == span.start else span.clip_start for span in spans],
            "picture": [span.picture for span in spans] if any(span.picture for span in spans) else [],
        },
        "near": {
            **_columns(near, ("video", "target", "start", "end", "faces", "best", "similarity", "margin")),
            "reason": [reason_places[one.reason] for one in near],
        },
        "reasons": reasons,
        "bins": curves.num_bins,
    }


def _columns(rows: Sequence[Any], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [getattr(row, name) for row in rows] for name in names}


def _picture_elements(
    root: Path, folder: Path, answer: Answer, kept: Sequence[ChosenPicture], *, is_smaller: bool
) -> Iterator[str]:
    """Yield an element for each video, so that the page decodes only the visible ones."""
    by_video: dict[int, list[ChosenPicture]] = defaultdict(list)
    for picture in kept:
        by_video[picture.video].append(picture)
    for video, pictures in by_video.items():
        is_indexed = any(not one.crop for one in pictures)
        jpegs = VideoIndex(root, answer.videos[video].key).portraits().jpeg if is_indexed else ()
        rows = []
        for one in pictures:
            jpeg = read_crop(folder / one.crop) if one.crop else jpegs[one.row]
            jpeg = shrink_picture(jpeg) if is_smaller and jpeg else jpeg
            if jpeg:
                rows.append([one.item, round(one.time, 3), _text(jpeg)])
        yield f'<script type="application/json" id="pictures-{video}">{to_json(rows)}</script>'


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
