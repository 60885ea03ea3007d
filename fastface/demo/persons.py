"""Define the cartoon persons: the colours of hair, headband and skin identify a person.

Each has one of four colours, distinguished by two questions (light or dark? warm or cold?), so there are 64 persons.
Three degrees of disguise reduce a person's similarity by an exactly known amount.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

Colour = tuple[int, int, int]
"""Blue, green, red, 0–255."""

NUM_PERSONS: Final = 64

# Dark cold, dark warm, light cold, light warm: bit 0 is warm, bit 1 is light.
_HAIR: Final[tuple[Colour, ...]] = ((88, 44, 30), (25, 62, 112), (236, 208, 178), (84, 206, 246))
_BAND: Final[tuple[Colour, ...]] = ((140, 64, 24), (40, 52, 150), (234, 226, 128), (60, 196, 255))
_SKIN: Final[tuple[Colour, ...]] = ((150, 86, 58), (52, 90, 142), (236, 216, 164), (166, 206, 250))
_SHIRTS: Final[tuple[Colour, ...]] = ((96, 160, 60), (180, 110, 50), (60, 110, 220), (120, 120, 120), (70, 180, 210))

HAIR_DARK: Final[Colour] = (24, 20, 22)
"""Colour of moustaches and beards for any hair: darker than every skin by more than 60."""


class Disguise(IntEnum):
    """Disguise of a person: two bits, a moustache and a beard."""

    NONE = 0
    MOUSTACHE = 1
    BEARD = 2
    BOTH = 3


DISGUISE_WEIGHTS: Final[tuple[tuple[int, int], ...]] = ((1, 0), (4, 3), (3, 4), (5, 12))
"""Weights (a, b) of the person's and the disguise's part of an embedding; Pythagorean, so similarities are exact."""

DISGUISE_SIMILARITY: Final[tuple[float, ...]] = (1.0, 4 / 5, 3 / 5, 5 / 13)
"""Cosine between a person in each disguise and the same person without one."""


@dataclass(frozen=True, slots=True)
class Person:
    """A cartoon person.

    Attributes:
        name: Name of the person; the label of the person's photos.
        code: 0–63. Bits 0–1 choose the hair's colour, 2–3 the headband's, 4–5 the skin's. Persons of different codes
            have cosine similarity 0.
    """

    name: str
    code: int

    def __post_init__(self) -> None:
        if not 0 <= self.code < NUM_PERSONS:
            raise ValueError(f"code {self.code} of {self.name!r} is not in 0–{NUM_PERSONS - 1}")

    @property
    def hair(self) -> Colour:
        """Colour of the hair."""
        return _HAIR[self.code & 3]

    @property
    def band(self) -> Colour:
        """Colour of the headband."""
        return _BAND[self.code >> 2 & 3]

    @property
    def skin(self) -> Colour:
        """Colour of the skin."""
        return _SKIN[self.code >> 4]

    @property
    def shirt(self) -> Colour:
        """Colour of the shirt. The networks ignore it."""
        return _SHIRTS[self.code % len(_SHIRTS)]


def person(code: int) -> Person:
    """Return a person with a generic name, for tests that need many."""
    return Person(f"person-{code:02d}", code)


ADA: Final = Person("Ada", 0b11_10_01)
BO: Final = Person("Bo", 0b01_11_00)
CLEO: Final = Person("Cleo", 0b10_01_11)
STRANGER: Final = Person("Stranger", 0b11_00_10)
