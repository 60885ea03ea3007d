"""Build the options of ONNX Runtime's sessions and providers. Pure: tested without a card.

`onnxruntime_loading` and `engines` call it. Engines are cached by everything in `engine_folder`.
"""

import hashlib
from pathlib import Path

from fastface.backends.session import DeviceInfo, Precision, ShapeRange


def session_entries() -> dict[str, str]:
    """Return the configuration entries of a session."""
    return {
        # Waiting threads otherwise spin: two processes of two threads on two cores then took 41 ms a frame, not 32.
        "session.intra_op.allow_spinning": "0",
        "session.inter_op.allow_spinning": "0",
    }


def cuda_options(device_id: int, *, captures: bool = False) -> dict[str, str]:
    """Return the options of the CUDA provider.

    Args:
        device_id: The card.
        captures: True if the first run is captured as a CUDA graph, which all later runs replay.
    """
    return {
        "device_id": str(device_id),
        "enable_cuda_graph": "1" if captures else "0",
        # An exhaustive search of convolution algorithms takes seconds for every new shape, and its choice varies.
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        # TF32 has 10 bits of mantissa, and float32 must be float32.
        "use_tf32": "0",
    }


def profile_text(input_name: str, shape: tuple[int, ...]) -> str:
    """Format one shape for TensorRT's provider: `input:8x384x640x3`."""
    return f"{input_name}:{'x'.join(map(str, shape))}"


def engine_folder(cache_folder: Path, graph: bytes, device: DeviceInfo, shapes: ShapeRange) -> Path:
    """Return the folder of a network's engines; it depends on everything that an engine depends on.

    Args:
        cache_folder: The cache.
        graph: The ONNX file's bytes.
        device: The card. Its versions (ONNX Runtime, TensorRT, driver), compute capability, precision and model count.
            TensorRT warns about engines for another model of the same capability. The card's number does not count.
        shapes: The profile.
    """
    card = (device.versions, device.compute_capability, device.name)
    key = (hashlib.sha256(graph).hexdigest(), *card, device.precision, shapes)
    return cache_folder / "tensorrt" / hashlib.sha256(repr(key).encode()).hexdigest()[:24]


def tensorrt_options(
    input_name: str, device_id: int, precision: Precision, shapes: ShapeRange, engines: Path, *, captures: bool = False
) -> dict[str, str]:
    """Return the options of the TensorRT provider.

    Args:
        input_name: Name of the graph's input.
        device_id: The card.
        precision: float16 or float32.
        shapes: The engine's profile, complete, so that no later shape rebuilds the engine.
        engines: Result of `engine_folder`. The timing cache lies beside it and serves every network.
        captures: See `cuda_options`.
    """
    return {
        "device_id": str(device_id),
        # This provider accepts True and False, and refuses 1 and 0.
        "trt_cuda_graph_enable": str(captures),
        "trt_fp16_enable": str(precision == "float16"),
        "trt_profile_min_shapes": profile_text(input_name, shapes.smallest),
        "trt_profile_opt_shapes": profile_text(input_name, shapes.usual),
        "trt_profile_max_shapes": profile_text(input_name, shapes.largest),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(engines),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(engines.parent),
    }
