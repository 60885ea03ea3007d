"""Write scripts: the film of the demo, and random films for tests."""

import random
from collections.abc import Iterator

from fastface.demo.backdrops import Backdrop
from fastface.demo.persons import ADA, BO, CLEO, STRANGER, Disguise, person
from fastface.demo.script import Appearance, Scene, Script


def demo_script() -> Script:
    """Return the film of `fastface demo`: 24 seconds at 25 fps, three persons with photos and a stranger."""
    scenes = (
        Scene(0, Backdrop.TITLE),
        Scene(38, Backdrop.HILLS),
        Scene(190, Backdrop.ROOM),
        Scene(340, Backdrop.NIGHT),
        Scene(460, Backdrop.BEACH),
    )
    appearances = (
        Appearance(ADA, 50, 100, (-88, 176), to=(320, 176)),
        Appearance(ADA, 100, 160, (320, 176)),
        Appearance(ADA, 160, 185, (320, 176), away=True),
        Appearance(BO, 190, 340, (208, 192)),
        Appearance(CLEO, 240, 300, (440, 184)),
        Appearance(STRANGER, 310, 340, (440, 184)),
        Appearance(STRANGER, 352, 400, (704, 168), to=(-64, 168)),
        Appearance(BO, 410, 460, (320, 192), scale=2, disguise=Disguise.MOUSTACHE),
        Appearance(ADA, 470, 590, (120, 176)),
        Appearance(CLEO, 470, 560, (320, 184)),
        Appearance(STRANGER, 500, 590, (528, 176)),
    )
    return Script(600, appearances, scenes)


def random_script(seed: int, num_frames: int, *, num_persons: int = 6, mean_frames: int = 12) -> Script:
    """Return a film with barcodes in which up to three persons appear at random, for a frame or for seconds.

    Args:
        seed: The same seed gives the same film on every machine.
        num_frames: Number of frames.
        num_persons: Number of different persons, 3 or more.
        mean_frames: Mean number of frames of an appearance and of the pauses between.
    """
    rng = random.Random(seed)  # noqa: S311 - a film, not a secret
    appearances: list[Appearance] = []
    for place, codes in enumerate(_shared_out(list(range(num_persons)))):
        appearances += _comings_and_goings(rng, num_frames, mean_frames, (112 + 208 * place, 160), codes)
    backdrops = [Backdrop.HILLS, Backdrop.ROOM, Backdrop.NIGHT, Backdrop.BEACH]
    starts = sorted({0, *(rng.randrange(num_frames) for _ in range(num_frames // 100))})
    scenes = tuple(Scene(start, backdrops[n % len(backdrops)]) for n, start in enumerate(starts))
    return Script(num_frames, tuple(appearances), scenes, barcode=True)


def _shared_out(codes: list[int]) -> list[list[int]]:
    """Deal the persons into three hands, so that no person is in two places at once.

    11 is odd, so codes up to 63 stay distinct.
    """
    return [[code * 11 % 64 for code in codes[place::3]] for place in range(3)]


def _comings_and_goings(
    rng: random.Random, num_frames: int, mean_frames: int, place: tuple[int, int], codes: list[int]
) -> Iterator[Appearance]:
    frame = rng.randrange(mean_frames)
    while frame < num_frames:
        end = min(frame + 1 + int(rng.expovariate(1 / mean_frames)), num_frames)
        yield Appearance(person(rng.choice(codes)), frame, end, place)
        frame = end + int(rng.expovariate(1 / mean_frames))
