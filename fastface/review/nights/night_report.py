"""Build the report of a night: what is new since the last finished run of the output folder. Pure but for its file.

`commands.nights.night` writes it as OUT/night.json at the end of each `run` and `scan`. The report page and `forget`
read it. docs/outputs.md lists its keys.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from fastface.files import write_atomic
from fastface.index.records import VideoSummary
from fastface.index.video_state import SEARCHED_STATES
from fastface.names import valid_text
from fastface.review.nights.night_record import KnownSpans, NightRecord, read_versioned
from fastface.runtime.run_report import KnownFailures, RunResult
from fastface.types import Span

NIGHT, NIGHT_TEXT = "night.json", "night.txt"
"""Names of the report in OUT: all of it as an object, and a text that fits into a mail."""

_VERSION = 1
_NO_VIDEOS = json.dumps({"new_videos": []}, indent=2)[1:-2]
"""Place of the new videos in night.json; no text in it can contain this line break."""

_UNFINISHED = ("scanning", "unstable")
"""States of videos that are left for the next run: neither news nor failures."""


class NewVideo(NamedTuple):
    """A video that was searched since the last report."""

    video: str  # name in OUT
    path: str
    state: str  # done or partial
    duration: float | None  # seconds
    before: str  # its state in the last report, if the file was changed or read better since; empty for a new video


@dataclass(frozen=True, slots=True)
class NewSpan:
    """A span that overlaps no span of the last report."""

    video: str  # name in OUT
    start: float  # seconds from the first frame
    end: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """All new spans of one person."""

    person: str
    is_first: bool  # true if no earlier run has reported a search for this person
    seconds: float  # sum of the spans
    spans: tuple[NewSpan, ...]  # by video, then start


@dataclass(frozen=True, slots=True)
class NightFailure:
    """Something that could not be done."""

    kind: Literal["video", "input", "export"]
    what: str  # name of the video in OUT, or path of the input; empty for an export
    path: str  # path of the video or the input; empty for an export
    state: str  # state of the video; empty for others
    reason: str  # for an export also its file, as in run.json


@dataclass(frozen=True, slots=True)
class LeftVideo:
    """A video that the next run has to complete."""

    video: str  # name in OUT; the path, if the file has none yet
    path: str
    state: str  # cancelled or unstable
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NightReport:
    """News since the last finished run.

    Attributes:
        command: run or scan.
        out: The output folder.
        started: Start of the run, ISO 8601 in UTC.
        finished: Its end.
        ended: Why it ended early; empty if it finished. The next report repeats the news of a run that ended early.
        since: Start of the last finished run; empty if there was none.
        unreported: Starts of runs since then that did not finish; their news is in this report.
        is_searched: True if persons were searched; false for a scan, and for a run that ended early.
        is_cut_short: True if closer looks are left, or failed.
        num_videos: Number of videos of the inputs.
        new_videos: Videos searched since the last report.
        sightings: New spans by person, the most seconds first.
        new_failures: Failures that the last report did not have.
        known_failures: Failures of unchanged files that the last report had.
        left: Videos for the next run.
    """

    command: str
    out: str
    started: str
    finished: str
    ended: str = ""
    since: str = ""
    unreported: tuple[str, ...] = ()
    is_searched: bool = False
    is_cut_short: bool = False
    num_videos: int = 0
    new_videos: tuple[NewVideo, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    new_failures: tuple[NightFailure, ...] = ()
    known_failures: tuple[NightFailure, ...] = ()
    left: tuple[LeftVideo, ...] = ()

    @classmethod
    def load(cls, out: Path) -> "NightReport | None":
        """Read the last report of an output folder; None if there is none, or of another version.

        Raises:
            FaceIndexError: The file is damaged.
        """
        stored = read_versioned(out / NIGHT, _VERSION)
        if stored is None:
            return None
        stored["unreported"] = tuple(stored["unreported"])
        stored["new_videos"] = tuple(NewVideo(**one) for one in stored["new_videos"])
        stored["sightings"] = tuple(
            Sighting(**{**one, "spans": tuple(NewSpan(**span) for span in one["spans"])}) for one in stored["sightings"]
        )
        for key in ("new_failures", "known_failures"):
            stored[key] = tuple(NightFailure(**one) for one in stored[key])
        stored["left"] = tuple(LeftVideo(**one) for one in stored["left"])
        return cls(**stored)

    def save(self, out: Path) -> None:
        """Write OUT/night.json durably.

        Raises:
            SpaceError: No space is left.
        """
        stored = {"schema_version": _VERSION, **asdict(replace(self, new_videos=()))}
        text = json.dumps(stored, indent=2)
        if videos := ",\n    ".join(map(_format_video, self.new_videos)):  # 100,000 after the first scan
            text = text.replace(_NO_VIDEOS, f"{_NO_VIDEOS[:-1]}\n    {videos}\n  ]", 1)
        write_atomic(out / NIGHT, f"{text}\n")

    def without_videos(self, names: Collection[str]) -> "NightReport":
        """Return the report without some videos, by their names in OUT."""
        shown = {valid_text(name) for name in names}
        exports = tuple(f"clips/{name}/" for name in shown)
        sightings = []
        for one in self.sightings:
            spans = tuple(span for span in one.spans if span.video not in shown)
            if spans:
                sightings.append(replace(one, spans=spans, seconds=_sum_seconds(spans)))

        def is_kept(failure: NightFailure) -> bool:
            return failure.what not in shown and not failure.reason.startswith(exports)

        return replace(
            self,
            new_videos=tuple(video for video in self.new_videos if video.video not in shown),
            sightings=tuple(sightings),
            new_failures=tuple(filter(is_kept, self.new_failures)),
            known_failures=tuple(filter(is_kept, self.known_failures)),
            left=tuple(video for video in self.left if video.video not in shown),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """The output folder compared with the record of the last report."""

    report: NightReport
    record: NightRecord  # the record once this report is finished
    known: KnownFailures = field(default_factory=KnownFailures)


def compare_night(
    record: NightRecord,
    videos: Sequence[VideoSummary],
    result: RunResult,
    *,
    started: str,
    finished: str,
    ended: str = "",
) -> Comparison:
    """Compare the output folder with the last report.

    Args:
        record: What the last finished run has reported; this command's start is in `begun`.
        videos: All videos of the ledger.
        result: Result of the command; its spans count if it is a finished `run`.
        started: Start of the command, ISO 8601; for a pass of a watch, that of the watch.
        finished: End of the command.
        ended: Why the command ended early; empty if it finished.
    """
    is_searched = result.command != "scan" and not ended
    reached = {video.video_id: video for video in videos if video.scan_key}
    failed = [video for video in reached.values() if video.state not in ("done", *_UNFINISHED)]
    closed = {str(item.path): item.reason for item in result.skipped if item.is_fault and not item.left_state}
    known = _find_known(record, failed, closed, result.export_failures)
    failures = [
        *(
            (video.video_id in known.videos, _make_failure("video", video.video_id, video.path, video))
            for video in failed
        ),
        *((path in known.inputs, _make_failure("input", path, path, reason=why)) for path, why in closed.items()),
        *((line in known.exports, _make_failure("export", reason=line)) for line in result.export_failures),
    ]
    spans = [row.span for row in result.spans] if is_searched else []
    labels = {*result.targets, *result.where} if is_searched else set()
    report = NightReport(
        command=result.command,
        out=valid_text(str(result.out.absolute())),
        started=started,
        finished=finished,
        ended=ended,
        since=record.reported,
        unreported=tuple(start for start in record.begun if start != started),
        is_searched=is_searched,
        is_cut_short=result.is_cut_short,
        num_videos=len(result.videos),
        new_videos=tuple(_list_new_videos(record, reached.values())),
        sightings=_list_sightings(record, reached, spans),
        new_failures=tuple(failure for is_known, failure in failures if not is_known),
        known_failures=tuple(failure for is_known, failure in failures if is_known),
        left=tuple(list_left(result)),
    )
    after = NightRecord(
        reported=report.started,
        videos=record.replace_videos(videos),
        inputs=closed,
        exports=frozenset(result.export_failures) if is_searched else record.exports,
        sightings={**record.sightings, **_group_spans(reached, spans, labels)},
    )
    return Comparison(report, after, known)


def _find_known(
    record: NightRecord, failed: Iterable[VideoSummary], closed: Mapping[str, str], exports: Iterable[str]
) -> KnownFailures:
    """Find the failures that the last report has listed, of videos, of inputs with their reasons, and of exports."""
    return KnownFailures(
        frozenset(video.video_id for video in failed if record.knows_failure(video)),
        frozenset(path for path, reason in closed.items() if record.inputs.get(path) == reason),
        record.exports.intersection(exports),
    )


def list_left(result: RunResult) -> Iterable[LeftVideo]:
    """Yield the videos that the next run has to complete: those of the ledger, then files without a name in OUT."""
    for video in result.videos:
        if video.state in ("cancelled", "unstable"):
            yield LeftVideo(valid_text(video.id), valid_text(str(video.path)), video.state, valid_text(video.reason))
    for item in result.skipped:
        if item.left_state:
            path = valid_text(str(item.path))
            yield LeftVideo(path, path, item.left_state, item.reason)


def _format_video(video: NewVideo) -> str:
    """Convert a new video to the lines of `json.dumps` with `indent=2`, which is slow for 100,000 videos."""
    fields = json.dumps(video._asdict(), separators=(",\n      ", ": "))
    return f"{{\n      {fields[1:-1]}\n    }}"


def _make_failure(
    kind: Literal["video", "input", "export"],
    what: str = "",
    path: Path | str = "",
    video: VideoSummary | None = None,
    reason: str = "",
) -> NightFailure:
    state, why = ("", reason) if video is None else (video.state, video.reason)
    return NightFailure(kind, valid_text(what), valid_text(str(path)), state, valid_text(why))


def _list_new_videos(record: NightRecord, videos: Iterable[VideoSummary]) -> Iterable[NewVideo]:
    for video in videos:
        if video.state in _UNFINISHED or video.state not in SEARCHED_STATES:
            continue
        known = record.videos.get(video.video_id)
        if known is None or (known.state, known.fingerprint) != (video.state, video.fingerprint):
            yield NewVideo(
                valid_text(video.video_id),
                valid_text(str(video.path)),
                video.state,
                None if video.duration is None else round(video.duration, 3),
                "" if known is None else known.state,
            )


def _list_sightings(
    record: NightRecord, videos: Mapping[str, VideoSummary], spans: Iterable[Span]
) -> tuple[Sighting, ...]:
    found: dict[str, list[NewSpan]] = {}
    for span in spans:
        if not record.knows_span(span.target, videos[span.video_id], span.start, span.end):
            new = NewSpan(valid_text(span.video_id), round(span.start, 3), round(span.end, 3))
            found.setdefault(span.target, []).append(new)
    sightings = [
        Sighting(valid_text(person), person not in record.sightings, _sum_seconds(new), tuple(new))
        for person, new in found.items()
    ]
    return tuple(sorted(sightings, key=lambda one: (-one.seconds, one.person)))


def _sum_seconds(spans: Iterable[NewSpan]) -> float:
    return round(sum(span.end - span.start for span in spans), 3)


def _group_spans(
    videos: Mapping[str, VideoSummary], spans: Iterable[Span], labels: Iterable[str]
) -> dict[str, dict[str, KnownSpans]]:
    """Return the spans of each searched person for the record; persons without a span have an empty entry."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {label: {} for label in labels}
    for span in spans:
        found.setdefault(span.target, {}).setdefault(span.video_id, []).append((span.start, span.end))
    return {
        person: {name: KnownSpans(videos[name].fingerprint, tuple(some)) for name, some in by_video.items()}
        for person, by_video in found.items()
    }
