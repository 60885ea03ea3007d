"""`--shard` and `merge`: machines that do not know each other answer like one; several `-o` answer like a merge."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cartoon_tools import Cartoon
from cli_tools import contents, environment, errors, fastface
from run_tools import COMMAND, rows

from fastface.index.ledger import Ledger
from fastface.runtime.output_folder import OutputFolder

COPY = "copy of film2.mp4"
TABLES = ("spans.csv", "spans.json", "hits.csv", "review.csv", "bank_growth.csv")
PEOPLE = ("people.csv", "appearances.csv", "together.csv", "names.csv", "embeddings.npz", "table.png")


SHARDS = {"one": (1, 2), "two": (3, 4), "three": (5,)}
"""{folder of a machine: its shards of 5}; they have film3, the broken file, film1, nothing, and film2 with its copy."""


@dataclass(frozen=True)
class Fleet:
    """One folder over all films, and the folders of three machines."""

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
    (films / "broken.mp4").write_bytes(b"nothing")
    notes = scan(cartoon, films, root / "whole", "1/1")
    for name, numbers in SHARDS.items():
        for number in numbers:
            notes += scan(cartoon, films, root / name, f"{number}/5")
    return Fleet(films, root / "whole", tuple(root / name for name in SHARDS), tuple(notes))


def scan(cartoon: Cartoon, films: Path, out: Path, shard: str) -> list[str]:
    """Scan a shard; return the notes on shards."""
    done = fastface("scan", films, "--models", cartoon.models, "-o", out, "--shard", shard)
    assert done.returncode in (0, 3), done.stderr
    return [line for line in done.stderr.splitlines() if "shard" in line]


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


def merge(*words: object) -> dict[str, Any]:
    done = fastface("merge", *words, "--json")
    assert done.returncode == 0, done.stderr
    merged: dict[str, Any] = json.loads(done.stdout)
    return merged


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
    assert videos(fleet.whole) == ["broken.mp4", "film1.mp4", "film2.mp4", "film3.mp4"]
    # A second shard in the same folder adds its videos.
    assert [videos(out) for out in fleet.shards] == [["broken.mp4", "film3.mp4"], ["film1.mp4"], ["film2.mp4"]]
    counts = {1: "1 of 5", 2: "1 of 5", 3: "1 of 5", 4: "0 of 5", 5: "2 of 5"}
    assert fleet.notes == tuple(f"shard {number}/5: {count} videos" for number, count in counts.items())
    skipped = [len(json.loads((out / "run.json").read_text())["skipped"]) for out in (fleet.whole, *fleet.shards)]
    assert skipped == [1, 0, 0, 1]  # the copy; videos of other shards are no faults


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
    assert "are not joined yet: fastface people -o" in line
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
    assert "film3.mp4" in videos(outs[0])
    assert fastface("forget", "film3.mp4", "-o", outs[0], "--yes", "-q").returncode == 0
    assert not list(outs[0].rglob("*film3.mp4*"))  # the view is below this folder
    assert fastface("people", *options, "-q").returncode == 0
    assert videos(view) == ["broken.mp4", "film1.mp4", "film2.mp4"]
    assert "Zoe" in {row["name"] for row in rows(view / "people" / "people.csv")}
    (owner,) = [out for out in outs[1:] if "film1.mp4" in videos(out)]
    assert fastface("forget", "film1.mp4", "-o", owner, "--yes", "-q").returncode == 0
    assert list(view.rglob("*film1.mp4*"))
    assert fastface("find", "-t", cartoon.bank, *options, "--clips", "none", "-q").returncode == 3
    assert not list(view.rglob("*film1.mp4*"))
    assert {row["video"] for row in rows(view / "people" / "appearances.csv")} == {"film2.mp4"}
    assert list(view.rglob("*.parquet"))
    assert fastface("purge", "-o", outs[0], "--yes", "-q").returncode == 0
    assert not list(outs[0].rglob("*.parquet"))
    assert not list(outs[0].rglob("merged.json"))  # a merge from now on takes over all decisions and names again


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


def test_a_video_that_changed_belongs_to_one_shard(cartoon: Cartoon, tmp_path: Path) -> None:
    """Otherwise the outdated scan would stay in a folder whose machine does not scan the video any more."""
    films, one, two, out = (tmp_path / name for name in ("films", "one", "two", "merged"))
    films.mkdir()
    (films / "film.mp4").write_bytes(b"nothing")  # shard 2 of 2
    assert scan(cartoon, films, two, "2/2") == ["shard 2/2: 1 of 1 video"]
    assert videos(two) == ["film.mp4"]
    merge(two, "-o", out)
    (films / "film.mp4").write_bytes(b"no film")  # shard 1 of 2
    moved = "film.mp4: changed since it was scanned; it belongs to another shard now"
    assert scan(cartoon, films, two, "2/2") == ["shard 2/2: 0 of 1 video", moved]
    assert scan(cartoon, films, one, "1/2") == ["shard 1/2: 1 of 1 video"]
    assert (videos(one), videos(two)) == (["film.mp4"], [])
    merged = merge(one, two, "-o", out)
    assert (merged["videos"], merged["removed"], merged["notes"]) == (1, 1, [])
    assert videos(out) == ["film.mp4"]


def test_a_renamed_video_stays_in_its_shard_also_under_the_name_of_another(cartoon: Cartoon, tmp_path: Path) -> None:
    films, two = tmp_path / "films", tmp_path / "two"
    films.mkdir()
    for name, content in (("a.mp4", b"nothing"), ("b.mp4", b"no film")):  # shards 2 and 1 of 2
        (films / name).write_bytes(content)
    scan(cartoon, films, two, "2/2")
    (films / "a.mp4").rename(films / "c.mp4")
    (films / "b.mp4").rename(films / "a.mp4")
    assert scan(cartoon, films, two, "2/2") == ["shard 2/2: 1 of 2 videos"]
    with Ledger(two / ".fastface" / "state.sqlite", read_only=True) as ledger:
        assert {record.video_id: record.path for record in ledger.videos()} == {"a.mp4": films / "c.mp4"}


@pytest.mark.parametrize("place", ["merge.awaited", "merge.linked"])
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


def test_what_cannot_be_merged_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    one, two, _ = fleet.shards
    before = contents(tmp_path)
    (line,) = errors(fastface("merge", one, tmp_path / "nothing", "-o", tmp_path / "out"), 2, 1)
    assert "is not an output folder of fastface" in line
    (line,) = errors(fastface("merge", one, two, "-o", one, "--dry-run"), 2, 1)
    assert "is one of the folders to merge" in line
    (line,) = errors(fastface("merge", one, one / ".." / one.name, "-o", tmp_path / "out"), 2, 1)
    assert "is named twice" in line
    with OutputFolder(one).hold_lock():
        (line,) = errors(fastface("merge", one, two, "-o", tmp_path / "out"), 11, 1)
    assert f"{str(one)!r} is in use by another run" in line
    would = fastface("merge", one, two, "-o", tmp_path / "out", "--dry-run")
    assert (would.returncode, would.stdout) == (0, f"output: {str(tmp_path / 'out')!r}\n")
    assert contents(tmp_path) == before


def test_other_settings_are_reported_and_another_recogniser_is_refused(
    fleet: Fleet, cartoon: Cartoon, tmp_path: Path, shared_models: Path
) -> None:
    film, first = fleet.films / "film3.mp4", fleet.shards[1]
    for name, models in (("denser", cartoon.models), ("other", shared_models / "buffalo_s")):
        done = fastface("scan", film, "--models", models, "-o", tmp_path / name, "--sample-fps", "1", "-q")
        assert done.returncode == 0, done.stderr
    (note,) = merge(first, tmp_path / "denser", "-o", tmp_path / "merged")["notes"]
    assert "the videos were scanned with 2 different settings" in note
    refused = errors(fastface("merge", first, tmp_path / "other", "-o", tmp_path / "out"), 2, 3)
    assert "the folders were scanned with different recognisers, so their faces cannot be compared" in refused[0]
    assert f"{str(first)!r}: cartoon_recogniser" in refused[1]
    assert f"{str(tmp_path / 'other')!r}: w600k_mbf" in refused[2]
    assert not (tmp_path / "out").exists()
    # A merge into a folder of another recogniser is the same fault.
    refused = errors(fastface("merge", first, "-o", tmp_path / "other"), 2, 3)
    assert videos(tmp_path / "other") == ["film3.mp4"]
