"""deploy/ray-cluster.yaml: Ray takes it, and its commands are commands of Ray and of the Makefile."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from places import ROOT

FILE = ROOT / "deploy" / "ray-cluster.yaml"

_VALIDATE = """
import sys, yaml
from ray.autoscaler._private.util import prepare_config, validate_config
config = yaml.safe_load(open(sys.argv[1]))
exec(sys.argv[2])
validate_config(prepare_config(config))
"""
"""In a process of its own: Ray is loaded there alone."""


def validate(change: str = "") -> "subprocess.CompletedProcess[str]":
    """Let Ray check the file, after a change of it."""
    command = [sys.executable, "-c", _VALIDATE, str(FILE), change]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    """The file."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def test_ray_takes_the_file() -> None:
    done = validate()
    assert done.returncode == 0, done.stderr


def test_ray_would_refuse_a_wrong_key() -> None:
    done = validate("config['max_worker'] = 2")
    assert done.returncode == 1
    assert "ValidationError" in done.stderr


def test_every_worker_is_started_at_once(content: dict[str, Any]) -> None:
    workers = content["provider"]["worker_ips"]
    assert content["min_workers"] == content["max_workers"] == len(workers) == 2


def test_its_commands_of_ray_have_options_that_ray_has(content: dict[str, Any]) -> None:
    lines = [*content["head_start_ray_commands"], *content["worker_start_ray_commands"]]
    starts = [line for line in lines if " start " in line]
    assert len(starts) == 2
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    options = {option for line in starts for option in re.findall(r" (--[a-z-]+)", line)}
    assert len(options) == 6
    assert all(f"{option} " in told for option in options), options


def test_its_environment_is_one_that_the_makefile_makes(content: dict[str, Any]) -> None:
    extras = [extra for line in content["setup_commands"] for extra in re.findall(r"EXTRA=(\w+)", line)]
    assert extras == ["ray"]
    command = ["make", "-n", "-C", str(ROOT), "env", "EXTRA=ray", "VENV=new"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "--editable '.[ray]'" in told
