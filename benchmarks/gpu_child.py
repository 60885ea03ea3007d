"""What the parts of gpu_check.py share: a budget of time, children that may fail, and reasons to leave something out.

Imports nothing but the standard library, as all of gpu_check.py's own process: it must be able to say what is missing.
"""

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["FASTFACE", "HERE", "Budget", "Ended", "Skipped", "environment", "run_child"]

HERE = Path(__file__).resolve().parent
FASTFACE = (sys.executable, "-c", "from fastface.cli import main; main()")


class Skipped(Exception):  # noqa: N818 - an answer, not an error
    """A part is left out; the message says what is lacking."""


@dataclass(frozen=True)
class Budget:
    """So many seconds for all parts together."""

    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.seconds - (time.monotonic() - self.began)

    def need(self, seconds: float) -> None:
        """Says that something takes at least so long.

        Raises:
            Skipped: So much is not left.
        """
        if self.left < seconds:
            raise Skipped(
                f"takes at least {seconds:.0f} s, and of {self.seconds:.0f} s {max(0, self.left):.0f} are left"
            )


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        output: What it printed until then.
        reason: Why it did not end well; empty if it did.
        seconds: How long it took.
    """

    output: str
    reason: str
    seconds: float


def environment(folder: Path) -> dict[str, str]:
    """The environment of children: this checkout's fastface, even where it is not installed.

    Args:
        folder: Where the version of a fastface that is not installed can be noted.
    """
    root = HERE.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = project["name"], project["version"]
    noted = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    noted.mkdir(parents=True, exist_ok=True)
    (noted / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    # What is installed of fastface is not looked at: the checkout goes before it.
    places = [str(root), str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FASTFACE_")}
    return {**kept, "PYTHONPATH": os.pathsep.join(places), "XDG_CACHE_HOME": str(folder / "cache")}


def run_child(command: Sequence[object], limit: float, variables: dict[str, str]) -> Ended:
    """Runs a command to its end or to the limit; what it has started ends with it."""
    began = time.monotonic()
    words = [str(word) for word in command]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, start_new_session=True
    ) as child:
        try:
            output, errors = child.communicate(timeout=max(1.0, limit))
            reason = "" if child.returncode == 0 else f"ended with {child.returncode}: {_last_line(errors)}"
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _ = child.communicate()
            reason = f"was stopped after {limit:.0f} s"
    return Ended(output, reason, time.monotonic() - began)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "without a word"
