"""Drawn films of persons, and what their scripts say about who is on screen when."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

from fastface.demo.persons import ADA, BO, CLEO, STRANGER, Disguise
from fastface.demo.script import Appearance, Script, Sighting

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


def counts(looks: dict[str, list[Seen]], *names: str) -> list[int]:
    return [len(looks[name]) for name in names or LISTED]
