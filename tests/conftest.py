"""Fixtures that every room's tests use: where the real networks, clips and photos lie."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


def _existing(path: Path) -> Path:
    if not path.is_dir():
        pytest.skip(f"{path} is not there: real networks and media are needed")
    return path


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party networks and media beside the checkout."""
    return _existing(SHARED)


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Packs of real networks."""
    return _existing(SHARED / "models")


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """Real clips, photos and reference hits."""
    return _existing(SHARED / "media")
