"""Merge output folders: the index of each video is linked or copied, and its rows go to one ledger.

`commands.merge` calls it. The other folders are only read, and no run can change them meanwhile. Videos that are still
to be taken over wait in the ledger like videos to scan. So `status` and searches show what a killed merge has left, and
the same merge, or a scan, continues. A second merge takes over only what is new.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from fastface.distribution import read_version
from fastface.errors import ConfigError, FaceIndexError
from fastface.failpoints import fail_point
from fastface.files import link_or_copy, private_folder, write_atomic
from fastface.fleet.film_plan import TARGET, FilmPlan, MergedVideo, Scan, plan_films, settle_names
from fastface.fleet.knowledge import KnowledgeFolder, merge_knowledge
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.track_archive import remove_track_archive
from fastface.names import valid_text
from fastface.runtime.events.event_log import open_event_log
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder, hold_to_read, require_free
from fastface.runtime.shutdown import StopRequest, interruptible

_SETTINGS = "settings.json"
_ORIGINS_VERSION = 1
"""Version of OUT/.fastface/origins.json: {"schema_version", "folders": paths, "videos": {name in OUT: [place in
`folders`, its fingerprint]}}. Without it, the scan of a file before a change would stay beside the new scan."""
_MOST_NOTES = 20


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Changes of a merge.

    Attributes:
        out: The merged folder.
        videos: Number of its scanned videos.
        taken: Number of videos in each merged folder whose scan was taken over now, {folder: number}.
        removed: Number of outdated videos that were removed; of a view, also of those that no folder has any more.
        waiting: Number of videos that no folder has scanned to its end.
        counted_once: Number of scans that another folder has of the same video.
        notes: What was left out or needs a look, a line each.
    """

    out: Path
    videos: int
    taken: Mapping[str, int]
    removed: int
    waiting: int
    counted_once: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to merge, or the target."""

    root: Path
    ledger: Ledger
    records: Sequence[VideoRecord]

    @property
    def state(self) -> Path:
        return self.root / ".fastface"

    def index(self, video_id: str) -> VideoIndex:
        return VideoIndex(self.state / "index", video_id)

    def list_origins(self) -> dict[str, dict[str, str]]:
        """Return {digest of the scan's settings: metadata of the index of one such video}."""
        found: dict[str, dict[str, str]] = {}
        for record in self.records:
            if record.state != "scanning" and record.scan_key not in found:
                index = self.index(record.video_id)
                if index.faces_path.exists():
                    found[record.scan_key] = index.metadata()
        return found


def merge_folders(
    outs: Sequence[Path], into: Path, observer: Observer, *, link: bool = True, mirror: bool = False
) -> MergeResult:
    """Merge output folders into another one, which may hold videos already.

    Args:
        outs: The folders; they stay unchanged.
        into: The merged folder; it is created if needed.
        observer: Receives notes.
        link: False to copy the files of the index in any case.
        mirror: True to remove the videos that no folder of `outs` has, and to take the settings of the first one.

    Raises:
        ConfigError: A folder is none of fastface, is named twice, or was scanned with another recogniser.
        LockedError: A run holds one of the folders.
        FaceIndexError: An index or ledger is damaged.
        SpaceError, InterruptError: No space is left, or the user stopped the merge; the same call continues.
    """
    with ExitStack() as held:
        folders = _open_folders(outs, into, held)
        target = OutputFolder(into)
        held.enter_context(target.hold_lock())
        log = held.enter_context(open_event_log(target.log, observer, read_version(), "merge"))
        interruption = held.enter_context(interruptible(None))
        return _merge(folders, target, log, interruption, link=link, mirror=mirror)


def check_merge(outs: Sequence[Path], into: Path) -> None:
    """Check that a merge can begin. Writes nothing.

    Raises:
        ConfigError, LockedError, FaceIndexError: See `merge_folders`.
    """
    with ExitStack() as held:
        _open_folders(outs, into, held)
        require_free(into)


def check_folders(outs: Sequence[Path], into: Path) -> None:
    """Check that the folders to merge are output folders, and different ones. Writes nothing.

    Raises:
        ConfigError: Lists the faults.
    """
    faults = [f"{str(out)!r} is not an output folder of fastface" for out in outs if not _is_output_folder(out)]
    places = [out.resolve() for out in outs]
    faults += [f"{str(out)!r} is named twice" for n, out in enumerate(outs) if places[n] in places[:n]]
    if into.resolve() in places:
        faults.append(f"-o {str(into)!r} is one of the folders to merge: name another one")
    if faults:
        raise ConfigError(faults)


def _open_folders(outs: Sequence[Path], into: Path, held: ExitStack) -> list[_Folder]:
    """Open the folders to merge for reading, and check them and the target."""
    check_folders(outs, into)
    for out in outs:
        held.enter_context(hold_to_read(out))
    folders = [_open_folder(out, held) for out in outs]
    _check_comparable([*folders, *([_open_folder(into, held)] if _is_output_folder(into) else [])])
    return folders


def _is_output_folder(out: Path) -> bool:
    return os.access(out / ".fastface" / "state.sqlite", os.F_OK)


def _open_folder(out: Path, held: ExitStack) -> _Folder:
    ledger = held.enter_context(Ledger(out / ".fastface" / "state.sqlite", read_only=True))
    return _Folder(out, ledger, ledger.videos())


def _check_comparable(folders: Sequence[_Folder]) -> None:
    """Check that all faces were embedded by one recogniser.

    Raises:
        ConfigError: They were not; says which folder has which recogniser.
    """
    recognisers = {
        folder.root: {origin["contract"]: origin["recogniser"] for origin in folder.list_origins().values()}
        for folder in folders
    }
    if len({contract for found in recognisers.values() for contract in found}) <= 1:
        return
    lines = [
        f"{str(root)!r}: {' and '.join(sorted(found.values()))} ({', '.join(sorted(one[:12] for one in found))})"
        for root, found in recognisers.items()
        if found
    ]
    raise ConfigError(
        [
            "the folders were scanned with different recognisers, so their faces cannot be compared; "
            "scan the videos of one again with the networks of the other (--models, --pack), or leave one out",
            *lines,
        ]
    )


def _merge(
    folders: Sequence[_Folder],
    target: OutputFolder,
    observer: Observer,
    interruption: StopRequest,
    *,
    link: bool,
    mirror: bool,
) -> MergeResult:
    with Ledger(target.ledger) as ledger:
        own = _Folder(target.root, ledger, ledger.videos())
        places = [str(folder.root.resolve()) for folder in folders]
        every = {TARGET: own, **dict(enumerate(folders))}
        plan = plan_films(
            own.records,
            [folder.records for folder in folders],
            find_time=lambda scan: every[scan.folder].index(scan.record.video_id).find_time(),
            origins=_list_taken(own, places),
            mirror=mirror,
        )
        notes = list(plan.notes)
        if line := _describe_settings(every, plan):
            notes.append(line)
        new = [video for video in plan.videos if not video.is_kept]
        outdated = [*plan.gone, *(video.replaces for video in new if video.replaces)]
        awaited = {video.record.video_id: video.record.path for video in new}
        own.ledger.await_videos(outdated, {**plan.waiting, **awaited})
        fail_point("merge.awaited")
        origins = {one.record.video_id: Origin(places[one.scan.folder], one.record.fingerprint) for one in new}
        write_origins(target.state, origins, plan.gone)
        for name in plan.gone:
            own.index(name).remove()
        if outdated:
            remove_track_archive(target.index)
        _take_settings(folders, target, always=mirror)
        _take_photos(folders, target, link=link)
        notes += merge_knowledge(target.state, _list_knowledge(folders, plan))
        fail_point("merge.knowledge")
        _take_names(folders, own, plan, mirror=mirror)
        before = {record.video_id: record for record in own.records}
        for video in plan.videos:
            if video.is_kept and video.record != before[video.record.video_id]:
                own.ledger.put_video(video.record)
        for video in new:
            interruption.check()
            _take_video(video, every[video.scan.folder], own, link=link)
    for line in notes[:_MOST_NOTES]:
        observer.note(line)
    if len(notes) > _MOST_NOTES:
        observer.note(f"and {len(notes) - _MOST_NOTES} more: --json lists all")
    taken = [video.scan.folder for video in new]
    return MergeResult(
        out=target.root,
        videos=len(plan.videos),
        taken={str(folder.root): taken.count(number) for number, folder in enumerate(folders)},
        removed=len(plan.gone),
        waiting=len(plan.waiting),
        counted_once=plan.counted_once,
        notes=tuple(notes),
    )


def _list_taken(own: _Folder, places: Sequence[str]) -> set[str]:
    """Return the names in the target of videos that earlier merges took from these folders."""
    prints = {record.video_id: record.fingerprint for record in own.records}
    return {
        name
        for name, origin in read_origins(own.state).items()
        if origin.folder in places and prints.get(name) == origin.fingerprint
    }


def _take_video(video: MergedVideo, source: _Folder, own: _Folder, *, link: bool) -> None:
    """Take over one video: first its files, then its rows."""
    name = video.scan.record.video_id
    own.index(video.record.video_id).take(source.index(name), link=link)
    fail_point("merge.linked")
    own.ledger.put_scanned(video.record, source.ledger.units(name).values())


def _take_names(folders: Sequence[_Folder], own: _Folder, plan: FilmPlan, *, mirror: bool) -> None:
    """Take over the further names of the videos; with `mirror`, remove the names that no folder has."""
    before = own.ledger.names()
    known = [] if mirror else before
    settled = settle_names(
        [*known, *(name for folder in folders for name in folder.ledger.names()), *plan.copies], plan.videos
    )
    own.ledger.drop_names({name.path for name in before} - {name.path for name in settled})
    own.ledger.put_names(settled)


def _take_settings(folders: Sequence[_Folder], target: OutputFolder, *, always: bool) -> None:
    """Take over the stored settings of the first folder that has some, unless the target has its own."""
    own = target.state / _SETTINGS
    found = next((path for folder in folders if (path := folder.state / _SETTINGS).exists()), None)
    if found is not None and (always or not own.exists()) and not (own.exists() and _same(found, own)):
        write_atomic(own, found.read_bytes(), private=True)


def _same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def _take_photos(folders: Sequence[_Folder], target: OutputFolder, *, link: bool) -> None:
    """Take over the stored faces of photos, which are named after their content."""
    for folder in folders:
        photos = folder.state / "photos"
        for path in sorted(photos.glob("*.parquet")) if photos.is_dir() else ():
            if not path.name.startswith(".") and not (target.photos / path.name).exists():
                link_or_copy(path, private_folder(target.photos) / path.name, link=link)


def _list_knowledge(folders: Sequence[_Folder], plan: FilmPlan) -> Iterator[KnowledgeFolder]:
    for number, folder in enumerate(folders):
        contracts = {origin["contract"] for origin in folder.list_origins().values()}
        names = {name: new for (place, name), new in plan.names.items() if place == number}
        yield KnowledgeFolder(folder.state, repr(valid_text(str(folder.root))), names, next(iter(contracts), ""))


def _describe_settings(every: Mapping[int, _Folder], plan: FilmPlan) -> str:
    """Describe that the merged videos were scanned with different settings; empty if they were not."""
    used: dict[str, Scan] = {}
    for video in plan.videos:
        if video.record.scan_key and video.record.info is not None:
            used.setdefault(video.record.scan_key, video.scan)
    if len(used) <= 1:
        return ""
    folders = sorted({str(every[scan.folder].root) for scan in used.values()})
    return (
        f"the videos were scanned with {len(used)} different settings ({', '.join(map(repr, folders))}): "
        "faces are comparable, but one scan may find what another one misses; scan all again with the same settings "
        "to treat all videos alike"
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a video that was merged."""

    folder: str  # path of the merged folder
    fingerprint: str  # of the video; a scan in the target itself may have replaced it since


def read_origins(state: Path) -> dict[str, Origin]:
    """Return {name of a video in OUT: its origin}; empty if nothing was merged.

    Raises:
        FaceIndexError: The file is damaged.
    """
    path = _origins_path(state)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != _ORIGINS_VERSION:
            raise ValueError(f"version {found['schema_version']}")
        folders = [str(folder) for folder in found["folders"]]
        videos = found["videos"].items()
        return {str(name): Origin(folders[place], str(fingerprint)) for name, (place, fingerprint) in videos}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise FaceIndexError(
            f"cannot read {str(path)!r}: {error}; remove it: then outdated scans of changed videos may stay"
        ) from error


def write_origins(state: Path, origins: Mapping[str, Origin], gone: Iterable[str]) -> None:
    """Add the origins of some videos, and remove other videos.

    Raises:
        SpaceError: No space is left.
    """
    before, removed = read_origins(state), set(gone)
    videos = {name: one for name, one in before.items() if name not in removed} | dict(origins)
    if videos == before:
        return
    folders = sorted({one.folder for one in videos.values()})
    place = {folder: number for number, folder in enumerate(folders)}
    content = {
        "schema_version": _ORIGINS_VERSION,
        "folders": folders,
        "videos": {name: [place[one.folder], one.fingerprint] for name, one in videos.items()},
    }
    write_atomic(_origins_path(state), json.dumps(content) + "\n", private=True)


def _origins_path(state: Path) -> Path:
    return state / "origins.json"
