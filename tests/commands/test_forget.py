"""A film is forgotten with all that was made of it, by any of its names."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from cartoon_tools import Cartoon
from cli_tools import Ran, errors, fastface
from run_tools import rows

from fastface.index.ledger import Ledger


def bank_sources(out: Path) -> list[str]:
    """Sources of the references of all picked persons."""
    found = []
    for path in (out / "banks").glob("*.npz"):
        with np.load(path) as file:
            found += file["sources"].tolist()
    return found


def fingerprints(out: Path) -> dict[str, str]:
    """{name in OUT: fingerprint} of all videos."""
    with Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
        return {record.video_id: record.fingerprint for record in ledger.videos()}


@pytest.fixture
def out(ran: Ran, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran.out, tmp_path / "out"))


def test_a_copy_is_counted_once_by_the_command(cartoon: Cartoon, ran: Ran, out: Path, tmp_path: Path) -> None:
    before = json.loads((out / "run.json").read_text())["counts"]["faces"]
    copy = Path(shutil.copy(ran.films / "film3.mp4", tmp_path / "holiday.mp4"))
    done = fastface("scan", ran.films, copy, "-o", out, "--models", cartoon.models, "--json")
    said = json.loads(done.stdout)
    assert said["counts"]["faces"] == before
    assert "holiday.mp4" not in [video["id"] for video in said["videos"]]
    assert f"the same film as '{ran.films / 'film3.mp4'}'" in done.stderr


def test_a_film_is_forgotten_with_all_that_was_made_of_it(cartoon: Cartoon, ran: Ran, out: Path) -> None:
    made = [path for name in ("clips/film3.mp4", "crops") for path in (out / name).rglob("*film3.mp4*")]
    made += list((out / "clips" / "film3.mp4").iterdir())
    others = list((out / "clips" / "film1.mp4").iterdir())
    assert made
    assert others
    (line,) = errors(fastface("forget", "film3.mp4", "-o", out), 2, 1)
    assert line.endswith(f"nothing was forgotten; to forget 1 video: fastface forget film3.mp4 -o {out} --yes")
    assert "would forget: film3.mp4" in fastface("forget", ran.films / "film3.mp4", "-o", out, "--dry-run").stdout
    assert all(path.exists() for path in made)
    lines = errors(fastface("forget", "nothing.mp4", "-o", out, "--yes"), 2, 2)
    assert "'nothing.mp4' is no video of this folder" in lines[0]
    tables = [path for path in out.rglob("*.csv") if "video" in path.read_text().splitlines()[0].split(",")]
    assert {path.name for path in tables} >= {"spans.csv", "hits.csv", "review.csv", "crops.csv", "bank_growth.csv"}
    rest = {path: [row for row in rows(path) if row["video"] != "film3.mp4"] for path in tables}
    num_gone = sum(len(rows(path)) - len(rest[path]) for path in tables)
    told = json.loads(fastface("forget", "film3.mp4", "-o", out, "--yes", "--json").stdout)
    assert told["videos"] == ["film3.mp4"]
    assert told["exports"] > 0
    assert told["rows"] == num_gone > 0
    assert {path: rows(path) for path in tables} == rest
    spans = json.loads((out / "spans.json").read_text())
    assert [span["video"] for span in spans] == [row["video"] for row in rest[out / "spans.csv"]]
    report = json.loads((out / "run.json").read_text())
    assert [video["id"] for video in report["videos"]] == ["broken.mp4", "film1.mp4", "film2.mp4"]
    counts = report["counts"]
    assert (counts["videos"], counts["searched"]) == (3, 2)
    assert counts["sampled"] == counts["inferred"] == 5 * (12 + 8)  # five samples a second of the two films
    assert counts["hits"] == len(rest[out / "hits.csv"])
    assert counts["spans"] == len(spans)
    assert counts["clips"] == len(list((out / "clips").glob("*/*.mp4")))
    assert counts["crops"] == len(list((out / "crops").rglob("*.jpg")))
    assert not any(path.exists() for path in made)
    assert all(path.exists() for path in others)
    assert not (out / ".fastface" / "index" / "film3.mp4").exists()
    done = fastface("find", "-t", cartoon.bank, "-o", out, "-q", "--models", cartoon.models)
    assert done.returncode == 3, "the broken one is there still"
    assert {row["video"] for row in rows(out / "spans.csv")} == {"film1.mp4", "film2.mp4"}


def test_persons_and_earlier_answers_lose_a_forgotten_film(cartoon: Cartoon, out: Path) -> None:
    given = ("-o", out, "--models", cartoon.models, "-q", "--clips", "none")
    photo = next(iter(sorted(cartoon.photos.iterdir())))
    assert fastface("find", "-t", photo, *given).returncode == 3
    assert fastface("people", "-o", out, "-q").returncode == 0
    people = {row["person"]: row for row in rows(out / "people" / "people.csv")}
    first, *others = people
    merged = fastface("pick", *others[:2], "--merge", "-o", out, "-q")
    assert merged.returncode == 0, merged.stderr
    assert fastface("audit", "-o", out, "-n", "40", "-q").returncode == 0
    prints = fingerprints(out)
    state = out / ".fastface"
    learnt = ["corrections.json", "corrections.undo.jsonl", "photo_names.json"]
    kept = b"".join((state / name).read_bytes() for name in learnt)
    assert b"film1.mp4" in kept
    assert prints["film1.mp4"].encode() in kept
    assert (out / "audit" / "audit.html").exists()
    assert fastface("pick", first, *given).returncode == 3
    (earlier,) = (path for path in (out / "earlier").iterdir() if photo.stem not in path.name or "+" in path.name)
    seen = rows(out / "people" / "appearances.csv")
    assert any(row["video"] == "film1.mp4" for row in seen)
    killed = fastface("forget", "film1.mp4", "-o", out, "--yes", FASTFACE_FAILPOINT="ledger.await.committed:kill:1")
    assert killed.returncode == -9
    assert "film1.mp4" in fingerprints(out), "it waits, so that the same command continues"
    pages = list(out.rglob("report.html"))
    assert len(pages) > 1
    killed = fastface("forget", "film1.mp4", "-o", out, "--yes", FASTFACE_FAILPOINT="ledger.export.commit:kill:1")
    assert killed.returncode == -9, "the list of persons is written again"
    done = fastface("forget", "film1.mp4", "-o", out, "--yes")
    assert done.returncode == 0, done.stderr
    assert "film1.mp4" not in fingerprints(out)
    assert all(path.exists() for path in pages)
    # Embeddings and centroids of its faces go too, from all that the census keeps.
    kept = b"".join((state / name).read_bytes() for name in learnt)
    assert b"film1.mp4" not in kept
    assert prints["film1.mp4"].encode() not in kept
    with closing(sqlite3.connect(state / "identities.sqlite")) as store:
        sources = {source for (source,) in store.execute("SELECT source FROM sightings")}
    assert sources == {prints[name] for name in ("film2.mp4", "film3.mp4")}
    with np.load(state / "numbers.npz") as file:
        assert {source.partition(" ")[0] for source in file["names"].tolist()} == sources
    assert not (out / "audit").exists()
    assert [source for source in bank_sources(out) if source.startswith("film2.mp4 at ")], "to be forgotten below"
    assert not [source for source in bank_sources(out) if source.startswith("film1.mp4 at ")]
    assert f"counted the persons in {out / 'people'} again" in done.stdout
    tables = [path for path in out.rglob("*.csv") if "video" in path.read_text().splitlines()[0].split(",")]
    assert {path.parent for path in tables} >= {out, out / "people", earlier}
    assert [path for path in tables if any(row["video"] == "film1.mp4" for row in rows(path))] == []
    assert not list(out.rglob("*film1.mp4*"))
    kept = [row for row in seen if row["video"] != "film1.mp4"]
    assert [row for row in rows(out / "people" / "appearances.csv") if row["person"] in {r["person"] for r in kept}]
    with np.load(out / "primary_person.npz") as file:
        assert "film1.mp4" not in file["video"].tolist()
        assert len(file["video"]) == len(file["box"]) == len(rows(out / "hits.csv"))
    # Where the networks are gone, the list of persons goes too: it would name what is forgotten.
    settings = json.loads((out / ".fastface" / "settings.json").read_text())
    (out / ".fastface" / "settings.json").write_text(json.dumps({**settings, "models": {"pack": "no such pack"}}))
    done = fastface("forget", "film2.mp4", "-o", out, "--yes")
    assert done.returncode == 0, done.stderr
    assert "since its persons cannot be counted again: no pack 'no such pack'" in done.stdout
    assert not (out / "people").exists()
    assert not [source for source in bank_sources(out) if source.startswith("film2.mp4 at ")]
