"""Find the videos that the inputs name: files, folders, globs, lists, image sequences.

Every command with inputs calls `discover`. The order and the names of the videos are the same in every run.
"""

import glob
import hashlib
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from fastface.errors import ConfigError
from fastface.footage import VideoInfo
from fastface.names import file_name
from fastface.video.containers.magic import starts_like_film
from fastface.video.identity.stamps import format_stamp
from fastface.video.suffixes import (
    IMAGE_SUFFIXES,
    PREVIEW_SUFFIXES,
    SNIFFED_SUFFIXES,
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
)

SEQUENCE_CODEC = "images"
"""Value of `VideoInfo.codec` for pictures."""

_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "$recycle.bin", "lost+found"}
    | {"system volume information", "@tmp"}
)
"""Folders in which Synology, QNAP, Windows and Linux keep previews and deleted files, in lower case."""

_CAMERA_FOLDERS = frozenset({("m4root", "sub"), ("m4root", "thmbnl"), ("contents", "proxy"), ("contents", "icon")})
"""(parent, folder) in which Sony and Panasonic cameras keep small copies of their films."""

PICTURES, SOUND, OTHERS = "pictures beside videos or folders", "files of sound", "files that are no videos by name"
HIDDEN, SYSTEM, PREVIEWS = "hidden files and folders", "folders of a NAS, system or camera", "previews of a camera"
"""Reasons why a file or folder within a folder is not taken."""

_MOST_NAMES = 1000
"""Maximum number of names stored for each reason."""

