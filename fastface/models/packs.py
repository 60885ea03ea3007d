"""Recognize the networks of a folder: their kinds, and if they are the published files.

`selection`, `download`, `doctor` and the command `models` use it. A published file is recognized by its digest, any
other by its graph.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from fastface.errors import ModelError
from fastface.models.catalog import KNOWN_NETWORKS, PACKS, UNKNOWN_LICENCE, KnownNetwork, Licence
from fastface.models.facts import GraphKind
from fastface.models.graph import inspect_graph
from fastface.types import ALIGNED_SIZE


@dataclass(frozen=True, slots=True)
class Network:
    """One network's file.

    Attributes:
        name: The file's stem.
        path: The file.
        sha256: Its digest, in hexadecimal.
        kind: Purpose, recognized by its graph.
        dimension: Number of components of a recogniser's embedding; None for other kinds.
        verified: True if the digest is a published one.
        reason: Reason why the kind is unknown; empty otherwise.
        aligned_size: Side of the aligned faces that a recogniser reads, in pixels.
        entry: The catalogue's network of this digest, else of this name; None if there is neither.
    """

    name: str
    path: Path
    sha256: str
    kind: GraphKind
    dimension: int | None
    verified: bool
    reason: str = ""
    aligned_size: int = ALIGNED_SIZE
    entry: KnownNetwork | None = None

    @property
    def differs(self) -> bool:
        """Return whether the file has a published network's name but other content: converted, damaged or unrelated."""
        return self.entry is not None and self.entry.sha256 is not None and not self.verified

    @property
    def licence(self) -> Licence:
        """Return the licence of the weights. Nobody can tell it of a file that differs from the published one."""
        if self.entry is None:
            return UNKNOWN_LICENCE
        if self.differs:
            return Licence(f"{self.entry.licence.text} (of the published file, not this one)", is_commercial=False)
        return self.entry.licence


@dataclass(frozen=True, slots=True)
class FileCheck:
    """Result of `verify` for one file.

    Attributes:
        path: The file.
        state: ok: as published · differs: a published network's name, other content · unknown: not in the catalogue ·
            damaged: no network can be read from it.
        facts: Description in one line.
        remedy: Action for the user; empty if none is needed.
    """

    path: Path
    state: Literal["ok", "differs", "unknown", "damaged"]
    facts: str
    remedy: str = ""

    @property
    def detail(self) -> str:
        """Return facts and remedy in one line."""
        return "; ".join(filter(None, (self.facts, self.remedy)))


class PackFolder:
    """A folder with ONNX files. They are read on first use: large ones take a second.

    Args:
        folder: The folder.
        cache_folder: Folder in which facts about the files are stored; None stores nothing.
    """

    def __init__(self, folder: Path, cache_folder: Path | None = None) -> None:
        self.folder = folder
        self._cache_folder = cache_folder
        self.name = folder.absolute().name

    @property
    def files(self) -> tuple[Path, ...]:
        """Return its ONNX files, sorted."""
        return tuple(sorted(self.folder.glob("*.onnx")))

    @cached_property
    def _contents(self) -> tuple[tuple[Network, ...], tuple[str, ...]]:
        networks, faults = [], []
        for path in self.files:
            try:
                networks.append(read_network(path, self._cache_folder))
            except ModelError as error:
                faults.append(str(error))
        return tuple(networks), tuple(faults)

    @property
    def networks(self) -> tuple[Network, ...]:
        """Return the networks that could be read, sorted by file name."""
        return self._contents[0]

    @property
    def faults(self) -> tuple[str, ...]:
        """Return one line for each file that could not be read."""
        return self._contents[1]

    def choose(self, kind: GraphKind, *, commercial: bool = False) -> Network | None:
        """Return the network of a kind; None if there is none.

        It prefers the network that the catalogue lists for a pack of this name, then a published one. Then it takes the
        first by file name, or of person networks the largest, which misses least.

        Args:
            kind: Kind of the network.
            commercial: True to return only networks whose licence permits commercial use.
        """
        found = [network for network in self.networks if network.kind == kind]
        if commercial:
            found = [network for network in found if network.licence.is_commercial]
        pack = PACKS.get(self.name)
        expected = (None,) if pack is None else pack.networks
        found.sort(key=lambda network: (network.entry not in expected, network.entry is None))
        if kind == "person":
            found.sort(key=lambda network: -network.path.stat().st_size)
        return found[0] if found else None


