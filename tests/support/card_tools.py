"""ONNX Runtime's own CUDA and TensorRT providers, on libraries that stand in for NVIDIA's.

The wheel of onnxruntime-gpu lies in a folder of its own (`make dev` puts it there), since it overwrites the CPU's. Its
providers link NVIDIA's libraries by name and version; libraries of these names are compiled here, that have every
function that is linked: those of `fake_cuda/*.c`, and others that do nothing and succeed.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from places import ROOT, SUPPORT, TESTS

from fastface.backends import ShapeRange
from fastface.backends.cuda_session import CardSession
from fastface.backends.onnxruntime_session import describe, open_session

SHAPE = (4, 8, 8, 3)
SHAPES = ShapeRange((1, 8, 8, 3), SHAPE, (8, 8, 8, 3))

RUNTIME = ROOT / ".venv" / "card"
SOURCES = {"libcuda.so.1": "cuda", "libcudart.so.13": "cudart"}
TENSORRT = ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
HANDLES = re.compile(r"^(cublasCreate|cublasLtCreate|cudnnCreate)")
"""Functions that give a handle, which must not be null."""


def build_libraries(folder: Path) -> None:
    """Compiles the libraries that the providers link."""
    linked: dict[str, set[str]] = defaultdict(set)
    for provider in ("cuda", "tensorrt"):
        path = RUNTIME / f"onnxruntime/capi/libonnxruntime_providers_{provider}.so"
        for symbol in _words(["nm", "-D", "--undefined-only", "--format=posix", path]):
            name, _, library = symbol.partition("@")
            linked[library or "libcuda.so.1"].add(name)
        for library in re.findall(r"\[(lib(?:cu|cudnn)\w*\.so\.\d+)\]", _output(["readelf", "-d", path])):
            linked[library]
    for library, names in linked.items():
        if library.startswith(("libcu", "libcudnn")):
            _compile(folder, library, names)
    for library in TENSORRT:
        _build(folder, library, (SUPPORT / "fake_cuda" / "nvinfer.c").read_text(), versioned=False)


def _compile(folder: Path, library: str, names: set[str]) -> None:
    source = SOURCES.get(library)
    text = (SUPPORT / "fake_cuda" / f"{source}.c").read_text() if source else "#include <stdlib.h>\n"
    for name in sorted(names):
        if re.search(rf"\b{name}\(", text) or not name.startswith(("cu", "__cuda")):
            continue
        if HANDLES.match(name):
            text += f"int {name}(void **handle) {{ return *handle = calloc(1, 64), 0; }}\n"
        else:
            text += f"int {name}(void) {{ return 0; }}\n"
    _build(folder, library, text, versioned=library != "libcuda.so.1")


def _build(folder: Path, library: str, text: str, *, versioned: bool) -> None:
    source, versions = folder / f"{library}.c", folder / f"{library}.map"
    source.write_text(text)
    versions.write_text(f"{library} {{ global: *; }};\n")
    options = [f"-Wl,--version-script={versions}"] if versioned else []
    command = [
        "cc",
        "-w",
        "-O1",
        "-shared",
        "-fPIC",
        f"-Wl,-soname,{library}",
        *options,
        source,
        "-o",
        folder / library,
    ]
    _output(command)


def _words(command: list[object]) -> set[str]:
    return {line.split()[0] for line in _output(command).splitlines() if line.strip()}


def _output(command: list[object]) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    return done.stdout


def on_card(libraries: Path, function: str, *arguments: object, **settings: object) -> Any:
    """What `function` of the calling test module answers in a process that has the card.

    Args:
        libraries: From `build_libraries`.
        function: `module:name` beside the tests; its answer travels as JSON.
        arguments: Texts, numbers, paths.
        settings: As fake_cuda/cudart.c has them, without `FAKE_CUDA_`.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (RUNTIME, ROOT, SUPPORT, TESTS / "gpu"))),
        "LD_LIBRARY_PATH": str(libraries),
        **{f"FAKE_CUDA_{name}": str(value) for name, value in settings.items()},
    }
    words = [function, *(str(argument) for argument in arguments)]
    child = subprocess.run(
        [sys.executable, "-c", "import card_tools; card_tools.child_main()", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert child.returncode == 0, child.stderr[-3000:]
    return json.loads(child.stdout.splitlines()[-1])


def child_main() -> None:
    """In the child: this machine has a card."""
    from fastface.backends import onnxruntime_loading

    setattr(onnxruntime_loading, "card_present", lambda: True)  # noqa: B010 - the module has it by an import
    module, _, name = sys.argv[1].partition(":")
    answer = getattr(__import__(module), name)(*sys.argv[2:])
    sys.stdout.write(f"{json.dumps(answer)}\n")


@functools.cache
def missing() -> str:
    """What the card needs and this machine lacks; empty if nothing."""
    tools = [tool for tool in ("cc", "nm", "readelf") if shutil.which(tool) is None]
    if tools:
        return f"{', '.join(tools)} of a C compiler and binutils"
    return "" if (RUNTIME / "onnxruntime").is_dir() else f"onnxruntime-gpu in {RUNTIME}: make dev"


# ── networks that copy, since kernels compute nothing ─────────────────────────────────────────────────────────────────


def write_copying_graph(path: Path) -> Path:
    """uint8 (N, H, W, 3) → the same, which CUDA's provider copies on the card."""
    shape: list[str | int | None] = ["N", "H", "W", 3]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["picture"], ["copy"])],
        "copying",
        [helper.make_tensor_value_info("picture", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("copy", TensorProto.UINT8, shape)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def copying_session(folder: str, *, captures: bool) -> CardSession:
    device = replace(describe("CUDA"), captures=captures)
    graph = write_copying_graph(Path(folder) / "copying.onnx")
    session = open_session(graph, device, threads=1, cache_folder=Path(folder), shapes=SHAPES)
    assert isinstance(session, CardSession)
    return session


def events(log: Path) -> list[tuple[str, int]]:
    """What the card has noted, in order."""
    return [(name, int(number)) for name, number in (line.split() for line in log.read_text().splitlines())]
