"""Everyone in real films and pictures, by real networks: purity, completeness and F1."""

import csv
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from fastface.census.census import take_census
from fastface.census.clusters.corrections import Corrections
from fastface.census.clusters.person_summaries import NO_CLUSTER
from fastface.commands.find import find
from fastface.commands.people import PeopleResult, people
from fastface.commands.run import scan
from fastface.config import Config, load_config
from fastface.index.store import VideoIndex
from fastface.runtime.context import open_context
from fastface.runtime.events.observer import Observer
from fastface.types import Faces

FRIENDS = ("Chandler", "Joey", "Monica", "Phoebe", "Rachel", "Ross")


def settings(models: Path, **changes: dict[str, object]) -> Config:
    nothing = {"clips": "none", "crops": "none"}
    return load_config(environment={}, flags={"models": {"dir": str(models)}, "export": nothing, **changes})


@dataclass(frozen=True)
class Whose:
    """The faces of one video, and the number of each one's person; 0 for none that is listed."""

    faces: Faces
    person: np.ndarray


def whose(config: Config, out: Path) -> dict[str, Whose]:
    """Which face is whose, as a census has it."""
    found = {}
    with open_context(config, out, Observer(), "people") as context:
        census = take_census(context, Corrections())
        table = census.table
        for video, record in enumerate(table.records):
            faces = VideoIndex(context.out.index, record.video_id).faces()
            own = table.tracks.video == video
            place = np.searchsorted(table.tracks.number[own], faces.tracks)
            assert (table.tracks.number[own][place] == faces.tracks).all()
            found[record.video_id] = Whose(faces, census.label[own][place] - NO_CLUSTER)
    return found


def adds_up(counted: PeopleResult, found: dict[str, Whose]) -> None:
    """Every face of the index is somewhere, once."""
    number = np.concatenate([one.person for one in found.values()])
    assert counted.faces == len(number)
    assert counted.faces == counted.listed + counted.unlisted[1] + counted.poor + counted.rejected
    assert [person.faces for person in counted.persons] == np.bincount(number)[1:].tolist()
    assert counted.listed == int((number > 0).sum())
    for person in counted.persons:
        assert person.faces == sum(seen.faces for seen in person.appearances)
        assert person.portraits
        assert all((counted.out / portrait.file).exists() for portrait in person.portraits)


def test_six_persons_of_a_film_are_six_persons(shared_models: Path, shared_media: Path, tmp_path: Path) -> None:
    config, out = settings(shared_models), tmp_path / "out"
    assert scan(config, [str(shared_media / "clips" / "friends.mp4")], out, Observer()).exit_code == 0
    counted = people(config, out, Observer())
    (found,) = (by_video := whose(config, out)).values()
    adds_up(counted, by_video)
    find(config, [str(shared_media / "photos" / "friends")], out, Observer())
    with (out / "hits.csv").open(newline="", encoding="utf-8") as file:
        hits = {(int(row["pts"]), row["x1"]): row["target"] for row in csv.DictReader(file)}
    keys = zip(found.faces.pts.tolist(), found.faces.boxes[:, 0].tolist(), strict=True)
    name = [hits.get((pts, f"{x1:z.1f}"), "") for pts, x1 in keys]
    assert sum(map(bool, name)) == len(hits) > 200
    pairs = Counter(zip(name, found.person.tolist(), strict=True))
    main = {}
    for friend in FRIENDS:
        of_friend = {number: count for (one, number), count in pairs.items() if one == friend}
        main[friend] = max((number for number in of_friend if number), key=of_friend.__getitem__)
        own = {one: count for (one, number), count in pairs.items() if one and number == main[friend]}
        purity = own[friend] / sum(own.values())
        completeness = own[friend] / sum(of_friend.values())
        print(f"\n{friend}: person {main[friend]}, purity {purity:.3f}, completeness {completeness:.3f} "  # noqa: T201
              f"of {sum(of_friend.values())} faces", end="")  # fmt: skip
        assert purity >= 0.98
        assert completeness >= 0.9
    assert len(set(main.values())) == 6
    print(f"\nlisted: {[person.faces for person in counted.persons]}, not listed: {counted.unlisted}, "  # noqa: T201
          f"too poor: {counted.poor}")  # fmt: skip
    # The six come first, whoever else was counted.
    assert sorted(main.values()) == [1, 2, 3, 4, 5, 6]


