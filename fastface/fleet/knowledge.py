"""Merge what the user has decided in several output folders: decisions on answers, corrections and names of persons.

`merge` calls `merge_knowledge` once the names of the videos are settled. What contradicts the target, or an earlier
folder, is left out and reported. What was merged once is not merged again: what the user took back in the target stays
taken back, also when its folder gets new decisions.

OUT/.fastface/merged.json: {"schema_version", "items": digests of the merged decisions, corrections and names}
"""

import hashlib
import json
import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fastface.census.clusters.correction_log import log_path
from fastface.census.clusters.corrections import Corrections
from fastface.census.photo_names import read_names, write_names
from fastface.census.store.base import Encounter, Identity, IdentityStore, Sighting, open_existing, open_store
from fastface.errors import FaceIndexError
from fastface.files import PART_PREFIX, space_checked, write_atomic
from fastface.index.anchor_record import Anchor
from fastface.names import valid_text
from fastface.search.decision_store import DecisionStore, StoredDecision

_SCHEMA_VERSION = 2
_STORE = "identities.sqlite"
_NO_MATCH = 2.0
"""Cosine that no two faces have."""

_MERGED = "merged"
"""Source of the sighting that carries a name into a store; it is removed again."""


@dataclass(frozen=True, slots=True)
class KnowledgeFolder:
    """A folder whose knowledge is merged."""

    state: Path  # its folder .fastface
    title: str  # the folder in words
    names: Mapping[str, str]  # {name of a video there: name in the target}
    contract: str  # contract of the recogniser; empty without a scanned video


def merge_knowledge(state: Path, origins: Iterable[KnowledgeFolder]) -> list[str]:
    """Merge the decisions, corrections and names of several folders; return what was left out, a line each.

    Args:
        state: The target's folder .fastface.
        origins: The other folders, the most trusted first.

    Raises:
        FaceIndexError, StoreError: A file is damaged.
        SpaceError: No space is left.
    """
    notes: list[str] = []
    done = _read_done(state)
    for origin in origins:
        for name, merge in _PARTS.items():
            path = origin.state / name
            if not path.exists():
                continue
            items = MergedItems(path, frozenset(done))
            notes += merge(state, origin, items)
            if items.new:
                done += items.new
                content = {"schema_version": _SCHEMA_VERSION, "items": done}
                write_atomic(_done_path(state), json.dumps(content) + "\n", private=True)
    return notes


class MergedItems:
    """Items of one file: those that were merged before, and those that are merged now.

    Args:
        path: The file.
        done: Digests of all items that were merged before.

    Attributes:
        new: Digests of the items that are merged now.
    """

    def __init__(self, path: Path, done: Collection[str]) -> None:
        self._file = os.fsencode(path.resolve())
        self._done = done
        self.new: list[str] = []

    def take(self, *item: object) -> bool:
        """Return whether an item was not merged before; then it is merged now.

        Args:
            item: What the item is, as JSON can hold it.
        """
        digest = hashlib.sha256(self._file + b"\0" + json.dumps(item).encode()).hexdigest()
        if digest in self._done:
            return False
        self.new.append(digest)
        return True


def _done_path(state: Path) -> Path:
    return state / "merged.json"


