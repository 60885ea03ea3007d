"""Report the progress of a run: bars on a terminal, lines in a log, or nothing."""

import os
import shutil
import sys
from collections.abc import Sequence
from fractions import Fraction
from time import monotonic
from typing import Any

from tqdm import tqdm

from fastface.index.video_state import describe_state
from fastface.names import pluralize
from fastface.runtime.events.progress import ScanProgress, VideoProgress
from fastface.runtime.networks import Networks
from fastface.runtime.precisions import describe_device, describe_precisions

_BAR = "{desc} {percentage:3.0f}% |{bar}| {unit}"
_NO_BAR = "{desc} {unit}"
"""Bar of a video without a known length."""
_LONGEST_NAME = 40
_FRAME_COLUMNS = 12
"""Columns of a bar around name and counts: the percentage, its frame, and the shortest bar."""
_LINE_SECONDS = 60.0
"""Seconds between two progress lines if there is no terminal."""


def _screen() -> dict[str, Any]:
    """Return tqdm's options for the terminal.

    Some terminals, such as those of recorders, report no size; tqdm would then draw nothing.
    """
    if 0 not in os.get_terminal_size(sys.stderr.fileno()):
        return {"dynamic_ncols": True}
    columns, rows = shutil.get_terminal_size()
    return {"ncols": columns, "nrows": rows}


