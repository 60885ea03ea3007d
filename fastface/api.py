"""Provide the commands of fastface as Python functions with typed results.

User code calls it in its main process; `fastface/__init__` exports the names.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastface.commands import enroll as enrolment
from fastface.commands import find as finding
from fastface.commands import merge as merging
from fastface.commands import people as census
from fastface.commands import pick as picking
from fastface.commands import run as workflows
from fastface.commands.nights.finish_command import finish_command
from fastface.commands.people import PeopleResult
from fastface.config import Config, load_config
from fastface.fleet.merge import MergeResult
from fastface.runtime.events.observer import Observer
from fastface.runtime.run_report import EnrollResult, RunResult
from fastface.runtime.saved_settings import networks_alone, read_remembered

__all__ = [
    "EnrollResult",
    "MergeResult",
    "PeopleResult",
    "RunResult",
    "enroll",
    "find",
    "merge",
    "people",
    "pick",
    "run",
    "scan",
]

Paths = str | Path | Iterable[str | Path]
Settings = Mapping[str, object]


def run(
    inputs: Paths, targets: Paths, out: str | Path = "out", *, observer: Observer | None = None, **settings: Settings
) -> RunResult:
    """Find the targets in the videos and export the result, like `fastface run`.

    Args:
        inputs: Videos, folders, globs.
        targets: Photos, folders of photos, banks, or `"*"` for every face.
        out: The output folder; finished work in it is kept.
        observer: Receives the progress; None discards it.
        settings: Sections of the configuration, as `spans={"pad": (0, 0)}, models={"dir": "models"}`.

    Raises:
        ConfigError: Settings, inputs or targets cannot be used; nothing was decoded.
        InterruptError: A signal stopped it; the same call resumes it.
        FastfaceError: The run failed; committed results stay.
    """
    config = _load(Path(out), settings, with_export=True)
    observer = observer or Observer()
    with finish_command(config, Path(out), observer) as ending:
        result = workflows.run(config, _texts(inputs), _texts(targets), Path(out), observer)
        ending.exit_code = result.exit_code
    return result


def scan(
    inputs: Paths, out: str | Path = "out", *, observer: Observer | None = None, **settings: Settings
) -> RunResult:
    """Build or complete the index of faces only, like `fastface scan`. Arguments and errors: see `run`."""
    config = _load(Path(out), settings, with_export=False)
    observer = observer or Observer()
    with finish_command(config, Path(out), observer) as ending:
        result = workflows.scan(config, _texts(inputs), Path(out), observer)
        ending.exit_code = result.exit_code
    return result


def find(targets: Paths, out: Paths = "out", *, observer: Observer | None = None, **settings: Settings) -> RunResult:
    """Search the index in `out`, and decode only for exports, like `fastface find`.

    Several output folders are searched as one; the result names the folder below the first one that holds the answer.
    Other arguments and errors: see `run`.
    """
    outs, observer = _folders(out), observer or Observer()
    config = _load(outs[0], settings, with_export=True)
    return finding.find(config, _texts(targets), merging.open_joined(config, outs, observer), observer)


def merge(outs: Paths, out: str | Path, *, link: bool = True, observer: Observer | None = None) -> MergeResult:
    """Make one output folder of several, like `fastface merge`.

    Args:
        outs: The folders; they stay unchanged.
        out: The merged folder, which may hold videos already.
        link: False to copy the files of the index, also where the file system has links.
        observer: Receives notes; None discards them.

    Raises:
        ConfigError: A folder is none of fastface, is named twice, or was scanned with another recogniser.
        InterruptError: A signal stopped it; the same call resumes it.
        FastfaceError: A folder is in use or damaged, or no space is left.
    """
    return merging.merge(_folders(outs), Path(out), observer or Observer(), link=link)


def people(
    out: Paths = "out",
    *,
    targets: Paths = (),
    names: str | Path | None = None,
    observer: Observer | None = None,
    **settings: Settings,
) -> PeopleResult:
    """List all persons in the index in `out`, like `fastface people`.

    Args:
        out: The output folder; several are listed as one.
        targets: Photos, folders of photos, or banks that name the persons.
        names: Edited table of names, as `people` writes it.
        observer: Receives the progress; None discards it.
        settings: See `run`.

    Raises:
        ConfigError, InterruptError, FastfaceError: See `run`; also a wrong row in the table of names.
    """
    outs, observer = _folders(out), observer or Observer()
    config, table = _load(outs[0], settings, with_export=False), None if names is None else Path(names)
    where = merging.open_joined(config, outs, observer)
    return census.people(config, where, observer, targets=_texts(targets), names=table)


def pick(
    persons: int | str | Iterable[int | str],
    out: Paths = "out",
    *,
    name: str = "",
    observer: Observer | None = None,
    **settings: Settings,
) -> RunResult:
    """Make chosen persons of the last census one target, and export the result, like `fastface pick`.

    Args:
        persons: Numbers or names from `people`; several become one person.
        out: The output folder, or the same several as those of `people`.
        name: New name of the person; empty keeps the name.
        observer: Receives the progress; None discards it.
        settings: See `run`.

    Raises:
        ConfigError: There is no such person, none was named, or the census has changed since.
        InterruptError, FastfaceError: See `run`.
    """
    where = merging.find_joined(_folders(out))
    config = _load(where, settings, with_export=True)
    named = [persons] if isinstance(persons, int | str) else persons
    return picking.pick(config, [str(person) for person in named], where, observer or Observer(), name=name)


def enroll(paths: Paths, bank: str | Path, *, observer: Observer | None = None, **settings: Settings) -> EnrollResult:
    """Make a bank of references from photos, like `fastface enroll`.

    Args:
        paths: Photos, folders of photos, banks.
        bank: The `.npz` to write.
        observer: Receives the progress; None discards it.
        settings: Sections of the configuration.

    Raises:
        ConfigError: A person has no usable photo, or two persons have the same face.
    """
    config = load_config(flags=_sections(settings))
    return enrolment.enroll(config, _texts(paths), Path(bank), observer or Observer())


def _texts(paths: Paths) -> list[str]:
    return [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]


def _folders(out: Paths) -> list[Path]:
    return [Path(text) for text in _texts(out)]


def _load(out: Path, settings: Mapping[str, Any], *, with_export: bool) -> Config:
    """Load the settings, on top of the stored settings of the output folder's last run."""
    remembered = read_remembered(out, with_export=with_export)
    config = load_config(flags=_sections(settings), remembered=remembered)
    if config.run.fresh:
        config = load_config(flags=_sections(settings), remembered=networks_alone(remembered))
    return config


def _sections(settings: Mapping[str, Any]) -> Mapping[str, Mapping[str, object]]:
    return settings
