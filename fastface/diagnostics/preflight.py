"""Check a run before anything is decoded, and report all problems at once.

Nothing is written. `doctor` asks the same functions, so that it and a run never differ.
"""

import ctypes
import resource
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fastface.backends import resolve_device, select_device
from fastface.backends.nvidia import card_present
from fastface.config import Config
from fastface.distribution import describe_install
from fastface.errors import BackendError, ConfigError, FastfaceError, SpaceError
from fastface.gallery.photo_set.sources import collect
from fastface.pipeline.ring import Ring, RingShape, available_bytes
from fastface.runtime.networks import cache_folder, open_networks, require_persons, thresholds
from fastface.runtime.output_folder import check_writable, discover_inputs, nearest, require_free, require_index
from fastface.runtime.resources import Layout, choose_layout
from fastface.video.discover import Discovery

_LEAST_SPACE = 256 << 10
"""Bytes below which not even the tables of one film fit."""

_WANTED_DESCRIPTORS = 4096
_LEAST_DESCRIPTORS = 128

_DECODER_LIBRARY = "libnvcuvid.so.1"

Check = Callable[[], object]


def look_ahead(config: Config, inputs: Sequence[str], targets: Sequence[str] | None, out: Path) -> Discovery:
    """The videos to scan, once nothing stands in the way of `run` or `scan` that can be seen from outside.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists.
        targets: Photos, folders, banks or `*`; None without a search.
        out: The output folder.

    Raises:
        FastfaceError: The one thing that is wrong; if there are several, a ConfigError that lists them all.
    """
    found: list[Discovery] = []
    checks: list[Check] = [
        lambda: found.append(discover_inputs(inputs, out)),
        lambda: check_out(out),
        lambda: check_space(out),
        lambda: check_decoder(config),
        lambda: check_ring(plan_layout(config).ring),
        lambda: require_persons(config),
    ]
    _check_all(config, targets, checks)
    return found[0]


def look_back(config: Config, targets: Sequence[str], out: Path) -> None:
    """Makes sure that nothing stands in the way of `find`.

    Args:
        config: The settings.
        targets: Photos, folders, banks or `*`.
        out: The output folder with the index to ask.

    Raises:
        FastfaceError: As `look_ahead`.
    """
    checks: list[Check] = [
        lambda: _check_not_fresh(config),
        lambda: _check_index(out),
        lambda: check_space(out),
        lambda: plan_layout(config),
    ]
    _check_all(config, targets, checks)


def look_at_index(config: Config, out: Path) -> None:
    """Makes sure that nothing stands in the way of a command that asks the index of `out` without targets.

    Raises:
        FastfaceError: As `look_ahead`.
    """
    _check_all(config, None, [lambda: _check_index(out), lambda: check_space(out)])


def _check_all(config: Config, targets: Sequence[str] | None, checks: Sequence[Check]) -> None:
    """Asks all checks, and those of every command, and raises what they raise.

    Networks are opened here only if something else is wrong: reading large ones takes half a second, and the command
    is about to open them. Targets that are not there are no fault by themselves: with the photos that are, the command
    has more to say of them.
    """
    always: list[Check] = [raise_descriptors]
    faults = [fault for check in (*checks, *always) if (fault := catch_fault(check))]
    missing = catch_fault(lambda: _check_targets(config, targets))
    # Numbered cards are looked at only as networks are opened.
    later = _network_faults(config) if faults or missing or config.models.devices else []
    if not faults and not later:
        return
    different = {str(fault): fault for fault in (*faults, missing, *later) if fault}
    first = next(iter(different.values()))
    if len(different) == 1:
        raise first
    raise ConfigError([line for told in different for line in told.splitlines()]) from first


def catch_fault(check: Check) -> FastfaceError | None:
    """Run a check and return its error; None if there is none."""
    try:
        check()
    except FastfaceError as error:
        return error
    return None


def target_faults(config: Config, targets: Sequence[str]) -> list[str]:
    """List the values of `-t` and `--not` that name nothing; one line each."""
    wanted, unwanted = collect(targets), collect(config.match.lookalikes)
    return [f"target {fault}" for fault in wanted.faults] + [f"--not {fault}" for fault in unwanted.faults]


def plan_layout(config: Config) -> Layout:
    """The processes of a run with these settings.

    Raises:
        BackendError: The asked device is not available, or does not compute in the asked precision.
        ConfigError: The settings of the processes contradict each other.
    """
    cards = config.models.devices
    device = resolve_device(config.models.device, cache_folder(), cards[0] if cards else 0)
    device = select_device(device, config.models.precision)
    return choose_layout(config.scan, device, len(cards) if cards and device.is_gpu else 1)


def check_ring(ring: RingShape) -> None:
    """Makes sure that there is memory for the ring, by reserving it as a run would, and giving it back.

    Reserving takes half a second a gigabyte, so where the ring is no more than half of the free memory, one slot does.

    Raises:
        SpaceError: There is not.
    """
    is_sure = ring.total_bytes <= available_bytes() // 2
    try:
        Ring.create(replace(ring, num_slots=1) if is_sure else ring).close()
    except OSError as error:
        raise SpaceError(f"no shared memory for the frames: {error.strerror}; use a smaller --batch") from error


def check_decoder(config: Config) -> None:
    """Makes sure that `nvdec`, where it is asked for by name, is there. Each film that it cannot decode gets a remark.

    By what is installed alone: a process that asks the driver could not start others safely.

    Raises:
        BackendError: It is not.
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


def check_out(out: Path) -> None:
    """Makes sure that a run can have the output folder.

    Raises:
        ConfigError: It cannot be written.
        LockedError: Another run holds it.
    """
    for folder in (out, out / ".fastface" / "index"):
        check_writable(folder)
    require_free(out)


def check_space(folder: Path) -> None:
    """Makes sure that there is space for the least that a run writes.

    Raises:
        SpaceError: There is not.
    """
    total, _, free = shutil.disk_usage(nearest(folder))
    if total and free < _LEAST_SPACE:  # a file system of no size at all cannot be written, which is told as such
        raise SpaceError(f"no space left for {str(folder)!r}: {free >> 10} KiB free; free some, or name another place")


def raise_descriptors() -> str:
    """Takes as many descriptors as the system gives without being asked; says how many there are now.

    Raises:
        ConfigError: They are too few.
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


def _check_not_fresh(config: Config) -> None:
    if config.run.fresh:
        raise ConfigError("--fresh: find does not scan, so it cannot start over: use run or scan")


def _check_index(out: Path) -> None:
    check_out(out)  # of an index that is being made just now, that is what is to be said
    require_index(out)


def _network_faults(config: Config) -> list[FastfaceError]:
    """List the problems of device, networks and thresholds.

    Which networks are missing is known without the device too: then they are looked for as for a processor.
    """
    fault = catch_fault(lambda: thresholds(config, open_networks(config).models))
    if fault is None:
        return []
    bare = config.model_copy(update={"models": config.models.model_copy(update={"devices": ()})})
    other = catch_fault(lambda: thresholds(bare, open_networks(bare, device="cpu").models))
    return [fault] if other is None or isinstance(other, BackendError) else [fault, other]
