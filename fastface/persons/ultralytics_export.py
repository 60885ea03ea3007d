"""Export a YOLO in the child process that `persons.export` starts.

`python -m fastface.persons.ultralytics_export WEIGHTS SIZE`; only this process imports ultralytics.
"""

import sys
from importlib import import_module

__all__: list[str] = []


def _main(weights: str, size: int) -> None:
    # A plain export: one canvas, boxes decoded, nothing suppressed. Simplifying would download a package.
    network = import_module("ultralytics").YOLO(weights, task="detect")
    network.export(format="onnx", imgsz=size, device="cpu", simplify=False)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
