"""`people` and `pick` as a user meets them, on drawn films whose script knows who is on screen when."""

import json
import shutil
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from census_tools import Command, census, identities, listed, numbered, rows
from cli_tools import contents, errors, fastface

from fastface.census.store.base import open_existing
from fastface.demo.film import Encoding, draw_film
from fastface.demo.persons import ADA, BO, CLEO, STRANGER, Disguise
from fastface.demo.script import Appearance, Script, Sighting
from fastface.errors import InterruptError

RATE, STEP, PERIOD = 25, 5, 0.2
LEFT, MIDDLE, RIGHT = (120, 176), (320, 176), (528, 176)
TABLES = ("people.csv", "appearances.csv", "together.csv")

SCRIPTS = {
    "one.mp4": Script(
        200,
        (
            Appearance(ADA, 0, 60, LEFT),
            Appearance(BO, 20, 83, MIDDLE),
            # So well disguised that nobody would know her: a cosine of 5/13.
            Appearance(ADA, 85, 115, MIDDLE, disguise=Disguise.BOTH),
            Appearance(STRANGER, 100, 110, RIGHT),  # in two samples: one too few to be listed
            Appearance(ADA, 130, 200, LEFT),
            Appearance(CLEO, 140, 165, RIGHT),
        ),
    ),
    "two.mp4": Script(
        100, (Appearance(ADA, 10, 60, MIDDLE), Appearance(CLEO, 20, 50, RIGHT), Appearance(BO, 60, 100, LEFT))
    ),
}
THIRD = {"three.mp4": Script(75, (Appearance(BO, 0, 25, RIGHT), Appearance(ADA, 30, 65, LEFT)))}
EVERYONE = ("Ada", "Bo", "Cleo", "Ada in disguise", "Stranger")
"""By screen time."""
LISTED = EVERYONE[:4]


# ── what the scripts say ────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Seen:
    """A face of a sample: where and when it was drawn."""

    film: str
    time: float
    box: tuple[int, int, int, int]


def look(sighting: Sighting) -> str:
    return sighting.person.name + (" in disguise" if sighting.disguise else "")


def drawn(scripts: dict[str, Script], step: int = STEP) -> dict[str, list[Seen]]:
    """All faces of every `step`th frame, by look."""
    found: dict[str, list[Seen]] = {name: [] for name in EVERYONE}
    for film, script in scripts.items():
        for frame in range(0, script.num_frames, step):
            for one in script.sightings(frame):
                found[look(one)].append(Seen(film, frame / RATE, one.box))
    return found


def met(scripts: dict[str, Script]) -> Counter[tuple[str, str]]:
    """In how many samples two looks are on screen together."""
    found: Counter[tuple[str, str]] = Counter()
    for script in scripts.values():
        for frame in range(0, script.num_frames, STEP):
            found.update(combinations(sorted(map(look, script.sightings(frame)), key=EVERYONE.index), 2))
    return found


def stretches(seen: list[Seen], gap: float) -> list[tuple[str, float, float, int]]:
    """(film, start, end, samples) of what lies no further apart than `gap`."""
    found: list[tuple[str, float, float, int]] = []
    for one in seen:
        if found and found[-1][0] == one.film and one.time <= found[-1][2] + gap + 1e-6:
            film, start, _, count = found.pop()
            found.append((film, start, one.time + PERIOD, count + 1))
        else:
            found.append((one.film, one.time, one.time + PERIOD, 1))
    return found


# ── the command line ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, script in {**SCRIPTS, **THIRD}.items():
        draw_film(folder / name, script, Encoding(gop=25))
    return folder


