"""Check one device in a separate process: `python -m fastface.backends.probe BACKEND PROVIDER CARD`.

`registry` runs it. It loads the runtime, runs a tiny network and prints one JSON object as the last line. That has the
device's fields, or is `{"missing": reason}`. A driver that crashes or hangs affects only this process.
"""

import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from fastface.backends import onnxruntime_session, openvino_session
from fastface.backends.session import DeviceInfo, Session, ShapeRange
from fastface.errors import BackendError

_MODULES = {"onnxruntime": onnxruntime_session, "openvino": openvino_session}
_SHAPE = (1, 8, 8, 3)


def write_probe_graph(path: Path) -> None:
    """Write a network that doubles its input: uint8 (N, 8, 8, 3) → float32 of the same shape."""
    nodes = [
        helper.make_node("Cast", ["picture"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["values", "values"], ["doubled"]),
    ]
    shape: list[str | int | None] = ["N", *_SHAPE[1:]]
    graph = helper.make_graph(
        nodes,
        "probe",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("doubled", TensorProto.FLOAT, shape)],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def check_device(device: DeviceInfo, folder: Path) -> None:
    """Run the tiny network on a device.

    Args:
        device: The device.
        folder: An empty folder for the network and its compiled form.

    Raises:
        BackendError: It cannot be loaded there, or the result is wrong.
    """
    picture = np.arange(np.prod(_SHAPE), dtype=np.uint8).reshape(_SHAPE)
    try:
        (doubled,) = _open_session(device, folder).infer(picture)
    except BackendError as error:
        # The folder differs at every check, but the same fault must give the same line.
        reason = str(error).replace(f"{folder}{os.sep}", "")
        hint = "; see: nvidia-smi" if device.is_gpu else ""
        raise BackendError(f"{device.provider} does not work on {device.name}: {reason}{hint}") from error
    if not np.array_equal(doubled, picture * np.float32(2)):
        raise BackendError(f"{device.name} gives wrong results with {device.versions}")


def _open_session(device: DeviceInfo, folder: Path) -> Session:
    graph = folder / "probe.onnx"
    write_probe_graph(graph)
    shapes = ShapeRange(_SHAPE, _SHAPE, _SHAPE)
    session: Session = _MODULES[device.backend].open_session(
        graph, device, threads=1, cache_folder=folder, shapes=shapes
    )
    return session


def _with_those_that_work(device: DeviceInfo) -> DeviceInfo:
    """Return the device with its working precisions, and a note on a lower one that fails.

    OpenVINO offers bfloat16 even if ONEDNN_MAX_CPU_ISA disables its instructions, and then cannot compile in it.

    Raises:
        BackendError: No precision works.
    """
    for place, precision in enumerate(device.precisions or (device.precision,)):
        tried = dataclasses.replace(device, precision=precision, precisions=device.precisions[place:])
        try:
            with tempfile.TemporaryDirectory(prefix="fastface-probe-") as folder:
                check_device(tried, Path(folder))
        except BackendError as error:
            if precision == "float32" or device.is_gpu:
                raise
            note = f"{precision} is not used: {error}"
            device = dataclasses.replace(device, notes=(*device.notes, note))
            continue
        return dataclasses.replace(tried, notes=device.notes)
    raise AssertionError("float32 is tried last")


def main(backend: str, provider: str, card: int) -> None:
    """Print the answer for one device."""
    try:
        device = _MODULES[backend].describe(provider, card)
        answer = dataclasses.asdict(_with_those_that_work(device))
    except BackendError as error:
        answer = {"missing": str(error)}
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
