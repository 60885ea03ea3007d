"""Match the discovered files with the videos in OUT by content, and name new videos.

The scan calls it before it admits videos. The content is the identity: a renamed or moved file keeps its video's name
in OUT, and files of equal content are one video. A name in OUT is never reused for other content by accident.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastface.errors import InputError
from fastface.index.records import NameRecord, VideoRecord
from fastface.video.discover import Skipped, VideoFile, casefold_name, with_path_digest
from fastface.video.identity.fingerprint import fingerprint, fingerprint_start, read_stamp
from fastface.video.identity.stamps import read_size


@dataclass(frozen=True, slots=True)
class SettledVideos:
    """The videos of a scan.

    Attributes:
        videos: Each content once, in the order of the inputs, with names that agree with OUT.
        also: {name of a video in OUT: its further files among the inputs}.
        copies: The same files as inputs that are not scanned.
    """

    videos: tuple[VideoFile, ...]
    also: Mapping[str, tuple[Path, ...]]
    copies: tuple[Skipped, ...]


def settle_videos(
    files: Sequence[VideoFile],
    skipped: Iterable[Skipped],
    known: Sequence[VideoRecord],
    names: Iterable[NameRecord],
    *,
    scans_copies: bool = False,
) -> SettledVideos:
    """Match files with the ledger's videos: first by content, then by path.

    Of files with equal content, the one in the ledger is scanned, else the first. A video in another place, or under
    another name, represents its copies.

    Args:
        files: The discovered videos, with distinct names.
        skipped: The inputs that discovery left out; links to the same file are further names of its video.
        known: The ledger's videos that a scan has started.
        names: Their further names.
        scans_copies: True if each file is a video of its own.
    """
    by_path = {str(record.path): record for record in known}  # a text is compared in a tenth of a path's time
    settlement = _Settlement(by_path)
    content = _identify(files, by_path, names)
    by_content: dict[str, list[VideoFile]] = {}
    for file in files:
        by_content.setdefault(content.get(file.video_id, str(file.path)), []).append(file)
    by_print: dict[str, list[VideoRecord]] = {}
    for record in known:
        by_print.setdefault(record.fingerprint, []).append(record)
    for found, group in by_content.items():
        records = by_print.get(found, [])
        if scans_copies:
            settlement.claim_each(group, records)
        elif records:
            settlement.claim_one(group, records)
    for group in by_content.values():
        for files_alike in [[file] for file in group] if scans_copies else [group]:
            settlement.name_group(files_alike)
    films = [settlement.chosen[file.video_id] for file in files]
    videos = {film.video_id: film for film in films}
    copied = [
        (file, film) for file, film in zip(files, films, strict=True) if film is not file and film.path != file.path
    ]
    further = [(file.path, film) for file, film in copied]
    links = {item.path.absolute(): item.original for item in skipped if item.original is not None}
    if links:
        by_file = {file.path: film for file, film in zip(files, films, strict=True)}
        further += [(path, by_file[original]) for path, original in links.items() if original in by_file]
    also: dict[str, dict[Path, None]] = {}
    for path, film in further:
        if path != film.path:
            also.setdefault(film.video_id, {})[path] = None
    return SettledVideos(
        tuple(videos.values()),
        {name: tuple(paths) for name, paths in also.items()},
        tuple(_describe_copy(file, film) for file, film in copied),
    )


def list_waiting(
    known: Iterable[VideoRecord], named: Iterable[VideoFile], settled: Iterable[VideoFile]
) -> tuple[VideoFile, ...]:
    """Return the videos that earlier scans did not reach and that still exist.

    A video gets another name if a video of this scan has taken its name, unless it seems to be a copy of that video.

    Args:
        known: The ledger's videos.
        named: The videos that the inputs of this scan name.
        settled: The videos of this scan, with their names.
    """
    unreached = [record for record in known if not record.scan_key]
    if not unreached:
        return ()
    paths = {file.path for file in named}
    taken = {casefold_name(file.video_id): file for file in settled}
    waiting = []
    for record in unreached:
        if record.path in paths or not os.path.lexists(record.path):
            continue
        name = record.video_id
        if holder := taken.get(casefold_name(name)):
            if read_size(_read_stamp(holder)) == read_size(_read_stamp(VideoFile(record.path, name))):
                continue
            name = with_path_digest(name, str(record.path))
        waiting.append(VideoFile(record.path, name))
    return tuple(waiting)


@dataclass(slots=True)
class _Settlement:
    """The choice of a video for each file.

    Attributes:
        known: {path: video of the ledger}.
        chosen: {name of a file: its video, with the file to scan}.
    """

    known: Mapping[str, VideoRecord]
    chosen: dict[str, VideoFile] = field(default_factory=dict)
    _claimed: set[str] = field(default_factory=set)
    _taken: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._taken = {casefold_name(record.video_id) for record in self.known.values()}

    def claim_one(self, group: Sequence[VideoFile], records: Sequence[VideoRecord]) -> None:
        """Give all files of one content the video of the ledger with this content."""
        by_path = {str(file.path): file for file in group}
        record = next((record for record in records if str(record.path) in by_path), None)
        if record is not None:
            film = _name(by_path[str(record.path)], record.video_id)
        else:
            record = next(filter(is_there, records), None)
            film = VideoFile(record.path, record.video_id) if record is not None else group[0]
            film = _name(film, (record or records[0]).video_id)
        self._choose(group, film)

    def claim_each(self, group: Sequence[VideoFile], records: Sequence[VideoRecord]) -> None:
        """Give each file of one content a video of its own: that of its path, else one whose file is gone."""
        paths = {file.path for file in group}
        by_path = {record.path: record for record in records}
        gone = iter([record for record in records if record.path not in paths and not is_there(record)])
        for file in group:
            record = by_path.get(file.path) or next(gone, None)
            if record is not None:
                self._choose([file], _name(file, record.video_id))

    def name_group(self, group: Sequence[VideoFile]) -> None:
        """Name a new video, unless it has a claim. New content at a known path takes the video's place."""
        if group[0].video_id in self.chosen:
            return
        for file in group:
            record = self.known.get(str(file.path))
            if record is not None and record.video_id not in self._claimed:
                self._choose(group, _name(file, record.video_id))
                return
        film, name = group[0], group[0].video_id
        while casefold_name(name) in self._taken:
            name = with_path_digest(name, str(film.path))
        self._choose(group, replace(film, video_id=name))

    def _choose(self, group: Iterable[VideoFile], film: VideoFile) -> None:
        self._claimed.add(film.video_id)
        self._taken.add(casefold_name(film.video_id))
        for file in group:
            self.chosen[file.video_id] = film


