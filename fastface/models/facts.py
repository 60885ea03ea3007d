"""Facts about a graph, noted by the file's content: reading ONNX takes a fifth of a second."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from fastface.errors import FastfaceError
from fastface.files import write_atomic

GraphKind = Literal["detector", "recogniser", "person", "unknown"]
PersonFamily = Literal["yolo", "yolox"]
"""Layouts of networks that find persons; `graph_person` describes them."""

KIND_WORDS: dict[GraphKind, str] = {
    "detector": "detector",
    "recogniser": "recogniser",
    "person": "person network",
    "unknown": "unknown",
}
"""What messages call the kinds."""

_VERSION = 2
"""Raised whenever the same graph is judged otherwise, so that old notes are not taken for new ones."""


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """Facts about a graph.

    Attributes:
        kind: What the network is for.
        dimension: Components of an embedding; None for other kinds.
        has_landmarks: Whether a detector gives landmarks; without, they are the mean face's, placed in the box.
        family: Layout of a network that finds persons; None for other kinds.
        input_size: (width, height) that the export is fixed to; None where it is free.
        reason: Why the kind is unknown; empty otherwise.
    """

    kind: GraphKind
    dimension: int | None = None
    has_landmarks: bool = False
    family: PersonFamily | None = None
    input_size: tuple[int, int] | None = None
    reason: str = ""


def noted_facts(digest: str, folder: Path) -> GraphFacts | None:
    """The facts noted for a file of this digest; None if there are none, or what is there is no such note."""
    try:
        found = json.loads(_note(digest, folder).read_text(encoding="utf-8"))
        size = found["input_size"]
        return GraphFacts(**{**found, "input_size": None if size is None else tuple(size)})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def note_facts(digest: str, facts: GraphFacts, folder: Path) -> None:
    """Notes facts. Without the note the next command reads the graph again, and nothing else is lost."""
    with suppress(FastfaceError):
        write_atomic(_note(digest, folder), json.dumps(asdict(facts)))


def _note(digest: str, folder: Path) -> Path:
    return folder / f"facts-{digest[:16]}-v{_VERSION}.json"
