"""Plan the merge of several ledgers: which scan of each video counts, and the name of the video.

`merge` reads the ledgers and carries out the plan. One ledger is the target: the output folder that the others are
merged into. It may hold videos already. The same videos get the same names as in one scan of all inputs.
"""

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastface.index.records import NameRecord, VideoRecord
from fastface.index.video_state import STATE_WORDS
from fastface.indexing.video_names import is_there
from fastface.names import valid_text
from fastface.video.discover import unique_names

TARGET = -1
"""Number of the target; the other folders are numbered from 0."""

_RANK = {
    state: rank
    for rank, state in enumerate(["done", "partial", "no_video", "unstable", "cancelled", "quarantined", "failed"])
}
assert _RANK.keys() == STATE_WORDS.keys() - {"waiting", "scanning"}


@dataclass(frozen=True, slots=True)
class Scan:
    """A finished scan of a video in one of the folders."""

    folder: int
    record: VideoRecord

    @property
    def result(self) -> tuple[object, ...]:
        """Return what two scans with the same result have in common."""
        one = self.record
        return one.fingerprint, one.scan_key, one.state, one.reason, one.coverage, one.num_units


@dataclass(frozen=True, slots=True)
class MergedVideo:
    """A video of the merged folder.

    Attributes:
        record: Its new record, with its name there.
        scan: The scan that counts.
        is_kept: True if the target has this scan already; then only the record may be new.
        replaces: Name of its outdated record in the target; empty if there is none.
    """

    record: VideoRecord
    scan: Scan
    is_kept: bool
    replaces: str


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """Result of a merge.

    Attributes:
        videos: All videos of the merged folder that are scanned.
        waiting: {name: path} of the videos that no folder has scanned to the end.
        gone: Names in the target of videos that are removed: outdated ones, and with `mirror` those of no folder.
        copies: Files with the content of a video.
        names: {(folder, name there): name in the merged folder}.
        counted_once: Number of scans that another scan of the same video replaces.
        notes: Videos that are no copies of each other, although their paths are the same.
    """

    videos: tuple[MergedVideo, ...]
    waiting: Mapping[str, Path]
    gone: tuple[str, ...]
    copies: tuple[NameRecord, ...]
    names: Mapping[tuple[int, str], str]
    counted_once: int
    notes: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Video:
    """All scans of one video, at most one a folder."""

    scans: list[Scan] = field(default_factory=list)

    def has(self, folder: int) -> bool:
        return any(scan.folder == folder for scan in self.scans)

    def is_only_in_target(self) -> bool:
        return all(scan.folder == TARGET for scan in self.scans)

    def name_in_target(self) -> str:
        return next((scan.record.video_id for scan in self.scans if scan.folder == TARGET), "")


class _Videos:
    """Collect the scans by video: two scans are of one video if path and content, or the contents, are the same."""

    def __init__(self) -> None:
        self.all: list[_Video] = []
        self._by_path: dict[Path, list[_Video]] = {}
        self._by_content: dict[str, list[_Video]] = {}

    def add(self, folder: int, records: Iterable[VideoRecord]) -> None:
        """Add the scans of one folder; two scans of a folder are never of one video."""
        left = []
        for record in records:  # the same path first, since a folder may hold copies
            video = next((one for one in self._by_path.get(record.path, ()) if self._fits(one, folder, record)), None)
            if video is None:
                left.append(record)
            else:
                self._add_scan(video, Scan(folder, record))
        for record in left:
            alike = self._by_content.get(record.fingerprint, ()) if record.fingerprint else ()
            video = next((one for one in alike if not one.has(folder)), None)
            if video is None:
                video = _Video()
                self.all.append(video)
            self._add_scan(video, Scan(folder, record))

    def _add_scan(self, video: _Video, scan: Scan) -> None:
        video.scans.append(scan)
        at_path = self._by_path.setdefault(scan.record.path, [])
        with_content = self._by_content.setdefault(scan.record.fingerprint, [])
        for found in (at_path, with_content):
            if video not in found:
                found.append(video)

    def _fits(self, video: _Video, folder: int, record: VideoRecord) -> bool:
        """Return whether a scan is of the video at the same path; without a fingerprint the video was still written."""
        prints = {scan.record.fingerprint for scan in video.scans if scan.record.path == record.path} - {""}
        return not video.has(folder) and (not record.fingerprint or not prints or record.fingerprint in prints)