class Observer:
    """Receive a workflow's reports and ignore them. All calls come from the main process, in the event loop."""

    def header(self, networks: Networks) -> None:
        """Report the device, networks and processes of the command."""

    def begin(self, num_videos: int) -> None:
        """Report the start of the scan."""

    def video_begun(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Report that a video is being scanned; an earlier run has scanned `done` seconds of it."""

    def video_kept(self, video_id: str) -> None:
        """Report a video that is already in the index."""

    def add_progress(self, video_id: str, seconds: float, faces: int) -> None:
        """Report further scanned seconds of a video, and the faces found in them."""

    def add_hits(self, video_id: str, hits: int) -> None:
        """Report further hits in a video. The search of whole tracks may add more."""

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Report the final state of a video."""

    def process_replaced(self) -> None:
        """Report that a process of the scan failed and was started again; a note gives the reason."""

    def note(self, text: str) -> None:
        """Report a line of text to the user."""

    def report_failure(self, text: str) -> None:
        """Report a failure that does not end the command and changes no result."""

    def report_night(self, lines: Sequence[str], *, is_urgent: bool) -> None:
        """Report what is new since the last run; urgent if something new failed."""

    def end(self) -> None:
        """Report the end of the scan."""

    def conclude(self, exit_code: int, hits: int) -> None:
        """Report the exit code of a command that ends without an error, and the hits of its answer."""


class RelayObserver(Observer):
    """Pass all events on to another observer.

    Args:
        inner: The other observer.
    """

    def __init__(self, inner: Observer) -> None:
        self._inner = inner

    def header(self, networks: Networks) -> None:
        """Pass on."""
        self._inner.header(networks)

    def begin(self, num_videos: int) -> None:
        """Pass on."""
        self._inner.begin(num_videos)

    def video_begun(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Pass on."""
        self._inner.video_begun(video_id, duration, done)

    def video_kept(self, video_id: str) -> None:
        """Pass on."""
        self._inner.video_kept(video_id)

    def add_progress(self, video_id: str, seconds: float, faces: int) -> None:
        """Pass on."""
        self._inner.add_progress(video_id, seconds, faces)

    def add_hits(self, video_id: str, hits: int) -> None:
        """Pass on."""
        self._inner.add_hits(video_id, hits)

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Pass on."""
        self._inner.video_finished(video_id, state, reason)

    def process_replaced(self) -> None:
        """Pass on."""
        self._inner.process_replaced()

    def note(self, text: str) -> None:
        """Pass on."""
        self._inner.note(text)

    def report_failure(self, text: str) -> None:
        """Pass on."""
        self._inner.report_failure(text)

    def report_night(self, lines: Sequence[str], *, is_urgent: bool) -> None:
        """Pass on."""
        self._inner.report_night(lines, is_urgent=is_urgent)

    def end(self) -> None:
        """Pass on."""
        self._inner.end()

    def conclude(self, exit_code: int, hits: int) -> None:
        """Pass on."""
        self._inner.conclude(exit_code, hits)


class FailureObserver(Observer):
    """Print failures on standard error, and nothing else."""

    def report_failure(self, text: str) -> None:
        """Print the failure."""
        tqdm.write(f"fastface: {text}", file=sys.stderr)

    def report_night(self, lines: Sequence[str], *, is_urgent: bool) -> None:
        """Print the news if something new failed."""
        if is_urgent:
            tqdm.write("\n".join(lines), file=sys.stderr)


class BarObserver(Observer):
    """Draw progress bars on standard error: one for the whole scan, one for each video being scanned.

    If standard error is not a terminal, write a progress line at intervals.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._progress = ScanProgress(0)
        self._total: tqdm[None] | None = None
        self._bars: dict[str, tqdm[None]] = {}
        self._next_line = monotonic() + _LINE_SECONDS
        self._screen = _screen() if self._terminal else {}

    def header(self, networks: Networks) -> None:
        """Print device, versions, networks with the precision of each, and processes."""
        device, models, layout = networks.device, networks.models, networks.layout
        sizes = layout.sizes
        for note in (*device.notes, *models.notes):
            self.note(note)
        self.note(f"device: {describe_device(device)}")
        if len(networks.cards) > 1:
            cards = ", ".join(f"{card.device_id} ({card.name})" for card in networks.cards)
            self.note(f"cards: {cards}; workers are dealt to them in turn")
        self.note(f"networks: {models.names} ({models.licence})")
        self.note(f"precision: {describe_precisions(networks)}")
        ring = layout.ring.total_bytes >> 20
        self.note(
            f"processes: {pluralize(sizes.decoders, 'decoder')}, {pluralize(sizes.workers, 'worker')}, "
            f"batches of {layout.ring.batch}, ring {ring} MiB"
        )

    def begin(self, num_videos: int) -> None:
        """Open the bar of the whole scan."""
        self._progress = ScanProgress(num_videos)
        self._next_line = monotonic() + _LINE_SECONDS  # a watch may have waited for hours
        self._total = tqdm(
            total=1.0, desc="all", unit="", disable=not self._terminal, position=0, bar_format=_BAR, **self._screen
        )
        self._show()

    def video_begun(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Open the bar of a video."""
        self._progress.begin_video(video_id, duration, done)
        total = None if duration is None else float(duration)
        self._bars[video_id] = tqdm(
            total=total,
            initial=done,
            desc=self._shorten(video_id),
            unit="",
            leave=False,
            disable=not self._terminal,
            bar_format=_BAR if total else _NO_BAR,
            **self._screen,
        )

    def video_kept(self, video_id: str) -> None:  # noqa: ARG002 - the bar counts, it does not name
        """Count a video that is already in the index."""
        self._progress.num_kept += 1

    def add_progress(self, video_id: str, seconds: float, faces: int) -> None:
        """Advance a video's bar, for any of its units."""
        self._progress.advance(video_id, seconds, faces)
        video, bar = self._progress.videos.get(video_id), self._bars.get(video_id)
        if video is None or bar is None:
            return
        if self._terminal:
            self._describe(bar, video_id, video)
        bar.update(seconds if bar.total is None else min(seconds, bar.total - bar.n))
        self._show()

    def add_hits(self, video_id: str, hits: int) -> None:
        """Count hits; the next advance of the bar shows them."""
        self._progress.add_hits(video_id, hits)

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Close a video's bar; a state other than `done` stays on the screen."""
        self._progress.finish_video(video_id)
        bar = self._bars.pop(video_id, None)
        if bar is not None:
            bar.close()
        if state != "done":
            self.note(f"{video_id}: {describe_state(state, reason)}")
        self._show()

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        tqdm.write(text, file=sys.stderr)

    def report_failure(self, text: str) -> None:
        """Print the failure as an error is printed."""
        self.note(f"fastface: {text}")

    def report_night(self, lines: Sequence[str], *, is_urgent: bool) -> None:  # noqa: ARG002 - all news is printed
        """Print the news."""
        for line in lines:
            self.note(line)

    def end(self) -> None:
        """Close all bars."""
        for bar in self._bars.values():
            bar.close()
        if self._total is not None:
            self._total.close()

    def _describe(self, bar: "tqdm[None]", video_id: str, video: VideoProgress) -> None:
        """Write the name and the counts of a video into its bar, as far as the line has room."""
        name = self._shorten(video_id)
        bar.set_description_str(name, refresh=False)
        bar.unit = video.text(self._columns() - len(name) - _FRAME_COLUMNS)

    def _columns(self) -> int:
        """Return the width of the terminal, which may change during a run."""
        return int(self._screen.get("ncols") or os.get_terminal_size(sys.stderr.fileno()).columns)

    def _shorten(self, video_id: str) -> str:
        """Shorten a name to a third of the line."""
        longest = min(_LONGEST_NAME, self._columns() // 3) if self._terminal else _LONGEST_NAME
        return video_id if len(video_id) <= longest else f"{video_id[: longest - 1]}…"

    def _show(self) -> None:
        """Advance the bar of the whole scan, or write its line if it is due."""
        progress = self._progress
        if self._terminal and self._total is not None:
            self._total.unit = progress.text(columns=self._columns() - len("all") - _FRAME_COLUMNS)
            self._total.update(progress.share - self._total.n)
        elif monotonic() >= self._next_line:
            self._next_line = monotonic() + _LINE_SECONDS
            self.note(f"{progress.share:.0%} scanned: {progress.text()}")
