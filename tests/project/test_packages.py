"""constraints.txt: what is installed for `make run`, `make test` and the Dockerfiles is what these tests run with."""

import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
]


OF_ONE_EXTRA = {"onnxruntime-gpu", "onnxruntime", "openvino", "openvino-telemetry"}
"""The card's runtime lies in a folder of its own, or it is there instead of the processor's."""


def wanted() -> list[Requirement]:
    """All that is installed for running, and for testing, on a machine without a card."""
    extras = PROJECT["project"]["optional-dependencies"]
    groups = PROJECT["dependency-groups"]
    parts = [PROJECT["project"]["dependencies"], *(extras[name] for name in ("cpu", "redis", "scale"))]
    parts += [groups[name] for name in ("dev", "parity", "card")]
    return [Requirement(text) for part in parts for text in part]


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_what_is_asked_for_is_pinned_to_a_version_that_is_asked_for(requirement: Requirement) -> None:
    pins = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(requirement.name)]
    assert pins, "make constraints"
    for pin in pins:
        (exact,) = pin.specifier
        assert exact.operator == "=="
        assert requirement.specifier.contains(exact.version), "make constraints"


def test_these_tests_run_with_the_versions_that_are_pinned() -> None:
    others = {}
    for pin in PINS:
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        try:
            installed = version(pin.name)
        except PackageNotFoundError:
            assert pin.name in OF_ONE_EXTRA, pin
            continue
        if not pin.specifier.contains(installed):
            others[pin.name] = installed
    assert others == {}


@pytest.mark.parametrize("extra", ["cpu", "cuda", "gpu"])
def test_the_makefile_installs_each_extra_by_commands_that_a_shell_can_read(extra: str, tmp_path: Path) -> None:
    command = ["make", "-n", "env", f"EXTRA={extra}", f"VENV={tmp_path / 'new'}"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert subprocess.run(["sh", "-n"], input=told, text=True, check=False).returncode == 0
    assert told.count(f"--editable '.[{extra}]'") == 1
    assert told.count("--constraint constraints.txt") == told.count("--editable") == (2 if extra == "gpu" else 1)


def environment(tmp_path: Path, *installed: str) -> str:
    """An environment of which make believes that these extras are in it."""
    (tmp_path / "env" / "bin").mkdir(parents=True)
    (tmp_path / "env" / "bin" / "python").touch()
    for extra in installed:
        (tmp_path / "env" / f".installed-{extra}").touch()
    return f"VENV={tmp_path / 'env'}"


def test_another_runtime_replaces_the_one_that_is_installed(tmp_path: Path) -> None:
    """The packages of two runtimes overwrite each other's files, so the first must go."""
    command = ["make", "-n", "env", "EXTRA=gpu", environment(tmp_path, "cpu")]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    removed = [n for n, line in enumerate(lines) if "uninstall" in line and "onnxruntime onnxruntime-gpu" in line]
    added = [n for n, line in enumerate(lines) if "--editable '.[gpu]'" in line]
    assert len(removed) == len(added) == 1
    assert removed < added
    assert f"rm {tmp_path / 'env' / '.installed-cpu'}" in lines


def test_an_extra_that_is_no_runtime_is_added_to_the_one_that_is_installed(tmp_path: Path) -> None:
    command = ["make", "-n", "env", "EXTRA=redis", environment(tmp_path, "cpu")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--editable '.[redis]'" in told
    assert "uninstall" not in told


@pytest.mark.parametrize("extra", ["cpu", "cuda", "gpu"])
def test_make_keeps_the_runtime_that_was_chosen(extra: str, tmp_path: Path) -> None:
    command = ["make", "-n", "env", environment(tmp_path, extra)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "install" not in told