_PATTERN = re.compile(r"%0?\d*d")
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]*://")
_DIGITS = re.compile(r"(\d+)")
_DIGEST_LENGTH = 8
_PATH_DIGEST = re.compile(rf"\.[0-9a-f]{{{_DIGEST_LENGTH}}}")
_STATE_FOLDER = ".fastface"
_OWN_OUTPUT = "an output folder of fastface"
_SAME_FOLDER = "the same folder as another one"


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video to scan.

    Attributes:
        path: The file; the folder or the `%04d` pattern of an image sequence. Absolute.
        video_id: Name in OUT, unique in a run.
        sequence: True for an image sequence.
        stamp: Its stamp when it was found (`stamps`); empty if nobody has read it, and for an image sequence.
    """

    path: Path
    video_id: str
    sequence: bool = False
    stamp: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that is not scanned.

    Attributes:
        path: The input.
        reason: Reason why it is not scanned.
        is_fault: True if it may contain a video that should have been scanned.
        original: The file with the same content that is scanned instead; None if it is no copy.
        left_state: State of a video that is left for the next run: unstable or cancelled. Empty for other inputs.
    """

    path: Path
    reason: str
    is_fault: bool = False
    original: Path | None = None
    left_state: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Content of folders that is left out for one reason."""

    reason: str
    count: int
    paths: tuple[Path, ...]  # the first `_MOST_NAMES` of them


@dataclass(frozen=True, slots=True)
class Discovery:
    """The videos in natural order, and the inputs and files that are left out."""

    videos: tuple[VideoFile, ...]
    skipped: tuple[Skipped, ...]
    left_out: tuple[LeftOut, ...] = ()
    elsewhere: tuple[VideoFile, ...] = ()  # videos that belong to other shards


class _FoundFiles:
    """Files and folders that are left out while the inputs are searched."""

    def __init__(self, exclude: Path) -> None:
        self.exclude = exclude
        self.skipped: list[Skipped] = []
        self._counts = Counter[str]()
        self._paths: dict[str, list[Path]] = {}

    def skip(self, path: Path, reason: str, *, is_fault: bool = False, original: Path | None = None) -> None:
        self.skipped.append(Skipped(path, reason, is_fault, original))

    def leave_out(self, reason: str, folder: Path, names: Sequence[str]) -> None:
        self._counts[reason] += len(names)
        kept = self._paths.setdefault(reason, [])
        kept += (folder / name for name in names[: _MOST_NAMES - len(kept)])

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        return tuple(LeftOut(why, count, tuple(self._paths[why])) for why, count in self._counts.items() if count)


class _Candidate(NamedTuple):
    path: str  # a `Path` of each file takes longer than all other steps
    relative: str
    sequence: bool = False


def discover(inputs: Sequence[str | Path], exclude: Path) -> Discovery:
    """Find the videos that the inputs name.

    An existing name is taken literally, whatever its characters. Other names are parsed as `@list`, `%04d` pattern or
    glob. A folder that contains pictures and neither videos nor folders is an image sequence.

    Args:
        inputs: Files, folders (recursive), globs, `@list.txt` (a path a line), image folders, `img_%04d.jpg`.
        exclude: The output folder. It and every other output folder are left out.

    Raises:
        ConfigError: Lists every input that does not exist or matches nothing.
    """
    faults: list[str] = []
    candidates: list[_Candidate] = []
    found = _FoundFiles(exclude.resolve())
    for text in inputs:
        try:
            candidates += _candidates(str(text), found)
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    unique = list(_unique(candidates, found))
    here = Path.cwd()  # one system call for all
    paths = [here / candidate.path for candidate, _ in unique]
    wanted = [file_name(candidate.relative.replace(os.sep, "__")) for candidate, _ in unique]
    names = unique_names([(name, str(path)) for name, path in zip(wanted, paths, strict=True)])
    files = zip(unique, paths, names, strict=True)
    videos = tuple(VideoFile(path, name, candidate.sequence, stamp) for (candidate, stamp), path, name in files)
    return Discovery(videos, tuple(found.skipped), found.left_out)


def _candidates(text: str, found: _FoundFiles, *, in_list: bool = False) -> list[_Candidate]:
    path = Path(text)
    if text and os.path.lexists(path):
        return list(_below(path, found)) if path.is_dir() else [_Candidate(str(path), path.name)]
    if text.startswith("@") and not in_list:
        lines = _lines(Path(text[1:]))
        return [candidate for line in lines for candidate in _candidates(line, found, in_list=True)]
    if _PATTERN.search(path.name) and path.parent.is_dir():
        if any(_pattern_files(path)):
            return [_Candidate(str(path), path.name, sequence=True)]
        raise ConfigError(f"{text!r}: no picture matches this pattern")
    # `Path.glob` accepts no absolute pattern.
    matches = sorted(glob.glob(text, recursive=True), key=_natural)  # noqa: PTH207
    if not matches and _ADDRESS.match(text):
        raise ConfigError(
            f"{text!r} is an address, and videos are read from files; download them, or mount the share or the bucket"
        )
    if not matches:
        raise ConfigError(f"{text!r}: no such file or folder" + (", or the glob matches nothing" * ("*" in text)))
    return [candidate for match in matches for candidate in _match(Path(match), found)]


def _match(path: Path, found: _FoundFiles) -> list[_Candidate]:
    """Filter the matches of a glob. Unlike a named file, a match may lie in an output folder by accident."""
    if any(_is_output(folder, found.exclude) for folder in path.absolute().parents):
        found.skip(path, _OWN_OUTPUT)
        return []
    if any(_is_system(folder) for folder in path.parents):
        found.leave_out(SYSTEM, path.parent, [path.name])
        return []
    return list(_below(path, found)) if path.is_dir() else [_Candidate(str(path), path.name)]


def _is_output(folder: Path, exclude: Path) -> bool:
    return folder.resolve() == exclude or (folder / _STATE_FOLDER).is_dir()


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"@{str(path)!r}: cannot read the list: {error.strerror}") from error
    return [os.fsdecode(line) for line in content.splitlines() if line.strip() and not line.startswith(b"#")]


def _below(root: Path, found: _FoundFiles) -> Iterator[_Candidate]:
    """Yield the videos and image sequences of a folder.

    A link to a folder is followed once, and only if the walk does not reach the folder itself: a link may go away.
    """
    seen: set[tuple[int, int]] = set()
    top = root.resolve()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=lambda e: _unreadable(e, found)):
        here = Path(folder)
        status = here.stat()
        reason = _SAME_FOLDER if (status.st_dev, status.st_ino) in seen else ""
        if reason or _is_output(here, found.exclude):
            found.skip(here, reason or _OWN_OUTPUT)
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        relative = os.path.relpath(here, root)
        prefix = "" if relative == "." else f"{relative}{os.sep}"
        found.leave_out(HIDDEN, here, [name for name in (*folders, *files) if name.startswith(".")])
        shown = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        found.leave_out(SYSTEM, here, [name for name in shown if _is_system(here / name)])
        folders[:] = [name for name in shown if not _is_system(here / name)]
        for name in [name for name in folders if _is_reached(top, here / name)]:
            found.skip(here / name, _SAME_FOLDER)
            folders.remove(name)
        names = sorted((name for name in files if not name.startswith(".")), key=_natural)
        videos = [name for name in names if _is_video(here, name)]
        start = str(here / "_")[:-1]
        for name in videos:
            yield _Candidate(start + name, prefix + name)
        pictures = [name for name in names if _suffix(name) in IMAGE_SUFFIXES]
        is_sequence = bool(pictures) and not videos and not folders
        if is_sequence:
            yield _Candidate(str(here), here.resolve().name if relative == "." else relative, sequence=True)
        _leave_out(here, set(names) - set(videos) - set(pictures if is_sequence else ()), found)


def _is_reached(top: Path, folder: Path) -> bool:
    """Return whether a folder is a link to one that the walk from `top` reaches without a link."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    if not target.is_relative_to(top):
        return False
    between = [target, *target.parents][: len(target.parts) - len(top.parts)]
    return not any(one.name.startswith(".") or _is_system(one) for one in between)


