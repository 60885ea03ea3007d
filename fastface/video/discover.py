"""Inputs → videos: files, folders, globs, lists, image sequences; in an order and under names that never vary."""

import glob
import hashlib
import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastface.errors import ConfigError
from fastface.names import file_name

__all__ = ["Discovery", "Skipped", "VideoFile", "discover", "folded", "is_sequence", "marked", "sequence_files"]

VIDEO_SUFFIXES = frozenset(
    [
        ".264",
        ".265",
        ".3g2",
        ".3gp",
        ".amv",
        ".asf",
        ".avi",
        ".divx",
        ".dv",
        ".f4v",
        ".flv",
        ".gif",
        ".h264",
        ".h265",
        ".hevc",
        ".ivf",
        ".m1v",
        ".m2p",
        ".m2t",
        ".m2ts",
        ".m2v",
        ".m4v",
        ".mjpeg",
        ".mjpg",
        ".mk3d",
        ".mkv",
        ".mod",
        ".mov",
        ".mp4",
        ".mpe",
        ".mpeg",
        ".mpg",
        ".mpv",
        ".mts",
        ".mxf",
        ".nut",
        ".obu",
        ".ogm",
        ".ogv",
        ".qt",
        ".rm",
        ".rmvb",
        ".tod",
        ".tp",
        ".trp",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".wtv",
        ".y4m",
    ]
)
"""Of the files of a folder, those with these suffixes are taken. A file that is named itself always is."""

IMAGE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])
_PATTERN = re.compile(r"%0?\d*d")
_STATE_FOLDER = ".fastface"
_OWN_OUTPUT = "an output folder of fastface"


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video to be looked at.

    Attributes:
        path: The file; the folder or the `%04d` pattern of an image sequence. Absolute.
        video_id: Its name in OUT, unique in a run.
        sequence: Whether it is an image sequence.
    """

    path: Path
    video_id: str
    sequence: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """An input that is no candidate.

    Attributes:
        path: The input.
        reason: Why.
        is_fault: Whether it may hold a video that nobody has seen.
    """

    path: Path
    reason: str
    is_fault: bool = False


@dataclass(frozen=True, slots=True)
class Discovery:
    """The videos in natural order, and what was left out."""

    videos: tuple[VideoFile, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    relative: str
    sequence: bool = False


def discover(inputs: Sequence[str | Path], exclude: Path) -> Discovery:
    """Finds the videos that the inputs name.

    A name that exists is taken as it is, whatever characters it has; only others are read as `@list`, `%04d` pattern
    or glob. A folder that holds pictures and neither videos nor folders is an image sequence.

    Args:
        inputs: Files, folders (recursive), globs, `@list.txt` (a path a line), image folders, `img_%04d.jpg`.
        exclude: The output folder. It and every other output folder are left out.

    Raises:
        ConfigError: Lists every input that does not exist or matches nothing.
    """
    faults: list[str] = []
    candidates: list[_Candidate] = []
    skipped: list[Skipped] = []
    for text in inputs:
        try:
            candidates += _candidates(str(text), exclude.resolve(), skipped)
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    unique = list(_unique(candidates, skipped))
    names = _names([(candidate.relative, str(candidate.path.absolute())) for candidate in unique])
    videos = [VideoFile(c.path.absolute(), name, c.sequence) for c, name in zip(unique, names, strict=True)]
    return Discovery(tuple(videos), tuple(skipped))


def _candidates(text: str, exclude: Path, skipped: list[Skipped], *, in_list: bool = False) -> list[_Candidate]:
    path = Path(text)
    if text and os.path.lexists(path):
        return list(_below(path, exclude, skipped)) if path.is_dir() else [_Candidate(path, path.name)]
    if text.startswith("@") and not in_list:
        lines = _lines(Path(text[1:]))
        return [found for line in lines for found in _candidates(line, exclude, skipped, in_list=True)]
    if _PATTERN.search(path.name) and path.parent.is_dir():
        if any(_pattern_files(path)):
            return [_Candidate(path, path.name, sequence=True)]
        raise ConfigError(f"{text!r}: no picture matches this pattern")
    # Path.glob takes no absolute pattern.
    matches = sorted(glob.glob(text, recursive=True), key=_natural)  # noqa: PTH207
    if not matches:
        raise ConfigError(f"{text!r}: no such file or folder" + (", or the glob matches nothing" * ("*" in text)))
    return [found for match in matches for found in _matched(Path(match), exclude, skipped)]


def _matched(path: Path, exclude: Path, skipped: list[Skipped]) -> list[_Candidate]:
    """What a glob has found: unlike a file that is named, it may lie in an output folder by accident."""
    if any(_is_output(folder, exclude) for folder in path.absolute().parents):
        skipped.append(Skipped(path, _OWN_OUTPUT))
        return []
    return list(_below(path, exclude, skipped)) if path.is_dir() else [_Candidate(path, path.name)]


def _is_output(folder: Path, exclude: Path) -> bool:
    return folder.resolve() == exclude or (folder / _STATE_FOLDER).is_dir()


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"@{str(path)!r}: cannot read the list: {error.strerror}") from error
    return [os.fsdecode(line) for line in content.splitlines() if line.strip() and not line.startswith(b"#")]


def _below(root: Path, exclude: Path, skipped: list[Skipped]) -> Iterator[_Candidate]:
    """The videos and image sequences of a folder. Links to folders are followed once each."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, files in os.walk(root, followlinks=True, onerror=lambda e: _unreadable(e, skipped)):
        here = Path(folder)
        status = here.stat()
        reason = "the same folder as another one" if (status.st_dev, status.st_ino) in seen else ""
        if reason or _is_output(here, exclude):
            skipped.append(Skipped(here, reason or _OWN_OUTPUT))
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=_natural)
        names = sorted((name for name in files if not name.startswith(".")), key=_natural)
        videos = [name for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES]
        for name in videos:
            yield _Candidate(here / name, os.path.relpath(here / name, root))
        pictures = [name for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES]
        if pictures and not videos and not folders:
            relative = os.path.relpath(here, root)
            yield _Candidate(here, here.resolve().name if relative == "." else relative, sequence=True)


