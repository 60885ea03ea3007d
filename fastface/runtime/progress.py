"""Compute the progress of a scan and the time left, for progress bars and `status`. Pure."""

from dataclasses import dataclass, field
from fractions import Fraction
from time import monotonic

_LEAST_SECONDS = 2.0
"""Seconds of work before the time left can be estimated."""


def clock_text(seconds: float) -> str:
    """Format a duration as `1:05` or `2:01:05`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@dataclass(slots=True)
class VideoProgress:
    """A video that this run is scanning or has scanned."""

    duration: float | None  # seconds; None if the file declares none
    done: float = 0.0  # seconds scanned
    before: float = 0.0  # seconds of `done` that an earlier run scanned
    faces: int = 0
    hits: int | None = None  # None if no person is searched for
    is_finished: bool = False

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

    def begin_video(self, video_id: str, duration: Fraction | None, done: float) -> None:
        """Count a video that is being scanned; an earlier run has scanned `done` seconds of it."""
        total = None if duration is None else float(duration)
        self.videos[video_id] = VideoProgress(total, done, before=done)

    def advance(self, video_id: str, seconds: float, faces: int) -> None:
        """Count further scanned seconds of a video, and the faces found in them; unknown videos do not count."""
        if (video := self.videos.get(video_id)) is not None:
            video.done += seconds
            video.faces += faces

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
        worked = self.seconds_scanned
        if elapsed < _LEAST_SECONDS or worked <= 0:
            return None
        return max(0.0, total - done) * elapsed / worked

    def measure_speed(self, now: float | None = None) -> float | None:
        """Return the seconds of video scanned per second; None while the speed is unknown."""
        elapsed = (monotonic() if now is None else now) - self.started
        worked = self.seconds_scanned
        return worked / elapsed if elapsed >= _LEAST_SECONDS and worked > 0 else None

    def text(self, now: float | None = None) -> str:
        """Format the progress, such as `3 of 12 videos, 4.1 times real time, about 1:20 left`."""
        parts = [f"{self.num_finished} of {self.num_videos} videos"]
        if (speed := self.measure_speed(now)) is not None:
            parts.append(f"{speed:.1f} times real time")
        left = self.seconds_left(now)
        if left is not None and self.share < 1:
            parts.append(f"about {clock_text(left)} left")
        return ", ".join(parts)

    def _done_and_total(self) -> tuple[float, float]:
        known = [video.duration for video in self.videos.values() if video.duration]
        usual = sum(known) / len(known) if known else 1.0
        sizes = {name: video.size(usual) for name, video in self.videos.items()}
        done = sum(sizes[name] if video.is_finished else video.done for name, video in self.videos.items())
        num_unopened = max(0, self.num_videos - self.num_kept - len(self.videos))
        return done, sum(sizes.values()) + num_unopened * usual
