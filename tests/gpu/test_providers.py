"""ONNX Runtime's own CUDA and TensorRT providers, as far as they go without a card: see card_tools.py.

Where each node of the real networks would run, what options the providers take and how they read them, memory, copies,
CUDA graphs, and the words in which they fail. Kernels compute nothing, so networks here copy.
"""

import os
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from card_tools import SHAPE, SHAPES, copying_session, events, noise, on_card

from fastface.backends.engines import build_engine
from fastface.backends.nvidia import load_tensorrt, page_lock
from fastface.backends.onnxruntime_loading import PROVIDER_NAMES, load_runtime, open_inner, open_on_card
from fastface.backends.onnxruntime_session import describe
from fastface.backends.probe import check_device, write_probe_graph
from fastface.backends.provider_options import cuda_options, tensorrt_options
from fastface.errors import BackendError, DeviceLostError
from fastface.models.graph import inspect_graph, prepare_detector, prepare_person, prepare_recogniser

HERE = "test_providers"
PREPARE: dict[str, Any] = {
    "detector": prepare_detector,
    "recogniser": prepare_recogniser,
    "person": prepare_person,
}


# ── what there is ───────────────────────────────────────────────────────────────────────────────────────────────────


def devices() -> list[Any]:
    found = [describe("CUDA", card) for card in (0, 1)]
    try:
        describe("CUDA", 2)
    except BackendError as error:
        return [*((card.name, card.device_id, card.compute_capability, card.versions) for card in found), str(error)]
    return []


def test_cards_are_described(libraries: Path) -> None:
    *cards, refused = on_card(libraries, f"{HERE}:devices")
    assert [card[:3] for card in cards] == [["Fake card", 0, "9.0"], ["Fake card", 1, "9.0"]]
    assert cards[0][3].endswith("CUDA driver 13.0")
    assert refused == "there is no card 2: they are numbered 0 to 1; see nvidia-smi -L"


def probed(folder: str) -> str:
    try:
        check_device(describe("CUDA"), Path(folder))
    except BackendError as error:
        return str(error)
    return ""


def test_a_card_that_fails_is_told_in_the_same_words_each_time(libraries: Path, tmp_path: Path) -> None:
    """Wherever the check keeps its network: a command that asks twice has one fault."""
    first, second = (on_card(libraries, f"{HERE}:probed", made(tmp_path / name), LOST_AFTER=0) for name in "ab")
    assert first == second
    assert first == (
        "CUDA does not work on Fake card: ONNX Runtime cannot load 'probe.onnx': CUDA failure 700: "
        "an illegal memory access was encountered ; GPU=0; see: nvidia-smi"
    )


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_card_that_computes_wrongly_is_found_out(libraries: Path, tmp_path: Path) -> None:
    assert "Fake card gives wrong results with onnxruntime" in on_card(libraries, f"{HERE}:probed", tmp_path)


# ── where networks run ──────────────────────────────────────────────────────────────────────────────────────────────


def placed(network: str, folder: str) -> dict[str, Any]:
    """The nodes of a network by provider, as ONNX Runtime itself has placed them, and whether it can be captured."""
    graph = PREPARE[inspect_graph(Path(network)).kind](Path(network), Path(folder))
    runtime, device = load_runtime("CUDA"), describe("CUDA")
    open_on_card(runtime, graph, device, 1, [])
    try:
        open_on_card(runtime, graph, device, 1, [], captures=True)
        refused = ""
    except BackendError as error:
        refused = str(error)
    options = runtime.SessionOptions()
    options.optimized_model_filepath = str(Path(folder) / "placed.onnx")
    options.log_severity_level = 4
    runtime.InferenceSession(str(graph), options, providers=[(PROVIDER_NAMES["CUDA"], cuda_options(0))])
    kinds = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    return {"refused": refused, "copies": sum(number for kind, number in kinds.items() if kind.startswith("Memcpy"))}


@pytest.mark.parametrize(
    "network",
    [
        "buffalo_s/det_500m.onnx",
        "buffalo_s/w600k_mbf.onnx",
        "single/scrfd_2.5g_bnkps.onnx",
        "single/mobilefacenet.onnx",
    ],
)
def test_a_network_lies_on_the_card_as_a_whole(
    network: str, libraries: Path, shared_models: Path, tmp_path: Path
) -> None:
    found = on_card(libraries, f"{HERE}:placed", shared_models / network, tmp_path)
    assert found == {"refused": "", "copies": 0}


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def taken_options(folder: str) -> dict[str, Any]:
    """What the providers say they were told."""
    graph = Path(folder) / "probe.onnx"
    write_probe_graph(graph)
    runtime, device = load_runtime("TensorRT"), replace(describe("TensorRT"), device_id=1)
    engines = Path(folder) / "engines" / "key"
    engines.mkdir(parents=True)
    options = tensorrt_options("picture", 1, "float16", SHAPES, engines)
    session = open_inner(
        runtime,
        graph,
        device,
        1,
        [(PROVIDER_NAMES["TensorRT"], options), (PROVIDER_NAMES["CUDA"], cuda_options(1))],
    )
    return dict(session.get_provider_options())