def _is_video(folder: Path, name: str) -> bool:
    suffix = _suffix(name)
    if suffix in VIDEO_SUFFIXES:
        return True
    path = folder / name
    return suffix in SNIFFED_SUFFIXES and path.is_file() and starts_like_film(path)


def _suffix(name: str) -> str:
    """Return `Path(name).suffix` in lower case, without the time that a path takes."""
    place = name.rfind(".")
    return name[place:].lower() if 0 < place < len(name) - 1 else ""


def _is_system(folder: Path) -> bool:
    name = folder.name.lower()
    return name in _SYSTEM_FOLDERS or (folder.parent.name.lower(), name) in _CAMERA_FOLDERS


def _leave_out(folder: Path, names: set[str], found: _FoundFiles) -> None:
    for name in sorted(names, key=_natural):
        suffix = _suffix(name)
        kinds = ((IMAGE_SUFFIXES, PICTURES), (SOUND_SUFFIXES, SOUND), (PREVIEW_SUFFIXES, PREVIEWS))
        found.leave_out(next((why for suffixes, why in kinds if suffix in suffixes), OTHERS), folder, [name])


def _unreadable(error: OSError, found: _FoundFiles) -> None:
    found.skip(Path(os.fsdecode(error.filename)), f"cannot be read: {error.strerror}", is_fault=True)


def _unique(candidates: list[_Candidate], found: _FoundFiles) -> Iterator[tuple[_Candidate, str]]:
    """Yield regular files with their stamps, each once even if it has several names. Pipes would block the process.

    Of several names, the first that is no link counts: a link may go away, and the file stay.
    """
    same: dict[tuple[int, int, str], list[tuple[_Candidate, str]]] = {}
    for candidate in candidates:
        path, folder, name = candidate.path, candidate.path, ""
        if candidate.sequence and not Path(path).is_dir():
            folder, name = str(Path(path).parent), Path(path).name
        try:
            status = os.stat(folder)  # noqa: PTH116 - a path takes longer than the call
        except OSError as error:
            found.skip(Path(path), f"cannot be read: {error.strerror}", is_fault=True)
            continue
        if not candidate.sequence and not stat.S_ISREG(status.st_mode):
            found.skip(Path(path), "not a regular file")
            continue
        stamp = "" if candidate.sequence else format_stamp(status)
        same.setdefault((status.st_dev, status.st_ino, name), []).append((candidate, stamp))
    for names in same.values():
        chosen = names[0] if len(names) == 1 else next((one for one in names if not _is_link(one[0].path)), names[0])
        first = chosen[0].path
        for other, _ in names:
            if other is not chosen[0]:
                found.skip(Path(other.path), f"the same file as {first!r}", original=Path(first).absolute())
        yield chosen


