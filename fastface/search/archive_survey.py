"""Survey the whole archive before a search: similarities of strangers, new references, thresholds for the risk.

`commands.run` calls `survey`. The threshold of a search depends on the number of its comparisons, and on the films that
certainly show a target. It also depends on the similarities of the archive's own tracks
(`gallery.track_voting.Cohort`). So the tracks of all videos are read before the first video is searched. No pixel is
decoded.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.config import Config
from fastface.csv_cells import Cells, pixels_cell, score_cell, seconds_cell, write_csv
from fastface.gallery.decided_faces import DecidedFaces
from fastface.gallery.growth import GalleryGrower, GrowthRule
from fastface.gallery.matching import weigh_and_decide
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import ComparisonCounts, TrackRule
from fastface.gallery.track_voting import Cohort, EvidenceModel
from fastface.impostors import ImpostorDistribution
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.index.track_archive import TrackArchive, TrackBlock
from fastface.names import pluralize, text_cell
from fastface.runtime.context import RunContext
from fastface.search.decisions import Decisions, open_decisions
from fastface.search.searcher import Searcher, find_videos
from fastface.types import BY_DECISION, Gallery, GrownReference

_TABLE = "bank_growth.csv"

_LEAD = 0.2
"""Minimum lead over every other person of a track that contributes references. Measured on films with ten targets:
strangers' tracks lead by at most 0.09, those of targets by at least 0.28."""

_COHORT_TRACKS = 64
"""Maximum number of tracks of one video in the distribution of strangers, evenly spread. So a long film has no more
weight than others, and 20,000 targets are compared in seconds."""

_LEAST_SHOWN = 0.001
"""Minimum expected number of false tracks that is printed as a number."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A searcher that knows the whole archive."""

    searcher: Searcher
    num_decisions: int  # number of the user's decisions that it uses


def survey(
    context: RunContext, references: ReferenceSet, records: Sequence[VideoRecord], archive: TrackArchive
) -> Survey:
    """Open a searcher for a gallery, with the user's decisions, thresholds for this archive, and grown references.

    Args:
        context: Run context.
        references: References from photos.
        records: All videos to search; the results of their probes are read when they are needed.
        archive: The tracks of all videos.

    Raises:
        InterruptError: The user stopped the command.
        SpaceError: No space is left.
    """
    decisions = open_decisions(context, references.gallery, records)
    if decisions is not None:
        references = references.grown(decisions.teach(references.gallery))
        _note_decisions(context, decisions)
    if context.config.match.tracks and len(references):
        searcher = _survey_tracks(context, references, records, archive, decisions)
    else:
        searcher = Searcher(context, references, context.limits, archive, decisions=decisions)
        _write_growth(context, references.gallery, is_grown=False)
    return Survey(searcher, 0 if decisions is None else decisions.num_used)


def _survey_tracks(
    context: RunContext,
    references: ReferenceSet,
    records: Iterable[VideoRecord],
    archive: TrackArchive,
    decisions: Decisions | None,
) -> Searcher:
    """Open a searcher that decides whole tracks."""
    config, usual = context.config, context.networks.models.thresholds.impostors
    found = Searcher(context, references, context.limits, archive).list_indexed(records)
    names = {record.video_id for record in found}
    observed = observe_archive(context, references, archive.blocks(names))
    model, cohort, num_tracks = observed.model, observed.cohort, observed.num_tracks
    num_targets = references.num_targets
    pairs = ComparisonCounts(num_tracks * num_targets)
    rule = build_rule(config, usual, pairs)
    limits = replace(context.limits, tracks=rule)
    grower = (
        GalleryGrower(references, _growth_rule(config, rule, context.limits.margin)) if config.growth.grow else None
    )
    in_film = in_shot = 0
    # Only a video with a certain track, by evidence or by decision, adds to what is known before the search.
    certain = find_videos(archive.blocks(names), model, rule.in_shot, rule.anywhere, context.interruption.check)
    for record in found:
        if record.video_id not in certain and not (decisions and decisions.concern(record.video_id)):
            continue
        context.interruption.check()
        index = VideoIndex(context.out.index, record.video_id)
        tracks, decided = index.tracks(), _find_decided(context, record, index, decisions)
        by_user = None if decided is None else decided.by_track(index.faces(), tracks)
        evidence, decision = weigh_and_decide(tracks, model, limits, by_user)
        in_film, in_shot = in_film + decision.in_film, in_shot + decision.in_shot
        if grower is not None and (decision.owner >= 0).any():
            faces = index.faces()
            if decided is not None:  # the user's word is no evidence by photos
                faces = replace(faces, track=faces.tracks.astype(np.int32))[~decided.find_any()]
            grower.take(record.video_id, faces, tracks, evidence)
    if grower is not None:
        references = references.grown(grower.grown()[0])
        model = model.with_archive(references, cohort)
    _write_growth(context, references.gallery, is_grown=grower is not None)
    rule = build_rule(config, usual, replace(pairs, in_film=in_film, in_shot=in_shot))
    context.observer.note(_describe(rule, usual, num_tracks, num_targets))
    return Searcher(context, references, replace(limits, tracks=rule), archive, model=model, decisions=decisions)


@dataclass(frozen=True, slots=True)
class ArchiveEvidence:
    """Evidence of the tracks of an archive."""

    model: EvidenceModel  # weighs a track against each person
    cohort: Cohort  # similarities of the archive's own tracks
    num_tracks: int