def _unreadable(error: OSError, skipped: list[Skipped]) -> None:
    skipped.append(Skipped(Path(os.fsdecode(error.filename)), f"cannot be read: {error.strerror}", is_fault=True))


def _unique(candidates: list[_Candidate], skipped: list[Skipped]) -> Iterator[_Candidate]:
    """Regular files, each once however many names it has; pipes and devices would hang whoever opens them."""
    seen: dict[tuple[int, int, str], Path] = {}
    for candidate in candidates:
        name = candidate.path.name if candidate.sequence and not candidate.path.is_dir() else ""
        try:
            status = (candidate.path.parent if name else candidate.path).stat()
        except OSError as error:
            skipped.append(Skipped(candidate.path, f"cannot be read: {error.strerror}", is_fault=True))
            continue
        if not candidate.sequence and not stat.S_ISREG(status.st_mode):
            skipped.append(Skipped(candidate.path, "not a regular file"))
            continue
        identity = (status.st_dev, status.st_ino, name)
        if identity in seen:
            skipped.append(Skipped(candidate.path, f"the same file as {str(seen[identity])!r}"))
            continue
        seen[identity] = candidate.path
        yield candidate


def _names(paths: list[tuple[str, str]]) -> list[str]:
    """A name in OUT for each (relative path, absolute path): readable, and never the same for two.

    Names that differ in the case of letters or in the form of accents are the same for some file systems. Those get a
    digest of their absolute path, so that a name does not depend on the order of the inputs.
    """
    wanted = [file_name(relative.replace(os.sep, "__")) for relative, _ in paths]
    counts = Counter(map(folded, wanted))
    taken: set[str] = set()
    names = []
    for (_, absolute), name in zip(paths, wanted, strict=True):
        unique = name if counts[folded(name)] == 1 else marked(name, absolute)
        while folded(unique) in taken:
            unique = marked(unique, absolute)
        taken.add(folded(unique))
        names.append(unique)
    return names


def folded(name: str) -> str:
    """A name without what some file systems do not tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def marked(name: str, absolute: str) -> str:
    """A name with a digest of the path that it is for."""
    digest = hashlib.sha256("\0".join((name, absolute)).encode("utf-8", "surrogatepass"))
    return f"{name}.{digest.hexdigest()[:8]}"


def _pattern_files(pattern: Path) -> list[Path]:
    """The pictures of a `%04d` pattern, by number."""
    before, after = _PATTERN.split(pattern.name, maxsplit=1)
    number = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    found = [(int(match[1]), path) for path in pattern.parent.iterdir() if (match := number.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def is_sequence(path: Path) -> bool:
    """Whether a path names an image sequence: a folder, or a `%04d` pattern that no file is called by."""
    return path.is_dir() or (_PATTERN.search(path.name) is not None and not path.exists())


def sequence_files(path: Path) -> list[Path]:
    """The pictures of an image sequence, in order: of a folder by natural order, of a pattern by number."""
    if not path.is_dir():
        return _pattern_files(path)
    names = (name for file in path.iterdir() if (name := file.name) and file.suffix.lower() in IMAGE_SUFFIXES)
    return [path / name for name in sorted(names, key=_natural)]


def _natural(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts `a9` before `a10`; the text itself decides between those that differ in case or in leading zeros."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts if part], text
