"""insightface's own classes over a film that OpenCV decodes: the peer of throughput.py and gpu_check.py.

    python benchmarks/insightface_peer.py FILM PACK SAMPLES single|batches [CPU|CUDA]

SCRFD at 640×640 and ArcFace, on all cores or on the first card. It searches SAMPLES frames a second, with `grab` for
those between, or every frame if that is 0. The faces of a frame go through ArcFace one by one, or in one batch. Prints
how many frames and faces there were, and the seconds from the first frame to the last.
"""

import argparse
import time
from pathlib import Path

import cv2
from insightface.model_zoo import get_model
from insightface.utils.face_align import norm_crop

PROVIDERS = {"CPU": ("CPUExecutionProvider", -1), "CUDA": ("CUDAExecutionProvider", 0)}
"""{device: (ONNX Runtime's name, insightface's number)}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("samples", type=float)
    parser.add_argument("how", choices=["single", "batches"])
    parser.add_argument("device", choices=PROVIDERS, nargs="?", default="CPU")
    given = parser.parse_args()
    if given.device != "CPU":
        # insightface finds the card's libraries only beside ONNX Runtime. On a processor this import would cost time.
        from fastface.backends.onnxruntime_loading import load_runtime  # noqa: PLC0415

        load_runtime(given.device)
    provider, number = PROVIDERS[given.device]
    detector, recogniser = (
        get_model(str(next(given.pack.glob(pattern))), providers=[provider]) for pattern in ("det*.onnx", "w600k*.onnx")
    )
    detector.prepare(ctx_id=number, input_size=(640, 640), det_thresh=0.5)
    recogniser.prepare(ctx_id=number)
    used = {model.session.get_providers()[0] for model in (detector, recogniser)}
    assert used == {provider}, f"ONNX Runtime uses {used}"
    video = cv2.VideoCapture(str(given.film))
    rate = video.get(cv2.CAP_PROP_FPS)
    frames = faces = 0
    number, cell = -1, -1
    began = time.perf_counter()
    while video.grab():
        number += 1
        if given.samples and int(number / rate * given.samples) == cell:
            continue
        cell = int(number / rate * given.samples)
        _, frame = video.retrieve()
        frames += 1
        _, landmarks = detector.detect(frame)
        aligned = [norm_crop(frame, points, recogniser.input_size[0]) for points in landmarks]
        faces += len(aligned)
        for batch in [aligned] if given.how == "batches" and aligned else [[one] for one in aligned]:
            recogniser.get_feat(batch)
    print(frames, faces, time.perf_counter() - began)


if __name__ == "__main__":
    main()
