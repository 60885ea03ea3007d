"""Cards without a card: the messages and the options are pure, and checked as such."""

import ctypes
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from backends_tools import write_small_graph

from fastface.backends import DeviceInfo, ShapeRange, nvidia, onnxruntime_loading, onnxruntime_session
from fastface.backends.provider_options import cuda_options, engine_folder, tensorrt_options
from fastface.errors import BackendError

SHAPES = ShapeRange((1, 384, 640, 3), (8, 384, 640, 3), (8, 640, 640, 3))
DEVICE = DeviceInfo(
    "onnxruntime", "TensorRT", "float16", "H200", "onnxruntime 1.31.1, TensorRT 10.13.3", compute_capability="9.0"
)


@pytest.mark.parametrize(
    ("provider", "installed", "has_driver", "expected"),
    [
        ("CPU", {}, False, r"not installed; .*make env EXTRA=cpu, or pip install '\.\[cpu\]'"),
        ("CUDA", {}, True, r"not installed; .*make env EXTRA=cuda, or pip install '\.\[cuda\]'"),
        ("TensorRT", {"onnxruntime-gpu": "1.31.1"}, False, r"TensorRT needs an NVIDIA card .* --device cpu"),
        (
            "CUDA",
            {"onnxruntime": "1.31.1"},
            True,
            r"is the CPU's; .*make clean env EXTRA=cuda, or pip uninstall -y onnxruntime.* && .*'\.\[cuda\]'",
        ),
        (
            "TensorRT",
            {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"},
            True,
            r"both installed.*EXTRA=gpu, or pip uninstall -y onnxruntime onnxruntime-gpu && pip install '\.\[gpu\]'",
        ),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(
    provider: str, installed: dict[str, str], has_driver: bool, expected: str
) -> None:
    reason = nvidia.missing_packages(provider, installed, has_driver=has_driver)
    assert reason is not None
    assert "\n" not in reason
    import re

    assert re.search(expected, reason)


@pytest.mark.parametrize(
    ("provider", "installed", "has_driver"),
    [
        ("CPU", {"onnxruntime": "1.31.1"}, False),
        ("CPU", {"onnxruntime-gpu": "1.31.1"}, False),
        ("CUDA", {"onnxruntime-gpu": "1.31.1"}, True),
    ],
)
def test_nothing_is_missing(provider: str, installed: dict[str, str], has_driver: bool) -> None:
    assert nvidia.missing_packages(provider, installed, has_driver=has_driver) is None


def test_missing_library_is_named_with_its_remedy() -> None:
    with pytest.raises(BackendError, match=r"libnvinfer\.so\.99 \(TensorRT 10\).*pip install '\.\[gpu\]'"):
        nvidia.require_library("/nowhere/libnvinfer.so.99", "TensorRT 10", "TensorRT")


def test_tensorrt_of_another_major_version_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libnvinfer.so.11").touch()
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(nvidia, "find_spec", lambda name: spec)
    with pytest.raises(BackendError, match=r"libnvinfer\.so\.10"):
        nvidia.load_tensorrt()


def test_cuda_is_loaded_from_wheels_wherever_they_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    toolkit, cudnn = tmp_path / "cu13" / "lib", tmp_path / "cudnn" / "lib"
    for folder, names in (
        (toolkit, ["libcudart.so.13", "libcublas.so.13", "libnvrtc.so.13"]),
        (cudnn, ["libcudnn.so.9"]),
    ):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch()
    loaded = []

    def load(path: str, mode: int) -> None:
        assert mode == ctypes.RTLD_GLOBAL
        if "cufft" in path:
            raise OSError("no such file")
        loaded.append(path)

    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "nothing"), str(tmp_path)])
    monkeypatch.setattr(nvidia, "find_spec", lambda name: spec if name == "nvidia" else None)
    monkeypatch.setattr(ctypes, "CDLL", load)
    nvidia.load_cuda(13, "CUDA")
    assert loaded == [
        str(toolkit / "libnvrtc.so.13"),
        str(toolkit / "libcudart.so.13"),
        "libcublasLt.so.13",  # in no wheel: the system's
        str(toolkit / "libcublas.so.13"),
        "libcurand.so.10",
        str(cudnn / "libcudnn.so.9"),
    ]


