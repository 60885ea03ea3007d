"""Check a run before anything is decoded, and report all problems at once.

Commands call it first, and `doctor` calls the same functions, so that both always agree. Nothing is written.
"""

import ctypes
import resource
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fastface.backends.nvidia import card_present
from fastface.config import Config
from fastface.distribution import describe_install
from fastface.errors import BackendError, ConfigError, FastfaceError, SpaceError
from fastface.gallery.matching import EVERYONE
from fastface.gallery.photo_set.sources import Sources, collect, make_label
from fastface.pipeline.ring import Ring, RingShape, available_bytes
from fastface.runtime.events.metrics import check_metrics_file
from fastface.runtime.networks import open_networks, require_persons, resolve_first_card
from fastface.runtime.output_folder import check_writable, discover_inputs, nearest, require_free, require_index
from fastface.runtime.resources import Layout, choose_layout
from fastface.search.questions import read_questions
from fastface.video.discover import Discovery

_LEAST_SPACE = 256 << 10
"""Bytes; below this not even the tables of one film fit."""

_WANTED_DESCRIPTORS = 4096
_LEAST_DESCRIPTORS = 128

_DECODER_LIBRARY = "libnvcuvid.so.1"

Check = Callable[[], object]


def look_ahead(
    config: Config, inputs: Sequence[str] | Discovery, targets: Sequence[str] | None, out: Path
) -> Discovery:
    """Return the videos to scan if all checks of `run` or `scan` pass that need no decoding.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists; or the videos that the caller found in them.
        targets: Photos, folders, banks or `*`; None without a search.
        out: The output folder.

    Raises:
        FastfaceError: The only problem; if there are several, a ConfigError that lists them all.
    """
    found: list[Discovery] = []
    checks: list[Check] = [
        lambda: found.append(_discover(config, inputs, out)),
        lambda: check_out(out),
        lambda: check_space(out),
        lambda: check_decoder(config),
        lambda: check_engine(config),
        lambda: check_ring(plan_layout(config).ring),
        lambda: check_questions(config, targets or ()),
        lambda: _check_finish_command(config),
        lambda: check_metrics_file(config.run.metrics),
    ]
    if config.scan.track == "persons":
        checks.append(lambda: require_persons(config, open_networks(config)))
    _check_all(config, targets, checks)
    return found[0]


def _discover(config: Config, inputs: Sequence[str] | Discovery, out: Path) -> Discovery:
    if isinstance(inputs, Discovery):
        return inputs
    return discover_inputs(inputs, out, may_be_empty=config.run.watch)


def look_back(config: Config, targets: Sequence[str], out: Path) -> None:
    """Run all checks of `find`.

    Args:
        config: The settings.
        targets: Photos, folders, banks or `*`.
        out: The output folder with the index to search.

    Raises:
        FastfaceError: See `look_ahead`.
    """
    checks: list[Check] = [
        lambda: _check_no_scan(config),
        lambda: _check_index(out),
        lambda: check_space(out),
        lambda: plan_layout(config),
        lambda: check_engine(config),
        lambda: check_questions(config, targets),
    ]
    _check_all(config, targets, checks)


def look_at_index(config: Config, out: Path) -> None:
    """Run all checks of a command that reads the index of `out` without targets.

    Raises:
        FastfaceError: See `look_ahead`.
    """
    _check_all(config, None, [lambda: _check_index(out), lambda: check_space(out)])


def _check_all(config: Config, targets: Sequence[str] | None, checks: Sequence[Check]) -> None:
    """Run the given checks and those of every command, and raise their errors.

    Networks are opened here only if another check failed: reading large networks takes half a second, and the command
    is about to open them. A missing target is no fault beside another one with photos: the command reports more about
    both. If no target has photos, networks are not started.
    """
    always: list[Check] = [raise_descriptors]
    faults = [fault for check in (*checks, *always) if (fault := catch_fault(check))]
    missing = catch_fault(lambda: _check_targets(config, targets))
    # Numbered cards are checked only when networks are opened.
    later = _network_faults(config) if faults or missing or config.models.devices else []
    if not faults and not later and not (missing and targets and all(map(_is_nothing, targets))):
        return
    different = {str(fault): fault for fault in (*faults, missing, *later) if fault}
    first = next(iter(different.values()))
    if len(different) == 1:
        raise first
    raise ConfigError([line for fault in different for line in fault.splitlines()]) from first


def _check_finish_command(config: Config) -> None:
    """Check that the program of `run.on_finish` exists.

    Raises:
        ConfigError: It does not.
    """
    if config.run.on_finish is None:
        return
    program = shlex.split(config.run.on_finish)[0]
    if shutil.which(program) is None:
        raise ConfigError(
            f"--on-finish {program!r}: there is no such program, or it cannot be executed; "
            "give its path, and make it executable with chmod +x"
        )


def catch_fault(check: Check) -> FastfaceError | None:
    """Run a check and return its error; None if there is none."""
    try:
        check()
    except FastfaceError as error:
        return error
    return None


def target_faults(config: Config, targets: Sequence[str]) -> list[str]:
    """List the values of `-t` and `--not` that name nothing; one line each."""
    wanted, unwanted = (collect(paths, with_tags=False) for paths in (targets, config.match.lookalikes))
    return [f"target {fault}" for fault in wanted.faults] + [f"--not {fault}" for fault in unwanted.faults]


