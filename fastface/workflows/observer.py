"""Who is told how a run goes: progress bars on a terminal, lines in a log, nobody."""

import sys
from fractions import Fraction

from tqdm import tqdm

from fastface.names import counted
from fastface.workflows.machine import Layout
from fastface.workflows.networks import Networks
from fastface.workflows.precisions import describe_device, describe_precisions

__all__ = ["BarObserver", "Observer"]


class Observer:
    """What a workflow tells, told to nobody. All calls come from the main process, between turns of the event loop."""

    def header(self, networks: Networks, layout: Layout) -> None:
        """What the command works with."""

    def begin(self, num_videos: int) -> None:
        """The scan of so many videos begins."""

    def video_begun(self, video_id: str, duration: Fraction | None) -> None:
        """A video is being scanned."""

    def video_kept(self, video_id: str) -> None:
        """A video is in the index already."""

    def moved(self, video_id: str, seconds: float, faces: int) -> None:
        """So many more seconds of a video were scanned, and so many faces found in them."""

    def found(self, hits: int) -> None:
        """So many more hits were found. A few more may come when whole tracks are looked at."""

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """A video has its final state."""

    def note(self, text: str) -> None:
        """Something that a person may want to know."""

    def end(self) -> None:
        """The scan is over."""


class BarObserver(Observer):
    """Bars on standard error: one for all videos, one a video being scanned. Lines only, where it is no terminal.

    A video's bar counts seconds of video, so its rate is the speed in times real time.
    """

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._total: tqdm[None] | None = None
        self._bars: dict[str, tqdm[None]] = {}
        self._faces = 0
        self._hits: int | None = None

    def header(self, networks: Networks, layout: Layout) -> None:
        """Says device, versions, networks with the precision of each, and processes."""
        device, models, sizes = networks.device, networks.models, layout.sizes
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
            f"processes: {counted(sizes.decoders, 'decoder')}, {counted(sizes.workers, 'worker')}, "
            f"batches of {layout.ring.batch}, ring {ring} MiB"
        )

    def begin(self, num_videos: int) -> None:
        """Opens the bar of all videos."""
        self._total = tqdm(total=num_videos, desc="videos", unit="video", disable=not self._terminal, position=0)

    def video_begun(self, video_id: str, duration: Fraction | None) -> None:
        """Opens the bar of a video."""
        total = None if duration is None else float(duration)
        layout = "{l_bar}{bar}| {n:.0f}/{total:.0f} s [{remaining} left, {rate_fmt}{postfix}]"
        self._bars[video_id] = tqdm(
            total=total,
            desc=video_id[:40],
            unit="x",
            unit_scale=True,
            leave=False,
            disable=not self._terminal,
            bar_format=layout if total else None,
        )

    def video_kept(self, video_id: str) -> None:  # noqa: ARG002 - the bar counts, it does not name
        """Counts a video that is in the index already."""
        if self._total is not None:
            self._total.update()

    def moved(self, video_id: str, seconds: float, faces: int) -> None:
        """Moves a video's bar, whichever of its units was decoded."""
        self._faces += faces
        bar = self._bars.get(video_id)
        if bar is not None:
            told = [counted(self._faces, "face")] + ([] if self._hits is None else [counted(self._hits, "hit")])
            bar.set_postfix_str(", ".join(told), refresh=False)
            bar.update(seconds)

    def found(self, hits: int) -> None:
        """Counts hits, shown with the next move of a bar."""
        self._hits = (self._hits or 0) + hits

    def video_finished(self, video_id: str, state: str, reason: str) -> None:
        """Closes a video's bar; a state other than `done` stays on the screen."""
        bar = self._bars.pop(video_id, None)
        if bar is not None:
            bar.close()
        if self._total is not None:
            self._total.update()
        if state != "done":
            self.note(f"{video_id}: {state}: {reason}")

    def note(self, text: str) -> None:
        """Writes a line above the bars."""
        tqdm.write(text, file=sys.stderr)

    def end(self) -> None:
        """Closes all bars."""
        for bar in self._bars.values():
            bar.close()
        if self._total is not None:
            self._total.close()
