"""Format the report of a night as plain text for a mail: at most 60 lines, the most urgent first. Pure.

`commands.nights.night` writes it as OUT/night.txt and prints it; the report page shows it. Times are local.
"""

from collections.abc import Sequence
from datetime import datetime

from fastface.index.video_state import STATE_WORDS, describe_state
from fastface.names import clean_text, pluralize, shorten_lines
from fastface.review.nights.night_report import NightFailure, NightReport, Sighting
from fastface.runtime.events.progress import clock_text

_MOST_FAILURES, _MOST_SIGHTINGS, _MOST_VIDEOS, _MOST_LEFT, _MOST_KNOWN = 10, 16, 6, 4, 4
"""Maximum lines of each part. With headings, empty lines and "and N more", all are at most 60 lines."""
_MOST_SPANS = 4
"""Maximum number of spans in the line of one video."""
_MOST_RUNS = 3
"""Maximum number of unfinished runs that are named by their start."""
_WIDTH, _NAME_WIDTH = 200, 80
"""Maximum characters of a line, and of a name in it: a long name must not hide what follows."""


def format_night(report: NightReport) -> list[str]:
    """Return the lines of the report; the first may be the subject of a mail."""
    lines = [f"fastface: {summarize_night(report)}"]
    lines.append(f"{report.command}, {_local(report.started)} to {_local(report.finished)}: {report.out}")
    lines += [f"This run ended early: {report.ended}. The next report repeats its news."] if report.ended else []
    lines.append(_describe_since(report))
    if report.unreported:
        starts = shorten_lines([_local(start) for start in report.unreported], _MOST_RUNS)
        lines.append(f"Runs since then that did not finish; their news is in this report: {', '.join(starts)}")
    failures = [_describe_failure(failure) for failure in report.new_failures]
    lines += _part("New failures", failures, _MOST_FAILURES)
    num_spans = sum(len(one.spans) for one in report.sightings)
    most_videos = max(0, _MOST_SIGHTINGS // max(1, len(report.sightings)) - 1)
    sightings = [line for one in report.sightings for line in _describe_sighting(one, most_videos)]
    lines += _part("New sightings", sightings, _MOST_SIGHTINGS, num_spans)
    videos = [
        f"{_short(video.video)}{'' if video.duration is None else f' ({clock_text(video.duration)})'}"
        f"{f', was {STATE_WORDS[video.before]}' if video.before not in ('', 'done') else ''}"
        f"{', changed since' if video.before == 'done' else ''}"
        for video in report.new_videos
    ]
    lines += _part("New videos", videos, _MOST_VIDEOS)
    left = [f"{_short(video.video)}: {STATE_WORDS[video.state]}" for video in report.left]
    left += ["some videos were not searched closely enough"] if report.is_cut_short else []
    lines += _part("Left for the next run", left, _MOST_LEFT, len(report.left))
    known = [_describe_failure(failure) for failure in report.known_failures]
    lines += _part("Known failures, unchanged", known, _MOST_KNOWN)
    return [_one_line(line) for line in lines]


def summarize_night(report: NightReport) -> str:
    """Return the news in one line."""
    news = []
    if report.new_failures:
        news.append(pluralize(len(report.new_failures), "new failure"))
    if report.sightings:
        spans = pluralize(sum(len(one.spans) for one in report.sightings), "new span")
        news.append(f"{spans} of {pluralize(len(report.sightings), 'person')}")
    if report.new_videos:
        news.append(pluralize(len(report.new_videos), "new video"))
    rest = []
    if report.left or report.is_cut_short:
        rest.append(f"{pluralize(len(report.left), 'video')} left" if report.left else "closer looks left")
    if report.known_failures:
        rest.append(pluralize(len(report.known_failures), "known failure"))
    return "; ".join([", ".join(news) or "nothing new", *rest])


def _describe_since(report: NightReport) -> str:
    first = "First report of this folder"
    compared = f"Since the run of {_local(report.since)}" if report.since else first
    return f"{compared}; {pluralize(report.num_videos, 'video')} in the inputs."


def _part(heading: str, lines: Sequence[str], most: int, count: int | None = None) -> list[str]:
    """Return a heading with its lines after an empty line; nothing without lines."""
    if not lines:
        return []
    shown = shorten_lines(lines, most)
    return ["", f"{heading}: {len(lines) if count is None else count}", *(f"  {line}" for line in shown)]


def _describe_failure(failure: NightFailure) -> str:
    match failure.kind:
        case "video":
            return f"{_short(failure.what)}: {describe_state(failure.state, failure.reason)}"
        case "input":
            return f"{_short(failure.what)}: {failure.reason}"
        case "export":
            return f"not exported: {failure.reason}"


def _describe_sighting(sighting: Sighting, most_videos: int) -> list[str]:
    """Return a line for the person, and at most so many lines for the videos, so that every person has a line."""
    times: dict[str, list[str]] = {}
    for span in sighting.spans:
        times.setdefault(span.video, []).append(f"{clock_text(span.start)}-{clock_text(span.end)}")
    spans = pluralize(len(sighting.spans), "span")
    first = ", searched for the first time" if sighting.is_first else ""
    head = f"{_short(sighting.person)}: {spans}, {sighting.seconds:.1f} s, {pluralize(len(times), 'video')}{first}"
    videos = [f"{_short(video)}: {', '.join(shorten_lines(some, _MOST_SPANS))}" for video, some in times.items()]
    if len(videos) > most_videos:
        videos = shorten_lines(videos, most_videos - 1) if most_videos > 1 else []
    return [head, *(f"  {line}" for line in videos)]


def _short(name: str) -> str:
    """Return a name without its middle if it is long."""
    if len(name) <= _NAME_WIDTH:
        return name
    half = _NAME_WIDTH // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def _local(time: str) -> str:
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M")


def _one_line(text: str) -> str:
    """Return the text as one line of limited length; names may hold anything."""
    indent = text[: len(text) - len(text.lstrip(" "))]
    clean = clean_text(text)
    return indent + (clean if len(clean) <= _WIDTH else f"{clean[: _WIDTH - 1]}…")
