"""Check the machine for everything that fastface needs, with a remedy for each problem.

`fastface doctor` calls `examine`. It decodes nothing and leaves nothing behind.
"""

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from fastface.backends import DEVICES, resolve_device
from fastface.backends.nvidia import card_present, installed_versions
from fastface.config import Config
from fastface.diagnostics.preflight import (
    catch_fault,
    check_decoder,
    check_out,
    check_ring,
    check_space,
    plan_layout,
    raise_descriptors,
)
from fastface.distribution import DISTRIBUTION, describe_install, describe_reinstall
from fastface.errors import BackendError, ConfigError, FastfaceError, ModelError
from fastface.models.packs import verify
from fastface.models.selection import places
from fastface.names import pluralize
from fastface.pipeline.ring import available_bytes
from fastface.runtime.engines import preview_networks
from fastface.runtime.networks import cache_folder, open_networks, require_persons
from fastface.runtime.output_folder import check_writable, nearest
from fastface.runtime.precisions import describe_precisions
from fastface.runtime.resources import num_cores

_PACKAGES = (DISTRIBUTION, "numpy", "av", "opencv-python-headless", "onnx", "pyarrow", "pillow")
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt-cu13", "PyNvVideoCodec", "ultralytics")
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_LEAST_MEMORY = 2 << 30
_DRIVER_SECONDS = 20
_ENCODER = "libx264"
"""Encoder of precise clips."""


