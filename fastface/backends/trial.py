"""Compare a network's results in a lower precision with float32, in a separate process.

`registry` runs `python -m fastface.backends.trial GRAPH HEIGHT WIDTH` and passes the device as JSON on standard input.
The last line of the output is one JSON object. `{"reason": …}` is empty if the results agree. `{"missing": …}` means
that the network does not compute in float32 either.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from fastface.backends import onnxruntime_session, openvino_session
from fastface.backends.precision import LIMITS, disagreement
from fastface.backends.session import DeviceInfo, Precision, ShapeRange, Tensor
from fastface.backends.trial_pictures import NUM_PICTURES, draw_pictures
from fastface.errors import BackendError

_MODULES = {"onnxruntime": onnxruntime_session, "openvino": openvino_session}


def compare(graph: Path, device: DeviceInfo, size: tuple[int, int]) -> str:
    """Return why a network's results in the device's precision are not good enough; empty if they are.

    Args:
        graph: The prepared ONNX file.
        device: The device, with the precision to test.
        size: (height, width) of the pictures.

    Raises:
        BackendError: The network does not compute in float32.
    """
    exact = _compute(graph, device, "float32", size)
    try:
        quick = _compute(graph, device, device.precision, size)
    except BackendError as error:
        return f"an error: {error}"
    return disagreement(exact, quick, LIMITS[device.precision]) or ""


def _compute(graph: Path, device: DeviceInfo, precision: Precision, size: tuple[int, int]) -> tuple[Tensor, ...]:
    shape = (NUM_PICTURES, *size, 3)
    with tempfile.TemporaryDirectory(prefix="fastface-trial-") as folder:
        session = _MODULES[device.backend].open_session(
            graph,
            replace(device, precision=precision),
            threads=1,
            cache_folder=Path(folder),
            shapes=ShapeRange((1, *size, 3), shape, shape),
        )
        outputs: tuple[Tensor, ...] = session.infer(draw_pictures(*shape[:3]))
        return outputs


def main(graph: str, height: str, width: str) -> None:
    """Print the answer for one network."""
    device = DeviceInfo(**json.loads(sys.stdin.read()))
    try:
        answer = {"reason": compare(Path(graph), device, (int(height), int(width)))}
    except BackendError as error:
        answer = {"missing": str(error)}
    sys.stdout.write(f"{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
