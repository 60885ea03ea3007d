"""Device names: what each means, what is said when it is not there, and that nothing falls back in silence."""

import json
import subprocess
from pathlib import Path

import pytest
from backends_tools import CPU

from fastface.backends import DEVICES, DeviceInfo, child, probe, registry, resolve_device
from fastface.errors import BackendError

GPU = DeviceInfo("onnxruntime", "CUDA", "float32", "H200", "onnxruntime 1.31.1", compute_capability="9.0")


@pytest.fixture(autouse=True)
def _fresh_checks() -> None:
    registry._check.cache_clear()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Fakes what works: {(backend, provider): DeviceInfo}; everything else is missing."""

    def pretend(working: dict, card: bool) -> list:
        asked = []

        def check(candidate: registry._Candidate, _cache: Path) -> DeviceInfo | str:
            key = (candidate.backend, candidate.provider)
            asked.append(key)
            if key not in working:
                return f"{candidate.provider} of {candidate.backend} is missing"
            return working[key]

        monkeypatch.setattr(registry, "_check", check)
        monkeypatch.setattr(registry, "card_present", lambda: card)
        return asked

    yield pretend
    monkeypatch.undo()


def test_unknown_name_lists_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="unknown device 'npu'; there are: auto, cpu, cuda, tensorrt, openvino"):
        resolve_device("npu", tmp_path)
    assert DEVICES == ("auto", "cpu", "cuda", "tensorrt", "openvino")


def test_auto_prefers_tensorrt_then_cuda_then_openvino_then_onnxruntime(machine, tmp_path: Path) -> None:
    asked = machine({("onnxruntime", "CPU"): CPU}, card=False)
    assert resolve_device("auto", tmp_path) == CPU
    assert asked == [("onnxruntime", "TensorRT"), ("onnxruntime", "CUDA"), ("openvino", "CPU"), ("onnxruntime", "CPU")]


def test_auto_beside_an_unusable_card_says_why(machine, tmp_path: Path) -> None:
    machine({("openvino", "CPU"): CPU}, card=True)
    device = resolve_device("auto", tmp_path)
    assert device.name == "EPYC"
    assert device.notes == ("TensorRT of onnxruntime is missing", "CUDA of onnxruntime is missing")


def test_auto_takes_the_card_that_works(machine, tmp_path: Path) -> None:
    machine({("onnxruntime", "CUDA"): GPU, ("openvino", "CPU"): CPU}, card=True)
    device = resolve_device("auto", tmp_path)
    assert (device.name, device.is_gpu) == ("H200", True)
    assert device.notes == ("TensorRT of onnxruntime is missing",)


def test_named_device_never_becomes_another(machine, tmp_path: Path) -> None:
    machine({("openvino", "CPU"): CPU, ("onnxruntime", "CPU"): CPU}, card=True)
    for name in ("cuda", "tensorrt"):
        with pytest.raises(BackendError, match="is missing") as caught:
            resolve_device(name, tmp_path)
        assert caught.value.exit_code == 4


def test_cpu_is_openvino_else_onnxruntime(machine, tmp_path: Path) -> None:
    asked = machine({("onnxruntime", "CPU"): CPU}, card=False)
    resolve_device("cpu", tmp_path)
    assert asked == [("openvino", "CPU"), ("onnxruntime", "CPU")]


NOTES = ["", "half a {", "[1]", "{}", '{"backend": "onnxruntime"}', "\udcff"]


@pytest.mark.parametrize("content", NOTES)
def test_a_note_that_is_damaged_or_of_another_device_is_made_again(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_probe", lambda _: CPU)
    monkeypatch.setitem(registry._CANDIDATES, "cpu", (registry._OPENVINO,))
    monkeypatch.setattr(registry, "_runtime", lambda _: _Whole)
    resolve_device("cpu", tmp_path)
    (note,) = tmp_path.glob("device-*.json")
    good = note.read_text(encoding="utf-8")
    for bad in (content.encode("utf-8", "surrogateescape"), json.dumps({**json.loads(good), "backend": "x"}).encode()):
        note.write_bytes(bad)
        registry._check.cache_clear()
        assert resolve_device("cpu", tmp_path) == CPU
        assert note.read_text(encoding="utf-8") == good


def test_a_place_that_cannot_hold_a_note_is_borne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_probe", lambda _: CPU)
    monkeypatch.setitem(registry._CANDIDATES, "cpu", (registry._OPENVINO,))
    monkeypatch.setattr(registry, "_runtime", lambda _: _Whole)
    (tmp_path / "file").touch()
    assert resolve_device("cpu", tmp_path / "file" / "fastface") == CPU
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


class _Whole:
    """A runtime that lacks nothing."""

    @staticmethod
    def shortfall(_provider: str) -> None:
        return None


@pytest.mark.skipif(registry.card_present(), reason="there is an NVIDIA card")
@pytest.mark.parametrize("name", ["cuda", "tensorrt"])
def test_machine_without_a_card_says_so_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"driver.*--device cpu") as caught:
        resolve_device(name, tmp_path)
    assert "\n" not in str(caught.value)


def answer(code: int, stdout: str, stderr: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], code, stdout, stderr)


def test_check_that_crashes_is_an_error() -> None:
    with pytest.raises(BackendError, match=r"CUDA ended with -11: last words"):
        child.read_answer("CUDA", answer(-11, "", "first\nlast words\n"))


def test_check_that_misses_something_says_what() -> None:
    with pytest.raises(BackendError, match="no cuDNN"):
        child.read_answer("CUDA", answer(0, f"chatter\n{json.dumps({'missing': 'no cuDNN'})}\n"))


def test_check_that_hangs_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def hang(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, 180)

    monkeypatch.setattr(subprocess, "run", hang)
    told = registry._check(registry._Candidate("onnxruntime", "CPU"), tmp_path)
    assert told == "onnxruntime on CPU did not answer within 180 s"
    monkeypatch.undo()  # what a command has once seen to fail it does not wait for again
    assert registry._check(registry._Candidate("onnxruntime", "CPU"), tmp_path) == told


def test_probe_refuses_a_runtime_that_computes_wrongly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastface.backends.onnxruntime_session import OnnxRuntimeSession, describe

    probe.check_device(describe("CPU"), tmp_path)
    right = OnnxRuntimeSession.infer
    monkeypatch.setattr(OnnxRuntimeSession, "infer", lambda self, batch: (right(self, batch)[0] + 1,))
    with pytest.raises(BackendError, match="gives wrong results"):
        probe.check_device(describe("CPU"), tmp_path)
