"""Choose the networks of a run from the packs on this machine.

`runtime.networks`, `doctor` and `models` use it. Embeddings can be compared only if `build_contract` is the same, so a
change there makes every index scan again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path

from fastface.backends import DeviceInfo
from fastface.errors import ModelError
from fastface.models.catalog import (
    DEFAULT_THRESHOLDS,
    FREE,
    PACKS,
    THRESHOLDS,
    NetworkKind,
    Thresholds,
    describe_licences,
    preferred_packs,
)
from fastface.models.facts import KIND_WORDS, GraphKind
from fastface.models.packs import Network, PackFolder, find_packs, how_to_replace, read_network

PERSON_FOLDER = "person"
"""Name of the folder of person networks beside the packs."""

_WEAKER = (
    f"the pack {FREE!r} may be used for any purpose, and finds fewer moments than InsightFace's networks "
    f"(for research only: {PACKS['buffalo_l'].install_command})"
)
"""Remark for each run with the pack `free`."""

_KINDS: tuple[NetworkKind, ...] = ("detector", "recogniser")

_PREPROCESSING = {
    112: "5 points to insightface's 112x112 template by a similarity, RGB, (x - 127.5) / 127.5, length 1",
    128: "5 points to OpenVINO's 128x128 template by a similarity, BGR, length 1",
    150: "5 points to dlib's 150x150 chip by a similarity, RGB, length 1",
}
"""Processing of a face before and after the recogniser, by the side of its input; other text makes another contract."""


@dataclass(frozen=True, slots=True)
class ModelSet:
    """The networks of a run.

    Attributes:
        pack: Name of the pack; `custom` if both networks were named one by one.
        detector: Network that detects faces.
        recogniser: Network that embeds faces.
        thresholds: Thresholds of the recogniser.
        licence: Licence of the two networks' weights, in one line.
        notes: Remarks for the user: files that differ from the published ones, packs that were not taken.
        person: Network that detects persons; None without one.
    """

    pack: str
    detector: Network
    recogniser: Network
    thresholds: Thresholds
    licence: str
    notes: tuple[str, ...] = ()
    person: Network | None = None

    @property
    def names(self) -> str:
        """Name the pack and its networks, for a header."""
        names = [network.name for network in (self.detector, self.recogniser, self.person) if network is not None]
        return f"{self.pack}: {' + '.join(names)}"


def data_folder() -> Path:
    """Return the folder into which `install` puts packs by default."""
    return user_data_path("fastface") / "models"


def places(folder: Path | None) -> tuple[Path, ...]:
    """Return the folders to search for packs: the user's, else fastface's own and insightface's cache."""
    return (folder,) if folder is not None else (data_folder(), Path.home() / ".insightface" / "models")


@dataclass(frozen=True, slots=True)
class WantedNetworks:
    """Networks that the user names; None is for the best one.

    Attributes:
        pack: Name of the pack.
        detector: File, or name (stem) of a file in any pack, instead of the pack's.
        recogniser: File or name, in the same form, instead of the pack's recogniser.
        person: File or name, in the same form, of the person network.
        commercial: True to use only networks whose licence permits commercial use.
    """

    pack: str | None = None
    detector: str | None = None
    recogniser: str | None = None
    person: str | None = None
    commercial: bool = False


def find_models(
    folder: Path | None,
    device: DeviceInfo,
    wanted: WantedNetworks = WantedNetworks(),
    cache_folder: Path | None = None,
) -> ModelSet:
    """Choose the networks.

    Without a pack's name, the first complete pack in the catalogue's order for the device is taken. Unknown packs
    follow by name, and then the pack `free`. The person network is not part of a pack: it comes from a folder
    `person`, else from the pack's folder.

    Args:
        folder: A folder of packs, or one pack; None searches the usual places.
        device: The device: large packs come first on a card, small ones on a CPU.
        wanted: Networks that the user names.
        cache_folder: Folder for the cache of recognised files; None caches nothing.

    Raises:
        ModelError: No network fits; the message gives the folders, their content and the remedy.
    """
    where = places(folder)
    packs = find_packs(where, cache_folder)
    chosen: dict[NetworkKind, Network] = {}
    for kind, named in zip(_KINDS, (wanted.detector, wanted.recogniser), strict=True):
        if named is not None:
            chosen[kind] = _find_named(kind, named, packs, cache_folder)
    name = "custom"
    notes: list[str] = []
    with_persons = [found for found in packs if found.name == PERSON_FOLDER]
    if missing := [kind for kind in _KINDS if kind not in chosen]:
        source, notes = _choose_pack(packs, missing, wanted, where, device)
        name = source.name
        with_persons.append(source)
        # `_choose_pack` returns only packs that have them all.
        found = {kind: source.choose(kind, commercial=wanted.commercial) for kind in missing}
        chosen.update({kind: network for kind, network in found.items() if network})
    notes += [
        f"{network.path} differs from the published file: {how_to_replace(network)}"
        for network in chosen.values()
        if network.differs
    ]
    if name == FREE:
        notes.append(_WEAKER)
    person = _person_network(wanted, packs, with_persons, cache_folder)
    if wanted.commercial:
        _require_commercial([*chosen.values(), *([person] if person else [])])
    return ModelSet(
        pack=name,
        detector=chosen["detector"],
        recogniser=chosen["recogniser"],
        thresholds=_find_thresholds(chosen["recogniser"]),
        licence=describe_licences({network.name: network.licence for network in chosen.values()}),
        notes=tuple(notes),
        person=person,
    )