State = Literal["fine", "absent", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check.

    Attributes:
        name: Subject of the check.
        state: fine · absent: missing, but not needed · note: a run works, but something is missing or odd · fault: a
            run would fail.
        facts: Facts found.
        remedy: Action that solves the problem; empty if there is none.
    """

    name: str
    state: State
    facts: str
    remedy: str = ""


def examine(config: Config, out: Path) -> Iterator[Check]:
    """Check everything that a run needs, one subject after the other, with the run's own checks where a run would fail.

    Args:
        config: The settings; their device, cards, decoder and networks get checks of their own.
        out: The output folder of the future run.
    """
    yield Check("python", "fine", f"{platform.python_version()}, {platform.platform()}")
    yield Check("packages", "fine", ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name))))
    yield _runtimes()
    yield _processor()
    yield _memory()
    yield _descriptors()
    yield from _card()
    yield from _devices(config)
    yield from _cards(config)
    yield from _decoder(config)
    yield from _networks(config)
    yield _processes(config)
    yield _ffmpeg()
    yield _folder("cache", cache_folder(), check_writable, "set XDG_CACHE_HOME to a folder that can be written")
    yield _folder("output", out, check_out, "choose another folder with -o")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _runtimes() -> Check:
    found = {name: told for name in _RUNTIMES if (told := _version(name))}
    facts = ", ".join(f"{name} {told}" for name, told in found.items()) or "none"
    if len(installed_versions()) > 1:
        remedy = f"{describe_reinstall('cpu')} (gpu instead of cpu for an NVIDIA card)"
        return Check("runtimes", "fault", f"{facts}: onnxruntime and onnxruntime-gpu overwrite each other", remedy)
    if not {"onnxruntime", "onnxruntime-gpu", "openvino"} & found.keys():
        return Check("runtimes", "fault", "nothing that runs networks is installed", describe_install("cpu"))
    return Check("runtimes", "fine", facts)


def _processor() -> Check:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", facts.get("Features", "")).split()
    has = [name for name in _INSTRUCTIONS if name in flags]
    name = facts.get("model name", platform.machine())
    return Check("processor", "fine", f"{name}, {num_cores()} cores to use; {', '.join(has) or 'no AVX2'}")


def _memory() -> Check:
    free = available_bytes()
    facts = f"{free / 1e9:.1f} GB free"
    if free < _LEAST_MEMORY:
        return Check(
            "memory", "note", facts, "a run needs 0.7 GB or more; use --batch 1 --decoders 1, or end other programs"
        )
    return Check("memory", "fine", facts)


def _descriptors() -> Check:
    try:
        return Check("open files", "fine", raise_descriptors())
    except ConfigError as error:
        return Check("open files", "fault", str(error))


def _card() -> Iterator[Check]:
    """Describe the cards in the driver's own words."""
    program = shutil.which("nvidia-smi")
    if not card_present() or program is None:
        if card_present():
            yield Check("card", "note", "the driver is installed, but not nvidia-smi", "install the driver's utilities")
        return
    query = [program, "--query-gpu=index,name,memory.total,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=_DRIVER_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        yield Check("card", "fault", f"the driver does not answer: {error}", "restart the machine or its driver")
        return
    for line in told.strip().splitlines():
        yield Check("card", "fine", line)


def _devices(config: Config) -> Iterator[Check]:
    """Check each device that a user can request, by the code of a run."""
    wanted = config.models.device
    for name in (name for name in DEVICES if name != "auto"):
        try:
            device = resolve_device(name, cache_folder())
        except BackendError as error:
            is_needed = name == wanted or (wanted == "auto" and name == "cpu")
            has_no_card = name in ("cuda", "tensorrt") and not card_present()
            state: State = "fault" if is_needed else "absent" if has_no_card else "note"
            yield Check(f"device {name}", state, f"not available: {error}")
            continue
        offered = "/".join(device.precisions or (device.precision,))
        yield Check(f"device {name}", "fine", f"{device.name}: {device.versions}, {device.provider} {offered}")


def _cards(config: Config) -> Iterator[Check]:
    """Check the numbered cards, if there are any."""
    if not config.models.devices:
        return
    try:
        cards = open_networks(config).cards
    except (BackendError, ConfigError) as error:
        yield Check("cards", "fault", str(error), "nvidia-smi -L lists the cards")
    except ModelError:  # the check of the networks reports it; cards are checked earlier
        yield Check("cards", "fine", ",".join(map(str, config.models.devices)))
    else:
        yield Check("cards", "fine", ", ".join(f"{card.device_id} ({card.name})" for card in cards))


def _decoder(config: Config) -> Iterator[Check]:
    """Check the decoder, if it is not the default."""
    if config.scan.decoder == "pyav":
        return
    fault = catch_fault(partial(check_decoder, config))
    yield Check("decoder", "fault" if fault else "fine", str(fault or config.scan.decoder))


def _networks(config: Config) -> Iterator[Check]:
    for place in places(config.models.folder):
        try:
            files = ", ".join(f"{file.path.parent.name}/{file.path.name} {file.state}" for file in verify(place))
        except ModelError as error:
            yield Check("networks", "absent", str(error))
            continue
        yield Check("networks", "fine", f"{place}: {files}")
    try:
        networks = preview_networks(config)
        models = networks.models
        require_persons(config, networks)
    except FastfaceError as error:
        yield Check("chosen networks", "fault", str(error))
        return
    facts = f"{models.names}; {models.licence}"
    yield Check("chosen networks", "note" if models.notes else "fine", facts, "; ".join(models.notes))
    precisions = networks.precisions
    if precisions is None:
        yield Check("precision", "fine", f"{networks.device.precision} wanted: engines are to be built")
        return
    notes = "; ".join(precisions.notes)
    yield Check("precision", "note" if notes else "fine", describe_precisions(networks), notes)


def _processes(config: Config) -> Check:
    try:
        layout = plan_layout(config)
        check_ring(layout.ring)
    except FastfaceError as error:
        return Check("processes", "fault", str(error))
    ring, sizes = layout.ring, layout.sizes
    processes = f"{pluralize(sizes.decoders, 'decoder')}, {pluralize(sizes.workers, 'worker')}"
    return Check("processes", "fine", f"{processes}, batches of {ring.batch}, ring {ring.total_bytes >> 20} MiB")


def _ffmpeg() -> Check:
    """Check FFmpeg's libraries, which come with PyAV: they decode videos and write clips."""
    import av  # noqa: PLC0415 - no other check needs it
    from av.codec import codecs_available  # noqa: PLC0415

    facts = f"{av.ffmpeg_version_info}, of PyAV {av.__version__}"
    if _ENCODER not in codecs_available:
        remedy = "install PyAV's wheel (pip install --force-reinstall av), or run without clips: --clips none"
        return Check("ffmpeg", "fault", f"{facts}, without {_ENCODER}", remedy)
    return Check("ffmpeg", "fine", facts)


def _folder(name: str, folder: Path, check: Callable[[Path], None], remedy: str) -> Check:
    """Check a folder, or its nearest existing parent, and its free space."""
    faults = [fault for asked in (check, check_space) if (fault := catch_fault(partial(asked, folder)))]
    if faults:
        return Check(name, "fault", "; ".join(map(str, faults)), remedy)
    return Check(name, "fine", f"{str(folder)!r}, {shutil.disk_usage(nearest(folder)).free / 1e9:.1f} GB free")