def check_questions(config: Config, targets: Sequence[str]) -> None:
    """Check the expressions of `--where`: their form, and their names as far as these are known without the photos.

    Raises:
        ConfigError: An expression has a fault.
    """
    sources = collect(targets)
    is_known = sources.photos and not sources.banks and not sources.faults
    labels = list_named_labels(sources) if is_known else None
    read_questions(config.question.where, labels, list_loose_labels(sources))


def list_named_labels(sources: Sources) -> set[str]:
    """Return the labels of the photos, without opening a file; the labels of banks are not known."""
    return {photo.label for photo in sources.photos} | ({EVERYONE} if sources.everyone else set())


def list_loose_labels(sources: Sources) -> set[str]:
    """Return the labels of folders of loose photos: each is one person if its photos show one face."""
    return {make_label(folder.absolute().name) for folder in sources.loose}


def plan_layout(config: Config) -> Layout:
    """Choose the processes of a run with these settings.

    Raises:
        BackendError: The requested device is not available, or cannot compute in the requested precision.
        ConfigError: The settings of the processes contradict each other.
    """
    device = resolve_first_card(config)
    num_cards = len(config.models.devices) if device.is_gpu else 0
    return choose_layout(config.scan, device, num_cards or 1)


def check_ring(ring: RingShape) -> None:
    """Check that there is memory for the ring, by reserving it and releasing it.

    Reserving takes half a second per gigabyte. So if the ring is at most half of the free memory, one slot is reserved.

    Raises:
        SpaceError: There is not enough memory.
    """
    is_sure = ring.total_bytes <= available_bytes() // 2
    try:
        Ring.create(replace(ring, num_slots=1) if is_sure else ring).close()
    except OSError as error:
        raise SpaceError(f"no shared memory for the frames: {error.strerror}; use a smaller --batch") from error


def check_decoder(config: Config) -> None:
    """Check that `nvdec` is installed if the settings name it. Each film that it cannot decode gets a remark later.

    The check uses only installed files: a process that queries the driver cannot start others safely.

    Raises:
        BackendError: It is not installed.
    """
    if config.scan.decoder != "nvdec":
        return
    other = "or use --decoder pyav"
    if find_spec("PyNvVideoCodec") is None:
        raise BackendError(f"--decoder: PyNvVideoCodec is not installed; {describe_install('nvdec')}; {other}")
    if not card_present():
        raise BackendError(f"--decoder: nvdec needs an NVIDIA card and its driver, and this machine has none; {other}")
    try:
        ctypes.CDLL(_DECODER_LIBRARY)
    except OSError as error:
        raise BackendError(
            f"--decoder: the card cannot decode: {error}; "
            f"in a container, set NVIDIA_DRIVER_CAPABILITIES=compute,utility,video; {other}"
        ) from error


def check_engine(config: Config) -> None:
    """Check that Ray is installed if the settings ask for it.

    Raises:
        BackendError: It is not installed.
    """
    if config.run.engine == "ray" and find_spec("ray") is None:
        raise BackendError(f"--engine: Ray is not installed; {describe_install('ray')}; or use --engine local")


def check_out(out: Path) -> None:
    """Check that a run can use the output folder.

    Raises:
        ConfigError: It cannot be written.
        LockedError: Another run holds it.
    """
    for folder in (out, out / ".fastface" / "index"):
        check_writable(folder)
    require_free(out)


def check_space(folder: Path) -> None:
    """Check that there is space for the minimum that a run writes.

    Raises:
        SpaceError: There is not enough space.
    """
    total, _, free = shutil.disk_usage(nearest(folder))
    if total and free < _LEAST_SPACE:  # a file system of size 0 cannot be written, and another check reports that
        raise SpaceError(f"no space left for {str(folder)!r}: {free >> 10} KiB free; free some, or name another place")


def raise_descriptors() -> str:
    """Raise the limit of open files as far as the system allows; return a line with the new limit.

    Raises:
        ConfigError: The limit is too low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _WANTED_DESCRIPTORS and (hard == resource.RLIM_INFINITY or hard > soft):
        soft = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_WANTED_DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < _LEAST_DESCRIPTORS:
        raise ConfigError(f"only {soft} open files are allowed: ulimit -n {_WANTED_DESCRIPTORS}")
    return f"{soft} open files allowed"


def _check_targets(config: Config, targets: Sequence[str] | None) -> None:
    faults = target_faults(config, targets) if targets is not None and not config.match.allow_faults else []
    if faults:
        raise ConfigError(faults)


def _is_nothing(target: str) -> bool:
    """Return whether a target names neither photos nor banks."""
    found = collect([target], with_tags=False)
    return bool(found.faults) and not found.photos and not found.banks


def _check_no_scan(config: Config) -> None:
    if config.run.fresh:
        raise ConfigError("--fresh: find does not scan, so it cannot start over: use run or scan")
    if config.run.watch:
        raise ConfigError("--watch: find does not scan, so it cannot wait for new files: use run or scan")


def _check_index(out: Path) -> None:
    check_out(out)  # if another run makes the index now, its lock is the error to report
    require_index(out)


def _network_faults(config: Config) -> list[FastfaceError]:
    """List the problems of device, networks and thresholds.

    Missing networks can be found without the device: then the search assumes a processor.
    """
    fault = catch_fault(lambda: open_networks(config))
    if fault is None:
        return []
    bare = config.model_copy(update={"models": config.models.model_copy(update={"devices": ()})})
    other = catch_fault(lambda: open_networks(bare, device="cpu"))
    return [fault] if other is None or isinstance(other, BackendError) else [fault, other]
