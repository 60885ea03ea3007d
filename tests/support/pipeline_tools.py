"""Settings of workers that run the drawn networks."""

from pathlib import Path

from cartoon_tools import Cartoon

from fastface.backends import onnxruntime_session
from fastface.models.graph import inspect_graph, prepare_detector, prepare_recogniser
from fastface.pipeline.messages import WorkerSettings
from fastface.pipeline.ring import RingShape

CANVAS = (640, 384)


def settings_for(cartoon: Cartoon, cache: Path, ring: RingShape) -> WorkerSettings:
    networks = {inspect_graph(path).kind: path for path in cartoon.models.rglob("*.onnx")}
    return WorkerSettings(
        ring=ring,
        canvas=CANVAS,
        detector=prepare_detector(networks["detector"], cache),
        recogniser=prepare_recogniser(networks["recogniser"], cache),
        dimension=inspect_graph(networks["recogniser"]).dimension or 0,
        device=onnxruntime_session.describe("CPU"),
        threads=1,
        cache_folder=cache,
        det_threshold=0.5,
        min_face=1,
    )
