"""Run `fastface curate`: make a balanced set without doubles from crops, in the steps read, judge, select, copy."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastface.commands.enroll import enrol
from fastface.config import Config
from fastface.curation.candidates import Candidate, score_candidate
from fastface.curation.identity import CandidateMatches, compare_with_medoid, take_asked_faces, take_largest_faces
from fastface.curation.likeness import drop_copies, drop_doubles, number_scenes
from fastface.curation.overlays import find_overlays
from fastface.curation.photo_reader import PhotoReader
from fastface.curation.selection import select
from fastface.curation.set_folder import SetFolder, locked_set
from fastface.curation.sources import Source, list_sources
from fastface.errors import InputError
from fastface.gallery.nearest import match_nearest
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import MatchThresholds
from fastface.runtime.engines import ready_networks
from fastface.runtime.events.observer import Observer
from fastface.runtime.run_report import CLEAN, SOME_NOT_DONE
from fastface.runtime.shutdown import interruptible
from fastface.types import Gallery

_BELOW_EVERY_COSINE = -1.0


@dataclass(frozen=True, slots=True)
class CurateResult:
    """Result of `curate`.

    Attributes:
        out: The folder of the set.
        candidates: Every source picture, in order of videos and times, with its result.
        faults: Unreadable inputs, one line each.
    """

    out: Path
    candidates: tuple[Candidate, ...]
    faults: tuple[str, ...]

    @property
    def kept(self) -> list[Candidate]:
        """Return the pictures of the set."""
        return [candidate for candidate in self.candidates if candidate.is_kept]

    @property
    def exit_code(self) -> int:
        """Return the exit code: 0 if all inputs were read, 3 if some could not be read."""
        return SOME_NOT_DONE if self.faults else CLEAN


def curate(
    config: Config,
    crops: Sequence[str],
    out: Path,
    observer: Observer,
    *,
    targets: Sequence[str] = (),
    pretend: bool = False,
) -> CurateResult:
    """Make a balanced set from crops. Sources are only read.

    Args:
        config: The settings.
        crops: Files, folders, globs.
        out: Folder of the set.
        observer: Receives the networks in use and remarks.
        targets: Photos or banks of the person of the set; if empty, the person in most pictures.
        pretend: True to report the result without writing anything.

    Raises:
        ConfigError: A path cannot be used, or a target has no usable photo.
        BackendError, ModelError: The networks cannot be used.
        LockedError: Another command holds `out`.
        SpaceError: No space is left.
        InterruptError: The user stopped the command.
    """
    listing = list_sources(crops, out)
    with interruptible() as interrupted, nullcontext() if pretend else locked_set(out):
        folder = SetFolder(out)
        networks = ready_networks(config, observer.note, interrupted)
        observer.header(networks)
        gallery = None
        if targets:
            gallery, report = enrol(tuple(targets), config, networks, interrupted)
            for warning in report.warnings:
                observer.note(warning)
        looker = PhotoReader(config, networks, interrupted)
        candidates = _read_pictures(looker, listing.sources)
        _judge(candidates, config, networks.limits, gallery, observer)
        chosen = select([one for one in candidates if one.is_open], config.curate)
        folder.give_names(chosen)
        for candidate in chosen:
            candidate.reason = f"chosen: {candidate.framing}, {candidate.pose}"
        if not pretend:
            folder.fill(candidates, chosen, looker.draw)
    faults = (f"{str(one.source.path)!r}: {one.reason}" for one in candidates if one.is_fault)
    return CurateResult(out, tuple(candidates), (*listing.faults, *faults))


def _read_pictures(looker: PhotoReader, sources: Sequence[Source]) -> list[Candidate]:
    found = looker.read_pictures([source.path for source in sources])
    candidates = []
    for source in sources:
        looked = found[source.path]
        if isinstance(looked, InputError):
            candidates.append(Candidate(source, reason=looked.reason, is_fault=source.is_meant))
        else:
            candidates.append(Candidate(source, looked))
    return candidates


def _judge(
    candidates: Sequence[Candidate],
    config: Config,
    limits: MatchThresholds,
    gallery: Gallery | None,
    observer: Observer,
) -> None:
    """Determine faces, persons, scenes, scores and doubles; candidates that are still open may be selected."""
    readable = [candidate for candidate in candidates if candidate.is_open]
    if gallery is None:
        take_largest_faces(readable, config.curate)
    else:
        take_asked_faces(readable, _match_targets(readable, gallery, limits), config.curate)
    with_face = [candidate for candidate in readable if candidate.face is not None]
    number_scenes(with_face, config.curate)
    drop_copies([candidate for candidate in with_face if candidate.is_open])
    compared = [candidate for candidate in with_face if candidate.is_open]
    if gallery is None and (note := compare_with_medoid(compared, limits.enter)):
        observer.note(note)
    for candidate in with_face:
        candidate.score = score_candidate(candidate, config.curate)
    compared = [candidate for candidate in with_face if candidate.is_open]
    drop_doubles(compared, config.curate, find_overlays(compared))


def _match_targets(candidates: Sequence[Candidate], gallery: Gallery, limits: MatchThresholds) -> CandidateMatches:
    """Match each face with the targets by itself: a picture has no track."""
    parts = [candidate.seen.faces.embedding for candidate in candidates]
    embeddings = np.concatenate(parts) if parts else np.empty((0, 1), np.float16)
    claims = match_nearest(embeddings, ReferenceSet(gallery), _BELOW_EVERY_COSINE)
    if gallery.everyone:
        return CandidateMatches(claims.lookalike < limits.enter, np.ones(len(embeddings), np.float32), limits.enter)
    is_person = (claims.similarity >= limits.enter) & (claims.margin >= limits.margin)
    return CandidateMatches(is_person, claims.similarity, limits.enter)
