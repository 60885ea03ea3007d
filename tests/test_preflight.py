"""All that stands in the way of a run is told at once, before anything is decoded."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from cli_tools import errors, fastface
from conftest import Cartoon

from fastface.config import Config, load_config
from fastface.errors import ConfigError, ExportError, SpaceError
from fastface.workflows import preflight


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


def test_one_fault_is_told_as_it_is(cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    films, photos = [str(cartoon.films)], [str(cartoon.photos)]
    config = _config(cartoon.models, clips="none")
    found = preflight.look_ahead(config, films, photos, tmp_path / "out")
    assert len(found.videos) == 3

    def no_ffmpeg() -> Path:
        raise ExportError("no ffmpeg found: install it")

    monkeypatch.setattr(preflight, "find_ffmpeg", no_ffmpeg)
    preflight.look_ahead(config, films, photos, tmp_path / "out")  # no clips, no ffmpeg
    preflight.look_ahead(_config(cartoon.models), films, None, tmp_path / "out")  # a scan cuts none either
    with pytest.raises(ConfigError, match=r"export\.clips: no ffmpeg found"):
        preflight.look_ahead(_config(cartoon.models), films, photos, tmp_path / "out")
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
        "from fastface.workflows.preflight import _raise_descriptors\n"
        "try:\n    _raise_descriptors()\n    print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "except Exception as error:\n    print(error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert expected in told
