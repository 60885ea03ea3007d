"""Keyframes first: what is near a keyframe that shows a target is found as by the default sampling, and only that."""

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from export_tools import keyframes
from run_tools import rows, run

from fastface.index.ledger import Ledger

REACH = Fraction(11, 5)
"""Seconds on either side of a hit's cell that are looked at: two seconds and one cell."""

CELL = Fraction(1, 5)
SPARSE = ("--no-every-frame", "--sample-fps", "5", "--pad", "0,0", "--merge-gap", "0.5", "-s", "scan.unit_seconds=60")

Hit = tuple[str, str, str]


def _hits(out: Path) -> set[Hit]:
    return {(row["video"], row["target"], row["time"]) for row in rows(out / "hits.csv")}


def _reached(hits: set[Hit], film: Path) -> set[Hit]:
    """The hits of one film that are reached from its keyframes, step by step."""
    keys = keyframes(film)
    texts = {f"{float(time):.3f}" for time in keys}
    mine = {hit: int(Fraction(hit[2]) // CELL) for hit in hits if hit[0] == film.name}
    reached = {hit for hit in mine if hit[2] in texts}
    while True:
        reach = int(REACH / CELL)
        cells = {cell + step for hit in reached for cell in [mine[hit]] for step in range(-reach, reach + 1)}
        ends = [cell + 1 for cell in cells if cell + 1 not in cells]
        edges = [-int(-time // CELL) for time in keys]
        for end in ends:  # up to the next keyframe, where that is near
            following = min((edge for edge in edges if edge >= end), default=end)
            if following - end <= int(2 / CELL):
                cells |= set(range(end, following))
        more = {hit for hit, cell in mine.items() if cell in cells}
        if more == reached:
            return reached
        reached = more


@pytest.fixture(scope="module")
def default(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("default") / "out"
    done = run(cartoon, out, *SPARSE)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def fast(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fast") / "out"
    done = run(cartoon, out, *SPARSE, "--profile", "fast")
    assert done.returncode == 0, done.stderr
    return out


def test_all_that_can_be_reached_from_a_keyframe_is_found(cartoon: Cartoon, default: Path, fast: Path) -> None:
    hits = _hits(default)
    assert len(hits) > 50
    expected = set().union(*(_reached(hits, film) for film in sorted(cartoon.films.iterdir())))
    assert len(expected) > 20
    assert _hits(fast) == expected


def test_tracks_of_one_keyframe_are_looked_at_before_they_are_too_short(
    cartoon: Cartoon, fast: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(cartoon, out, *SPARSE, "--profile", "fast", "-s", "match.min_faces=2")
    assert done.returncode == 0, done.stderr
    assert len(_hits(out)) > 20
    assert _hits(out) <= _hits(fast)


def test_films_whose_keyframes_were_seen_are_done(fast: Path) -> None:
    videos = json.loads((fast / "run.json").read_text())["videos"]
    assert len(videos) == 3
    assert {(video["state"], video["coverage"]) for video in videos} == {("done", 1.0)}


def test_closer_looks_begin_at_keyframes_so_that_decoders_share_them(cartoon: Cartoon, fast: Path) -> None:
    with Ledger(fast / ".fastface" / "state.sqlite", read_only=True) as ledger:
        films = {record.video_id: record.path for record in ledger.videos()}
        stretches = [(films[name], unit) for name in films for unit in ledger.units(name).values() if unit.dense]
    starts = {(film, -(-time // CELL) * CELL) for film in set(films.values()) for time in keyframes(film)}
    split = [unit for film, unit in stretches if (film, unit.start) in starts]
    assert len(split) > 5
    assert all(unit.end is not None and unit.end - unit.start >= 1 for unit in split)


def test_whom_no_keyframe_shows_costs_no_closer_look(cartoon: Cartoon, fast: Path, tmp_path: Path) -> None:
    """Films in which the target is not: one frame a second is searched, that is each keyframe."""
    out = tmp_path / "out"
    other = shutil.copy(next(cartoon.photos.iterdir()), tmp_path / "photo.png")
    done = run(cartoon, out, *SPARSE, "--profile", "fast", "-t", str(other), "--threshold", "1", "--margin", "2")
    assert done.returncode == 0, done.stderr
    assert rows(out / "hits.csv") == []
    sampled = json.loads((out / "run.json").read_text())["counts"]["sampled"]
    assert sampled == sum(len(keyframes(film)) for film in cartoon.films.iterdir())


def test_asked_again_nothing_is_looked_at_again(cartoon: Cartoon, fast: Path, tmp_path: Path) -> None:
    out = shutil.copytree(fast, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").rglob("*.parquet")}
    assert len(before) > 3
    assert run(cartoon, out, *SPARSE, "--profile", "fast").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (out / ".fastface" / "index").rglob("*.parquet")} == before
    assert _hits(out) == _hits(fast)


def test_boundaries_can_be_exact(cartoon: Cartoon, default: Path, fast: Path, tmp_path: Path) -> None:
    whole = shutil.copytree(default, tmp_path / "default")
    quick = shutil.copytree(fast, tmp_path / "fast")
    assert run(cartoon, whole, *SPARSE, "--exact").returncode == 0
    assert run(cartoon, quick, *SPARSE, "--profile", "fast", "--exact").returncode == 0
    keys = ("video", "target", "first_hit", "last_hit")
    spans = {tuple(row[key] for key in keys) for row in rows(whole / "spans.csv")}
    found = {tuple(row[key] for key in keys) for row in rows(quick / "spans.csv")}
    assert len(found) > 3
    assert found <= spans


def test_a_film_that_ends_too_soon_is_not_done(cartoon: Cartoon, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    content = (cartoon.films / "film1.mp4").read_bytes()
    (films / "cut.mp4").write_bytes(content[: len(content) * 6 // 10])
    mine = replace(cartoon, films=films)
    done = run(mine, tmp_path / "out", *SPARSE, "--profile", "fast")
    assert done.returncode == 3
    (video,) = json.loads((tmp_path / "out" / "run.json").read_text())["videos"]
    assert video["state"] in {"partial", "failed"}
