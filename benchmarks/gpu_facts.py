"""What a machine has: card, driver, libraries, packages. Standard library only; nothing that is missing is an error."""

import ctypes
import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

from gpu_child import HERE

__all__ = ["card_name", "facts", "missing_packages"]

_RUNTIMES = ("onnxruntime-gpu", "onnxruntime")
_NAME = re.compile(r"[\w.-]+")
_TOLD = ("fastface-video", "onnx", "tensorrt", "openvino", "av", "opencv", "numpy", "nvidia-", "pynvvideocodec")
_FROM_SMI = "name,driver_version,memory.total,compute_cap,power.limit"


def missing_packages() -> list[str]:
    """Packages that fastface needs, by pyproject.toml, and that are not there; and ONNX Runtime where there is none."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [_NAME.match(line)[0] for line in project["dependencies"]]
    missing = [name for name in needed if not is_installed(name)]
    return missing if any(map(is_installed, _RUNTIMES)) else [*missing, _RUNTIMES[0]]


def is_installed(package: str) -> bool:
    """Whether a package is there, of any version."""
    return next(iter(distributions(name=package)), None) is not None


def card_name() -> str | None:
    """The first card's name; None where there is no card, or its driver does not answer."""
    lines = _smi("name")
    return lines[0] if lines else _name_by_driver()


def facts() -> list[str]:
    """One line a fact."""
    lines = [f"* card: {line} ({_FROM_SMI})" for line in _smi(_FROM_SMI)]
    lines = lines or [f"* card: {card_name() or 'none: neither nvidia-smi nor libcuda.so.1 answers'}"]
    lines.append(f"* libraries: cuDNN {_cudnn()}, CUDA runtime {_runtime()}, ffmpeg {_ffmpeg()}")
    lines.append(f"* cores: {len(os.sched_getaffinity(0))}; memory: {_memory_gb():.0f} GB")
    found = {found.name.lower(): found.version for found in distributions() if found.name}
    told = [f"{name} {found[name]}" for name in sorted(found) if name.startswith(_TOLD) and name != "avro"]
    lines.append(f"* packages: {', '.join(told) or 'none of those that matter'}")
    if missing := missing_packages():
        lines.append(f"* missing: {', '.join(missing)}: pip install {' '.join(missing)}")
    return lines


def _name_by_driver() -> str | None:
    """What the driver says, where there is no nvidia-smi, as in some containers."""
    driver = _library(["libcuda.so.1"])
    number, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    if driver is None or driver.cuInit(0) != 0 or driver.cuDeviceGet(ctypes.byref(number), 0) != 0:
        return None
    return name.value.decode() if driver.cuDeviceGetName(name, len(name), number) == 0 else None


def _smi(fields: str) -> list[str]:
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.strip().splitlines()


def _library(names: list[str]) -> ctypes.CDLL | None:
    """The first of the libraries that loads: from the system, or from NVIDIA's packages."""
    for name in names:
        spec = find_spec("nvidia")
        folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
        paths = [str(path) for folder in folders for path in folder.glob(f"**/{name}")]
        for path in [*paths, name]:
            try:
                return ctypes.CDLL(path)
            except OSError:
                continue
    return None


def _cudnn() -> str:
    library = _library(["libcudnn.so.9"])
    if library is None:
        return "9 not found"
    library.cudnnGetVersion.restype = ctypes.c_size_t
    number = int(library.cudnnGetVersion())
    return f"{number // 10000}.{number % 10000 // 100}.{number % 100}"


def _runtime() -> str:
    library = _library(["libcudart.so.13", "libcudart.so.12"])
    number = ctypes.c_int()
    if library is None or library.cudaRuntimeGetVersion(ctypes.byref(number)) != 0:
        return "not found"
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _ffmpeg() -> str:
    try:
        done = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "not found"
    return done.stdout.split()[2]


def _memory_gb() -> float:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return pages * size / 1e9
