"""All that stands in the way of a run is told at once, before anything is decoded."""

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, errors, fastface

from fastface.backends.nvidia import card_present
from fastface.config import Config, load_config
from fastface.diagnostics import preflight
from fastface.errors import BackendError, SpaceError
from fastface.pipeline import ring
from fastface.pipeline.ring import RingShape
from fastface.runtime.output_folder import OutputFolder, check_writable, nearest

without_card = pytest.mark.skipif(card_present(), reason="there is a card here")


def _config(models: Path, **export: str) -> Config:
    return load_config(environment={}, flags={"models": {"dir": str(models)}, "export": export})


def test_several_faults_are_one_error(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    missing, nobody = tmp_path / "none.mp4", tmp_path / "nobody.jpg"
    done = fastface("run", missing, "-t", nobody, "--models", tmp_path / "empty", "-o", tmp_path / "out")
    lines = errors(done, 2, 3)
    assert str(missing) in lines[0]
    assert str(nobody) in lines[1]
    assert "fastface models install" in lines[2]
    assert not (tmp_path / "out").exists()


def test_networks_are_not_started_if_no_target_exists(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    given = ("-t", tmp_path / "nobody.jpg", "-t", tmp_path / "photos")
    done = fastface("run", cartoon.films, *given, "--models", cartoon.models, "-o", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"fastface: target '{tmp_path}/nobody.jpg': no such file or folder",
        f"fastface: target '{tmp_path}/photos': the folder is empty",
    ]
    assert not (tmp_path / "out").exists()


def test_one_fault_is_told_as_it_is(cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    films, photos = [str(cartoon.films)], [str(cartoon.photos)]
    config = _config(cartoon.models, clips="none")
    found = preflight.look_ahead(config, films, photos, tmp_path / "out")
    assert len(found.videos) == 3
    monkeypatch.setattr(preflight, "_LEAST_SPACE", 1 << 60)
    with pytest.raises(SpaceError, match="no space left for"):
        preflight.look_ahead(config, films, photos, tmp_path / "out")


@pytest.mark.parametrize(
    ("soft", "hard", "expected"), [(256, 512, "512"), (64, 100, "only 100 open files are allowed")]
)
def test_descriptors_are_taken_as_far_as_they_are_given(soft: int, hard: int, expected: str) -> None:
    code = (
        "import resource\n"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from fastface.diagnostics.preflight import raise_descriptors\n"
        "try:\n    raise_descriptors()\n    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "except Exception as error:\n    print(error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert expected in told


@without_card
def test_a_device_that_is_missing_is_told_with_a_photo_that_is(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = ("run", cartoon.films, "--device", "cuda", "-o", tmp_path / "out")
    photo, networks = ("-t", tmp_path / "nobody.jpg"), ("--models", cartoon.models)
    lines = errors(fastface(*given, *photo, *networks), 2, 2)
    assert "CUDA needs an NVIDIA card" in lines[0]
    assert "nobody.jpg" in lines[1]
    lines = errors(fastface(*given, *photo, "--models", tmp_path / "empty", "--decoder", "nvdec"), 2, 4)
    assert "--decoder: " in lines[0]
    assert "fastface models install" in lines[3]  # which networks there are is known without the device
    (line,) = errors(fastface(*given, "-t", cartoon.photos, *networks), 4, 1)
    assert "CUDA needs an NVIDIA card" in line
    assert not (tmp_path / "out").exists()


@without_card
def test_numbered_cards_that_are_not_there_are_told_with_the_rest(cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("--devices", "0,1", "--models", cartoon.models, "-o", tmp_path / "out")
    (line,) = errors(fastface("run", cartoon.films, "-t", cartoon.photos, *given), 2, 1)
    assert "--devices: 0,1 numbers NVIDIA cards" in line
    lines = errors(fastface("run", tmp_path / "none.mp4", "-t", tmp_path / "nobody.jpg", *given), 2, 3)
    assert [part in line for part, line in zip(("none.mp4", "nobody.jpg", "--devices"), lines, strict=True)]
    assert not (tmp_path / "out").exists()


def test_an_output_folder_that_is_in_use_is_told_with_the_rest(cartoon: Cartoon, tmp_path: Path) -> None:
    out, photos = tmp_path / "out", [str(cartoon.photos)]
    config = _config(cartoon.models, clips="none")
    with OutputFolder(out).hold_lock():
        (line,) = errors(_run(cartoon, out, cartoon.photos), 11, 1)
        assert f"in use by another run (process {os.getpid()})" in line
        lines = errors(_run(cartoon, out, tmp_path / "nobody.jpg"), 2, 2)
        assert "in use by another run" in lines[0]
        assert "nobody.jpg" in lines[1]
    preflight.look_ahead(config, [str(cartoon.films)], photos, out)
    with (out / ".fastface" / "lock").open() as lock:  # who asked holds nothing
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _run(cartoon: Cartoon, out: Path, photos: Path) -> subprocess.CompletedProcess[str]:
    return fastface("run", cartoon.films, "-t", photos, "--models", cartoon.models, "-o", out, "-q")


def test_an_output_folder_that_cannot_be_written_is_told_with_the_rest(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lines = errors(_run(cartoon, tmp_path / "file" / "out", tmp_path / "nobody.jpg"), 2, 2)
    assert "cannot write in" in lines[0]
    assert "nobody.jpg" in lines[1]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_what_another_user_closed_cannot_be_written_and_nothing_is_left(tmp_path: Path) -> None:
    tmp_path.parent.chmod(0o755)
    tmp_path.chmod(0o777)
    state = tmp_path / "out" / ".fastface"
    state.mkdir(parents=True, mode=0o700)
    (tmp_path / "out").chmod(0o777)
    code = (
        f"import os, pathlib\nfrom fastface.diagnostics.preflight import check_out\nos.chdir({str(tmp_path)!r})\n"
        "os.setuid(65534)\ncheck_out(pathlib.Path('new/out'))\n"
        "try:\n    check_out(pathlib.Path('out'))\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "ConfigError cannot write in 'out/.fastface/index': Permission denied\n"
    assert [path.name for path in tmp_path.rglob("*")] == ["out", ".fastface"]


def test_the_nearest_place_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert nearest(tmp_path) == tmp_path
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(tmp_path / "gone" / "b") == tmp_path
    check_writable(tmp_path / "a" / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["gone"]


def test_too_little_memory_for_the_ring_is_told_with_the_rest(cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("--models", cartoon.models, "-o", tmp_path / "out", "--ring-mb", "262144")
    (line,) = errors(fastface("run", cartoon.films, "-t", cartoon.photos, *given), 28, 1)
    assert "does not fit the" in line
    assert "--ring-mb" in line
    lines = errors(fastface("run", cartoon.films, "-t", tmp_path / "nobody.jpg", *given), 2, 2)
    assert "does not fit the" in lines[0]
    assert not (tmp_path / "out").exists()


def test_memory_is_reserved_in_earnest_only_where_it_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    shape, reserved = RingShape(8, 1 << 20, 1), []

    def reserve(_descriptor: int, _start: int, size: int) -> None:
        reserved.append(size >> 20)

    monkeypatch.setattr(os, "posix_fallocate", reserve)
    monkeypatch.setattr(ring.mmap, "mmap", lambda _descriptor, size: bytearray(size) if size else None)
    monkeypatch.setattr(ring.Ring, "close", lambda _ring: None)
    for free in (16, 15, 10):
        for module in (ring, preflight):
            monkeypatch.setattr(module, "available_bytes", lambda free=free: free << 20)
        preflight.check_ring(shape)
    assert reserved == [1, 8, 8]
    monkeypatch.setattr(ring, "available_bytes", lambda: 9 << 20)
    monkeypatch.setattr(preflight, "available_bytes", lambda: 9 << 20)
    with pytest.raises(SpaceError, match="a ring of 8 MiB does not fit the 9 MiB"):
        preflight.check_ring(shape)


def test_a_system_without_such_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_name: str, _flags: int) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(SpaceError, match="no shared memory for the frames: Function not implemented"):
        preflight.check_ring(RingShape(1, 1 << 20, 1))


def test_nvdec_by_name_needs_module_card_and_library(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(environment={}, flags={"scan": {"decoder": "nvdec"}})
    for decoder in ("pyav", "auto"):  # auto takes what there is
        preflight.check_decoder(load_config(environment={}, flags={"scan": {"decoder": decoder}}))
    monkeypatch.setattr(preflight, "find_spec", lambda _name: None)
    with pytest.raises(BackendError, match=r"pip install '\.\[nvdec\]'; or use --decoder pyav"):
        preflight.check_decoder(config)
    monkeypatch.setattr(preflight, "find_spec", lambda _name: "there")
    monkeypatch.setattr(preflight, "card_present", lambda: False)
    with pytest.raises(BackendError, match="needs an NVIDIA card and its driver"):
        preflight.check_decoder(config)
    monkeypatch.setattr(preflight, "card_present", lambda: True)
    monkeypatch.setattr(preflight, "_DECODER_LIBRARY", "libnowhere.so.1")
    with pytest.raises(BackendError, match=r"libnowhere\.so\.1.*NVIDIA_DRIVER_CAPABILITIES"):
        preflight.check_decoder(config)
    monkeypatch.setattr(preflight, "_DECODER_LIBRARY", "libc.so.6")
    preflight.check_decoder(config)


def test_find_is_told_all_at_once_too(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    given = ("find", "-t", tmp_path / "nobody.jpg", "--models", tmp_path / "empty", "-o", tmp_path / "out")
    lines = errors(fastface(*given, "-s", "run.fresh=true"), 2, 4)
    parts = ("--fresh", "holds no scanned videos", "nobody.jpg", "fastface models install")
    assert all(part in line for part, line in zip(parts, lines, strict=True))
    assert not (tmp_path / "out").exists()
    out = shutil.copytree(ran.out, tmp_path / "out")
    with OutputFolder(out).hold_lock():
        done = fastface("find", "-t", cartoon.bank, "--models", cartoon.models, "-o", out, "-q")
        assert "in use by another run" in errors(done, 11, 1)[0]


def test_looking_ahead_loads_no_codec_and_no_network_library(cartoon: Cartoon, tmp_path: Path) -> None:
    heavy = ("av", "cv2", "onnx", "PIL", "openvino", "onnxruntime")
    code = (
        "import sys, pathlib\nfrom fastface.config import load_config\n"
        "from fastface.diagnostics.preflight import look_ahead\n"
        f"config = load_config(flags={{'models': {{'dir': {str(cartoon.models)!r}}}}})\n"
        f"look_ahead(config, [{str(cartoon.films)!r}], [{str(cartoon.photos)!r}], pathlib.Path('out'))\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert told.strip() == "[]"
    assert list(tmp_path.iterdir()) == []


def test_networks_are_opened_only_where_something_is_wrong(
    cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading large ones takes half a second, and the run does it anyway."""
    monkeypatch.setattr(preflight, "open_networks", lambda *_: pytest.fail("they were opened"))
    preflight.look_ahead(_config(cartoon.models), [str(cartoon.films)], [str(cartoon.photos)], tmp_path / "out")


@pytest.mark.parametrize("fault", ["photo", "pack"])
@pytest.mark.parametrize("is_there", [False, True])
def test_what_could_not_begin_leaves_nothing(cartoon: Cartoon, tmp_path: Path, fault: str, *, is_there: bool) -> None:
    blank = tmp_path / "blank.png"
    assert cv2.imwrite(str(blank), np.zeros((200, 200, 3), np.uint8))
    out = tmp_path / "new" / "out"
    if is_there:
        out.mkdir(parents=True)
        (out / "mine.txt").write_text("mine")
    before = contents(tmp_path)
    photos, models = (cartoon.photos, tmp_path) if fault == "pack" else (blank, cartoon.models)
    done = fastface("run", cartoon.films, "-t", photos, "--models", models, "-o", out, "-q")
    assert done.returncode in (1, 2), done.stderr
    assert ("no pack" in done.stderr) == (fault == "pack")
    assert ("no face" in done.stderr) == (fault == "photo")
    assert contents(tmp_path).keys() == before.keys()
