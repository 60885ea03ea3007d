"""Store what the last finished run of an output folder has reported, in OUT/.fastface/nights.json.

`commands.nights.night` compares the folder with the record at the end of each `run` and `scan`. The differences are
the news.

A killed run must neither lose news nor hide that news is old:

* News is the difference between the ledger and the record, never what one command happened to do. Videos that a killed
  run has committed differ from the record, so the next report has them.
* `begin` adds the start of a command to `begun` before its first video. Only the report of a finished command replaces
  the record, so a command that was killed, interrupted or failed stays in `begun`. The next report repeats its news,
  and names its start.
* night.txt and night.json are written first, then the record. A kill between the two repeats the news in the next
  report, which names the start of that run too. The other order could lose the news.
* An interrupted run writes its report, and leaves the record unchanged. A failure that it met is therefore new for the
  run that continues it, and has its exit code.
* The passes of a watch leave the record unchanged, and write theirs to watch_nights.json, from which the next pass
  prints its own news. So each pass reports the news since the watch began, and a killed watch leaves all of it to the
  next report. When the time limit ends a watch, watch_nights.json becomes the record. `begin` of any command removes
  the one of a killed watch.
* `scan` searches for no person. It leaves the sightings in the record unchanged, and the next `run` reports them.

A video that a time limit kept from its next try keeps its entry: a known failure stays known. A fingerprint that has
changed makes a video, its failure and all its sightings new.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from fastface.errors import FaceIndexError
from fastface.files import write_atomic
from fastface.index.records import VideoSummary

_VERSION = 2


class KnownVideo(NamedTuple):
    """A video as the last report had it."""

    state: str  # a final state of a video
    fingerprint: str  # empty if the file could not be read, or was still being written
    reason: str = ""  # empty if the state is done


@dataclass(frozen=True, slots=True)
class KnownSpans:
    """The spans of one person in one video, as the last report had them."""

    fingerprint: str  # of the video
    spans: tuple[tuple[float, float], ...]  # start and end in seconds, in order


@dataclass(frozen=True, slots=True)
class NightRecord:
    """The state that the last finished run has reported.

    Attributes:
        reported: Start of that run, ISO 8601 in UTC; empty if no run has finished.
        begun: Starts of later runs that ended without a finished report.
        videos: {name in OUT: its final state}.
        inputs: {input that could not be read: reason}.
        exports: Exports that could not be made, as run.json lists them.
        sightings: {person: {name of a video: its spans}}.
    """

    reported: str = ""
    begun: tuple[str, ...] = ()
    videos: Mapping[str, KnownVideo] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    exports: frozenset[str] = frozenset()
    sightings: Mapping[str, Mapping[str, KnownSpans]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "NightRecord":
        """Read a record; return an empty one if there is none, or one of another version.

        Raises:
            FaceIndexError: The file is damaged.
        """
        stored = read_versioned(path, _VERSION)
        if stored is None:
            return cls()
        sightings = {
            person: {
                video: KnownSpans(one["fingerprint"], tuple((start, end) for start, end in one["spans"]))
                for video, one in videos.items()
            }
            for person, videos in stored["sightings"].items()
        }
        return cls(
            reported=stored["reported"],
            begun=tuple(stored["begun"]),
            videos={name: KnownVideo(*one) for name, one in stored["videos"].items()},
            inputs=stored["inputs"],
            exports=frozenset(stored["exports"]),
            sightings=sightings,
        )

    def save(self, path: Path) -> None:
        """Write the record durably.

        Raises:
            SpaceError: No space is left.
        """
        stored = {
            "schema_version": _VERSION,
            "reported": self.reported,
            "begun": self.begun,
            "videos": self.videos,  # a list each: there may be 100,000
            "inputs": self.inputs,
            "exports": sorted(self.exports),
            "sightings": {
                person: {video: asdict(spans) for video, spans in videos.items()}
                for person, videos in self.sightings.items()
            },
        }
        write_atomic(path, json.dumps(stored) + "\n", private=True)

    def begin(self, started: str) -> "NightRecord":
        """Return the record with the start of another run."""
        return replace(self, begun=(*self.begun, started))

    def knows_failure(self, video: VideoSummary) -> bool:
        """Return whether the last report had this failure: the same state of an unchanged file.

        A file without a fingerprint is unchanged if the reason is the same, as "Permission denied".
        """
        known = self.videos.get(video.video_id)
        if known is None or (known.state, known.fingerprint) != (video.state, video.fingerprint):
            return False
        return bool(video.fingerprint) or known.reason == video.reason

    def knows_span(self, person: str, video: VideoSummary, start: float, end: float) -> bool:
        """Return whether a reported span of the person in the unchanged video overlaps this span, in seconds.

        A video that was still being written then has grown since: its reported spans are still known.
        """
        known = self.sightings.get(person, {}).get(video.video_id)
        if known is None or known.fingerprint not in ("", video.fingerprint):
            return False
        return any(before < end and start < after for before, after in known.spans)

    def replace_videos(self, videos: Iterable[VideoSummary]) -> dict[str, KnownVideo]:
        """Return the entries of these videos now; a video that waits for its scan keeps its entry."""
        now = {}
        for video in videos:
            if video.state != "scanning":
                now[video.video_id] = KnownVideo(video.state, video.fingerprint, video.reason)
            elif video.video_id in self.videos:
                now[video.video_id] = self.videos[video.video_id]
        return now

    def without_videos(self, names: Collection[str]) -> "NightRecord":
        """Return the record without some videos, by their names in OUT."""
        kept = {
            person: {name: spans for name, spans in videos.items() if name not in names}
            for person, videos in self.sightings.items()
        }
        starts = tuple(start for name in names for start in (f"{name}: ", f"clips/{name}/"))
        return replace(
            self,
            videos={name: one for name, one in self.videos.items() if name not in names},
            exports=frozenset(line for line in self.exports if not line.startswith(starts)),
            sightings=kept,
        )


def read_versioned(path: Path, version: int) -> dict[str, Any] | None:
    """Read the JSON object of a file, without its `schema_version`; None without a file, or for another version.

    Raises:
        FaceIndexError: The file is damaged.
    """
    if not path.is_file():
        return None
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return stored if stored.pop("schema_version") == version else None
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise FaceIndexError(
            f"cannot read {str(path)!r}: {error}; remove the file, and the next run writes it again"
        ) from error
