"""Checks before a run that need no file."""

import pytest

from fastface.config import Config, load_config
from fastface.diagnostics import preflight
from fastface.errors import BackendError


def test_a_scan_on_a_cluster_needs_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(environment={}, flags={"run": {"engine": "ray"}})
    preflight.check_engine(config)
    monkeypatch.setattr(preflight, "find_spec", lambda _: None)
    preflight.check_engine(Config())
    with pytest.raises(BackendError, match="--engine: Ray is not installed; in fastface's clone: make env EXTRA=ray"):
        preflight.check_engine(config)
