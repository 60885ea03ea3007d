"""Compute the progress of a scan and the time left, for progress bars, `status` and metrics. Pure."""

from dataclasses import dataclass, field
from fractions import Fraction
from time import monotonic

from fastface.names import pluralize

_LEAST_SECONDS = 2.0
"""Seconds of work before the time left can be estimated."""


def clock_text(seconds: float) -> str:
    """Format a duration as `1:05` or `2:01:05`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def speed_text(speed: float) -> str:
    """Format seconds of video per second, such as `4.1 times real time` or `0.035 times real time`."""
    return f"{speed:.1f} times real time" if round(speed, 2) >= 1 else f"{speed:.2g} times real time"


@dataclass(slots=True)
class VideoProgress:
    """A video that this run is scanning or has scanned."""

    duration: float | None  # seconds; None if the file declares none
    done: float = 0.0  # seconds scanned
    before: float = 0.0  # seconds of `done` that an earlier run scanned
    faces: int = 0
    hits: int | None = None  # None if no person is searched for
    is_finished: bool = False

    def text(self, columns: int = 80) -> str:
        """Format the progress, such as `30 of 60 s, 8 faces, 3 hits`; only the counts if there is no room."""
        counts = pluralize(self.faces, "face") + ("" if self.hits is None else f", {pluralize(self.hits, 'hit')}")
        length = "" if self.duration is None else f" of {self.duration:.0f}"
        full = f"{self.done:.0f}{length} s, {counts}"
        return full if len(full) <= columns else counts

    def size(self, usual: float) -> float:
        """Return the seconds of the whole video; the usual length if its own is unknown."""
        if self.is_finished and self.duration is None:
            return self.done
        return max(self.done, usual if self.duration is None else self.duration)


@dataclass(slots=True)
class ScanProgress:
    """Measure the scanned share of a run, in seconds of video.

    A video that is not opened yet counts with the mean length of the opened ones.
    """

    num_videos: int  # of the whole scan
    started: float = field(default_factory=monotonic)
    num_kept: int = 0  # videos that an earlier run had finished
    videos: dict[str, VideoProgress] = field(default_factory=dict)
    _warm_up: float | None = None  # seconds scanned before `started`; None before the first result

    def begin_video(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Count a video that is being scanned; an earlier run has scanned `done` seconds of it."""
        total = None if duration is None else float(duration)
        self.videos[video_id] = VideoProgress(total, done, before=done)

    def advance(self, video_id: str, seconds: float, faces: int) -> None:
        """Count further scanned seconds of a video, and the faces found in them; unknown videos do not count."""
        if (video := self.videos.get(video_id)) is not None:
            video.done += seconds
            video.faces += faces
            if self._warm_up is None:
                # Networks load for up to a minute: the speed is measured from the first result.
                self.started, self._warm_up = monotonic(), seconds

    def add_hits(self, video_id: str, hits: int) -> None:
        """Count further hits in a video."""
        if (video := self.videos.get(video_id)) is not None:
            video.hits = (video.hits or 0) + hits

    def finish_video(self, video_id: str) -> None:
        """Count a video that reached its final state."""
        self.videos.setdefault(video_id, VideoProgress(None)).is_finished = True

    @property
    def seconds_scanned(self) -> float:
        """Seconds of video that this run has scanned."""
        return sum(video.done - video.before for video in self.videos.values())

    @property
    def num_finished(self) -> int:
        """Number of videos that this run or an earlier one finished."""
        return self.num_kept + sum(video.is_finished for video in self.videos.values())

    @property
    def share(self) -> float:
        """Scanned share of this run's work, 0–1."""
        done, total = self._done_and_total()
        return min(1.0, done / total) if total else float(self.num_finished >= self.num_videos)

    def seconds_left(self, now: float | None = None) -> float | None:
        """Return the seconds left at the speed so far; None while the speed is unknown."""
        elapsed = (monotonic() if now is None else now) - self.started
        done, total = self._done_and_total()
        worked = done - sum(video.before for video in self.videos.values()) - (self._warm_up or 0.0)
        if elapsed < _LEAST_SECONDS or worked <= 0:
            return None
        return max(0.0, total - done) * elapsed / worked

    def measure_speed(self, now: float | None = None) -> float | None:
        """Return the seconds of video scanned per second; None while the speed is unknown."""
        elapsed = (monotonic() if now is None else now) - self.started
        worked = self.seconds_scanned - (self._warm_up or 0.0)
        return worked / elapsed if elapsed >= _LEAST_SECONDS and worked > 0 else None

    def text(self, now: float | None = None, columns: int = 80) -> str:
        """Format the progress, such as `3 of 12 videos, 4.1 times real time, about 1:20 left`.

        Args:
            now: Monotonic time; None for the current time.
            columns: Maximum length; the speed, then the word `videos`, then the number is left out if there is no room.
        """
        count = f"{self.num_finished} of {self.num_videos}"
        speed, seconds_left = self.measure_speed(now), self.seconds_left(now)
        left = [] if seconds_left is None or self.share >= 1 else [f"about {clock_text(seconds_left)} left"]
        forms = [
            ", ".join([f"{count} videos", *([] if speed is None else [speed_text(speed)]), *left]),
            ", ".join([f"{count} videos", *left]),
            ", ".join([count, *left]),
            *(left or [count]),
        ]
        return next((form for form in forms if len(form) <= columns), forms[-1])

    def _done_and_total(self) -> tuple[float, float]:
        known = [video.duration for video in self.videos.values() if video.duration]
        usual = sum(known) / len(known) if known else 1.0
        sizes = {name: video.size(usual) for name, video in self.videos.items()}
        done = sum(sizes[name] if video.is_finished else video.done for name, video in self.videos.items())
        num_unopened = max(0, self.num_videos - self.num_kept - len(self.videos))
        return done, sum(sizes.values()) + num_unopened * usual
