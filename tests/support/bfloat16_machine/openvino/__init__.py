"""OpenVINO as on a processor with bfloat16: put the folder above in front of Python's path.

The installed OpenVINO takes this module's place, with a `Core` that has bfloat16. A network that is compiled in it is
rewritten to round as such a processor does (benchmarks/emulation.py), and computed in float32. With
ONEDNN_MAX_CPU_ISA=AVX2 a compilation in bfloat16 fails, as OpenVINO's does that still offers it.
"""

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent.parent


class _Type:
    def __init__(self, name: str) -> None:
        self._name = name

    def get_type_name(self) -> str:
        return self._name


class _Network:
    """A compiled network that says that it computes in bfloat16."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def get_property(self, name: str) -> Any:
        return _Type("bf16") if name == "INFERENCE_PRECISION_HINT" else self._inner.get_property(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _real() -> Any:
    """The installed OpenVINO, in this module's place."""
    path = list(sys.path)
    sys.path[:] = [place for place in path if Path(place or ".").resolve() != _HERE]
    del sys.modules["openvino"]
    try:
        return import_module("openvino")
    finally:
        sys.path[:] = path


_openvino = _real()


class Core(_openvino.Core):  # type: ignore[misc, name-defined]
    """`openvino.Core` of such a processor."""

    _files: dict[int, Path] = {}  # noqa: RUF012 - of this process's models

    def get_property(self, device: str, name: str) -> Any:
        found = super().get_property(device, name)
        return [*found, "BF16"] if name == "OPTIMIZATION_CAPABILITIES" else found

    def read_model(self, path: Any) -> Any:
        model = super().read_model(path)
        model.set_rt_info(str(path), "emulated_from")
        return model

    def compile_model(self, model: Any, device: str, options: dict[str, Any]) -> Any:
        if options.get("INFERENCE_PRECISION_HINT") != "bf16":
            return super().compile_model(model, device, options)
        if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2":
            raise RuntimeError("Exception from src/plugin.cpp:1:\ncould not create a primitive descriptor\n")
        rewritten = super().read_model(_emulated(Path(model.get_rt_info("emulated_from").astype(str))))
        rewritten.reshape(model.input(0).partial_shape)
        return _Network(super().compile_model(rewritten, device, {**options, "INFERENCE_PRECISION_HINT": "f32"}))


def _emulated(path: Path) -> bytes:
    sys.path.insert(0, str(_HERE.parents[2] / "benchmarks"))
    import onnx
    from emulation import emulate

    return bytes(emulate(onnx.load(str(path))).SerializeToString())


_openvino.Core = Core