def _name(file: VideoFile, video_id: str) -> VideoFile:
    """Return a file with a name in OUT. Nearly all files have it already: a copy of each takes longer."""
    return file if file.video_id == video_id else replace(file, video_id=video_id)


def _describe_copy(file: VideoFile, film: VideoFile) -> Skipped:
    return Skipped(file.path, f"the same film as {str(film.path)!r}, which is searched once", original=film.path)


def _identify(
    files: Iterable[VideoFile], known: Mapping[str, VideoRecord], names: Iterable[NameRecord]
) -> dict[str, str]:
    """Return {name of a file: fingerprint} of the files whose content may be that of another file or known video.

    Little is read: nothing of a file with a known stamp or a size of its own, one block of a file with a start of its
    own.

    Args:
        files: The files.
        known: {path: video of the ledger}.
        names: Further names of these videos.
    """
    remembered: dict[str, NameRecord | VideoRecord] = {str(name.path): name for name in names}
    remembered |= {path: record for path, record in known.items() if record.fingerprint}
    found: dict[str, str] = {}
    others: list[tuple[VideoFile, int]] = []  # files that are not known, with their bytes
    sizes = Counter[int]()
    for file in files:
        stamp = _read_stamp(file)
        size = read_size(stamp)
        if size <= 0:
            continue
        sizes[size] += 1
        record = remembered.get(str(file.path))
        if record is not None and record.stamp == stamp:
            found[file.video_id] = record.fingerprint
        else:
            others.append((file, size))
    if not others:
        return found
    prints = [record.fingerprint for record in known.values() if record.fingerprint]
    sizes += Counter(set(map(read_size, prints)))
    starts = dict(_read_all([file for file, size in others if sizes[size] > 1], fingerprint_start))
    counts = Counter(starts.values())
    counts.update({one.rpartition("-")[0] for one in (*found.values(), *prints)})
    return found | dict(
        _read_all([file for file, _ in others if counts[starts.get(file.video_id, "")] > 1], fingerprint)
    )


def _read_all(files: Iterable[VideoFile], read: Callable[[Path], str]) -> Iterator[tuple[str, str]]:
    for file in files:
        try:
            yield file.video_id, read(file.path)
        except InputError:
            continue  # the scan reports the reason


def _read_stamp(file: VideoFile) -> str:
    """Return the stamp of a file; empty if it cannot be read, which the scan reports."""
    try:
        return file.stamp or read_stamp(file.path)
    except InputError:
        return ""


def is_there(record: VideoRecord) -> bool:
    """Return whether a video's file still has its content; false if it cannot be read."""
    try:
        return record.has_unchanged_file()
    except InputError:
        return False