def test_tensorrt_is_loaded_from_its_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10"):
        (tmp_path / name).touch()
    loaded = []

    def load(path: str, mode: int) -> SimpleNamespace:
        assert mode == ctypes.RTLD_GLOBAL
        loaded.append(path)
        return SimpleNamespace(getInferLibVersion=lambda: 101303)

    monkeypatch.setattr(nvidia, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[str(tmp_path)]))
    monkeypatch.setattr(ctypes, "CDLL", load)
    assert nvidia.load_tensorrt() == "10.13.3"
    assert loaded == [
        str(tmp_path / name) for name in ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10")
    ]


class FakeDriver:
    """libcuda as cuda.h has it: out-parameters, 0 for success."""

    def __init__(self, status: int = 0, num_cards: int = 2) -> None:
        self.status = status
        self.num_cards = num_cards

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuDeviceGetCount(self, number: object) -> int:
        number._obj.value = self.num_cards
        return 0

    def cuDeviceGet(self, device: object, ordinal: int) -> int:
        device._obj.value = ordinal
        return 0

    def cuDeviceGetName(self, name: ctypes.Array, length: int, device: object) -> int:
        name.value = b"NVIDIA H200"
        return 0

    def cuDeviceGetAttribute(self, number: object, attribute: int, device: object) -> int:
        number._obj.value = {75: 9, 76: 0}[attribute]
        return 0

    def cuDriverGetVersion(self, number: object) -> int:
        number._obj.value = 13010
        return 0


def test_card_is_described_by_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeDriver())
    assert nvidia.query_card(0) == nvidia.Card("NVIDIA H200", "9.0", "13.1")


@pytest.mark.parametrize(
    ("num_cards", "said"), [(0, "shows no card"), (1, "the only one is 0"), (2, "numbered 0 to 1")]
)
def test_a_card_that_is_not_there_is_told_with_those_that_are(
    num_cards: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeDriver(num_cards=num_cards))
    with pytest.raises(BackendError, match=f"there is no card 5: .*{said}") as caught:
        nvidia.query_card(5)
    assert "\n" not in str(caught.value)


def test_a_driver_that_is_too_old_is_told_with_its_remedy() -> None:
    nvidia.require_driver(nvidia.Card("H200", "9.0", "13.0"), 13)
    nvidia.require_driver(nvidia.Card("H200", "9.0", "13.1"), 12)
    with pytest.raises(BackendError, match=r"runs CUDA up to 12\.8, .* needs CUDA 13; install a newer driver"):
        nvidia.require_driver(nvidia.Card("H200", "9.0", "12.8"), 13)


class FakeCudart:
    """libcudart as cuda_runtime_api.h has it: 0 for success."""

    def __init__(self, register: int) -> None:
        self.register = register
        self.calls: list[tuple] = []

    def cudaSetDevice(self, card: int) -> int:
        self.calls.append(("set", card))
        return 0

    def cudaHostRegister(self, memory: ctypes.c_void_p, size: ctypes.c_size_t, flags: int) -> int:
        self.calls.append(("register", memory.value, size.value, flags))
        return self.register

    def cudaGetLastError(self) -> int:
        self.calls.append(("forget",))
        return self.register


def test_memory_is_page_locked_on_its_own_card(monkeypatch: pytest.MonkeyPatch) -> None:
    cudart = FakeCudart(0)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: cudart)
    assert nvidia.page_lock(1 << 44, 5 << 30, 3) is None
    assert cudart.calls == [("set", 3), ("register", 1 << 44, 5 << 30, 1)]


def test_memory_that_cannot_be_page_locked_is_a_reason_and_leaves_no_error_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cudart = FakeCudart(801)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: cudart)
    assert nvidia.page_lock(4096, 8 << 20, 0) == "cudaHostRegister of 8 MiB failed with 801"
    assert cudart.calls[-1] == ("forget",)


def test_without_cudas_library_there_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert nvidia.page_lock(4096, 4096, 0) == "none of libcudart.so.13, libcudart.so.12 can be loaded"


def test_driver_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: FakeDriver(status=999))
    with pytest.raises(BackendError, match="cuInit failed with 999"):
        nvidia.query_card(0)


def test_tensorrt_gets_its_profile_in_full(tmp_path: Path) -> None:
    options = tensorrt_options("picture", 1, "float16", SHAPES, tmp_path / "engines" / "key")
    assert options["trt_profile_min_shapes"] == "picture:1x384x640x3"
    assert options["trt_profile_opt_shapes"] == "picture:8x384x640x3"
    assert options["trt_profile_max_shapes"] == "picture:8x640x640x3"
    assert options["trt_fp16_enable"] == "True"
    assert options["device_id"] == "1"
    assert options["trt_engine_cache_path"] == str(tmp_path / "engines" / "key")
    assert options["trt_timing_cache_path"] == str(tmp_path / "engines")
    assert tensorrt_options("picture", 1, "float32", SHAPES, tmp_path)["trt_fp16_enable"] == "False"


