"""Output folders with bodies."""

import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from body_index import FILMS, LENGTH, RATE, Draw, Passage, write_index
from census_tools import Command
from index_tools import INFO

from fastface.config import load_config
from fastface.distribution import read_version
from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.runtime.index_settings import build_index_settings
from fastface.runtime.networks import open_networks
from fastface.runtime.output_folder import OutputFolder


@pytest.fixture(scope="package")
def draw(pack: Path, command: Command) -> Draw:
    """Makes OUT an index of some videos, in place of what it knows of them."""

    def drawn(out: Path, films: dict[str, tuple[Passage, ...]] = FILMS, *, rate: int = RATE, **more: Any) -> None:
        config = load_config(flags={"models": {"dir": pack}, "scan": {"sample_fps": rate}})
        index_settings = build_index_settings(config.scan, open_networks(config), read_version())
        folder = OutputFolder(out)
        with Ledger(folder.ledger) as ledger:
            for video_id, film in films.items():
                write_index(VideoIndex(folder.index, video_id), film, index_settings.metadata, rate=rate, **more)
                facts = {"rotation": 0, "time_base": Fraction(1, 1000), "rate": Fraction(25), "start_pts": 0}
                info = replace(INFO, video_id=video_id, duration=Fraction(LENGTH), **facts)
                ledger.put_video(
                    VideoRecord(video_id, info.path, video_id, index_settings.key, "done", coverage=1.0, info=info)
                )

    return drawn


@pytest.fixture(scope="package")
def counted(draw: Draw, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of the two videos, and of `people`; tests that change it copy it."""
    out = tmp_path_factory.mktemp("counted") / "out"
    draw(out)
    done = command("people", "-o", out, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


@pytest.fixture
def out(counted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(counted, tmp_path / "out")
