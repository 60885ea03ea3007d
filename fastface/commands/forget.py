"""Forgetting videos: their index, and the clips and pictures that were made of them."""

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastface.errors import ConfigError
from fastface.files import remove_empty
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import valid_text
from fastface.runtime.output_folder import EARLIER, OutputFolder
from fastface.runtime.stand_ins import find_stand_ins

__all__ = ["Forgotten", "forget"]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Videos and files that were removed, or would be.

    Attributes:
        videos: Names in OUT.
        paths: Where each was found.
        exports: Clips and pictures of these videos that were removed.
    """

    videos: tuple[str, ...]
    paths: tuple[str, ...]
    exports: int


def forget(out: Path, named: Sequence[str], *, gone: bool = False, pretend: bool = False) -> Forgotten:
    """Removes videos from an output folder. The videos themselves are not touched.

    Tables keep their rows until the next question; answers to earlier questions stay as they are.

    Args:
        out: The output folder.
        named: Names of videos in OUT, files, or folders with all that was found below them.
        gone: Whether all videos whose file is not there any more are meant too.
        pretend: Whether to remove nothing and only tell.

    Raises:
        ConfigError: There is no run in `out`, or a name is no video of it.
        LockedError: A run is going on in it.
    """
    if not (out / ".fastface" / "state.sqlite").exists():
        raise ConfigError(f"{str(out)!r} holds no run of fastface")
    folder = OutputFolder(out)
    with folder.locked(), Ledger(folder.ledger) as ledger:
        stand_ins = {record.video_id: record for record in find_stand_ins(ledger.videos(), ledger.copies())}
        records = _chosen([stand_ins.get(one.video_id, one) for one in ledger.videos()], named, gone=gone)
        names = {record.video_id for record in records}
        exports = [path for path in ledger.exports() if _is_export(path, names)]
        if not pretend:
            for path in exports:
                (out / path).unlink(missing_ok=True)
                ledger.forget_export(path)
                remove_empty((out / path).parent, out)
            for record in records:
                ledger.forget_copies(record.fingerprint)
                ledger.forget_video(record.video_id)
                VideoIndex(folder.index, record.video_id).remove()
    paths = tuple(valid_text(str(record.path)) for record in records)
    return Forgotten(tuple(sorted(names)), paths, len(exports))


def _chosen(records: Sequence[VideoRecord], named: Sequence[str], *, gone: bool) -> list[VideoRecord]:
    """The videos that are meant, by name.

    Raises:
        ConfigError: A name is no video.
    """
    faults, chosen = [], {record.video_id for record in records if gone and not os.path.lexists(record.path)}
    for one in named:
        place = Path(one).absolute()
        found = {record.video_id for record in records if record.video_id == one or record.path.is_relative_to(place)}
        if not found:
            faults.append(f"{one!r} is no video of this folder, and none was found below it")
        chosen |= found
    if faults:
        known = ", ".join(valid_text(record.video_id) for record in records[:_MOST_NAMED])
        raise ConfigError([*faults, f"there are: {known}{', …' if len(records) > _MOST_NAMED else ''}"])
    return [record for record in records if record.video_id in chosen]


_MOST_NAMED = 10
_CROP = re.compile(r"(?P<video>.+)_\d+\.\d{3}_\d+\.\w+")


def _is_export(path: str, videos: Collection[str]) -> bool:
    """Return whether a file below OUT was made of one of these videos; those of earlier answers are left alone."""
    folder, _, rest = path.partition("/")
    if folder == EARLIER:
        return False
    if folder in ("clips", "snapshots"):
        return rest.partition("/")[0] in videos
    if folder == "crops":
        match = _CROP.fullmatch(rest.rpartition("/")[2])
        return match is not None and match["video"] in videos
    return folder == "previews" and rest.removesuffix("_people.mp4") in videos
