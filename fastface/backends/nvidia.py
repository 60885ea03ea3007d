"""Check the requirements of an NVIDIA card: driver, packages, libraries. Describe missing parts in one line.

The sessions, the registry, `doctor` and the preflight check call it. Library functions here change the process: a
loaded library stays loaded.
"""

import ctypes
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from fastface.backends.session import Provider
from fastface.distribution import Extra, describe_install, describe_reinstall
from fastface.errors import BackendError

_DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg", "/proc/driver/nvidia/version")
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")
_EXTRAS: dict[Provider, Extra] = {"CUDA": "cuda", "TensorRT": "gpu", "CPU": "cpu"}
_RUNTIME_LIBRARIES = ("libcudart.so.13", "libcudart.so.12")
_TENSORRT_LIBRARIES = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")

_REGISTER_PORTABLE = 1  # cudaHostRegisterPortable of driver_types.h
_EITHER_WAY = 4  # cudaMemcpyDefault: the addresses determine the direction
# CUdevice_attribute of cuda.h
_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR = 75, 76


@dataclass(frozen=True, slots=True)
class Card:
    """One card.

    Attributes:
        name: Model of the card.
        compute_capability: Version, as `9.0`.
        driver_cuda: Newest CUDA version that the driver supports, as `13.0`.
    """

    name: str
    compute_capability: str
    driver_cuda: str


def card_present() -> bool:
    """Return whether the machine has an NVIDIA driver, on Linux or in WSL."""
    return any(Path(file).exists() for file in _DRIVER_FILES)


def installed_versions() -> dict[str, str]:
    """Return {package: version} of ONNX Runtime's packages that `import onnxruntime` would use.

    Of two in different folders, only the first on Python's path counts; in one folder they overwrite each other.
    """
    spec = find_spec("onnxruntime")
    if spec is None:
        return {}
    places = [Path(place).resolve() for place in spec.submodule_search_locations or ()]
    found: dict[str, str] = {}
    for name in _DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            package = distribution(name)
            if Path(str(package.locate_file("onnxruntime"))).resolve() in places:
                found[name] = package.version
    return found


def required_extra(provider: Provider) -> Extra:
    """Return the extra that brings ONNX Runtime with a provider."""
    return _EXTRAS[provider]


def missing_packages(provider: Provider, installed: Mapping[str, str], *, has_driver: bool) -> str | None:
    """Describe in one line why a provider cannot run, by the packages alone, with the remedy; None if it can.

    Args:
        provider: The provider.
        installed: Result of `installed_versions`.
        has_driver: True if there is an NVIDIA driver.
    """
    extra = _EXTRAS[provider]
    if not installed:
        return f"ONNX Runtime is not installed; {describe_install(extra)}"
    if provider == "CPU":
        return None
    if not has_driver:
        return (
            f"{provider} needs an NVIDIA card and its driver, and this machine has none; "
            "install the driver (in a container: docker run --gpus all), or use --device cpu"
        )
    if len(installed) > 1:
        return (
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
            f"{describe_reinstall(extra)}"
        )
    if "onnxruntime-gpu" not in installed:
        return f"the installed onnxruntime is the CPU's; {describe_reinstall(extra)}"
    return None


def require_library(name: str, what: str, provider: Provider) -> ctypes.CDLL:
    """Load a shared library permanently and globally, for all later libraries.

    Args:
        name: File name or path.
        what: Product of the library, for the message.
        provider: Provider that needs it.

    Raises:
        BackendError: It is missing or does not load; the message gives the remedy.
    """
    try:
        return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise BackendError(
            f"{Path(name).name} ({what}) cannot be loaded: {error}; {describe_install(_EXTRAS[provider])}"
        ) from error


def load_cuda(major: int, provider: Provider) -> None:
    """Load the libraries that ONNX Runtime's CUDA provider links: from NVIDIA's wheels, else from the system.

    The wheels may lie anywhere on Python's path; ONNX Runtime's own `preload_dlls` searches only beside itself.

    Args:
        major: CUDA's major version.
        provider: Provider that needs them, for the remedy.

    Raises:
        BackendError: A library is missing; the message gives the remedy.
    """
    spec = find_spec("nvidia")
    folders = (
        [path for place in spec.submodule_search_locations or () for path in Path(place).glob("*/lib")] if spec else []
    )
    for name in (f"libnvrtc.so.{major}", f"libcufft.so.{major - 1}"):
        with suppress(OSError):  # no library links it, and few networks open it
            ctypes.CDLL(_find_library(name, folders), mode=ctypes.RTLD_GLOBAL)
    # Load each library after the ones that it links.
    for name in (f"libcudart.so.{major}", f"libcublasLt.so.{major}", f"libcublas.so.{major}", "libcurand.so.10"):
        require_library(_find_library(name, folders), f"CUDA {major}", provider)
    require_library(_find_library("libcudnn.so.9", folders), "cuDNN 9", provider)


def load_tensorrt() -> str:
    """Load TensorRT 10 from its wheel, else from the system; return its version.

    Raises:
        BackendError: TensorRT 10 is missing.
    """
    spec = find_spec("tensorrt_libs")
    folders = [Path(place) for place in spec.submodule_search_locations or ()] if spec else []
    libraries = [
        require_library(_find_library(name, folders), "TensorRT 10", "TensorRT") for name in _TENSORRT_LIBRARIES
    ]
    return tensorrt_version_text(int(libraries[0].getInferLibVersion()))