@pytest.mark.parametrize(
    ("graph", "device", "shapes"),
    [
        (b"other", DEVICE, SHAPES),
        (b"graph", replace(DEVICE, versions="onnxruntime 1.32.0, TensorRT 10.13.3"), SHAPES),
        (b"graph", replace(DEVICE, versions="onnxruntime 1.31.1, TensorRT 10.14.0"), SHAPES),
        (b"graph", replace(DEVICE, compute_capability="8.9"), SHAPES),
        (b"graph", replace(DEVICE, precision="float32"), SHAPES),
        (b"graph", replace(DEVICE, name="H100"), SHAPES),
        (b"graph", DEVICE, replace(SHAPES, usual=(4, 384, 640, 3))),
    ],
)
def test_engine_belongs_to_all_that_it_depends_on(graph: bytes, device: DeviceInfo, shapes: ShapeRange) -> None:
    cache = Path("cache")
    first = engine_folder(cache, b"graph", DEVICE, SHAPES)
    assert first == engine_folder(cache, b"graph", replace(DEVICE, device_id=1, notes=("x",)), SHAPES)
    assert engine_folder(cache, graph, device, shapes) != first


def test_options_name_the_card() -> None:
    assert cuda_options(2)["device_id"] == "2"
    assert [cuda_options(0, captures=captures)["enable_cuda_graph"] for captures in (False, True)] == ["0", "1"]


class FakeRuntime:
    """ONNX Runtime whose session ends on the providers told."""

    def __init__(self, providers: list[str]) -> None:
        import onnxruntime

        self.SessionOptions = onnxruntime.SessionOptions
        self.providers = providers
        self.severity: list[int] = []

    def InferenceSession(self, graph: Path, options: object, providers: list, enable_fallback: int) -> object:
        assert not enable_fallback  # it prints on standard output and opens the session elsewhere
        self.severity.append(options.log_severity_level)
        return SimpleNamespace(get_providers=lambda: self.providers)


CUDA = replace(DEVICE, provider="CUDA", precision="float32")


def test_silent_fall_back_to_the_cpu_is_an_error(tmp_path: Path) -> None:
    runtime = FakeRuntime(["CPUExecutionProvider"])
    with pytest.raises(BackendError, match="CUDA was wanted, but ONNX Runtime uses CPUExecutionProvider"):
        onnxruntime_loading.open_on_card(runtime, tmp_path / "x.onnx", CUDA, 1, [])


def test_only_a_trial_is_silent(tmp_path: Path) -> None:
    runtime = FakeRuntime(["CUDAExecutionProvider", "CPUExecutionProvider"])
    for captures in (False, True):
        session = onnxruntime_loading.open_on_card(runtime, tmp_path / "x.onnx", CUDA, 1, [], captures=captures)
        assert session.get_providers()[0] == "CUDAExecutionProvider"
    assert runtime.severity == [3, 4]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/cuda_call.cc:154 std::conditional_t<T> "
            "onnxruntime::CudaCall(E, const char*, int) [with E = cudaError] CUDA failure 2: out of memory"
            " ; GPU=0 ; hostname=x ; file=/a.cc",
            "CUDA failure 2: out of memory ; GPU=0",
        ),
        (
            "/src/arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to (really) fail",
            "Failed to (really) fail",
        ),
        (
            "/src/x.cc:3 Foo(int)::<lambda(void*)> cudnn failed (mapping error) on 0",
            "cudnn failed (mapping error) on 0",
        ),
        ("no place (at all) here", "no place (at all) here"),
        ("/src/x.cc:3 no signature: failed", "/src/x.cc:3 no signature: failed"),
        ("/src/x.cc:3 operator()(int) failed (so)", "/src/x.cc:3 operator()(int) failed (so)"),
    ],
)
def test_messages_keep_what_they_say(message: str, told: str) -> None:
    assert onnxruntime_loading.one_line(RuntimeError(message)) == told


def test_cuda_session_without_the_gpu_package_is_an_error(tmp_path: Path) -> None:
    if "onnxruntime-gpu" in nvidia.installed_versions():
        pytest.skip("onnxruntime-gpu is installed")
    graph = write_small_graph(tmp_path / "small.onnx")
    with pytest.raises(BackendError, match=r"CUDA needs an NVIDIA card|is the CPU"):
        onnxruntime_session.open_session(graph, CUDA, threads=1, cache_folder=tmp_path, shapes=SHAPES)
