"""What a machine has and lacks for fastface, and what mends it. Nothing is decoded, and nothing is left behind."""

import os
import platform
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from fastface.backends import DEVICES, resolve_device
from fastface.backends.nvidia import card_present, installed_versions
from fastface.config import Config
from fastface.errors import BackendError, ExportError, FastfaceError, ModelError
from fastface.export.ffmpeg import find_ffmpeg
from fastface.models.packs import verify
from fastface.models.store import places
from fastface.names import counted
from fastface.pipeline.ring import available_bytes
from fastface.workflows.machine import choose_layout, num_cores
from fastface.workflows.networks import cache_folder, open_networks

__all__ = ["Check", "examine"]

_PACKAGES = ("fastface", "numpy", "av", "opencv-python-headless", "onnx", "pyarrow", "pillow")
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt-cu13", "PyNvVideoCodec", "ultralytics")
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_LEAST_MEMORY = 2 << 30
_LEAST_SPACE = 1 << 30
_LEAST_DESCRIPTORS = 256
_DRIVER_SECONDS = 20


State = Literal["fine", "absent", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: fine · absent: it is not there, and need not be · note: a run works, but something is missing or odd ·
            fault: a run would fail.
        facts: What is there.
        remedy: What to do; empty where nothing is to be mended.
    """

    name: str
    state: State
    facts: str
    remedy: str = ""


def examine(config: Config, out: Path) -> Iterator[Check]:
    """Looks at everything that a run needs, one thing after the other.

    Args:
        config: The settings; its device and networks are looked at in particular.
        out: The output folder of the run to come.
    """
    yield Check("python", "fine", f"{platform.python_version()}, {platform.platform()}")
    yield Check("packages", "fine", ", ".join(f"{name} {found}" for name in _PACKAGES if (found := _version(name))))
    yield _runtimes()
    yield _processor()
    yield _memory()
    yield _descriptors()
    yield from _card()
    yield from _devices(config)
    yield from _networks(config)
    yield _processes(config)
    yield _ffmpeg()
    yield _folder("cache", cache_folder(), "set XDG_CACHE_HOME to a place that can be written")
    yield _folder("output", out, "name another with -o")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def _runtimes() -> Check:
    found = {name: told for name in _RUNTIMES if (told := _version(name))}
    facts = ", ".join(f"{name} {told}" for name, told in found.items()) or "none"
    if len(installed_versions()) > 1:
        remedy = "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'fastface[cpu]' (or [gpu])"
        return Check("runtimes", "fault", f"{facts}: onnxruntime and onnxruntime-gpu overwrite each other", remedy)
    if not {"onnxruntime", "onnxruntime-gpu", "openvino"} & found.keys():
        return Check("runtimes", "fault", "nothing that runs networks is installed", "pip install 'fastface[cpu]'")
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
        return Check("memory", "note", facts, "a run takes 0.7 GB and more; give --batch 1 --decoders 1, or end others")
    return Check("memory", "fine", facts)


def _descriptors() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    facts = f"{soft} open files allowed (up to {hard})"
    if soft < _LEAST_DESCRIPTORS:
        return Check("descriptors", "note", facts, f"ulimit -n {min(1024, hard)}")
    return Check("descriptors", "fine", facts)


def _card() -> Iterator[Check]:
    """What the driver says of the cards, in its own words."""
    program = shutil.which("nvidia-smi")
    if not card_present() or program is None:
        if card_present():
            yield Check("card", "note", "a driver is there, and no nvidia-smi", "install the driver's utilities")
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
    """Each device that can be asked for, tried as a run would."""
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
        yield Check(f"device {name}", "fine", f"{device.name}: {device.versions}, {device.provider} {device.precision}")


def _networks(config: Config) -> Iterator[Check]:
    for place in places(config.models.folder):
        try:
            files = ", ".join(f"{file.path.parent.name}/{file.path.name} {file.state}" for file in verify(place))
        except ModelError as error:
            yield Check("networks", "absent", str(error))
            continue
        yield Check("networks", "fine", f"{place}: {files}")
    try:
        models = open_networks(config).models
    except FastfaceError as error:
        yield Check("chosen networks", "fault", str(error))
        return
    facts = f"{models.pack}: {models.detector.name} + {models.recogniser.name}; {models.licence}"
    yield Check("chosen networks", "note" if models.notes else "fine", facts, "; ".join(models.notes))


def _processes(config: Config) -> Check:
    try:
        layout = choose_layout(config.scan, resolve_device(config.models.device, cache_folder()))
    except FastfaceError as error:
        return Check("processes", "fault", str(error))
    ring, sizes = layout.ring, layout.sizes
    processes = f"{counted(sizes.decoders, 'decoder')}, {counted(sizes.workers, 'worker')}"
    facts = f"{processes}, batches of {ring.batch}, ring {ring.total_bytes >> 20} MiB"
    try:
        descriptor = os.memfd_create("fastface-doctor", os.MFD_CLOEXEC)
        try:
            os.posix_fallocate(descriptor, 0, ring.slot_bytes)
        finally:
            os.close(descriptor)
    except OSError as error:
        return Check("processes", "fault", f"no shared memory for the ring: {error.strerror}", "give a smaller --batch")
    if ring.total_bytes > available_bytes() // 2:
        return Check("processes", "note", f"{facts}: half of the free memory", "give --ring-mb or a smaller --batch")
    return Check("processes", "fine", facts)


def _ffmpeg() -> Check:
    try:
        program = find_ffmpeg()
    except ExportError as error:
        return Check("ffmpeg", "note", str(error))
    facts = f"{program}: {_said(program, '-version').partition(' Copyright')[0]}"
    if "libx264" not in _said(program, "-encoders"):
        return Check("ffmpeg", "note", f"{facts}, without libx264", "clips can be copied only: --clips copy")
    return Check("ffmpeg", "fine", facts)


def _said(program: Path, question: str) -> str:
    """What ffmpeg answers; nothing if it does not."""
    command = [str(program), "-hide_banner", "-nostdin", question]
    try:
        told = subprocess.run(command, capture_output=True, timeout=_DRIVER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return told.stdout.decode(errors="replace")


def _folder(name: str, folder: Path, remedy: str) -> Check:
    """Whether a folder, or the nearest one above that is there, can be written, and its free space."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"fastface")
        free = shutil.disk_usage(there).free
    except OSError as error:
        return Check(name, "fault", f"{str(folder)!r} cannot be written: {error.strerror}", remedy)
    facts = f"{str(folder)!r}, {free / 1e9:.1f} GB free"
    if free < _LEAST_SPACE:
        return Check(name, "note", facts, "free some, or choose another place")
    return Check(name, "fine", facts)