def _find_library(name: str, folders: Iterable[Path]) -> str:
    """Return a library's path in one of the folders; otherwise its name, for the system to find."""
    return next((str(folder / name) for folder in folders if (folder / name).is_file()), name)


def tensorrt_version_text(number: int) -> str:
    """Convert TensorRT 10's `getInferLibVersion` to text: `101303` → `10.13.3`."""
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def query_card(device_id: int) -> Card:
    """Query the driver for a card. Only a process that never forks may call it: the driver does not survive a fork.

    Raises:
        BackendError: The driver does not answer, or has no such card.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise BackendError(
            f"the NVIDIA driver's libcuda.so.1 cannot be loaded: {error}; "
            "install the driver (in a container: docker run --gpus all)"
        ) from error
    name = ctypes.create_string_buffer(256)
    device, number = ctypes.c_int(), ctypes.c_int()
    _call(driver, "cuInit", 0)
    _call(driver, "cuDeviceGetCount", ctypes.byref(number))
    if not 0 <= device_id < number.value:
        raise BackendError(f"there is no card {device_id}: {_cards_text(number.value)}; see nvidia-smi -L")
    _call(driver, "cuDeviceGet", ctypes.byref(device), device_id)
    _call(driver, "cuDeviceGetName", name, len(name), device)
    capability = []
    for attribute in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR):
        _call(driver, "cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
        capability.append(str(number.value))
    _call(driver, "cuDriverGetVersion", ctypes.byref(number))
    driver_cuda = f"{number.value // 1000}.{number.value % 1000 // 10}"
    return Card(name.value.decode(errors="replace"), ".".join(capability), driver_cuda)


def require_driver(card: Card, cuda_major: int) -> None:
    """Check that the driver supports ONNX Runtime's CUDA: any minor version of the same major one, or older.

    Raises:
        BackendError: The driver is too old; the message gives the remedy.
    """
    if int(card.driver_cuda.partition(".")[0]) < cuda_major:
        raise BackendError(
            f"the NVIDIA driver runs CUDA up to {card.driver_cuda}, and the installed onnxruntime-gpu needs CUDA "
            f"{cuda_major}; install a newer driver (for CUDA 13: 580 or newer)"
        )


def _cards_text(count: int) -> str:
    if count == 0:
        return "the driver shows no card (is CUDA_VISIBLE_DEVICES set?)"
    return "the only one is 0" if count == 1 else f"they are numbered 0 to {count - 1}"


def page_lock(address: int, num_bytes: int, device_id: int) -> str | None:
    """Register host memory with a card, which then reads it directly and not through a buffer of the driver.

    Only a process that computes on the card may call it, after ONNX Runtime has loaded CUDA. The registration ends with
    the process.

    Args:
        address: Start of the memory; page-aligned.
        num_bytes: Its length.
        device_id: The card, which becomes this thread's card: otherwise registering would open card 0 too.

    Returns:
        Reason of a failure in one line: then copies are slower. None if it succeeded.
    """
    runtime = _cuda_runtime()
    if runtime is None:
        return f"none of {', '.join(_RUNTIME_LIBRARIES)} can be loaded"
    if status := runtime.cudaSetDevice(device_id):
        return f"cudaSetDevice failed with {status}"
    memory, size = ctypes.c_void_p(address), ctypes.c_size_t(num_bytes)
    status = runtime.cudaHostRegister(memory, size, _REGISTER_PORTABLE)
    if status:
        runtime.cudaGetLastError()  # otherwise the next call that checks for errors gets this one
        return f"cudaHostRegister of {num_bytes >> 20} MiB failed with {status}"
    return None


Copy = Callable[[int, int, int], None]
"""(address of the target, of the source, bytes): copies within the host, or to and from a card."""


def card_copy(device_id: int) -> Copy:
    """Return a function that copies to and from a card without Python's lock.

    ONNX Runtime's own copies hold the lock for a millisecond a batch. Only a process in which ONNX Runtime has loaded
    CUDA may call it. A copy is complete when the call returns, for all streams. If it fails, it raises RuntimeError
    with a message in ONNX Runtime's form.

    Args:
        device_id: The card.

    Raises:
        BackendError: CUDA's runtime is missing.
    """
    runtime = _cuda_runtime()
    if runtime is None:
        raise BackendError(f"none of {', '.join(_RUNTIME_LIBRARIES)} can be loaded")
    runtime.cudaGetErrorString.restype = ctypes.c_char_p

    def copy(target: int, source: int, num_bytes: int) -> None:
        # Each thread has its own current card, and the default is card 0.
        status = runtime.cudaSetDevice(device_id) or runtime.cudaMemcpy(
            ctypes.c_void_p(target), ctypes.c_void_p(source), ctypes.c_size_t(num_bytes), _EITHER_WAY
        )
        # From memory that is not page-locked, cudaMemcpy returns when the driver has the bytes. ONNX Runtime's streams
        # do not wait for the stream that copies them to the card.
        status = status or runtime.cudaStreamSynchronize(None)
        if status:
            runtime.cudaGetLastError()  # otherwise the next call that checks for errors gets this one
            raise RuntimeError(f"CUDA failure {status}: {runtime.cudaGetErrorString(status).decode()}")

    return copy


def _cuda_runtime() -> ctypes.CDLL | None:
    for name in _RUNTIME_LIBRARIES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    return None


def _call(driver: ctypes.CDLL, function: str, *arguments: object) -> None:
    if status := getattr(driver, function)(*arguments):
        raise BackendError(f"the NVIDIA driver's {function} failed with {status}; does nvidia-smi show the card?")
