"""`people` as a user meets it, on drawn films whose script knows who is on screen when."""

import shutil
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
from census_tools import Command, census, identities, listed, rows
from cli_tools import contents, errors
from people_films import EVERYONE, LISTED, PERIOD, RATE, SCRIPTS, TABLES, THIRD, counts, drawn, met, stretches

from fastface.demo.persons import ADA, BO, CLEO


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