def _require_commercial(networks: Iterable[Network]) -> None:
    for network in networks:
        if not network.licence.is_commercial:
            raise ModelError(
                f"models.commercial refuses {network.name}: {network.licence.text}; use the pack {FREE}, "
                "or other networks of docs/models.md"
            )


def _find_thresholds(recogniser: Network) -> Thresholds:
    name = recogniser.name if recogniser.entry is None else recogniser.entry.name
    return THRESHOLDS.get(name, DEFAULT_THRESHOLDS)


def build_contract(recogniser: Network) -> str:
    """Digest the network's file and the preprocessing, which comparable embeddings must share."""
    return hashlib.sha256(f"{recogniser.sha256}\n{_PREPROCESSING[recogniser.aligned_size]}".encode()).hexdigest()


def _person_network(
    wanted: WantedNetworks, packs: Sequence[PackFolder], with_persons: Iterable[PackFolder], cache_folder: Path | None
) -> Network | None:
    if wanted.person is not None:
        return _find_named("person", wanted.person, packs, cache_folder)
    chosen = (pack.choose("person", commercial=wanted.commercial) for pack in with_persons)
    return next(filter(None, chosen), None)


def _find_named(kind: GraphKind, wanted: str, packs: Sequence[PackFolder], cache_folder: Path | None) -> Network:
    """Find the network that `--detector`, `--recogniser` or `--person-model` names: a file, or a stem in any pack."""
    path = Path(wanted)
    if path.suffix != ".onnx":
        if path.is_file():
            raise ModelError(f"{wanted!r} is no ONNX file; convert it to ONNX, and name it NAME.onnx")
        files = [file for pack in packs for file in pack.files]
        path = next((file for file in files if file.stem == wanted), path)
        if not path.is_file():
            names = sorted({file.stem for file in files})
            raise ModelError(
                f"no {KIND_WORDS[kind]} {wanted!r}: neither a file nor one of: {', '.join(names) or 'none'}"
            )
    network = read_network(path, cache_folder)
    if network.kind != kind:
        found = network.reason or f"its graph is that of: {KIND_WORDS[network.kind]}"
        raise ModelError(f"{str(path)!r} is no {KIND_WORDS[kind]}; {found}")
    return network


def _choose_pack(
    packs: Sequence[PackFolder],
    missing: Sequence[NetworkKind],
    wanted: WantedNetworks,
    where: Sequence[Path],
    device: DeviceInfo,
) -> tuple[PackFolder, list[str]]:
    """Choose the pack for the missing networks; also return one line for each published pack not taken."""
    order = preferred_packs(is_gpu=device.is_gpu)
    name, use = wanted.pack, " for commercial use" if wanted.commercial else ""
    if name is not None:
        candidates = [pack for pack in packs if pack.name == name]
    else:
        rank = {known: place for place, known in enumerate(order)}
        candidates = sorted(packs, key=lambda pack: (pack.name == FREE, rank.get(pack.name, len(rank)), pack.name))
    passed_over: list[str] = []
    for pack in candidates:
        lacking = [kind for kind in missing if pack.choose(kind, commercial=wanted.commercial) is None]
        if not lacking:
            is_told = not wanted.commercial
            return pack, [line for line in passed_over if is_told and line.split(":")[0] in PACKS]
        passed_over.append("; ".join((f"{pack.name}: no {' and no '.join(lacking)}{use}", *pack.faults)))
    raise ModelError(_nothing_found(name, packs, passed_over, where, FREE if wanted.commercial else order[0]))


def _nothing_found(
    name: str | None, packs: Sequence[PackFolder], passed_over: Sequence[str], where: Sequence[Path], best: str
) -> str:
    """Describe the folders that were searched, their content, and the command that installs a pack."""
    looked = ", ".join(map(str, where))
    wanted = PACKS[name if name in PACKS else best]
    advice = f"install one: {wanted.install_command}, or name a folder with --models"
    if wanted.name != FREE:
        advice += f"; networks for any use: {PACKS[FREE].install_command}"
    if passed_over:
        return f"no usable networks in {looked} ({' | '.join(passed_over)}); {advice}"
    there = ", ".join(pack.name for pack in packs) or "no packs"
    return f"no pack {name!r} in {looked}; there: {there}; {advice}" if name else f"no pack in {looked}; {advice}"
