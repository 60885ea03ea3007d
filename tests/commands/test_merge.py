"""`--shard` and `merge`: machines that do not know each other answer like one; several `-o` answer like a merge."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, environment, errors, fastface
from run_tools import COMMAND, rows

from fastface.index.ledger import Ledger
from fastface.runtime.output_folder import OutputFolder

COPY = "copy of film2.mp4"
TABLES = ("spans.csv", "spans.json", "hits.csv", "review.csv", "bank_growth.csv")
PEOPLE = ("people.csv", "appearances.csv", "together.csv", "names.csv", "embeddings.npz", "table.png")


@dataclass(frozen=True)
class Fleet:
    """One folder over all films, and the folders of three machines with a shard each."""

    films: Path
    whole: Path
    shards: tuple[Path, ...]
    notes: tuple[str, ...]


@pytest.fixture(scope="module")
def fleet(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """The drawn films, a copy of one in another folder, and a file that is no film, scanned whole and in shards."""
    root = tmp_path_factory.mktemp("fleet")
    films = root / "films"
    shutil.copytree(cartoon.films, films)
    (films / "again").mkdir()
    shutil.copyfile(films / "film2.mp4", films / "again" / COPY)
    (films / "broken.mp4").write_bytes(b"no film")
    notes = []
    for name, shard in (("whole", "1/1"), ("one", "1/3"), ("two", "2/3"), ("three", "3/3")):
        scanned = fastface("scan", films, "--models", cartoon.models, "-o", root / name, "--shard", shard)
        assert scanned.returncode in (0, 3), scanned.stderr
        notes += [line for line in scanned.stderr.splitlines() if line.startswith("shard ")]
    return Fleet(films, root / "whole", (root / "one", root / "two", root / "three"), tuple(notes))


@pytest.fixture(scope="module")
def asked(fleet: Fleet, cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole folder after a search and a census."""
    out = shutil.copytree(fleet.whole, tmp_path_factory.mktemp("asked") / "whole")
    ask(cartoon, out)
    return out


def ask(cartoon: Cartoon, *outs: Path) -> None:
    """A search with photos and a census, of one folder or of several."""
    options = [word for out in outs for word in ("-o", out)]
    found = fastface("find", "-t", cartoon.photos, *options, "--clips", "none", "--crops", "face", "-q")
    assert found.returncode == 3, found.stderr
    assert fastface("people", *options, "-q").returncode == 0


def merge(*words: object) -> dict[str, object]:
    done = fastface("merge", *words, "--json")
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def videos(out: Path) -> list[str]:
    with Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
        return [record.video_id for record in ledger.videos() if record.scan_key]


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found
    return found


def index(out: Path) -> dict[str, bytes]:
    return files(out / ".fastface" / "index")


def answer(out: Path) -> dict[str, bytes]:
    tables = {name: (out / name).read_bytes() for name in TABLES}
    return {**tables, **{name: (out / "people" / name).read_bytes() for name in PEOPLE}, **files(out / "crops")}


def test_shards_are_parts_and_say_so(fleet: Fleet) -> None:
    parts = [videos(shard) for shard in fleet.shards]
    assert sorted(name for part in parts for name in part) == videos(fleet.whole)
    assert videos(fleet.whole) == ["broken.mp4", "film1.mp4", "film2.mp4", "film3.mp4"]
    assert len(fleet.notes) == 3
    counts = [int(note.removeprefix(f"shard {n}/3: ").removesuffix(" of 5 videos")) for n, note in enumerate(fleet.notes, 1)]
    assert sum(counts) == 5
    assert all(json.loads((shard / "run.json").read_text())["skipped"] is not None for shard in fleet.shards)