def find_packs(places: Iterable[Path], cache_folder: Path | None = None) -> list[PackFolder]:
    """Return every folder with ONNX files: each place, then its sub-folders by name. The first of a name wins."""
    packs: dict[str, PackFolder] = {}
    for place in places:
        if not place.is_dir():
            continue
        for folder in (place, *sorted(path for path in place.iterdir() if path.is_dir())):
            pack = PackFolder(folder, cache_folder)
            if pack.files and not pack.name.startswith("."):
                packs.setdefault(pack.name, pack)
    return list(packs.values())


def read_network(path: Path, cache_folder: Path | None = None) -> Network:
    """Read digest and kind of a file. A published file is recognized by its digest; any other by its graph.

    Args:
        path: The file.
        cache_folder: See `inspect_graph`.

    Raises:
        ModelError: The file is missing or damaged.
    """
    digest = _digest(path)
    named = KNOWN_NETWORKS.get(path.stem)
    same = [known for known in KNOWN_NETWORKS.values() if known.sha256 == digest]
    if same:
        known = named if named in same else same[0]
        return Network(path.stem, path, digest, known.kind, known.dimension, verified=True, entry=known)
    facts = inspect_graph(path, cache_folder, digest=digest)
    side = facts.input_size[0] if facts.kind == "recogniser" and facts.input_size else ALIGNED_SIZE
    return Network(path.stem, path, digest, facts.kind, facts.dimension, False, facts.reason, side, named)


def verify(folder: Path) -> list[FileCheck]:
    """Compare every ONNX file of a pack, or of a folder of packs, with the catalogue.

    Raises:
        ModelError: There is no such folder, or no ONNX file in it.
    """
    files = [file for pack in find_packs([folder]) for file in pack.files]
    if not files:
        raise ModelError(
            f"no ONNX file in {str(folder)!r} or its folders; "
            "install a pack: fastface models install NAME --accept-license"
        )
    return [_check(path) for path in files]


def _check(path: Path) -> FileCheck:
    try:
        network = read_network(path)
    except ModelError as error:
        return FileCheck(path, "damaged", str(error))
    if network.verified and network.entry is not None:
        other = "" if network.entry.name == network.name else f" as {network.entry.name}"
        return FileCheck(path, "ok", f"{network.kind}, as published{other}")
    if network.differs and network.entry is not None:
        published = network.entry.sha256
        return FileCheck(
            path, "differs", f"{network.kind}, {network.sha256}; published: {published}", how_to_replace(network)
        )
    facts = f"{network.kind}, {network.sha256}, not in the catalogue"
    return FileCheck(path, "unknown", f"{facts}: {network.reason}" if network.reason else facts)


def how_to_replace(network: Network) -> str:
    """Explain in one line how to replace a network that `differs`."""
    if network.entry is not None and network.entry.source:
        return f"if you did not change it on purpose, download it again: {network.entry.source}"
    publishing = [name for name, pack in PACKS.items() if network.name in (pack.detector, pack.recogniser)]
    here = network.path.absolute().parent.name
    pack = here if here in publishing else next(iter(publishing), "NAME")
    command = PACKS[pack].install_command if pack in PACKS else "fastface models install NAME --accept-license"
    return f"if you did not change it on purpose, replace it: {command}"


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read the network {str(path)!r}: {error.strerror}") from error