@pytest.fixture(scope="module")
def counted(films: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a scan of the two films, and of `people`; tests that change it copy it."""
    out = tmp_path_factory.mktemp("counted") / "out"
    done = command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = command("people", "-o", out, "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


@pytest.fixture(scope="module")
def third(films: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of a scan of the third film alone."""
    out = tmp_path_factory.mktemp("third") / "out"
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    return out


@pytest.fixture(scope="module")
def picked(counted: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT after `pick 1 --name Ada`."""
    out = shutil.copytree(counted, tmp_path_factory.mktemp("picked") / "out")
    done = command("pick", "1", "--name", "Ada", "-o", out, "--pad", "0", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return out


@pytest.fixture
def out(counted: Path, tmp_path: Path) -> Path:
    return shutil.copytree(counted, tmp_path / "out")


def counts(looks: dict[str, list[Seen]], *names: str) -> list[int]:
    return [len(looks[name]) for name in names or LISTED]


# ── the census ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_who_was_drawn_is_one_person_over_both_films(counted: Path) -> None:
    looks = drawn(SCRIPTS)
    assert counts(looks, *EVERYONE) == [36, 21, 11, 6, 2]
    table = rows(counted / "people" / "people.csv")
    assert [row["person"] for row in table] == ["1", "2", "3", "4"]
    for row, name in zip(table, LISTED, strict=True):
        seen = looks[name]
        assert int(row["faces"]) == len(seen)
        assert float(row["seconds"]) == pytest.approx(len(seen) * PERIOD, abs=5e-4)
        frames = len(drawn(SCRIPTS, step=1)[name])
        assert abs(float(row["seconds"]) - frames / RATE) < PERIOD
        assert float(row["share"]) == pytest.approx(len(seen) * PERIOD / 12, abs=5e-5)
        assert int(row["videos"]) == len({one.film for one in seen})
        assert int(row["tracks"]) == len(stretches(seen, 0.5))
        assert (row["first_video"], row["first"]) == (seen[0].film, f"{seen[0].time:.3f}")
        assert (row["last_video"], row["last"]) == (seen[-1].film, f"{seen[-1].time + PERIOD:.3f}")
        assert row["name"] == ""
        assert 0.35 <= float(row["best_quality"]) <= 1


@pytest.mark.parametrize("gap", [2.0, 0.0, 60.0])
def test_appearances_are_the_scripts(out: Path, command: Command, gap: float) -> None:
    if gap != 2.0:
        assert command("people", "-o", out, "-q", "-s", f"people.join_gap={gap}").returncode == 0
    looks = drawn(SCRIPTS)
    expected = [
        (str(number), film, f"{start:.3f}", f"{end:.3f}", str(count))
        for number, name in enumerate(LISTED, start=1)
        for film, start, end, count in stretches(looks[name], gap)
    ]
    assert len(expected) == {2.0: 8, 0.0: 8, 60.0: 7}[gap]
    found = rows(out / "people" / "appearances.csv")
    assert [(row["person"], row["video"], row["start"], row["end"], row["faces"]) for row in found] == expected
    # And as they were drawn, to less than one sample.
    if gap == 2.0:
        names = dict(enumerate(LISTED, start=1))
        played = sorted(
            (name, film, one.start / RATE, one.end / RATE)
            for film, script in SCRIPTS.items()
            for one in script.appearances
            if (name := one.person.name + (" in disguise" if one.disguise else "")) in LISTED
        )
        told = sorted((names[int(r["person"])], r["video"], float(r["start"]), float(r["end"])) for r in found)
        assert [one[:2] for one in told] == [one[:2] for one in played]
        for one, other in zip(told, played, strict=True):
            assert 0 <= one[2] - other[2] < PERIOD
            assert abs(one[3] - other[3]) < PERIOD


def test_who_is_with_whom_is_the_scripts(counted: Path) -> None:
    together = {pair: count for pair, count in met(SCRIPTS).items() if set(pair) <= set(LISTED)}
    assert together == {("Ada", "Bo"): 8, ("Ada", "Cleo"): 11}
    expected = [("1", "2", "1.600"), ("1", "3", "2.200")]
    found = rows(counted / "people" / "together.csv")
    assert [(row["person"], row["other"], row["seconds"]) for row in found] == expected


def test_the_report_is_one_object_that_agrees_with_the_tables_and_the_index(out: Path, command: Command) -> None:
    said = census(command, out)
    assert (said["faces"], said["listed"], said["unlisted"], said["poor"], said["rejected"]) == (76, 74, [1, 2], 0, 0)
    table = rows(out / "people" / "people.csv")
    appearances = rows(out / "people" / "appearances.csv")
    assert len(said["persons"]) == len(table) == 4
    for person, row in zip(said["persons"], table, strict=True):
        assert (str(person["number"]), str(person["faces"]), str(person["tracks"])) == (
            row["person"], row["faces"], row["tracks"],
        )  # fmt: skip
        own = [one for one in appearances if one["person"] == row["person"]]
        assert [one["video_id"] for one in person["appearances"]] == [one["video"] for one in own]
        assert sum(int(one["faces"]) for one in own) == person["faces"]
        assert f"{person['seconds']:.3f}" == row["seconds"]
        assert person["portraits"][0] == row["crop"]
        assert all((out / file).is_file() for file in person["portraits"])
    assert said["persons"][0]["together"] == {"2": pytest.approx(1.6), "3": pytest.approx(2.2)}
    assert (said["out"], said["page"]) == (str(out), str(out / "people" / "people.html"))


def test_the_terminal_shows_the_same_table(out: Path, command: Command) -> None:
    done = command("people", "-o", out)
    assert done.returncode == 0
    for cells in (("1", "7.2 s", "60%", "36", "3", "2", "one.mp4 0.0"), ("4", "1.2 s", "10%", "6", "1", "1")):
        (line,) = [line for line in done.stdout.splitlines() if line.replace("│", "|").startswith(f"| {cells[0]} ")]
        assert all(cell in line for cell in cells), line
    assert "76 faces: 74 belong to 4 listed persons, 2 to 1 person with too few faces to be listed" in done.stdout
    assert str(out / "people" / "people.html") in done.stdout


def test_portraits_lie_where_the_table_says_and_show_whom_it_says(counted: Path) -> None:
    looks = drawn(SCRIPTS)
    skins = {"Ada": ADA.skin, "Bo": BO.skin, "Cleo": CLEO.skin, "Ada in disguise": ADA.skin}
    assert len({*skins.values()}) == 3
    for row, name in zip(rows(counted / "people" / "people.csv"), LISTED, strict=True):
        folder = counted / "people" / row["person"]
        pictures = sorted(folder.iterdir())
        assert counted / row["crop"] in pictures
        assert 1 <= len(pictures) <= 6
        times = {(one.film, f"{one.time:.3f}") for one in looks[name]}
        for path in pictures:
            film, time, _ = path.stem.rsplit("_", 2)
            assert (film, time) in times
            picture = cv2.imread(str(path))
            side = len(picture)
            middle = np.median(picture[side // 2 - 3 : side // 2 + 3, side // 2 - 3 : side // 2 + 3], axis=(0, 1))
            assert min(skins.values(), key=lambda skin: np.abs(middle - skin).max()) == skins[name]


def test_what_shows_faces_is_its_owners_alone(picked: Path) -> None:
    people = picked / "people"
    private = [*people.rglob("*.jpg"), people / "embeddings.npz", people / "people.html", *people.glob("table*.png")]
    private += [picked / "primary_person.npz", picked / "banks" / "Ada.npz"]
    state = picked / ".fastface"
    private += [state / "people.json", state / "identities.sqlite"]
    assert len(private) > 14
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in private} == {"0o600"}
    folders = [people, picked / "banks", *(path for path in people.iterdir() if path.is_dir())]
    assert len(folders) == 6
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in folders} == {"0o700"}


def test_embeddings_are_of_the_persons_and_need_no_pickle(counted: Path) -> None:
    with np.load(counted / "people" / "embeddings.npz", allow_pickle=False) as file:
        found = dict(file)
    assert found["person"].tolist() == [1, 2, 3, 4]
    assert found["faces"].tolist() == [36, 21, 11, 6]
    assert found["name"].tolist() == [""] * 4
    assert len(set(found["identity"].tolist())) == 4
    cosines = found["embedding"] @ found["embedding"].T
    expected = np.eye(4)
    expected[0, 3] = expected[3, 0] = 5 / 13  # Ada and Ada in disguise, as the networks are drawn
    np.testing.assert_allclose(cosines, expected, atol=0.01)


def test_a_second_census_changes_nothing(out: Path, command: Command) -> None:
    state = out / ".fastface"
    census(command, out)  # the page names the folder, which is a copy
    before = {path: path.read_bytes() for path in (out / "people").rglob("*") if path.is_file()}
    pictures = {name: fact for name, fact in contents(out / "people").items() if name.endswith(".jpg")}
    shown, known = (state / "people.json").read_bytes(), identities(state / "identities.sqlite")
    assert [count for _, count in known] == [36, 21, 11, 6]
    assert len(pictures) > 10
    for _ in range(2):
        census(command, out)
    after = {path: path.read_bytes() for path in (out / "people").rglob("*") if path.is_file()}
    assert after.keys() == before.keys()
    assert [path.name for path in before if after[path] != before[path]] == []
    assert {name: fact for name, fact in contents(out / "people").items() if name.endswith(".jpg")} == pictures
    assert ((state / "people.json").read_bytes(), identities(state / "identities.sqlite")) == (shown, known)


def test_the_same_bytes_whatever_the_processes_and_the_order_of_films(
    counted: Path, films: Path, command: Command, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    processes = ("--workers", "2", "--decoders", "1", "--batch", "1", "-s", "scan.unit_seconds=2")
    done = command("scan", films / "two.mp4", films / "one.mp4", "-o", out, "-q", *processes)
    assert done.returncode == 0, done.stderr
    census(command, out)
    names = [path.relative_to(counted) for path in sorted((counted / "people").rglob("*")) if path.is_file()]
    assert len([name for name in names if name.suffix == ".jpg"]) > 10
    assert {*TABLES, "embeddings.npz", "table.png"} <= {name.name for name in names}
    assert [path.relative_to(out) for path in sorted((out / "people").rglob("*")) if path.is_file()] == names
    different = [str(name) for name in names if (out / name).read_bytes() != (counted / name).read_bytes()]
    assert different == ["people/people.html"]  # it names the folder


def test_fewer_are_listed_and_what_is_left_of_the_others_goes(out: Path, command: Command) -> None:
    mine = out / "people" / "3" / "mine.txt"
    mine.write_text("mine")
    said = census(command, out, "--top", "2")
    assert (listed(said), said["unlisted"]) == ([("", 36), ("", 21)], [3, 19])
    assert [row["person"] for row in rows(out / "people" / "people.csv")] == ["1", "2"]
    assert sorted(path.name for path in (out / "people").iterdir() if path.is_dir()) == ["1", "2", "3"]
    assert list((out / "people" / "3").iterdir()) == [mine]
    said = census(command, out, "--min-faces", "7")
    assert [faces for _, faces in listed(said)] == [36, 21, 11]
    said = census(command, out, "--min-faces", "1")
    assert ([faces for _, faces in listed(said)], said["unlisted"]) == ([36, 21, 11, 6, 2], [0, 0])


def test_the_order_is_the_one_asked_for(out: Path, command: Command) -> None:
    looks = drawn(SCRIPTS)

    def central(name: str) -> float:
        away = [np.hypot((x1 + x2) / 2 - 320, (y1 + y2) / 2 - 180) / np.hypot(320, 180)
                for x1, y1, x2, y2 in (one.box for one in looks[name])]  # fmt: skip
        return -sum(1 - one for one in away) / len(away)

    by_place = sorted(LISTED, key=central)
    assert by_place == ["Ada in disguise", "Bo", "Ada", "Cleo"]
    said = census(command, out, "--rank", "centrality", "--top", "3")
    assert [faces for _, faces in listed(said)] == counts(looks, *by_place)[:3]
    qualities = [person["best_quality"] for person in census(command, out, "--rank", "quality")["persons"]]
    assert qualities == sorted(qualities, reverse=True)
    assert len(set(qualities)) > 1
    # From 5.6 to 6.4 and from 0.8 to 1.8 Cleo is there; without those who come between, she is second by time alone.
    said = census(command, out, "--rank", "coverage")
    assert [faces for _, faces in listed(said)] == [36, 21, 11, 6]
    (line,) = errors(command("people", "-o", out, "--rank", "beauty"), 2, 1)
    assert "--rank beauty" in line


def test_numbers_are_those_of_the_census_that_was_shown(out: Path, command: Command) -> None:
    said = census(command, out, "--link-threshold", "0.3", "--top", "2")
    assert ([faces for _, faces in listed(said)], said["unlisted"]) == ([42, 21], [2, 13])
    (line,) = errors(command("pick", "3", "-o", out, "-q"), 2, 1)
    assert line.endswith("person 3 is not listed now: it was rejected, or these settings leave it out")
    (line,) = errors(command("pick", "7", "-o", out, "-q"), 2, 1)
    assert line.endswith("there is no person '7': there are 1 to 2")
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "1", *nothing).returncode == 0
    assert len(rows(out / "hits.csv")) == 42
    assert {row["target"] for row in rows(out / "hits.csv")} == {"person 1"}
    # The next census is as usual.
    assert [faces for _, faces in listed(census(command, out))] == [36, 21, 11, 6]
    assert command("pick", "1", *nothing).returncode == 0
    assert len(rows(out / "hits.csv")) == 36


def test_a_preview_film_is_the_whole_film_with_boxes(third: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(third, tmp_path / "out")
    census(command, out, "--video")
    (film,) = (out / "previews").iterdir()
    capture = cv2.VideoCapture(str(film))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    capture.release()
    script = THIRD["three.mp4"]
    assert len(frames) == script.num_frames == 75
    x1, y1, x2, _ = drawn(THIRD, step=1)["Ada"][0].box
    top = (slice(y1 - 2, y1 + 2), slice(x1, x2))  # of a box where Ada is, and of none where she is not
    change = [np.abs(frames[k][top].astype(int) - script.draw(k)[top]).mean() for k in (10, 45)]
    assert change[1] > 3 * change[0]


# ── pick ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_hits_of_who_was_picked_are_that_persons_faces_and_no_others(picked: Path) -> None:
    expected = [("Ada", one.film, f"{one.time:.3f}", *map(float, one.box)) for one in drawn(SCRIPTS)["Ada"]]
    found = rows(picked / "hits.csv")
    boxes = [[float(row[name]) for name in ("x1", "y1", "x2", "y2")] for row in found]
    assert [(row["target"], row["video"], row["time"]) for row in found] == [one[:3] for one in expected]
    np.testing.assert_allclose(boxes, [one[3:] for one in expected], atol=2)
    assert {row["by"] for row in found} == {"face"}
    assert min(float(row["similarity"]) for row in found) > 0.99
    # The nearest other is she herself in disguise.
    np.testing.assert_allclose([float(row["margin"]) for row in found], 1 - 5 / 13, atol=0.01)


def test_spans_clips_and_crops_are_as_with_photos(picked: Path) -> None:
    expected = [(film, start, end, count) for film, start, end, count in stretches(drawn(SCRIPTS)["Ada"], 2.0)]
    assert len(expected) == 3
    found = rows(picked / "spans.csv")
    told = [(row["video"], float(row["start"]), float(row["end"]), int(row["hits"])) for row in found]
    assert told == [(film, pytest.approx(start), pytest.approx(end), count) for film, start, end, count in expected]
    for row in found:
        assert row["target"] == "Ada"
        capture = cv2.VideoCapture(str(picked / row["clip"]))
        length = capture.get(cv2.CAP_PROP_FRAME_COUNT) / RATE
        capture.release()
        assert length >= float(row["end"]) - float(row["start"]) - 0.1
    crops = rows(picked / "crops" / "crops.csv")
    assert {(row["target"], row["video"]) for row in crops} == {("Ada", "one.mp4"), ("Ada", "two.mp4")}
    assert all(cv2.imread(str(picked / row["file"])) is not None for row in crops)
    report = json.loads((picked / "run.json").read_text(encoding="utf-8"))
    assert (report["command"], report["targets"], report["counts"]["hits"]) == ("pick", ["Ada"], 36)


def test_pick_names_all_that_it_wrote(out: Path, command: Command) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    done = command("pick", "1", "--name", "Ada", "-o", out, "--snapshots")
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(f"written to {out}: "))
    wrote = {path.relative_to(out) for path in out.rglob("*") if before.get(path) != path.stat().st_mtime_ns}
    places = {path.parts[0] for path in wrote} - {".fastface"}
    assert places == {
        *("spans.csv", "spans.json", "hits.csv", "review.csv", "run.json", "report.html"),
        *("primary_person.npz", "banks", "clips", "crops", "snapshots", "people"),
    }
    assert [place for place in places if place not in line] == []
    assert "banks/Ada.npz" in line


def test_the_file_for_other_tools_holds_all_faces_and_needs_no_pickle(picked: Path) -> None:
    with np.load(picked / "primary_person.npz", allow_pickle=False) as file:
        found = dict(file)
    seen = drawn(SCRIPTS)["Ada"]
    table = rows(picked / "hits.csv")
    assert (int(found["schema_version"]), str(found["name"])) == (1, "Ada")
    assert found["video"].tolist() == [one.film for one in seen]
    np.testing.assert_allclose(found["time"], [one.time for one in seen], atol=1e-6)
    np.testing.assert_allclose(found["box"], [one.box for one in seen], atol=2)
    for name in ("pts", "track"):
        assert found[name].tolist() == [int(row[name]) for row in table]
    for name in ("det_score", "quality", "similarity"):
        np.testing.assert_allclose(found[name], [float(row[name]) for row in table], atol=6e-5)
    kinds = {name: (values.dtype.kind, values.shape) for name, values in found.items()}
    assert kinds == {
        "schema_version": ("i", ()), "name": ("U", ()), "video": ("U", (36,)), "time": ("f", (36,)),
        "pts": ("i", (36,)), "box": ("f", (36, 4)), "det_score": ("f", (36,)), "quality": ("f", (36,)),
        "similarity": ("f", (36,)), "track": ("i", (36,)),
        "body_video": ("U", (0,)), "body_time": ("f", (0,)), "body_pts": ("i", (0,)), "body_box": ("f", (0, 4)),
        "body_track": ("i", (0,)), "person_score": ("f", (0,)),
    }  # fmt: skip


def test_the_bank_finds_the_same_as_a_photo_would(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    kept = contents(out / "people"), contents(out / "banks")
    done = command("find", "-t", out / "banks" / "Ada.npz", "-o", out, "-q", "--pad", "0", "--clips", "none")
    assert done.returncode == 0, done.stderr

    def spans(folder: Path) -> list[tuple[str, ...]]:
        names = ("video", "target", "start", "end", "first_hit", "last_hit", "hits")
        return [tuple(row[name] for name in names) for row in rows(folder / "spans.csv")]

    assert len(spans(picked)) == 3
    assert spans(out) == spans(picked)
    # Another question takes the clips of this one away, and nothing of who is who.
    assert (contents(out / "people"), contents(out / "banks")) == kept
    assert (out / "primary_person.npz").exists()
    # Nor does another census.
    assert listed(census(command, out)) == [("Ada", 36), ("", 21), ("", 11), ("", 6)]
    assert contents(out / "banks") == kept[1]
    assert spans(out) == spans(picked)


def test_all_that_is_said_of_the_person_says_the_name(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    for _ in range(2):
        assert [row["name"] for row in rows(out / "people" / "people.csv")] == ["Ada", "", "", ""]
        assert {row["name"] for row in rows(out / "people" / "appearances.csv") if row["person"] == "1"} == {"Ada"}
        with np.load(out / "people" / "embeddings.npz", allow_pickle=False) as file:
            assert file["name"].tolist() == ["Ada", "", "", ""]
        assert identities(out / ".fastface" / "identities.sqlite")[0] == ("Ada", 36)
        assert "Ada" in command("people", "-o", out).stdout
    before = {name: (out / name).read_bytes() for name in ("hits.csv", "primary_person.npz", "banks/Ada.npz")}
    clips = {}
    for known in ("Ada", "1"):  # by name or by number, and without a new one
        assert command("pick", known, "-o", out, "--pad", "0", "-q").returncode == 0
        assert {name: (out / name).read_bytes() for name in before} == before
        made = contents(out / "clips")
        assert clips in ({}, made)
        clips = made


@pytest.mark.parametrize("name", ['"><img src=x onerror="document.title=1">', "caf\udce9 \ud83d/..", "=1+1"])
def test_any_name_is_kept_and_does_no_harm(out: Path, command: Command, name: str) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "3", "--name", name, *nothing).returncode == 0
    assert command("people", "-o", out).returncode == 0
    (shown,) = {row["name"] for row in rows(out / "people" / "people.csv")} - {""}
    assert shown.lstrip("'")[:3] == name[:3]
    assert shown[0] not in "=+-@"
    (label,) = {row["target"] for row in rows(out / "hits.csv")}
    assert [path.name for path in (out / "banks").iterdir()] == [f"{label.lstrip(chr(39))}.npz"]
    assert command("pick", name, *nothing).returncode == 0
    assert command("find", "-t", out / "banks", *nothing).returncode == 0
    (found,) = {row["target"] for row in rows(out / "hits.csv")}
    assert found.startswith(label)


def test_one_more_film_adds_to_the_person_who_has_a_name(
    picked: Path, films: Path, command: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    assert command("scan", films / "three.mp4", "-o", out, "-q").returncode == 0
    # Numbers might mean others by now.
    (line,) = errors(command("pick", "1", "-o", out, "-q"), 2, 1)
    assert "run fastface people" in line
    (line,) = errors(command("pick", "2", "--reject", "-o", out, "-q"), 2, 1)
    assert "run fastface people" in line
    looks = drawn({**SCRIPTS, **THIRD})
    assert counts(looks, "Ada", "Bo") == [43, 26]
    said = census(command, out)
    assert listed(said) == [("Ada", 43), ("", 26), ("", 11), ("", 6)]
    assert said["persons"][0]["videos"] == 3
    assert [count for _, count in identities(out / ".fastface" / "identities.sqlite")] == [43, 26, 11, 6]


def test_a_shared_store_names_a_person_in_another_folder(
    out: Path, third: Path, command: Command, tmp_path: Path
) -> None:
    store, other = tmp_path / "everyone.sqlite", shutil.copytree(third, tmp_path / "other")
    assert listed(census(command, other)) == [("", 7), ("", 5)]
    census(command, out, "--store", store)
    done = command("pick", "2", "--name", "Bo", "-o", out, "--clips", "none", "--crops", "none", "-q")
    assert done.returncode == 0, done.stderr
    assert listed(census(command, other, "--store", store)) == [("", 7), ("Bo", 5)]
    assert identities(store) == [("", 43), ("Bo", 26), ("", 11), ("", 6)]
    for folder in (out, other, out):
        census(command, folder, "--store", store)
    assert identities(store) == [("", 43), ("Bo", 26), ("", 11), ("", 6)]
    assert listed(census(command, other)) == [("", 7), ("", 5)], "its own store knows nothing of that"


def test_several_picked_are_one_from_then_on(out: Path, command: Command) -> None:
    done = command("pick", "4", "1", "--name", "Ada", "-o", out, "--clips", "none", "--crops", "none", "-q")
    assert done.returncode == 0, done.stderr
    looks = drawn(SCRIPTS)
    both = sorted((one.film, f"{one.time:.3f}") for name in ("Ada", "Ada in disguise") for one in looks[name])
    assert sorted((row["video"], row["time"]) for row in rows(out / "hits.csv")) == both
    assert listed(census(command, out)) == [("Ada", 42), ("", 21), ("", 11)]
    # Taken apart again, she who is seen most keeps the name.
    assert command("pick", "Ada", "--split", "-o", out, "-q").returncode == 0
    assert listed(census(command, out)) == [("Ada", 36), ("", 21), ("", 11), ("", 6)]


def test_a_name_of_two_is_nobodys(out: Path, command: Command) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "2", "--name", "Jo", *nothing).returncode == 0
    (line,) = errors(command("pick", "3", "--name", "Jo", *nothing), 2, 1)
    assert line.endswith("2 is called 'Jo': add it to make both one person, or choose another name")
    with open_existing(str(out / ".fastface" / "identities.sqlite")) as store:  # as two folders' stores may have it
        store.name(next(one.number for one in store.identities() if one.count == 11), "Jo")
    assert command("people", "-o", out, "-q").returncode == 0
    assert listed(census(command, out)) == [("", 36), ("Jo", 21), ("Jo", 11), ("", 6)]
    lines = errors(command("pick", "Jo", "Flo", *nothing), 2, 2)
    assert lines[0] == "fastface: 'Jo' is the name of 2 and 3: choose by number"
    assert lines[1].endswith("there is no person 'Flo': there are 1 to 4; 2 (Jo), 3 (Jo)")
    assert command("pick", "3", *nothing).returncode == 0
    assert len(rows(out / "hits.csv")) == 11


# ── corrections ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_merged_stays_so_until_it_is_split(out: Path, command: Command) -> None:
    apart, one = [("", 36), ("", 21), ("", 11), ("", 6)], [("", 42), ("", 21), ("", 11)]
    for _ in range(2):
        done = command("pick", "1", "4", "--merge", "-o", out, "--json")
        assert (done.returncode, listed(json.loads(done.stdout))) == (0, one)
        assert listed(census(command, out)) == one
        assert not (out / "hits.csv").exists()
        assert not (out / "banks").exists()
        done = command("pick", "1", "--split", "-o", out, "--json")
        assert (done.returncode, listed(json.loads(done.stdout))) == (0, apart)
        assert listed(census(command, out)) == apart
    assert sum(count for _, count in identities(out / ".fastface" / "identities.sqlite")) == 74


def test_who_is_on_screen_together_can_be_one_by_decree_alone(out: Path, command: Command) -> None:
    assert command("pick", "1", "2", "--merge", "-o", out, "-q").returncode == 0
    said = census(command, out)
    assert listed(said) == [("", 57), ("", 11), ("", 6)]
    looks = drawn(SCRIPTS)
    moments = {(one.film, one.time) for name in ("Ada", "Bo") for one in looks[name]}
    assert said["persons"][0]["seconds"] == pytest.approx(PERIOD * len(moments))
    assert len(moments) < 57
    assert [(row["person"], row["other"]) for row in rows(out / "people" / "together.csv")] == [("1", "3")]
    assert command("pick", "1", "--split", "-o", out, "-q").returncode == 0
    assert [faces for _, faces in listed(census(command, out))] == [36, 21, 11, 6]


def test_who_is_rejected_is_listed_no_more(out: Path, command: Command) -> None:
    done = command("pick", "2", "--reject", "-o", out)
    assert done.returncode == 0
    assert ", 21 to rejected persons" in done.stdout
    said = census(command, out)
    assert (listed(said), said["rejected"], said["unlisted"]) == ([("", 36), ("", 11), ("", 6)], 21, [1, 2])
    assert census(command, out, "--min-faces", "1")["rejected"] == 21


def test_corrections_are_of_faces_and_outlive_another_scan(out: Path, films: Path, command: Command) -> None:
    assert command("pick", "1", "4", "--merge", "-o", out, "-q").returncode == 0
    assert command("pick", "3", "--reject", "-o", out, "-q").returncode == 0
    sampled = ("--sample-fps", "12.5", "--fresh")
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q", *sampled).returncode == 0
    looks = drawn(SCRIPTS, step=2)
    ada, bo, cleo, disguised = counts(looks)
    said = census(command, out)
    assert (listed(said), said["rejected"]) == ([("", ada + disguised), ("", bo), ("", len(looks["Stranger"]))], cleo)
    # What was merged before the scan is taken back after it.
    done = command("pick", "1", "--split", "-o", out, "--json")
    assert [faces for _, faces in listed(json.loads(done.stdout))][:3] == [ada, bo, disguised]
    assert [faces for _, faces in listed(census(command, out))][:3] == [ada, bo, disguised]


def test_who_was_rejected_stays_so_however_much_is_added(
    third: Path, films: Path, command: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(third, tmp_path / "out")
    assert listed(census(command, out)) == [("", 7), ("", 5)]  # Ada and Bo, each in one track
    assert command("pick", "1", "--reject", "-o", out, "-q").returncode == 0
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, "-q").returncode == 0
    said = census(command, out)
    assert (listed(said), said["rejected"]) == ([("", 26), ("", 11), ("", 6)], 43)


def test_corrections_of_pictures_follow_them_when_others_come_between(command: Command, tmp_path: Path) -> None:
    folder, out = tmp_path / "album", tmp_path / "out"
    folder.mkdir()
    script = SCRIPTS["two.mp4"]  # Ada alone from frame 10 to 20, Bo alone from 60 on

    def add(name: str, frame: int) -> None:
        assert cv2.imwrite(str(folder / name), script.draw(frame))

    add("b.png", 12)  # Ada
    for number in range(4):
        add(f"c{number}.png", 64 + 2 * number)  # Bo
    asked = ("-o", out, "-q")
    assert command("scan", folder, *asked).returncode == 0
    assert listed(census(command, out, "--min-faces", "1")) == [("", 4), ("", 1)]
    assert command("pick", "2", "--reject", *asked).returncode == 0
    # One of Bo in front: where Ada was, by time and place, somebody else is now.
    shutil.copy(folder / "c0.png", folder / "a.png")
    assert command("scan", folder, *asked).returncode == 0
    said = census(command, out, "--min-faces", "1")
    assert (listed(said), said["rejected"]) == ([("", 5)], 1)


def test_damaged_notes_are_told_and_kept(out: Path, command: Command) -> None:
    for name, hint in (("corrections.json", "repair it or remove it"), ("people.json", "run fastface people")):
        path = out / ".fastface" / name
        kept = path.read_bytes() if path.exists() else None
        path.write_text("{")
        (line,) = errors(command("pick", "1", "-o", out, "-q"), 1, 1)
        assert name in line
        assert hint in line
        assert path.read_text() == "{"
        if kept is None:
            path.unlink()
        else:
            path.write_bytes(kept)
    assert command("pick", "1", "-o", out, "--clips", "none", "-q").returncode == 0


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def untouched(picked: Path) -> Iterator[Path]:
    """OUT with Ada in it, of which nothing may change."""
    before = {path: path.read_bytes() for path in picked.rglob("*") if path.is_file() and path.name not in _TOLD}
    yield picked
    assert {path: path.read_bytes() for path in before} == before


_TOLD = {"log.jsonl", "lock", "state.sqlite", "identities.sqlite", "state.sqlite-wal", "state.sqlite-shm"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["9"], ["there is no person '9': there are 1 to 4; 1 (Ada)"]),
        (["1", "0", "Eve"], ["there is no person '0'", "there is no person 'Eve'"]),
        (["-1"], None),
        ([], ["give at least one person"]),
        (["1", "2", "--merge", "--split"], ["exclude each other"]),
        (["1", "--reject", "--split"], ["exclude each other"]),
        (["1", "2", "--merge", "--name", "Eve"], ["exclude each other"]),
        (["--merge", "--reject"], ["give at least one person", "exclude each other"]),
        (["1", "--merge"], ["at least two persons"]),
        (["1", "1", "Ada", "--merge"], ["at least two persons"]),
        (["4", "--split"], ["has a single track"]),
        (["1", "--name", "everyone"], ["'everyone' cannot be the name"]),
        (["1", "--name", " "], ["' ' cannot be the name"]),
        (["1", "--name", "12"], ["'12' cannot be the name"]),
        (["1", "--name", "person 2"], ["'person 2' cannot be the name"]),
        (["1", "--name", "=1+1\n\x1b[31m"], ["'=1+1\\n\\x1b[31m' cannot be the name"]),
        (["1", "--restore"], ["give no number or name"]),
        (["1", "--undo"], ["give no number or name"]),
        (["--undo", "--restore"], ["exclude each other"]),
        (["1", "--census", "0123456789ab"], ["open people.html again"]),
        (["1", "--selection", "none.json"], ["--selection"]),
    ],
)
def test_what_makes_no_sense_is_told_and_changes_nothing(
    untouched: Path, command: Command, given: list[str], told: list[str] | None
) -> None:
    done = command("pick", "-o", untouched, "-q", *given)
    assert done.returncode == 2, done
    if told is not None:
        lines = errors(done, 2, len(told))
        assert all(part in line for part, line in zip(told, lines, strict=True)), lines


@pytest.mark.parametrize("asked", [["people"], ["pick", "1"], ["pick", "1", "--reject"]])
def test_without_an_index_there_is_nobody(command: Command, tmp_path: Path, asked: list[str]) -> None:
    (line,) = errors(command(*asked, "-o", tmp_path / "out", "-q"), 2, 1)
    assert "holds no scanned videos" in line
    assert not (tmp_path / "out" / "people").exists()


def test_without_a_census_there_are_no_numbers(third: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(third, tmp_path / "out")
    (line,) = errors(command("pick", "1", "-o", out, "-q"), 2, 1)
    assert "run fastface people" in line
    assert not (out / "people").exists()


def test_persons_that_were_numbered_anew_are_not_taken_for_those_of_the_page(
    out: Path, command: Command, tmp_path: Path
) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    shown = json.loads((out / ".fastface" / "people.json").read_text())["census"]
    saved = tmp_path / "selection.json"
    saved.write_text(json.dumps({"schema_version": 1, "census": shown, "people": [2], "name": "Bo"}) + "\n")
    # A name numbers nobody anew: the page stays good.
    assert command("pick", "1", "--name", "Ada", "--census", shown, *nothing).returncode == 0
    assert f'"census":"{shown}"' in (out / "people" / "people.html").read_text(encoding="utf-8")
    assert command("pick", "--selection", saved, *nothing).returncode == 0
    assert command("people", "-o", out, "--rank", "quality", "-q").returncode == 0
    for asked in (["--selection", saved], ["2", "--census", shown], ["2", "--reject", "--census", shown]):
        (line,) = errors(command("pick", *asked, *(nothing if "--reject" not in asked else nothing[:2])), 2, 1)
        assert line.endswith("open people.html again")


def test_after_a_merger_the_same_command_means_the_same_person(out: Path, command: Command) -> None:
    asked = ("pick", "4", "3", "--name", "Both", "-o", out, "--clips", "none", "--crops", "none")
    done = command(*asked)
    assert (done.returncode, len(rows(out / "hits.csv"))) == (0, 17)
    assert "3 and 4 are one person from now on: 3" in done.stderr
    before = contents(out / "people")
    done = command(*asked, "-q")
    assert (done.returncode, len(rows(out / "hits.csv"))) == (0, 17)
    assert before.keys() == contents(out / "people").keys()
    said = census(command, out)
    assert listed(said) == [("", 36), ("", 21), ("Both", 17)]
    (line,) = errors(command("pick", "4", "--reject", "-o", out, "-q"), 2, 1)
    assert line.endswith("there is no person '4' now: it is part of person 3")
    # Taken back, the name and both numbers are as before.
    done = command("pick", "--undo", "-o", out)
    assert "took back: merge of 3 and 4 (" in done.stderr
    said = census(command, out)
    assert numbered(said) == {1: 36, 2: 21, 3: 11, 4: 6}
    assert listed(said) == [("", 36), ("", 21), ("", 11), ("", 6)]
    (line,) = errors(command("pick", "--undo", "-o", out, "-q"), 2, 1)
    assert "no correction to take back" in line


def test_numbers_stay_with_their_persons(out: Path, command: Command) -> None:
    everyone = {1: 36, 2: 21, 3: 11, 4: 6}
    asked = ("pick", "1", "3", "--merge", "-o", out)
    assert numbered(json.loads(command(*asked, "--json").stdout)) == {1: 47, 2: 21, 4: 6}
    again = command(*asked, "--json")
    assert numbered(json.loads(again.stdout)) == {1: 47, 2: 21, 4: 6}
    assert "they are one person already: 1; nothing was changed" in again.stderr
    assert numbered(json.loads(command("pick", "2", "--reject", "-o", out, "--json").stdout)) == {1: 47, 4: 6}
    (line,) = errors(command("pick", "2", "--reject", "-o", out), 2, 1)
    assert line.endswith("person 2 is not listed now: it was rejected, or these settings leave it out")
    assert {row["person"] for row in rows(out / "people" / "people.csv")} == {"1", "4"}
    # One by one, each is taken back.
    assert numbered(json.loads(command("pick", "--undo", "-o", out, "--json").stdout)) == {1: 47, 2: 21, 4: 6}
    assert numbered(json.loads(command("pick", "--undo", "-o", out, "--json").stdout)) == everyone
    assert numbered(census(command, out, "--rank", "quality")) == everyone
    assert numbered(census(command, out, "--min-faces", "1")) == {**everyone, 5: 2}
    assert sum(count for _, count in identities(out / ".fastface" / "identities.sqlite")) == 76


def test_numbers_stay_after_another_scan(out: Path, films: Path, command: Command) -> None:
    before = {person["number"]: person["appearances"][0]["start"] for person in census(command, out)["persons"]}
    sampled = ("--sample-fps", "12.5", "--fresh", "-q")
    assert command("scan", films / "one.mp4", films / "two.mp4", "-o", out, *sampled).returncode == 0
    said = {person["number"]: person for person in census(command, out)["persons"]}
    assert before.keys() < said.keys(), "the stranger is seen often enough now"
    assert {number: round(said[number]["appearances"][0]["start"], 1) for number in before} == before


@pytest.mark.parametrize("what", ["split", "reject", "name"])
def test_each_correction_can_be_taken_back(out: Path, command: Command, what: str) -> None:
    before = census(command, out)
    asked = ["--name", "Ada", "--clips", "none", "--crops", "none"] if what == "name" else [f"--{what}"]
    assert command("pick", "1", "-o", out, "-q", *asked).returncode == 0
    changed = census(command, out)
    assert (listed(changed), numbered(changed)) != (listed(before), numbered(before))
    assert command("pick", "--undo", "-o", out, "-q").returncode == 0
    after = census(command, out)
    assert (listed(after), numbered(after)) == (listed(before), numbered(before))


def test_an_interrupted_pick_has_said_nothing(out: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    before = listed(census(command, out))

    def interrupted(*_: object) -> None:
        raise InterruptError(2)

    with monkeypatch.context() as patched:
        patched.setattr("fastface.commands.pick.write_picked", interrupted)
        assert command("pick", "1", "4", "--name", "Ada", "-o", out, "-q").returncode == 130
    assert not (out / ".fastface" / "corrections.json").exists()
    assert command("pick", "1", "4", "--name", "Ada", "-o", out, "-q", "--clips", "none").returncode == 0
    assert len(rows(out / "hits.csv")) == before[0][1] + before[3][1]


def test_a_pick_that_is_stopped_while_it_notes_what_was_said_can_be_repeated(
    out: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise InterruptError(2)

    asked = ("pick", "1", "4", "--name", "Ada", "-o", out, "-q", "--clips", "none", "--crops", "none")
    with monkeypatch.context() as patched:
        patched.setattr("fastface.census.clusters.corrections.Corrections.save", interrupted)
        assert command(*asked).returncode == 130
    assert command(*asked).returncode == 0
    assert listed(census(command, out)) == [("Ada", 42), ("", 21), ("", 11)]


def test_a_note_of_an_earlier_version_is_no_census(out: Path, command: Command) -> None:
    path = out / ".fastface" / "people.json"
    note = json.loads(path.read_text())
    note["schema_version"], note["digest"] = 1, note.pop("census")
    path.write_text(json.dumps(note))
    (line,) = errors(command("pick", "1", "-o", out, "-q"), 2, 1)
    assert line.endswith(f"run fastface people -o {out}")


def test_two_who_have_names_are_one_only_by_a_name(out: Path, command: Command) -> None:
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    for number, name in (("1", "Ada"), ("2", "Bo")):
        assert command("pick", number, "--name", name, *nothing).returncode == 0
    (line,) = errors(command("pick", "Ada", "Bo", *nothing), 2, 1)
    assert line.endswith("they are called Ada and Bo: choose one name with --name")
    (line,) = errors(command("pick", "Ada", "Bo", "--merge", "-o", out, "-q"), 2, 1)
    assert line.endswith("fastface pick 1 2 --name NAME makes them one")
    done = command("pick", "Ada", "person 3", "Bo", "--name", "All", *nothing[:-1])
    assert done.returncode == 0
    assert "1 and 2 are on screen together for 1.6 s; 1 and 3 are on screen together for 2.2 s" in done.stderr


def test_the_rejected_come_back_when_they_are_asked_for(out: Path, command: Command) -> None:
    before = listed(census(command, out))
    done = command("pick", "2", "--reject", "-o", out)
    assert "person 2 is no longer listed" in done.stderr
    assert listed(census(command, out)) == [before[0], *before[2:]]
    assert command("pick", "--restore", "-o", out, "-q").returncode == 0
    assert listed(census(command, out)) == before


def test_a_saved_selection_is_as_good_as_numbers(out: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "selection.json"
    path.write_text(json.dumps({"schema_version": 1, "people": [2], "name": "Bo"}) + "\n")  # as people.html saves it
    nothing = ("-o", out, "--clips", "none", "--crops", "none", "-q")
    assert command("pick", "--selection", path, *nothing).returncode == 0
    assert {row["target"] for row in rows(out / "hits.csv")} == {"Bo"}
    assert (out / "banks" / "Bo.npz").exists()
    assert command("pick", "--selection", path, "--name", "Robert", *nothing).returncode == 0
    assert listed(census(command, out))[1] == ("Robert", 21)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "7", '{"people": 3}', '{"people": "12"}', '{"people": ["Ada"]}', '{"people": [null]}',
        '{"people": [1.5]}', '{"people": [1e999]}', '{"people": [true]}', '{"people": {"1": 2}}', "[" * 100_000,
        b"\xff\xfe", '{"people": [1], "name": 7}', '{"people": [1], "name": ["x"]}',
    ],
)  # fmt: skip
def test_a_bad_selection_is_told_and_nothing_is_picked(
    untouched: Path, command: Command, tmp_path: Path, content: str | bytes
) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (line,) = errors(command("pick", "--selection", path, "-o", untouched, "-q"), 2, 1)
    assert "not a file that people.html saved" in line


def test_an_empty_selection_is_nobody(untouched: Path, command: Command, tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"schema_version": 1, "people": [], "name": ""}')
    (line,) = errors(command("pick", "--selection", path, "-o", untouched, "-q"), 2, 1)
    assert "give at least one person" in line


def test_as_another_process_it_ends_the_same(untouched: Path, pack: Path) -> None:
    done = fastface("pick", "9", "-o", untouched, "-q", "--models", pack)
    (line,) = errors(done, 2, 1)
    assert line == "fastface: there is no person '9': there are 1 to 4; 1 (Ada)"


# ── purge ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_purge_takes_all_that_is_known_of_persons(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    assert command("pick", "2", "3", "--merge", "-o", out, "-q").returncode == 0
    mine = out / "people" / "mine.txt"
    mine.write_text("mine")
    state = out / ".fastface"
    doomed = [out / "banks" / "Ada.npz", out / "primary_person.npz", *(out / "people" / name for name in TABLES)]
    doomed += [out / "people" / name for name in ("people.html", "table.png", "embeddings.npz")]
    doomed += [state / name for name in ("identities.sqlite", "corrections.json", "people.json")]
    doomed += list((out / "people").rglob("*.jpg"))
    assert all(path.is_file() for path in doomed)
    assert len(doomed) >= 20
    kept = [*out.glob("clips/*/*"), out / "hits.csv", out / "spans.csv", state / "log.jsonl", mine]
    told = json.loads(command("purge", "-o", out, "--dry-run", "--json").stdout)
    assert all(path.is_file() for path in doomed)
    sizes = sum(path.stat().st_size for path in doomed)
    done = command("purge", "-o", out, "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, told)
    assert [path for path in doomed if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert told["bytes_freed"] > sizes
    assert told["kept"] == [str(mine)]
    assert [path.name for path in (out / "people").rglob("*")] == ["mine.txt"]
    assert not (out / "banks").exists()
    assert [path for path in out.rglob("*") if path.suffix in (".npz", ".npy", ".parquet", ".jpg", ".png")] == []
    assert list(state.glob("identities*")) == []
    (line,) = errors(command("people", "-o", out), 2, 1)
    assert "holds no scanned videos" in line


def test_purge_says_what_it_takes(picked: Path, command: Command, tmp_path: Path) -> None:
    out = shutil.copytree(picked, tmp_path / "out")
    crops = [path for name in ("crops", "snapshots") for path in (out / name).rglob("*.jpg")]
    of_persons = [path for name in ("people", "banks") for path in (out / name).rglob("*") if path.is_file()]
    state = [out / ".fastface" / name for name in ("people.json", "corrections.json", "corrections.undo.jsonl")]
    state += [out / ".fastface" / "numbers.npz"]
    of_persons += [out / "primary_person.npz", *(out / ".fastface").glob("identities*"), *state]
    of_persons = [path for path in of_persons if path.is_file()]
    done = command("purge", "-o", out, "--yes")
    assert done.returncode == 0
    assert "removed the faces and embeddings of 2 videos" in done.stdout
    assert f"{len(crops)} picture" in done.stdout
    assert f"{len(of_persons)} files on persons" in done.stdout
    assert not (out / "people").exists()