def test_merged_shards_answer_like_one_scan(fleet: Fleet, asked: Path, cartoon: Cartoon, tmp_path: Path) -> None:
    before = [contents(shard) for shard in fleet.shards]
    out = tmp_path / "merged"
    merged = merge(*fleet.shards, "-o", out)
    assert (merged["videos"], merged["waiting"], merged["counted_once"], merged["notes"]) == (4, 0, 0, [])
    assert index(out) == index(fleet.whole)
    ask(cartoon, out)
    assert answer(out) == answer(asked)
    assert len(rows(out / "hits.csv")) > 100
    assert [contents(shard) for shard in fleet.shards] == before
    # The index is linked, and copied on request.
    film = Path(".fastface") / "index" / "film1.mp4" / "faces.parquet"
    (source,) = [shard / film for shard in fleet.shards if (shard / film).exists()]
    assert (out / film).samefile(source)
    merge(*fleet.shards, "-o", tmp_path / "copied", "--copy")
    assert not (tmp_path / "copied" / film).samefile(source)
    assert index(tmp_path / "copied") == index(fleet.whole)


def test_several_folders_are_asked_as_one(fleet: Fleet, asked: Path, cartoon: Cartoon, tmp_path: Path) -> None:
    outs = [shutil.copytree(shard, tmp_path / shard.name) for shard in fleet.shards]
    options = [word for out in outs for word in ("-o", out)]
    (line,) = errors(fastface("report", *options, "-q"), 2, 1)
    assert "were not asked together yet: fastface people -o" in line
    view = outs[0] / "joined" / "two+three"
    would = json.loads(fastface("find", "-t", cartoon.photos, *options, "--dry-run", "--json").stdout)
    assert would["output"] == [repr(str(view))]
    assert not view.exists()
    before = [(contents(out / ".fastface" / "index"), videos(out)) for out in outs]
    ask(cartoon, *outs)
    assert answer(view) == answer(asked)
    assert [(contents(out / ".fastface" / "index"), videos(out)) for out in outs] == before
    assert not any((out / "spans.csv").exists() for out in outs)
    # Commands that continue use the same place.
    assert fastface("report", *options, "-q").returncode == 0
    assert fastface("timelines", *options, "--as", "edl", "-q").returncode == 0
    assert list((view / "timelines").glob("*/*.edl"))
    picked = fastface("pick", "1", "--name", "Zoe", *options, "--clips", "none", "-q")
    assert picked.returncode == 3, picked.stderr
    assert {row["target"] for row in rows(view / "spans.csv")} == {"Zoe"}
    # A view follows its folders: a video that one of them forgets is gone, and so is all after a purge.
    (owner,) = [out for out in outs if "film3.mp4" in videos(out)]
    assert fastface("forget", "film3.mp4", "-o", owner, "--yes", "-q").returncode == 0
    assert fastface("people", *options, "-q").returncode == 0
    assert videos(view) == ["broken.mp4", "film1.mp4", "film2.mp4"]
    assert "Zoe" in {row["name"] for row in rows(view / "people" / "people.csv")}
    assert list(view.rglob("*.parquet"))
    assert fastface("purge", "-o", outs[0], "--yes", "-q").returncode == 0
    assert not list(outs[0].rglob("*.parquet"))


def test_merging_again_adds_only_what_is_new(fleet: Fleet, tmp_path: Path) -> None:
    out = tmp_path / "merged"
    first, *others = fleet.shards
    assert merge(first, "-o", out)["taken"] == {str(first): len(videos(first))}
    before = contents(out / ".fastface" / "index")
    again = merge(first, "-o", out)
    assert again["taken"] == {str(first): 0}
    assert contents(out / ".fastface" / "index") == before
    assert merge(*fleet.shards, "-o", out)["taken"] == {str(first): 0, **{str(o): len(videos(o)) for o in others}}
    assert index(out) == index(fleet.whole)
    status = json.loads(fastface("status", "-o", out, "--json").stdout)
    assert status["states"] == {"done": 3, "failed": 1}


def test_another_shard_in_the_same_folder_simply_adds(cartoon: Cartoon, fleet: Fleet, tmp_path: Path) -> None:
    out = shutil.copytree(fleet.shards[0], tmp_path / "out")
    for shard in ("2/3", "3/3"):
        scanned = fastface("scan", fleet.films, "--models", cartoon.models, "-o", out, "--shard", shard, "-q")
        assert scanned.returncode in (0, 3), scanned.stderr
    assert videos(out) == videos(fleet.whole)
    assert index(out) == index(fleet.whole)


