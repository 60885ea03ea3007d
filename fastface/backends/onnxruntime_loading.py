"""ONNX Runtime and its sessions, loaded so that they are on the provider asked for or fail.

ONNX Runtime itself goes on with the CPU when a provider does not load, and says so in a log line only. So the providers
of each session are read back.
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
"""What ONNX Runtime writes on standard error. Errors are raised too, but the reason may only be written."""

_PLACE = re.compile(
    r"/\S+\.(?:cc|h|cu|cuh):\d+ [^()]*"  # a line of source, the type of a function's answer and the function's name;
    r"\((?:[^()]|\([^()]*\))*\)(?: const)?(?:::<lambda\([^()]*\)>)?(?: \[with [^\]]*\])? "  # its arguments
)
"""Of which a message may have several; where it has others, all is left as it is."""

_KIND = re.compile(r"\[ONNXRuntimeError\] : \d+ : [A-Z_]+ : ")

Providers = list[tuple[str, dict[str, str]]]
"""Providers with their options, best first."""


def shortfall(provider: Provider) -> str | None:
    """One line of what is missing and the remedy, by what is installed alone; None if nothing is."""
    return missing_packages(provider, installed_versions(), has_driver=card_present())


def load_runtime(provider: Provider) -> ModuleType:
    """ONNX Runtime with what a provider links.

    Raises:
        BackendError: Something is missing; says what, and the remedy.
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
    """The major version of CUDA that this ONNX Runtime is built for."""
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
    """The runtime's session, its first provider checked.

    Args:
        runtime: The module `onnxruntime`.
        graph: The ONNX file.
        device: What must compute.
        threads: Threads of one call.
        better: Providers before the CPU; empty for the CPU.
        is_trial: Whether there is another way if this fails, so that nothing is written of it.

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
        # Its fallback prints on standard output and opens the session on the CPU.
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
    """A session on a card; what ONNX Runtime finds better there, as arithmetic of shapes, it leaves on the CPU.

    Args:
        runtime: The module `onnxruntime`.
        graph: The ONNX file.
        device: The card.
        threads: Threads of the CPU that one call may use.
        better: Providers before CUDA.
        captures: Whether this is a trial whose first run is captured as a CUDA graph, by the first provider.

    Raises:
        BackendError: As `open_inner`.
    """
    options = cuda_options(device.device_id, captures=captures and not better)
    providers: Providers = [*better, (PROVIDER_NAMES["CUDA"], options)]
    return open_inner(runtime, graph, device, threads, providers, is_trial=captures)


def runtime_errors() -> tuple[type[Exception], ...]:
    """ONNX Runtime's exceptions; they have no base of their own. Buffers and providers raise a plain RuntimeError."""
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
    """An error's message, cut to what a person reads: without places of the runtime's source and C++ signatures."""
    words = _KIND.sub("", _PLACE.sub("", " ".join(str(error).split())))
    return words.partition(" ; hostname=")[0][:300]
