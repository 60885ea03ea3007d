"""Unit tests start no process and need nothing beside the checkout."""

import os
import subprocess
from typing import NoReturn

import pytest

FORBIDDEN_FIXTURES = {"cartoon", "ran", "shared", "shared_media", "shared_models", "libraries"}


def _refuse(*_arguments: object, **_options: object) -> NoReturn:
    pytest.fail("a unit test started a process: it belongs into another folder")


@pytest.fixture(autouse=True)
def _only_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    used = FORBIDDEN_FIXTURES.intersection(request.fixturenames)
    assert not used, f"a unit test used {used}: it belongs into another folder"
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    monkeypatch.setattr(os, "posix_spawn", _refuse)
    monkeypatch.setattr(os, "fork", _refuse)