def test_a_film_that_changed_belongs_to_one_shard(cartoon: Cartoon, fleet: Fleet, tmp_path: Path) -> None:
    """Otherwise the outdated scan would stay in a folder whose machine does not scan the film any more."""
    films = shutil.copytree(fleet.films, tmp_path / "films")
    outs = [tmp_path / name for name in ("one", "two")]

    def scan_all() -> list[str]:
        notes = ""
        for number, out in enumerate(outs, 1):
            shard = f"{number}/2"
            done = fastface("scan", films, "--models", cartoon.models, "-o", out, "--shard", shard)
            assert done.returncode in (0, 3), done.stderr
            notes += done.stderr
        return [line for line in notes.splitlines() if "it belongs to another shard now" in line]

    assert scan_all() == []
    assert sorted(name for out in outs for name in videos(out)) == videos(fleet.whole)
    before = [videos(out) for out in outs]
    place = 0 if "broken.mp4" in before[0] else 1
    for number in range(20):  # until its content belongs to the other shard
        (films / "broken.mp4").write_bytes(f"no film {number}".encode())
        would = fastface("scan", films, "--dry-run", "-o", outs[place], "--shard", f"{place + 1}/2", "--json")
        if not any("broken.mp4" in line for line in json.loads(would.stdout)["videos"]):
            break
    assert len(scan_all()) == 1
    assert "broken.mp4" in videos(outs[1 - place])
    assert sorted(name for out in outs for name in videos(out)) == videos(fleet.whole)


@pytest.mark.parametrize("place", ["merge.awaited", "merge.knowledge", "merge.linked", "ledger.scanned.commit"])
def test_a_killed_merge_leaves_videos_that_wait_and_continues(fleet: Fleet, tmp_path: Path, place: str) -> None:
    out, words = tmp_path / "merged", [*map(str, fleet.shards)]
    variables = environment(FASTFACE_FAILPOINT=f"{place}:kill")
    done = subprocess.run([*COMMAND, "merge", *words, "-o", str(out)], env=variables, check=False, capture_output=True)
    assert done.returncode == -9
    status = json.loads(fastface("status", "-o", out, "--json").stdout)
    assert status["states"].get("waiting") == 4
    merged = merge(*fleet.shards, "-o", out)
    assert (merged["videos"], merged["waiting"]) == (4, 0)
    assert index(out) == index(fleet.whole)


def test_what_cannot_be_merged_is_refused(fleet: Fleet, cartoon: Cartoon, tmp_path: Path) -> None:
    one, two, _ = fleet.shards
    before = contents(tmp_path)
    (line,) = errors(fastface("merge", one, tmp_path / "nothing", "-o", tmp_path / "out"), 2, 1)
    assert "is not an output folder of fastface" in line
    (line,) = errors(fastface("merge", one, two, "-o", one), 2, 1)
    assert "is one of the folders to merge" in line
    (line,) = errors(fastface("merge", one, one / ".." / one.name, "-o", tmp_path / "out"), 2, 1)
    assert "is named twice" in line
    with running(one):
        (line,) = errors(fastface("merge", one, two, "-o", tmp_path / "out"), 11, 1)
    assert f"{str(one)!r} is in use by another run" in line
    assert contents(tmp_path) == before


@contextmanager
def running(out: Path) -> Iterator[None]:
    with OutputFolder(out).hold_lock():
        yield


def test_another_recogniser_is_refused_and_other_settings_are_reported(
    fleet: Fleet, cartoon: Cartoon, tmp_path: Path
) -> None:
    models = shutil.copytree(cartoon.models, tmp_path / "models")
    (recogniser,) = models.rglob("*recogniser*.onnx")
    other, denser = tmp_path / "other", tmp_path / "denser"
    film = fleet.films / "film3.mp4"
    scanned = fastface("scan", film, "--models", cartoon.models, "-o", denser, "--sample-fps", "10", "-q")
    assert scanned.returncode == 0, scanned.stderr
    (first,) = [shard for shard in fleet.shards if "film3.mp4" not in videos(shard)][:1]
    merged = merge(first, denser, "-o", tmp_path / "merged")
    (note,) = merged["notes"] if isinstance(merged["notes"], list) else ()
    assert "the videos were scanned with 2 different settings" in note
    assert recogniser.exists()