def plan_films(
    target: Sequence[VideoRecord],
    folders: Sequence[Sequence[VideoRecord]],
    *,
    find_time: Callable[[Scan], float],
    origins: Collection[str] = (),
    mirror: bool = False,
) -> FilmPlan:
    """Plan the merge of several folders into the target.

    Args:
        target: The target's videos.
        folders: The videos of each other folder.
        find_time: Returns when a scan was written. Of two equally complete scans with different settings the newer one
            counts.
        origins: Names in the target of videos that an earlier merge took from one of these folders. If that folder has
            lost such a video, and a folder has another one at its path, the file has changed.
        mirror: True to remove videos that only the target has.
    """
    videos = _Videos()
    every = [(TARGET, target), *enumerate(folders)]
    for number, records in every:
        videos.add(number, (record for record in records if record.state != "scanning"))
    paths = {record.path for records in folders for record in records if record.state != "scanning"}
    gone = {one for one in videos.all if one.is_only_in_target() and (mirror or _is_outdated(one, origins, paths))}
    kept = [one for one in videos.all if one not in gone]
    chosen = [_choose(video, find_time) for video in kept]
    begun = {record.path: record.video_id for record in target if record.state == "scanning"}
    known = [
        video.name_in_target() or begun.get(best.record.path, "") for video, best in zip(kept, chosen, strict=True)
    ]
    waiting = _list_waiting(every[1:] if mirror else every, {scan.record.path for one in kept for scan in one.scans})
    fresh = [place for place, name in enumerate(known) if not name]
    later = [record for record in waiting if record.path not in begun]
    new = iter(
        unique_names(
            [(one.video_id, str(one.path)) for one in (*(chosen[place].record for place in fresh), *later)],
            {*filter(None, known), *begun.values()},
        )
    )
    names = [name or next(new) for name in known]
    merged = [_merge(*one) for one in zip(kept, chosen, names, known, strict=True)]
    return FilmPlan(
        videos=tuple(merged),
        waiting={begun.get(record.path) or next(new): record.path for record in waiting},
        gone=tuple(scan.record.video_id for one in gone for scan in one.scans),
        copies=tuple(copy for video, one in zip(kept, merged, strict=True) for copy in _list_copies(video, one.record)),
        names={
            (scan.folder, scan.record.video_id): name
            for video, name in zip(kept, names, strict=True)
            for scan in video.scans
        },
        counted_once=sum(max(0, sum(scan.folder != TARGET for scan in video.scans) - 1) for video in kept),
        notes=tuple(_describe_conflicts(merged)),
    )


def settle_names(names: Iterable[NameRecord], videos: Iterable[MergedVideo]) -> list[NameRecord]:
    """Return one name a path: of several contents that of the file now, else the last one.

    The path of a video is a name only if its file has become a copy of another video. One folder may have seen a file
    before a change, and another folder after it.

    Args:
        names: The names in all folders.
        videos: The videos of the merged folder.
    """
    own: dict[Path, set[str]] = {}
    for video in videos:
        own.setdefault(video.record.path, set()).add(video.record.fingerprint)
    by_path: dict[Path, dict[str, NameRecord]] = {}
    for name in names:
        if name.fingerprint not in own.get(name.path, ()):
            by_path.setdefault(name.path, {})[name.fingerprint] = name
    found = []
    for path, by_content in by_path.items():
        last = next(reversed(by_content.values()))
        if path not in own and len(by_content) == 1:
            found.append(last)
            continue
        now = next(filter(NameRecord.has_unchanged_file, by_content.values()), None)
        if now is not None or path not in own:
            found.append(now or last)
    return found


def _is_outdated(video: _Video, origins: Collection[str], paths: Collection[Path]) -> bool:
    """Return whether a video that only the target has was replaced in its folder by another one at its path."""
    record = video.scans[0].record
    return record.video_id in origins and record.path in paths


def _choose(video: _Video, find_time: Callable[[Scan], float]) -> Scan:
    """Return the most complete scan; of equal ones the newest, then that of the target or of the first folder."""
    if len({scan.result for scan in video.scans}) == 1:
        return video.scans[0]
    has_settings = len({scan.record.scan_key for scan in video.scans}) > 1

    def rank(scan: Scan) -> tuple[object, ...]:
        one = scan.record
        coverage = 1.0 if one.coverage is None else one.coverage
        newest = -find_time(scan) if has_settings else 0.0
        return not one.fingerprint, _RANK[one.state], -coverage, newest, scan.folder

    return min(video.scans, key=rank)


def _merge(video: _Video, best: Scan, name: str, known: str) -> MergedVideo:
    """Return the video with its name, and the path of one of its files that exists.

    Args:
        video: All its scans.
        best: The scan that counts.
        name: Its name in the merged folder.
        known: This name if the target has a record of it; else empty.
    """
    there = _choose_file([best.record, *(scan.record for scan in video.scans)])
    record = replace(
        best.record,
        video_id=name,
        path=there.path,
        info=best.record.info and replace(best.record.info, video_id=name, path=there.path),
        stamp=there.stamp,
        disk=there.disk,
    )
    is_kept = any(scan.folder == TARGET and scan.result == best.result for scan in video.scans)
    return MergedVideo(record, best, is_kept, "" if is_kept else known)


def _choose_file(records: Sequence[VideoRecord]) -> VideoRecord:
    """Return the first record whose file has the content, else the first whose file exists, else the first.

    Another film may have taken the place of the first file. Contents are compared only if there are several files.
    """
    by_path = {record.path: record for record in reversed(records)}
    if len(by_path) > 1 and (found := next(filter(is_there, records), None)) is not None:
        return found
    return next((record for record in records if os.path.lexists(record.path)), records[0])


def _list_copies(video: _Video, record: VideoRecord) -> Iterable[NameRecord]:
    """Yield the other files with the content of a video."""
    others = {scan.record.path: scan.record for scan in video.scans if scan.record.path != record.path}
    return (
        NameRecord(path, record.fingerprint, other.stamp, other.disk)
        for path, other in others.items()
        if other.fingerprint and other.fingerprint == record.fingerprint
    )


def _list_waiting(folders: Iterable[tuple[int, Sequence[VideoRecord]]], scanned: set[Path]) -> list[VideoRecord]:
    """Return one record of each video that is not scanned to the end in any folder."""
    found: dict[Path, VideoRecord] = {}
    for _, records in folders:
        for record in records:
            if record.state == "scanning" and record.path not in scanned:
                found.setdefault(record.path, record)
    return list(found.values())


def _describe_conflicts(videos: Iterable[MergedVideo]) -> Iterable[str]:
    """Describe different videos that have one path: on other machines, or before and after a change of the file."""
    counts = Counter(video.record.path for video in videos)
    for path, count in counts.items():
        if count > 1:
            yield f"{valid_text(str(path))!r}: {count} videos with different content have this path; all are kept"