PASSAGES = ((6.4, 19.5), (23.0, 44.7), (50.6, 69.8), (74.9, 86.8), (92.8, 119.7), (124.0, 135.8))
"""Of corridor.mp4, by eye: somebody comes into the room, stands at the table, and goes; six, all from behind."""


def test_six_persons_who_turn_their_backs_are_six_persons(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    scanned = {"track": "persons", "sample_fps": 2.5}
    config, out = settings(shared_models, scan=scanned, people={"min_faces": 1}), tmp_path / "out"
    assert scan(config, [str(shared_media / "clips" / "corridor.mp4")], out, Observer()).exit_code == 0
    counted = people(config, out, Observer())
    assert counted.faces == counted.listed + counted.unlisted[1] + counted.poor + counted.rejected
    assert counted.faces < 0.05 * 2.5 * 140  # hardly a frame shows a face
    seen = sorted((one.start, one.end, person.number) for person in counted.persons for one in person.appearances)
    long = [(start, end, number) for start, end, number in seen if end - start > 2]
    assert len({number for *_, number in long}) == len(long) == 6
    for (start, end, _), (comes, goes) in zip(long, PASSAGES, strict=True):
        assert (start, end) == (pytest.approx(comes, abs=0.8), pytest.approx(goes, abs=0.8))
    assert sum(person.body_seconds for person in counted.persons) > 0.9 * sum(goes - comes for comes, goes in PASSAGES)
    assert not any(person.together for person in counted.persons)


def test_pictures_of_twelve_persons_are_sorted_by_person(
    shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    photos = shared_media / "photos"
    folders = [folder for name in ("jurassic", "friends_tv") for folder in sorted((photos / name).iterdir())]
    assert len(folders) == 12
    config, out = settings(shared_models, people={"min_faces": 1}), tmp_path / "out"
    assert scan(config, list(map(str, folders)), out, Observer()).exit_code in {0, 3}
    counted = people(config, out, Observer())
    found = whose(config, out)
    assert sorted(found) == sorted(folder.name for folder in folders)
    adds_up(counted, found)
    scores = {}
    for part in ("jurassic", "friends_tv", ""):
        labelled = [
            (video, one.person[row])
            for video, one in found.items()
            if not part or (photos / part / video).is_dir()
            for row in range(len(one.faces))
            if (one.faces.pts == one.faces.pts[row]).sum() == 1
        ]
        scores[part or "both"] = f1(labelled)
    for part, (precision, recall, score, count) in scores.items():
        print(f"\n{part}: {count} faces, precision {precision:.3f}, recall {recall:.3f}, F1 {score:.3f}", end="")  # noqa: T201
    print(f"\npersons: {[person.faces for person in counted.persons]}, too poor: {counted.poor}")  # noqa: T201
    assert scores["both"][3] > 120
    assert min(score for _, _, score, _ in scores.values()) >= 0.9


def f1(labelled: list[tuple[str, int]]) -> tuple[float, float, float, int]:
    """Of pairs: precision, recall, F1; and the number of faces. One that is nobody's is with no other."""
    together = right = meant = 0
    for (name, number), (other_name, other) in combinations(labelled, 2):
        together += number == other != 0
        meant += name == other_name
        right += name == other_name and number == other != 0
    precision, recall = right / max(together, 1), right / max(meant, 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9), len(labelled)


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [
        ([("a", 1), ("a", 1), ("b", 2)], (1, 1, 1)),
        ([("a", 1), ("a", 1), ("b", 1)], (1 / 3, 1, 0.5)),
        ([("a", 1), ("a", 1), ("a", 0), ("a", 0)], (1, 1 / 6, 2 / 7)),
    ],
)
def test_the_measure_is_right(labelled: list[tuple[str, int]], expected: tuple[float, float, float]) -> None:
    assert f1(labelled)[:3] == pytest.approx(expected)