def observe_archive(context: RunContext, references: ReferenceSet, blocks: Iterable[TrackBlock]) -> ArchiveEvidence:
    """Compare all tracks of an archive with all references.

    Raises:
        InterruptError: The user stopped the command.
    """
    usual = context.networks.models.thresholds.impostors
    plain, cohort = EvidenceModel(references, usual), Cohort(references.num_persons, usual)
    num_tracks = 0
    for block in blocks:
        context.interruption.check()
        num_tracks += len(block.embeddings)
        plain.observe(block.embeddings[_spread(block.firsts)], cohort)
    return ArchiveEvidence(plain.with_archive(references, cohort), cohort, num_tracks)


def build_rule(config: Config, usual: ImpostorDistribution, pairs: ComparisonCounts) -> TrackRule:
    """Return the thresholds of whole tracks for these numbers of comparisons."""
    rule = TrackRule.from_risk(usual, config.match.false_tracks, pairs)
    if config.match.threshold is not None:
        rule = rule.raised_to(usual, config.match.threshold, pairs)
    return replace(rule, least_faces=config.match.min_faces, review=config.match.review)


def _spread(firsts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return at most `_COHORT_TRACKS` rows of each video, evenly spread.

    Args:
        firsts: (videos + 1,) row of each video's first track, and the number of rows.
    """
    is_spread = np.ones(firsts[-1], np.bool_)
    for video in np.flatnonzero(np.diff(firsts) > _COHORT_TRACKS).tolist():
        first, end = firsts[video : video + 2].tolist()
        is_spread[first:end] = False
        is_spread[first + np.linspace(0, end - first - 1, _COHORT_TRACKS).astype(np.int64)] = True
    return np.flatnonzero(is_spread)


def _growth_rule(config: Config, rule: TrackRule, margin: float) -> GrowthRule:
    settings = config.growth
    return GrowthRule(
        threshold=rule.anywhere if settings.add_threshold is None else settings.add_threshold,
        margin=max(_LEAD, margin),
        quality=settings.add_quality,
        most=settings.max_added,
    )


def _find_decided(
    context: RunContext, record: VideoRecord, index: VideoIndex, decisions: Decisions | None
) -> DecidedFaces | None:
    """Find the user's decisions on the faces of the index of a video; None if there are none."""
    if decisions is None or not decisions.concern(record.video_id):
        return None
    whole = context.ledger.video(record.video_id)
    assert whole is not None, record.video_id
    assert whole.info is not None, record.video_id
    return decisions.find(record.video_id, index.faces(), is_film=whole.info.is_film)


def _note_decisions(context: RunContext, decisions: Decisions) -> None:
    left = f"; {decisions.num_unplaced} on faces that are not in the index" if decisions.num_unplaced else ""
    context.observer.note(f"uses {pluralize(decisions.num_used, 'decision')} of your review{left}")


def _write_growth(context: RunContext, gallery: Gallery, *, is_grown: bool) -> None:
    """Write the origin of each reference from a video to bank_growth.csv; without any, remove the table.

    Args:
        context: Run context.
        gallery: The final gallery.
        is_grown: True if the search looks for such references; then the table exists even if it is empty.
    """
    table = context.out.root / _TABLE
    rows = [added for target in gallery.targets for added in target.added]
    if is_grown or rows:
        write_growth(table, rows)
    elif table.is_file() and is_growth(table):  # of an earlier search; other files of that name stay
        table.unlink()
    num_photos = sum(len(target.photo_embeddings) for target in gallery.targets)
    num_confirmed = sum(added.anchor == BY_DECISION for added in rows)
    parts = [f"{len(rows) - num_confirmed} found in the videos"] if len(rows) > num_confirmed else []
    parts += [f"{num_confirmed} that you confirmed"] if num_confirmed else []
    if parts:
        context.observer.note(f"references: {num_photos} from photos, {', '.join(parts)} (see {_TABLE})")


def _describe(rule: TrackRule, usual: ImpostorDistribution, num_tracks: int, num_targets: int) -> str:
    """Describe the risk of the answer in one line."""
    false = f"{rule.expected_false:.2g}" if rule.expected_false >= _LEAST_SHOWN else f"less than {_LEAST_SHOWN}"
    line = (
        f"threshold {rule.anywhere:.2f} ({rule.in_film:.2f} in a video with the person, {rule.in_shot:.2f} in a shot "
        f"with the person); expect {false} false tracks in {pluralize(num_tracks, 'track')} × "
        f"{pluralize(num_targets, 'person')}"
    )
    return line if usual.is_measured else f"{line}; these are careful guesses: this network was not measured"


_GROWTH_COLUMNS = (
    "target", "video", "time", "x1", "y1", "x2", "y2", "anchor", "track_evidence", "similarity", "margin",
    "quality", "yaw",
)  # fmt: skip


def write_growth(path: Path, rows: Iterable[GrownReference]) -> None:
    """Write bank_growth.csv: the faces that became references, and the evidence for each; in the order of the rows.

    Raises:
        SpaceError: No space is left.
    """
    write_csv(path, _GROWTH_COLUMNS, map(_growth_cells, rows))


def is_growth(path: Path) -> bool:
    """Return whether a file is a table by `write_growth`, judged by its first line."""
    with path.open("rb") as file:
        return file.readline() == (",".join(_GROWTH_COLUMNS) + "\r\n").encode()


def _growth_cells(added: GrownReference) -> Cells:
    scores = (
        "" if math.isnan(score) else score_cell(score)
        for score in (added.track_evidence, added.similarity, added.margin, added.quality)
    )
    return (
        text_cell(added.target),
        text_cell(added.video_id),
        seconds_cell(added.time),
        *map(pixels_cell, added.box),
        text_cell(added.anchor),
        *scores,
        pixels_cell(added.yaw),
    )
