"""Videos, spans and results of drawn nights, for the tests of the night's report."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from fastface.index.records import VideoSummary
from fastface.review.nights.night_record import NightRecord
from fastface.review.nights.night_report import Comparison, compare_night
from fastface.runtime.run_report import RunResult, VideoOutcome
from fastface.types import Span, SpanRow
from fastface.video.discover import Skipped

EVENING, MORNING = "2026-03-01T22:00:00+00:00", "2026-03-02T06:00:00+00:00"


def record(name: str, state: str = "done", print_: str = "p1", reason: str = "", key: str = "key") -> VideoSummary:
    """A row of the ledger."""
    return VideoSummary(name, Path("/films") / name, print_, key, state, reason)


def span(video: str, person: str, start: float, end: float) -> Span:
    """A span with one hit."""
    return Span(video, person, start, end, start, end, 1, 0.6, 0.6)


def result(
    videos: Sequence[VideoSummary],
    spans: Sequence[Span] = (),
    *,
    command: str = "run",
    persons: Sequence[str] = ("Ada", "Bo"),
    skipped: Sequence[Skipped] = (),
    not_exported: Sequence[str] = (),
    started: str = EVENING,
) -> RunResult:
    """The result of a command over these videos."""
    return RunResult(
        command,
        Path("/out"),
        tuple(_outcome(video) for video in videos),
        tuple(SpanRow(one) for one in spans),
        tuple(persons),
        skipped=tuple(skipped),
        export_failures=tuple(not_exported),
        started=datetime.fromisoformat(started).astimezone(UTC),
    )


def night(
    before: NightRecord, videos: Sequence[VideoSummary], spans: Sequence[Span] = (), *, ended: str = "", **more: object
) -> Comparison:
    """One night: the run begins, and its folder is compared with the last report."""
    done = result(videos, spans, **more)  # type: ignore[arg-type]
    begun = before.begin(done.started.isoformat(timespec="seconds"))
    return compare_night(begun, videos, done, started=begun.begun[-1], finished=MORNING, ended=ended)


def _outcome(video: VideoSummary) -> VideoOutcome:
    state = "cancelled" if video.state == "scanning" else video.state
    return VideoOutcome(
        path=video.path, id=video.video_id, state=state, reason=video.reason, coverage=1.0, duration=10.0, sampled=50,
        inferred=50, repeated=0, quarantined=0, faces=4, damaged=0, seconds={},
    )  # fmt: skip
