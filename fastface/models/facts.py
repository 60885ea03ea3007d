"""Store facts about a graph by the file's digest, because reading ONNX takes a fifth of a second.

`graph` calls it. If the same graph gets other facts, raise `_VERSION`.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from fastface.errors import FastfaceError
from fastface.files import write_atomic

GraphKind = Literal["detector", "recogniser", "person", "unknown"]
PersonFamily = Literal["yolo", "yolox"]
"""Output layouts of person networks; `graph_person` describes them."""

KIND_WORDS: dict[GraphKind, str] = {
    "detector": "detector",
    "recogniser": "recogniser",
    "person": "person network",
    "unknown": "unknown",
}
"""Words for the kinds in messages."""

_VERSION = 4
"""Version of the facts. Raise it if the same graph gets other facts, so that old notes are ignored."""


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """Facts about a graph.

    Attributes:
        kind: Kind of the network.
        dimension: Number of components of an embedding; None for other kinds.
        has_landmarks: True if a detector returns landmarks; otherwise those of the mean face are placed in the box.
        family: Layout of a person network; None for other kinds.
        input_size: (width, height) to which the export is fixed; None if it is free.
        reason: Reason why the kind is unknown; empty otherwise.
    """

    kind: GraphKind
    dimension: int | None = None
    has_landmarks: bool = False
    family: PersonFamily | None = None
    input_size: tuple[int, int] | None = None
    reason: str = ""


def noted_facts(digest: str, folder: Path) -> GraphFacts | None:
    """Return the facts stored for a digest; None if there are none, or the note is invalid."""
    try:
        found = json.loads(_note(digest, folder).read_text(encoding="utf-8"))
        size = found["input_size"]
        return GraphFacts(**{**found, "input_size": None if size is None else tuple(size)})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def note_facts(digest: str, facts: GraphFacts, folder: Path) -> None:
    """Store facts. Errors are ignored: without the note, the next command reads the graph again."""
    with suppress(FastfaceError):
        write_atomic(_note(digest, folder), json.dumps(asdict(facts)))


def _note(digest: str, folder: Path) -> Path:
    return folder / f"facts-{digest[:16]}-v{_VERSION}.json"
