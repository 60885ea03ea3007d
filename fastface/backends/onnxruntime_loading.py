"""Load ONNX Runtime and open its sessions for the three backends that use it: CPU, CUDA and TensorRT.

When a provider does not load, ONNX Runtime continues on the CPU and only logs it. So each function here reads the
providers of the new session back, and raises `BackendError` if the provider is missing.
"""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from fastface.backends.nvidia import card_present, installed_versions, load_cuda, missing_packages, required_extra
from fastface.backends.provider_options import cuda_options, session_entries
from fastface.backends.session import DeviceInfo, Provider
from fastface.distribution import describe_reinstall
from fastface.errors import BackendError

PROVIDER_NAMES: dict[Provider, str] = {
    "CPU": "CPUExecutionProvider",
    "CUDA": "CUDAExecutionProvider",
    "TensorRT": "TensorrtExecutionProvider",
}
_ERRORS_ONLY, _NOTHING = 3, 4
"""Levels of the log on standard error. Errors are raised too, but some reasons are only logged."""

_PLACE = re.compile(
    r"/\S+\.(?:cc|h|cu|cuh):\d+ [^()]*"  # a source line, the type of a function's result and the function's name;
    r"\((?:[^()]|\([^()]*\))*\)(?: const)?(?:::<lambda\([^()]*\)>)?(?: \[with [^\]]*\])? "  # its arguments
)
"""Source location in a message; `one_line` removes each. A location in another form stays."""

_KIND = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")

Providers = list[tuple[str, dict[str, str]]]
"""Providers with their options, best first."""


def shortfall(provider: Provider) -> str | None:
    """Describe missing packages and the remedy in one line, without loading a runtime; None if none is missing."""
    return missing_packages(provider, installed_versions(), has_driver=card_present())


def load_runtime(provider: Provider) -> ModuleType:
    """Import ONNX Runtime after the libraries that a provider links.

    Raises:
        BackendError: Something is missing; the message names it and the remedy.
    """
    if reason := shortfall(provider):
        raise BackendError(reason)
    try:
        import onnxruntime  # noqa: PLC0415 - 25 MB, for the processes that compute only
    except ImportError as error:
        raise BackendError(
            f"onnxruntime is installed but cannot be loaded ({one_line(error)}); "
            f"{describe_reinstall(required_extra(provider))}"
        ) from error
    onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
    if PROVIDER_NAMES[provider] not in onnxruntime.get_available_providers():
        raise BackendError(
            f"onnxruntime {onnxruntime.__version__} was built without {provider}; it has: "
            f"{', '.join(onnxruntime.get_available_providers())}; "
            f"{describe_reinstall(required_extra(provider))}"
        )
    if provider != "CPU":
        load_cuda(runtime_cuda_major(onnxruntime), provider)
    return onnxruntime  # type: ignore[no-any-return]


def runtime_cuda_major(runtime: ModuleType) -> int:
    """Return the major version of CUDA that this ONNX Runtime is built for."""
    built_for: str = runtime.cuda_version
    return int(built_for.partition(".")[0])


def open_inner(
    runtime: ModuleType,
    graph: Path,
    device: DeviceInfo,
    threads: int,
    better: Providers,
    *,
    is_trial: bool = False,
) -> Any:
    """Open a session and check that its first provider is the wanted one.

    Args:
        runtime: The module `onnxruntime`.
        graph: The ONNX file.
        device: Device that must run the network.
        threads: Number of threads of one call.
        better: Providers before the CPU; empty for the CPU.
        is_trial: True if the caller has another way if this fails; then ONNX Runtime prints no error.

    Raises:
        BackendError: The graph cannot be loaded, or would not run on the device.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _NOTHING if is_trial else _ERRORS_ONLY
    for key, value in session_entries().items():
        options.add_session_config_entry(key, value)
    providers: list[Any] = better or [PROVIDER_NAMES["CPU"]]
    try:
        # ONNX Runtime's fallback prints on standard output and opens the session on the CPU.
        session = runtime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except runtime_errors() as error:
        raise BackendError(f"ONNX Runtime cannot load {str(graph)!r}: {one_line(error)}") from error
    if session.get_providers()[0] != PROVIDER_NAMES[device.provider]:
        raise BackendError(
            f"{device.provider} was wanted, but ONNX Runtime uses {session.get_providers()[0]}; "
            f"a library of the card is missing or does not match; {describe_reinstall(required_extra(device.provider))}"
        )
    return session


def open_on_card(
    runtime: ModuleType, graph: Path, device: DeviceInfo, threads: int, better: Providers, *, captures: bool = False
) -> Any:
    """Open a session on a card. ONNX Runtime may place small operations, such as arithmetic of shapes, on the CPU.

    Args:
        runtime: The module `onnxruntime`.
        graph: The ONNX file.
        device: The card.
        threads: Number of CPU threads that one call may use.
        better: Providers before CUDA.
        captures: True for a trial whose first run is captured as a CUDA graph, by the first provider.

    Raises:
        BackendError: See `open_inner`.
    """
    options = cuda_options(device.device_id, captures=captures and not better)
    providers: Providers = [*better, (PROVIDER_NAMES["CUDA"], options)]
    return open_inner(runtime, graph, device, threads, providers, is_trial=captures)


def runtime_errors() -> tuple[type[Exception], ...]:
    """List ONNX Runtime's exceptions: they share no base class. Buffers and providers raise a plain RuntimeError."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - loaded with a session only

    return (
        state.EPFail,
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
        state.NotImplemented,
        state.RuntimeException,
        RuntimeError,
    )


def one_line(error: Exception) -> str:
    """Shorten an error's message for the user: drop source locations and C++ signatures."""
    words = _KIND.sub("", _PLACE.sub("", " ".join(str(error).split())))
    return words.partition(" ; hostname=")[0][:300]
