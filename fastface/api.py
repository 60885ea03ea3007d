"""fastface in Python: the commands as functions, with typed results."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastface.commands import enroll as enrolment
from fastface.commands import people as census
from fastface.commands import pick as picking
from fastface.commands import run as workflows
from fastface.commands.people import PeopleResult
from fastface.config import Config, load_config
from fastface.runtime.observer import Observer
from fastface.runtime.run_report import EnrollResult, RunResult
from fastface.runtime.saved_settings import networks_alone, read_remembered

__all__ = ["EnrollResult", "PeopleResult", "RunResult", "enroll", "find", "people", "pick", "run", "scan"]

Paths = str | Path | Iterable[str | Path]
Settings = Mapping[str, object]


def run(
    inputs: Paths, targets: Paths, out: str | Path = "out", *, observer: Observer | None = None, **settings: Settings
) -> RunResult:
    """Finds the targets in the videos and exports what is found: `fastface run`.

    Args:
        inputs: Videos, folders, globs.
        targets: Photos, folders of photos, banks, or `"*"` for every face.
        out: The output folder; what is done there already is kept.
        observer: Receives the progress; None discards it.
        settings: Sections of the configuration, as `spans={"pad": (0, 0)}, models={"dir": "models"}`.

    Raises:
        ConfigError: Settings, inputs or targets cannot be used; nothing was decoded.
        InterruptError: A signal stopped it; the same call goes on with it.
        FastfaceError: The run failed; what is committed stays.
    """
    config = _load(Path(out), settings, with_export=True)
    return workflows.run(config, _texts(inputs), _texts(targets), Path(out), observer or Observer())


def scan(
    inputs: Paths, out: str | Path = "out", *, observer: Observer | None = None, **settings: Settings
) -> RunResult:
    """Builds or completes the index of faces only: `fastface scan`. Arguments and errors as `run`."""
    config = _load(Path(out), settings, with_export=False)
    return workflows.scan(config, _texts(inputs), Path(out), observer or Observer())


def find(
    targets: Paths, out: str | Path = "out", *, observer: Observer | None = None, **settings: Settings
) -> RunResult:
    """Asks the index in `out`, and decodes nothing but for exports: `fastface find`. Arguments and errors as `run`."""
    config = _load(Path(out), settings, with_export=True)
    return workflows.find(config, _texts(targets), Path(out), observer or Observer())


def people(out: str | Path = "out", *, observer: Observer | None = None, **settings: Settings) -> PeopleResult:
    """Counts everyone in the index in `out`, and decodes nothing: `fastface people`. Arguments and errors as `run`."""
    return census.people(_load(Path(out), settings, with_export=False), Path(out), observer or Observer())


def pick(
    persons: int | str | Iterable[int | str],
    out: str | Path = "out",
    *,
    name: str = "",
    observer: Observer | None = None,
    **settings: Settings,
) -> RunResult:
    """Makes chosen persons of the last census one target, and exports what is found: `fastface pick`.

    Args:
        persons: Numbers or names, as `people` gives them; several are one person.
        out: The output folder.
        name: What the person is called from now on; empty keeps the name.
        observer: Receives the progress; None discards it.
        settings: As of `run`.

    Raises:
        ConfigError: There is no such person, none was named, or who is who has changed since.
        InterruptError, FastfaceError: As `run`.
    """
    config = _load(Path(out), settings, with_export=True)
    named = [persons] if isinstance(persons, int | str) else persons
    return picking.pick(config, [str(person) for person in named], Path(out), observer or Observer(), name=name)


def enroll(paths: Paths, bank: str | Path, *, observer: Observer | None = None, **settings: Settings) -> EnrollResult:
    """Makes a bank of references out of photos: `fastface enroll`.

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


def _load(out: Path, settings: Mapping[str, Any], *, with_export: bool) -> Config:
    """The settings, over what the output folder remembers of its last run."""
    remembered = read_remembered(out, with_export=with_export)
    config = load_config(flags=_sections(settings), remembered=remembered)
    if config.run.fresh:
        config = load_config(flags=_sections(settings), remembered=networks_alone(remembered))
    return config


def _sections(settings: Mapping[str, Any]) -> Mapping[str, Mapping[str, object]]:
    return settings