def test_the_providers_take_the_options_and_read_them_as_meant(libraries: Path, tmp_path: Path) -> None:
    taken = on_card(libraries, f"{HERE}:taken_options", tmp_path)
    tensorrt, cuda = taken["TensorrtExecutionProvider"], taken["CUDAExecutionProvider"]
    expected = {
        "device_id": "1",
        "trt_fp16_enable": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(tmp_path / "engines" / "key"),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(tmp_path / "engines"),
        "trt_cuda_graph_enable": "0",
        "trt_profile_min_shapes": "picture:1x8x8x3",
        "trt_profile_opt_shapes": "picture:4x8x8x3",
        "trt_profile_max_shapes": "picture:8x8x8x3",
    }
    assert {name: tensorrt[name] for name in expected} == expected
    expected = {
        "device_id": "1",
        "cudnn_conv_algo_search": "HEURISTIC",
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "0",
        "enable_cuda_graph": "0",
    }
    assert {name: cuda[name] for name in expected} == expected


def tensorrt_takes_nothing(folder: str) -> list[str]:
    """TensorRT's version, and what comes of building an engine where TensorRT cannot run any part of the network."""
    graph = Path(folder) / "probe.onnx"
    write_probe_graph(graph)
    try:
        build_engine(graph, describe("TensorRT"), threads=1, cache_folder=Path(folder), shapes=SHAPES)
    except BackendError as error:
        return [load_tensorrt(), str(error)]
    return []


def test_a_network_that_tensorrt_leaves_to_cuda_has_no_engine(libraries: Path, tmp_path: Path) -> None:
    version, refused = on_card(libraries, f"{HERE}:tensorrt_takes_nothing", tmp_path)
    assert version == "10.13.3"
    assert refused == "TensorRT cannot run any part of 'probe.onnx'"


# ── memory and copies ───────────────────────────────────────────────────────────────────────────────────────────────


def copied(folder: str) -> list[bool]:
    session = copying_session(folder, captures=False)
    batches = [noise(shape, seed) for seed, shape in enumerate([SHAPE, (1, 8, 8, 3), SHAPE, (8, 16, 8, 3)])]
    return [np.array_equal(session.infer(batch)[0], batch) for batch in batches]


@pytest.mark.parametrize("settings", [{}, {"LATE": 1}])
def test_pictures_go_up_and_outputs_come_down(settings: dict[str, int], libraries: Path, tmp_path: Path) -> None:
    assert on_card(libraries, f"{HERE}:copied", tmp_path, **settings) == [True] * 4


def longest_hold(folder: str) -> float:
    """Seconds for which another thread cannot go on while a batch is copied up, and down, in a second each."""
    session = copying_session(folder, captures=False)
    session.infer(noise(SHAPE))
    ticks, over = [time.perf_counter()], threading.Event()

    def tick() -> None:
        while not over.wait(0.001):
            ticks.append(time.perf_counter())

    os.environ["FAKE_CUDA_COPY_MS"] = "1000"
    ticking = threading.Thread(target=tick)
    ticking.start()
    session.infer(noise(SHAPE))
    over.set()
    ticking.join()
    return float(np.diff(ticks).max())


def test_copies_leave_the_other_thread_its_time(libraries: Path, tmp_path: Path) -> None:
    assert on_card(libraries, f"{HERE}:longest_hold", tmp_path) < 0.8


def halved(folder: str) -> Any:
    session = copying_session(folder, captures=False)
    batch = noise((8, 512, 512, 3))
    try:
        found = np.array_equal(session.infer(batch)[0], batch)
    except BackendError as error:
        return str(error)
    return [found, sorted({bound[0] for bound in session._bound})]


def test_a_card_with_too_little_memory_computes_in_parts(libraries: Path, tmp_path: Path) -> None:
    """Eight pictures of 768 KiB, up and down, need 12 MiB and more."""
    assert on_card(libraries, f"{HERE}:halved", tmp_path) == [True, [8]]
    assert on_card(libraries, f"{HERE}:halved", tmp_path, BYTES=12 << 20) == [True, [4]]
    told = on_card(libraries, f"{HERE}:halved", tmp_path, BYTES=1 << 20)
    assert told.startswith("Fake card has too little free memory for one frame of (512, 512, 3): ")
    assert told.endswith(
        "Status Message: Failed to allocate memory for requested buffer of size 786432; "
        "use fewer --workers, or end other programs on the card"
    )


def lost(folder: str) -> str:
    session = copying_session(folder, captures=False)
    try:
        for seed in range(50):
            session.infer(noise(SHAPE, seed))
    except DeviceLostError as error:
        return str(error)
    return "still there"


def test_a_lost_card_is_known_by_onnx_runtimes_words(libraries: Path, tmp_path: Path) -> None:
    assert on_card(libraries, f"{HERE}:lost", tmp_path) == "still there"
    told = on_card(libraries, f"{HERE}:lost", tmp_path, LOST_AFTER=10)
    assert told.startswith("Fake card (card 0) was lost: ")
    assert told.endswith("CUDA failure 700: an illegal memory access was encountered ; GPU=0")


def locked(folder: str) -> Any:
    copying_session(folder, captures=False)
    memory = np.zeros(3 << 20, np.uint8)
    return page_lock(memory.ctypes.data, memory.nbytes, 0)


def test_the_ring_is_page_locked_by_the_runtime_that_is_loaded(libraries: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert on_card(libraries, f"{HERE}:locked", tmp_path, LOG=log) is None
    assert ("page-locked", 3 << 20) in events(log)
