"""What can be known before anything is decoded: all that stands in the way of a run is told at once."""

import resource
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from fastface.config import Config
from fastface.errors import ConfigError, ExportError, FastfaceError, SpaceError
from fastface.export.ffmpeg import find_ffmpeg
from fastface.gallery.sources import collect
from fastface.video.discover import Discovery
from fastface.workflows.networks import open_networks
from fastface.workflows.output import inputs_of

__all__ = ["look_ahead", "target_faults"]

_LEAST_SPACE = 256 << 10
"""Bytes below which not even the tables of one film fit."""

_WANTED_DESCRIPTORS = 4096
_LEAST_DESCRIPTORS = 128


def look_ahead(config: Config, inputs: Sequence[str], targets: Sequence[str] | None, out: Path) -> Discovery:
    """The videos to scan, once nothing stands in the way that can be seen from outside.

    Targets, networks and devices are asked here only if something else is wrong: the run is about to open them, and
    has more to say of a photo then.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists.
        targets: Photos, folders, banks or `*`; None where nobody is looked for.
        out: The output folder.

    Raises:
        FastfaceError: The one thing that is wrong; if there are several, a ConfigError that lists them all.
    """
    found: list[Discovery] = []
    checks: list[Callable[[], object]] = [
        lambda: found.append(inputs_of(inputs, out)),
        lambda: _check_ffmpeg(config, wanted=targets is not None),
        lambda: _check_space(out),
        _raise_descriptors,
    ]
    faults = [fault for check in checks if (fault := _fault_of(check))]
    if faults:
        later = (lambda: _check_targets(config, targets), lambda: open_networks(config))
        faults += [fault for check in later if (fault := _fault_of(check))]
    if len(faults) > 1:
        raise ConfigError([line for fault in faults for line in str(fault).splitlines()]) from faults[0]
    if faults:
        raise faults[0]
    return found[0]


def target_faults(config: Config, targets: Sequence[str]) -> list[str]:
    """What of `-t` and `--not` names nothing; a line each."""
    wanted, unwanted = collect(targets), collect(config.match.lookalikes)
    return [f"target {fault}" for fault in wanted.faults] + [f"--not {fault}" for fault in unwanted.faults]


def _fault_of(check: Callable[[], object]) -> FastfaceError | None:
    try:
        check()
    except FastfaceError as error:
        return error
    return None


def _check_targets(config: Config, targets: Sequence[str] | None) -> None:
    faults = target_faults(config, targets) if targets is not None and not config.match.allow_faults else []
    if faults:
        raise ConfigError(faults)


def _check_ffmpeg(config: Config, *, wanted: bool) -> None:
    if wanted and config.export.clips != "none":
        try:
            find_ffmpeg()
        except ExportError as error:
            raise ConfigError(f"export.clips: {error}") from error


def _check_space(out: Path) -> None:
    there = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    total, _, free = shutil.disk_usage(there)
    if total and free < _LEAST_SPACE:  # a file system of no size at all cannot be written, which is told as such
        raise SpaceError(f"no space left for {str(out)!r}: {free >> 10} KiB free; free some, or choose another place")


def _raise_descriptors() -> None:
    """Takes as many descriptors as the system gives without being asked; too few is a fault."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _WANTED_DESCRIPTORS and (hard == resource.RLIM_INFINITY or hard > soft):
        soft = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_WANTED_DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < _LEAST_DESCRIPTORS:
        raise ConfigError(f"only {soft} open files are allowed: ulimit -n {_WANTED_DESCRIPTORS}")
