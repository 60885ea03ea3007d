"""How much of a long test is done, and where its figures go."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from places import BENCHMARKS

RELIABILITY = BENCHMARKS / "RELIABILITY.md"
PROGRESS_PERIOD = 50  # turns between two lines of progress


@dataclass(frozen=True)
class Torture:
    """Amount of a long test: a quick share, or all of it with `--torture`, which also records the figures.

    A test counts its own figures and records none if it fails. Each test has its own sections, so any test can run
    alone and leaves the sections of the others unchanged.
    """

    whole: bool
    say: Callable[[str], None]  # prints a line to the terminal, past what pytest captures

    def count(self, quick: int, whole: int) -> int:
        """Return the number of turns."""
        return whole if self.whole else quick

    def progress(self, turn: int, how_far: str) -> None:
        """Print a line now and then in hours of turns."""
        if self.whole and turn % PROGRESS_PERIOD == 0:
            self.say(how_far)

    def note(self, title: str, **figures: object) -> None:
        """Write a section of RELIABILITY.md, if the whole test was done."""
        if not self.whole:
            return
        sys.path.insert(0, str(BENCHMARKS))
        from results import machine, write_section

        table = [f"| {name.replace('_', ' ')} | {value} |" for name, value in figures.items()]
        write_section(title, "\n".join([machine(), "", "| | |", "|---|---|", *table]), RELIABILITY)
