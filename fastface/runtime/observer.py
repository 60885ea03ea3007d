"""Report the progress of a run: bars on a terminal, lines in a log, or nothing."""

import os
import shutil
import sys
from fractions import Fraction
from time import monotonic
from typing import Any

from tqdm import tqdm

from fastface.index.video_state import describe_state
from fastface.names import pluralize
from fastface.runtime.networks import Networks
from fastface.runtime.precisions import describe_device, describe_precisions
from fastface.runtime.progress import ScanProgress, VideoProgress

_BAR = "{desc} {percentage:3.0f}% |{bar}| {unit}"
_NO_BAR = "{desc} {unit}"
"""Bar of a video without a known length."""
_LONGEST_NAME = 40
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

    def note(self, text: str) -> None:
        """Report a line of text to the user."""

    def end(self) -> None:
        """Report the end of the scan."""


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
        total = None if duration is None else float(duration)
        self._progress.videos[video_id] = VideoProgress(total, done, before=done)
        self._bars[video_id] = tqdm(
            total=total,
            initial=done,
            desc=video_id if len(video_id) <= _LONGEST_NAME else f"{video_id[: _LONGEST_NAME - 1]}…",
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
        video, bar = self._progress.videos.get(video_id), self._bars.get(video_id)
        if video is None or bar is None:
            return
        video.done += seconds
        video.faces += faces
        counts = [pluralize(video.faces, "face")] + ([] if video.hits is None else [pluralize(video.hits, "hit")])
        length = "" if video.duration is None else f" of {video.duration:.0f}"
        bar.unit = f"{video.done:.0f}{length} s, {', '.join(counts)}"
        bar.update(seconds if bar.total is None else min(seconds, bar.total - bar.n))
        self._show()

    def add_hits(self, video_id: str, hits: int) -> None:
        """Count hits; the next advance of the bar shows them."""
        video = self._progress.videos.get(video_id)
        if video is not None:
            video.hits = (video.hits or 0) + hits

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Close a video's bar; a state other than `done` stays on the screen."""
        self._progress.videos.setdefault(video_id, VideoProgress(None)).is_finished = True
        bar = self._bars.pop(video_id, None)
        if bar is not None:
            bar.close()
        if state != "done":
            self.note(f"{video_id}: {describe_state(state, reason)}")
        self._show()

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        tqdm.write(text, file=sys.stderr)

    def end(self) -> None:
        """Close all bars."""
        for bar in self._bars.values():
            bar.close()
        if self._total is not None:
            self._total.close()

    def _show(self) -> None:
        """Advance the bar of the whole scan, or write its line if it is due."""
        progress = self._progress
        if self._terminal and self._total is not None:
            self._total.unit = progress.text()
            self._total.update(progress.share - self._total.n)
        elif monotonic() >= self._next_line:
            self._next_line = monotonic() + _LINE_SECONDS
            self.note(f"{progress.share:.0%} scanned: {progress.text()}")