def _read_done(state: Path) -> list[str]:
    path = _done_path(state)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["schema_version"] != _SCHEMA_VERSION:
            raise ValueError(f"version {found['schema_version']}")
        return [str(digest) for digest in found["items"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(f"cannot read {str(path)!r}: {error}; remove it: then all is merged again") from error


def merge_decisions(state: Path, origin: KnowledgeFolder, items: MergedItems) -> list[str]:
    """Append the decisions of a folder to the target's; return the contradictions."""
    own, notes = DecisionStore.load(state), list[str]()
    known = _Verdicts(own.decisions)
    names = {valid_text(name): valid_text(new) for name, new in origin.names.items()}
    store = own
    for file in DecisionStore.load(origin.state).files:
        if not items.take(file.digest) or any(one.digest == file.digest for one in own.files):
            continue
        moved = [one.model_copy(update={"video": names.get(one.video, one.video)}) for one in file.decisions]
        kept = tuple(one for one in moved if not known.contradict(one))
        notes += (
            f"{one.target} in {one.video} at {one.start:.3f}–{one.end:.3f} s is {one.verdict} in {origin.title}, "
            "but not in a folder before it: left out"
            for one in moved
            if one not in kept
        )
        if kept:
            store = store.with_file(file.model_copy(update={"decisions": kept}))
    if store != own:
        store.save(state)
    return notes


class _Verdicts:
    """The last verdicts of some decisions on faces and on moments."""

    def __init__(self, decisions: Iterable[StoredDecision]) -> None:
        self._by_place: dict[object, dict[str, bool]] = {}
        for decision in decisions:
            for place in _places(decision):
                verdicts = self._by_place.setdefault(place, {})
                for label, is_confirmed in decision.effects():
                    if is_confirmed:  # a face has one person
                        verdicts.update(dict.fromkeys((name for name, is_so in verdicts.items() if is_so), False))
                    verdicts[label] = is_confirmed

    def contradict(self, decision: StoredDecision) -> bool:
        """Return whether a decision says something else about one of its places."""
        for place in _places(decision):
            known = self._by_place.get(place, {})
            for label, is_confirmed in decision.effects():
                others = any(is_so for name, is_so in known.items() if name != label)
                if known.get(label, is_confirmed) != is_confirmed or (is_confirmed and others):
                    return True
        return False


def _places(decision: StoredDecision) -> Iterator[object]:
    """Yield the decided moment and the decided faces."""
    yield decision.video, decision.start, decision.end
    for track in decision.tracks:
        for face in track:
            yield decision.video, face.time, face.box


def merge_corrections(state: Path, origin: KnowledgeFolder, items: MergedItems) -> list[str]:
    """Add the corrections of persons of a folder to the target's; return the contradictions."""
    path, notes = state / "corrections.json", list[str]()
    own = Corrections.load(path)
    merged = own
    other = _rename_anchors(_choose_new(Corrections.load(origin.state / "corrections.json"), items), origin.names)
    for group in other.same:
        if any(set(group) == set(one) for one in own.same):
            continue
        if any(not set(group).isdisjoint(one) and not set(group).isdisjoint(two) for one, two in own.different):
            notes.append(f"{_place(group)}: one person in {origin.title}, but two in a folder before it: left out")
        else:
            merged = merged.with_merge(group)
    for pair in other.different:
        one, two = map(set, pair)
        if pair in own.different:
            continue
        if any(not one.isdisjoint(group) and not two.isdisjoint(group) for group in own.same):
            notes.append(f"{_place(pair[0])}: two persons in {origin.title}, but one in a folder before it: left out")
        else:
            merged = replace(merged, different=(*merged.different, pair))
    rejected = tuple(group for group in other.rejected if group not in own.rejected)
    cuts = tuple(cut for cut in other.cuts if cut not in own.cuts)
    merged = replace(merged, rejected=(*merged.rejected, *rejected), cuts=(*merged.cuts, *cuts))
    if merged != own:
        log_path(state).unlink(missing_ok=True)  # to undo an earlier correction would discard these
        merged.save(path)
    return notes


def _choose_new(corrections: Corrections, items: MergedItems) -> Corrections:
    """Return the corrections that were not merged before."""

    def is_new(kind: str, *groups: Sequence[Anchor]) -> bool:
        return items.take(kind, [[asdict(face) for face in group] for group in groups])

    return Corrections(
        same=tuple(group for group in corrections.same if is_new("same", group)),
        different=tuple(pair for pair in corrections.different if is_new("different", *pair)),
        rejected=tuple(group for group in corrections.rejected if is_new("rejected", group)),
        cuts=tuple(cut for cut in corrections.cuts if is_new("cut", cut)),
    )


def _rename_anchors(corrections: Corrections, names: Mapping[str, str]) -> Corrections:
    def rename(group: Sequence[Anchor]) -> tuple[Anchor, ...]:
        return tuple(replace(one, video_id=names.get(one.video_id, one.video_id)) for one in group)

    return Corrections(
        same=tuple(map(rename, corrections.same)),
        different=tuple((rename(one), rename(other)) for one, other in corrections.different),
        rejected=tuple(map(rename, corrections.rejected)),
        cuts=tuple((rename([one])[0], rename([other])[0]) for one, other in corrections.cuts),
    )


def _place(group: Sequence[Anchor]) -> str:
    return f"{valid_text(group[0].video_id)} at {group[0].time:.3f} s"


def merge_photo_names(state: Path, origin: KnowledgeFolder, items: MergedItems) -> list[str]:
    """Add the tracks that photos name in a folder. The target's own search of a video counts."""
    own = read_names(state)
    merged = {label: dict(sources) for label, sources in own.items()}
    for label, sources in read_names(origin.state).items():
        for source, tracks in sources.items():
            if items.take(label, source, tracks):
                merged.setdefault(label, {}).setdefault(source, tracks)
    if merged != own:
        write_names(state, merged)
    return []


def merge_names(state: Path, origin: KnowledgeFolder, items: MergedItems) -> list[str]:
    """Give the named persons of a folder's store to the target's store; return the contradictions.

    A person without a name in the target gets the name; numbers stay the target's own.
    """
    named = _read_named(origin.state / _STORE, state)
    threshold = _read_threshold(origin.state)
    if not named:
        return []
    if threshold is None:
        where = shlex.quote(str(origin.state.parent))
        return [f"the names in {origin.title} are left out: run fastface people -o {where}, and merge again"]
    named = [person for person in named if items.take(person.number, person.name)]
    if not named:
        return []
    notes = []
    with open_store(
        str(state / _STORE),
        contract=origin.contract,
        dimension=len(named[0].centroid),
        threshold=threshold,
    ) as store:
        store.tell([], seen=0.0, kept={_MERGED: ()})  # of a killed merge
        for person in named:
            if note := _merge_name(store, person, threshold, origin.title):
                notes.append(note)
    return notes


def _merge_name(store: IdentityStore, person: Identity, threshold: float, title: str) -> str:
    """Add one named person to a store; return why it was left out, or empty."""
    known = store.identities()
    cosine = {one.number: float(one.centroid @ person.centroid) for one in known}
    alike = sorted((one for one in known if cosine[one.number] >= threshold), key=lambda one: -cosine[one.number])
    if any(one.name == person.name for one in alike):
        return ""
    called = next((one for one in alike if one.name), None)
    if called is not None:
        return f"{person.name} in {title} is {called.name} in a folder before it: {called.name} is kept"
    namesake = next((one for one in known if one.name == person.name), None)
    if alike:
        number = alike[0].number
    else:
        carrier = Encounter(person.centroid, (Sighting(_MERGED, person.name, 1),), _NO_MATCH)
        (number,) = store.tell([carrier], seen=person.last_seen)
    store.name(number, person.name)
    store.tell([], seen=person.last_seen, kept={_MERGED: ()})
    if namesake is not None:
        return (
            f"{person.name} in {title} does not look like {person.name} in a folder before it: both are kept; "
            "fastface pick --merge makes them one person"
        )
    return ""


def _read_named(path: Path, state: Path) -> list[Identity]:
    """Read the named persons of a store, by number.

    An open store writes its log, so a copy in the target is opened. Of a killed merge, the next command removes it.
    """
    copy = state / f"{PART_PREFIX}{secrets.token_hex(8)}.sqlite"
    parts = {path.with_name(path.name + end): copy.with_name(copy.name + end) for end in ("", "-wal")}
    try:
        with space_checked(copy):
            for source, part in parts.items():
                if source.exists():
                    shutil.copyfile(source, part)
                    part.chmod(0o600)
        with open_existing(str(copy)) as store:
            return [one for one in store.identities() if one.name]
    finally:
        for part in (*parts.values(), copy.with_name(f"{copy.name}-shm")):
            part.unlink(missing_ok=True)


def _read_threshold(state: Path) -> float | None:
    """Return the cosine from which the last census of a folder joined faces; None if there was none."""
    try:
        return float(json.loads((state / "people.json").read_text(encoding="utf-8"))["settings"]["link_threshold"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FaceIndexError(f"cannot read {str(state / 'people.json')!r}: {error}") from error


_PARTS: dict[str, Callable[[Path, KnowledgeFolder, MergedItems], list[str]]] = {
    "decisions.json": merge_decisions,
    "corrections.json": merge_corrections,
    "photo_names.json": merge_photo_names,
    _STORE: merge_names,
}
"""{file in a folder .fastface: function that merges it}"""
