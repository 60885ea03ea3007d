"""Name the persons of a census by photos: `fastface people -t`. Nothing is exported.

The evidence is that of a search (`gallery.track_voting`), for each track and for the centroid of each person. A person
is named if one target alone has enough evidence. Ambiguous persons are reported and stay without a name. The names are
stored with those of earlier searches, see `photo_names`; a name that the user gave has priority.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fastface.census.census import Census
from fastface.census.identity_matching import open_context_store
from fastface.census.photo_names import TracksByName, is_reserved_name, name_by_photos, read_names, write_names
from fastface.census.store.base import open_existing
from fastface.gallery.decision import decide_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import ComparisonCounts, TrackRule
from fastface.gallery.track_voting import EvidenceModel
from fastface.index.store import VideoIndex
from fastface.names import shorten_lines
from fastface.runtime.context import RunContext
from fastface.search.archive_survey import build_rule, observe_archive

_NAMING_SHARE = 0.5
"""Minimum share of a person's faces in tracks of a target for the name to apply."""

_RIVAL_SHARE = 0.2
"""Share of a person's faces in tracks of another target from which the name is ambiguous."""

_MOST_LINES = 40
"""Maximum number of lines about names that are logged."""


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The target of one person of the census, or the targets among which the photos do not decide."""

    label: str = ""
    rivals: tuple[str, ...] = ()


def name_cast(context: RunContext, census: Census, references: ReferenceSet) -> Census:
    """Name persons by photos, for this census and all later ones; return the census with the names.

    Raises:
        FaceIndexError, StoreError, InterruptError: See `take_census`.
    """
    given = _read_given_names(context, census)
    verdicts = _judge(context, census, references)
    labels = [target.label for target in references.gallery.targets]
    usable = {label for label in labels if not is_reserved_name(label)}
    found: TracksByName = {label: {source: [] for source in census.tracks.sources} for label in labels}
    for place, verdict in enumerate(verdicts):
        if verdict.label in usable:
            _add_tracks(found[verdict.label], census, place)
    others = {label: sources for label, sources in read_names(context.out.state).items() if label not in found}
    write_names(context.out.state, {**{label: found[label] for label in labels if label in usable}, **others})
    for line in shorten_lines([*_describe(census, verdicts, given, labels, usable)], _MOST_LINES):
        context.observer.note(line)
    persons = [replace(person, name=given.get(place, "")) for place, person in enumerate(census.persons)]
    return replace(census, persons=name_by_photos(context, persons, census.tracks))


def _read_given_names(context: RunContext, census: Census) -> dict[int, str]:
    """Return {place: name} of the persons that the user named."""
    with open_existing(open_context_store(context)) as store:
        names = {identity.number: identity.name for identity in store.identities() if identity.name}
    return {place: names[number] for place, number in enumerate(census.identities) if number in names}


def _judge(context: RunContext, census: Census, references: ReferenceSet) -> list[_Verdict]:
    """Return the verdict on each person with a face."""
    indexes = [VideoIndex(context.out.index, record.video_id) for record in census.table.records]
    names = {record.video_id for record in census.table.records}
    observed = observe_archive(context, references, context.track_archive().blocks(names))
    usual = context.networks.models.thresholds.impostors
    pairs = ComparisonCounts(observed.num_tracks * references.num_targets)
    rule = build_rule(context.config, usual, pairs)
    owners = _decide_tracks(context, indexes, observed.model, rule)
    shares = _share_faces(census, owners, references.num_targets)
    labels = [target.label for target in references.gallery.targets]
    whole = observed.model.weigh(census.centroid, rule.anywhere)
    verdicts = []
    for place in range(len(census.centroid)):
        is_alike = whole.target[place] >= 0 and whole.evidence[place] >= np.float32(rule.anywhere)
        is_clear = is_alike and whole.lead[place] >= np.float32(context.limits.margin)
        alike = int(whole.target[place]) if is_alike else -1
        share = shares[place]
        best = int(share.argmax()) if share.max() >= _NAMING_SHARE else alike if is_clear else -1
        rivals = {*np.flatnonzero(share >= _RIVAL_SHARE).tolist(), alike} - {best, -1}
        if best >= 0 and not rivals:
            verdicts.append(_Verdict(labels[best]))
        else:
            ordered = sorted(rivals | ({best} - {-1}), key=lambda target: (-share[target], target))
            verdicts.append(_Verdict(rivals=tuple(labels[target] for target in ordered)))
    return verdicts


def _decide_tracks(
    context: RunContext, indexes: Sequence[VideoIndex], model: EvidenceModel, rule: TrackRule
) -> list[dict[int, int]]:
    """Return {track: number of its target, -1 for none} of each video, as a search decides."""
    owners = []
    for index in indexes:
        context.interruption.check()
        tracks = index.tracks()
        decision = decide_tracks(tracks, model.weigh(tracks.embedding, rule.in_shot), rule, context.limits.margin)
        owners.append(dict(zip(tracks.number.tolist(), decision.owner.tolist(), strict=True)))
    return owners


def _share_faces(census: Census, owners: Sequence[dict[int, int]], num_targets: int) -> npt.NDArray[np.float64]:
    """Return (p, targets) the share of each person's faces in tracks of a target."""
    tracks, num_persons = census.table.tracks, len(census.centroid)
    numbered = zip(tracks.video.tolist(), tracks.number.tolist(), strict=True)
    owner = np.array([owners[video].get(number, -1) for video, number in numbered], np.int64)
    faces, is_listed = np.zeros((num_persons, num_targets)), census.label >= 0
    rows = np.flatnonzero((owner >= 0) & is_listed)
    np.add.at(faces, (census.label[rows], owner[rows]), tracks.faces[rows])
    total = np.bincount(census.label[is_listed], tracks.faces[is_listed], num_persons)
    shares: npt.NDArray[np.float64] = faces / np.maximum(total, 1)[:, None]
    return shares


def _add_tracks(sources: dict[str, list[int]], census: Census, place: int) -> None:
    """Add all face tracks of a person to {source: tracks}."""
    for row in np.flatnonzero(census.label == place).tolist():
        sources[census.tracks.sources[census.tracks.video[row]]].append(int(census.tracks.number[row]))


def _describe(
    census: Census, verdicts: Sequence[_Verdict], given: dict[int, str], labels: Sequence[str], usable: set[str]
) -> Iterator[str]:
    """Yield a line for each person that photos name or leave open, and for each target without a person."""
    matched = set[str]()
    for place, verdict in enumerate(verdicts):
        matched.update(verdict.rivals, [verdict.label])
        if verdict.rivals or verdict.label in usable:
            yield f"person {census.persons[place].number} {_describe_verdict(verdict, given.get(place, ''))}"
    for label in labels:
        if label not in usable:
            yield f"the photos of {label!r} name no person: a number cannot be a name"
        elif label not in matched:
            yield f"no listed person is like the photos of {label}"


def _describe_verdict(verdict: _Verdict, given: str) -> str:
    """Describe a verdict on a person; `given` is the name that the user gave, empty for none."""
    if len(verdict.rivals) > 1:
        return f"is not named: the photos do not decide between {' and '.join(verdict.rivals)}"
    if verdict.rivals:
        return f"is not named: only a part of its faces is like the photos of {verdict.rivals[0]}"
    if given not in ("", verdict.label):
        return f"keeps the name {given}; by the photos it is {verdict.label}"
    return f"is {verdict.label}"