def _is_link(path: str) -> bool:
    """Return whether a path leads over a link."""
    return os.path.realpath(path) != os.path.abspath(path)  # noqa: PTH100 - as quick as the rest of the search


def unique_names(wanted: Sequence[tuple[str, str]], known: Iterable[str] = ()) -> list[str]:
    """Return a unique name in OUT for each (name, absolute path).

    Some file systems ignore the case of letters or the form of accents. Names that differ only in these get a digest of
    their absolute path. So a name does not depend on the order of the inputs. A name that has such a digest keeps it,
    and its beginning counts as a name.

    Args:
        wanted: The names and paths.
        known: Names in OUT that other videos have.
    """
    starts = [_without_path_digest(name, absolute) for name, absolute in wanted]
    folded = list(map(casefold_name, starts))
    counts = Counter(folded)
    taken = set(map(casefold_name, known))
    names = []
    for (name, absolute), start, one in zip(wanted, starts, folded, strict=True):
        unique = with_path_digest(start, absolute) if counts[one] > 1 else name
        while (key := casefold_name(unique)) in taken:
            unique = with_path_digest(unique, absolute)
        taken.add(key)
        names.append(unique)
    return names


def casefold_name(name: str) -> str:
    """Return a name without the differences that some file systems ignore."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def with_path_digest(name: str, absolute: str) -> str:
    """Append a digest of the absolute path to a name."""
    digest = hashlib.sha256("\0".join((name, absolute)).encode("utf-8", "surrogatepass"))
    return f"{name}.{digest.hexdigest()[:_DIGEST_LENGTH]}"


def _without_path_digest(name: str, absolute: str) -> str:
    if not _PATH_DIGEST.fullmatch(name, max(0, len(name) - _DIGEST_LENGTH - 1)):
        return name  # a digest a file takes longer
    start = name[: -_DIGEST_LENGTH - 1]
    return start if name == with_path_digest(start, absolute) else name


def _pattern_files(pattern: Path) -> list[Path]:
    """Return the pictures of a `%04d` pattern, ordered by number."""
    before, after = _PATTERN.split(pattern.name, maxsplit=1)
    number = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = [(int(match[1]), path) for path in pattern.parent.iterdir() if (match := number.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def is_sequence(path: Path) -> bool:
    """Return whether a path names an image sequence: a folder, or a `%04d` pattern without a file of that name."""
    return path.is_dir() or (_PATTERN.search(path.name) is not None and not path.exists())


def sequence_files(path: Path) -> list[Path]:
    """Return the pictures of an image sequence: a folder in natural order, a pattern ordered by number."""
    if not path.is_dir():
        return _pattern_files(path)
    names = (name for file in path.iterdir() if (name := file.name) and file.suffix.lower() in IMAGE_SUFFIXES)
    return [path / name for name in sorted(names, key=_natural)]


def picture_names(info: VideoInfo) -> tuple[str, ...]:
    """Return the names of a sequence's pictures, indexed by pts; empty for a film or a missing sequence."""
    if info.codec != SEQUENCE_CODEC:
        return ()
    try:
        return tuple(path.name for path in sequence_files(info.path))
    except OSError:
        return ()


def _natural(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Return a sort key with `a9` before `a10`. The text itself orders names that differ in case or leading zeros."""
    parts = _DIGITS.split(text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts if part], text
