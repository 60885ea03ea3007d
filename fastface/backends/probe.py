"""Checks one device in a process of its own: `python -m fastface.backends.probe BACKEND PROVIDER CARD`.

Loads the runtime, computes a tiny network and prints one JSON object as the last line: the device's fields, or
`{"missing": reason}`. A driver that crashes or hangs takes only this process with it.
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
    """Writes a network that doubles what it sees: uint8 (N, 8, 8, 3) → float32 of the same shape."""
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
    """Computes the tiny network on a device.

    Args:
        device: The device.
        folder: An empty folder for the network and what is compiled of it.

    Raises:
        BackendError: It cannot be loaded there, or the result is wrong.
    """
    picture = np.arange(np.prod(_SHAPE), dtype=np.uint8).reshape(_SHAPE)
    try:
        (doubled,) = _open_session(device, folder).infer(picture)
    except BackendError as error:
        # The folder is another at every check, and one fault must be one line wherever it comes from.
        told = str(error).replace(f"{folder}{os.sep}", "")
        hint = "; see: nvidia-smi" if device.is_gpu else ""
        raise BackendError(f"{device.provider} does not work on {device.name}: {told}{hint}") from error
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
    """The device with the precisions in which it computes, and a note of a lower one that it only claims to have.

    OpenVINO offers bfloat16 where ONEDNN_MAX_CPU_ISA has taken its instructions away, and then compiles nothing in it.

    Raises:
        BackendError: It computes in none.
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
    """Prints the answer for one device."""
    try:
        device = _MODULES[backend].describe(provider, card)
        answer = dataclasses.asdict(_with_those_that_work(device))
    except BackendError as error:
        answer = {"missing": str(error)}
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
