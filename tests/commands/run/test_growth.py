"""`--grow` from end to end on a real film: more of the right persons, nobody else, and the evidence for each face."""

from pathlib import Path

import pytest
import run_tools
from cli_tools import fastface
from media_tools import ffmpeg


@pytest.fixture(scope="module")
def scanned(shared_models: Path, shared_media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of a scene with six persons, and of films with nobody of them."""
    out = tmp_path_factory.mktemp("grown") / "out"
    clips = [shared_media / "clips" / f"{name}.mp4" for name in ("friends", "azvi_testhyland", "street")]
    clips.append(out.with_name("corridor.mp4"))  # its first minute shows strangers from behind alone
    ffmpeg("-ss 66 -i {0} -c copy {1}", shared_media / "clips" / "corridor.mp4", clips[-1])
    # Which faces grow narrowly is a matter of rounding.
    done = fastface("scan", *clips, "--models", shared_models, "--precision", "float32", "-o", out, "-q")
    assert done.returncode == 0, done.stderr
    faces = {Path(video["path"]).name: video["faces"] for video in run_tools.videos(out)}
    assert faces["corridor.mp4"] > 40
    return out


def _hits(out: Path, shared_models: Path, shared_media: Path, *more: str) -> dict[str, list[tuple[str, str]]]:
    """{video: (target, time) of its hits}."""
    photos = shared_media / "photos" / "friends"
    plain = ("--models", shared_models, "--precision", "float32", "-o", out, "--clips", "none", "--crops", "none", "-q")
    done = fastface("find", "-t", photos, *plain, *more)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[tuple[str, str]]] = {}
    for row in run_tools.rows(out / "hits.csv"):
        found.setdefault(row["video"], []).append((row["target"], row["time"]))
    return found


def test_what_grows_finds_more_and_no_stranger(scanned: Path, shared_models: Path, shared_media: Path) -> None:
    before = _hits(scanned, shared_models, shared_media, "--no-grow")
    assert not (scanned / "bank_growth.csv").exists()
    after = _hits(scanned, shared_models, shared_media)
    assert before.keys() == after.keys() == {"friends.mp4"}
    assert set(before["friends.mp4"]) < set(after["friends.mp4"])
    new = set(after["friends.mp4"]) - set(before["friends.mp4"])
    gained = {target for target, _ in new}
    assert gained == {"Chandler", "Monica"}
    labels = run_tools.rows(shared_media / "truth" / "friends.csv")  # made by eye
    for target, time in new:
        seen = [
            row for row in labels if row["person"] == target and float(row["start"]) <= float(time) < float(row["end"])
        ]
        assert len(seen) == 1, (target, time)
    evidence = run_tools.rows(scanned / "bank_growth.csv")
    assert {row["video"] for row in evidence} == {"friends.mp4"}
    assert {row["target"] for row in evidence} == {"Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross"}
    anchors = {Path(row["anchor"]).stem for row in evidence if row["target"] == "Monica"}
    assert anchors == {"Monica"}
    assert all(float(row["track_evidence"]) >= 0.35 and float(row["margin"]) >= 0.2 for row in evidence)
    assert max(sum(row["target"] == name for row in evidence) for name in gained) <= 64


def test_no_face_is_told_to_be_like_itself(scanned: Path, shared_models: Path, shared_media: Path) -> None:
    before = _hits(scanned, shared_models, shared_media, "--no-grow")["friends.mp4"]
    by_photos = {_key(row): float(row["similarity"]) for row in run_tools.rows(scanned / "hits.csv")}
    assert len(_hits(scanned, shared_models, shared_media)["friends.mp4"]) > len(before)
    told = run_tools.rows(scanned / "hits.csv")
    grown = {_key(row): float(row["similarity"]) for row in told}
    joined = {(row["video"], row["target"], row["time"]) for row in run_tools.rows(scanned / "bank_growth.csv")}
    assert len(joined & grown.keys()) > 150  # most hits became references themselves
    assert max(grown.values()) < 0.995
    # The photos are among the references as before.
    assert all(grown[key] >= similarity for key, similarity in by_photos.items())
    spans = run_tools.rows(scanned / "spans.csv")
    assert max(float(row["best_similarity"]) for row in spans) == max(grown.values())


def _key(row: dict[str, str]) -> tuple[str, str, str]:
    return row["video"], row["target"], row["time"]


def test_the_next_question_has_no_growth_left_of_this_one(
    scanned: Path, shared_models: Path, shared_media: Path
) -> None:
    _hits(scanned, shared_models, shared_media)
    assert (scanned / "bank_growth.csv").exists()
    _hits(scanned, shared_models, shared_media, "--no-grow")
    assert not (scanned / "bank_growth.csv").exists()
