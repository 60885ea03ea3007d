"""Both places of a store of identities."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_tools import opened, served

from fastface.census.store.base import (
    IdentityStore,
)


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served(tmp_path_factory.mktemp("redis")) as path:
        yield path


@pytest.fixture(params=["sqlite", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "private" / "identities.db")
    return f"unix://{request.getfixturevalue('socket')}?prefix={tmp_path.name}:"


@pytest.fixture
def store(where: str) -> Iterator[IdentityStore]:
    with opened(where) as one:
        yield one
