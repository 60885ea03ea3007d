"""Run `fastface calibrate`: find the evidence threshold for a risk from photos and an index, with expected errors."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.commands.enroll import enrol, enrol_with_context
from fastface.config import Config
from fastface.errors import ConfigError
from fastface.files import write_atomic
from fastface.gallery.calibration import (
    LEAST_STRANGERS,
    RateEstimate,
    choose_threshold,
    counted_rate,
    fit_tail,
    suggest_margin,
)
from fastface.gallery.decision import decide_tracks
from fastface.gallery.reference_set import ReferenceSet
from fastface.gallery.thresholds import ComparisonCounts, allowed_rate, counted_pairs
from fastface.gallery.track_voting import EvidenceModel
from fastface.gallery.trials import PhotoTrials, Trials, join_trials, photo_trials, track_trials
from fastface.impostors import ImpostorDistribution
from fastface.index.store import VideoIndex
from fastface.runtime.context import RunContext, open_context
from fastface.runtime.engines import ready_networks
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import check_writable, require_index
from fastface.runtime.shutdown import interruptible
from fastface.search.archive_survey import build_rule, observe_archive
from fastface.search.searcher import Searcher
from fastface.types import Gallery

CHART_NAME = "calibration.png"

_PHOTO_MATES = "photo, own person"
_TRACKS_FOUND = "track, person it is given to"
_PHOTO_STRANGERS = "photo, other person"
_TRACK_STRANGERS = "track, other person"

_CURVE = (0.15, 0.60, 0.01)
"""First and last threshold of the risk curve, and its step."""


@dataclass(frozen=True, slots=True)
class DecisionLimits:
    """Limits of a decision: see `MatchConfig`."""

    threshold: float  # minimum evidence of a target's track
    margin: float  # minimum lead over every other target and lookalike


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of comparison, and its errors with two pairs of limits.

    Attributes:
        kind: Description of the two sides.
        mates: True if both sides are one person: errors are then misses, else false matches.
        count: Number of comparisons.
        lowest: Smallest evidence.
        median: Median evidence.
        highest: Largest evidence.
        extreme: The comparison that most contradicts its label.
        in_use: Error rate counted with the current limits.
        suggested: Error rate counted with the suggested limits.
        estimated: Error rate by the tail at the suggested threshold; None for mates, and for too few comparisons.
    """

    kind: str
    mates: bool
    count: int
    lowest: float
    median: float
    highest: float
    extreme: str
    in_use: RateEstimate
    suggested: RateEstimate
    estimated: RateEstimate | None = None


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """Expected number of false tracks at one threshold, among the comparisons of one search."""

    threshold: float
    usual: float  # by the network's distribution, measured on other archives
    here: RateEstimate | None  # by the tail of these comparisons; None if there are too few


@dataclass(frozen=True, slots=True)
class Calibration:
    """Result of a calibration.

    Attributes:
        persons: Number of persons with usable photos.
        photos: Number of references of all persons.
        tracks: Number of tracks in the index; 0 without an index.
        false_tracks: The risk: expected number of false tracks in one search.
        pairs: Number of comparisons in one search of the archive, or of a small one's assumed size.
        in_use: Limits of a search with these settings.
        suggested: Limits that the comparisons support.
        reasons: Reasons for the suggestion.
        comparisons: All kinds with comparisons, mates first.
        judged: Kind of comparisons that determines the threshold.
        risk: Expected false tracks by threshold.
        chart: Path of the picture.
        remarks: Remarks on unusual photos.
    """

    persons: int
    photos: int
    tracks: int
    false_tracks: float
    pairs: int
    in_use: DecisionLimits
    suggested: DecisionLimits
    reasons: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    judged: str
    risk: tuple[RiskPoint, ...]
    chart: Path
    remarks: tuple[str, ...]

    @property
    def options(self) -> str:
        """Format the options for the command line; empty if the current limits stay."""
        threshold, margin = self.suggested.threshold, self.suggested.margin
        changed = [f"--threshold {threshold:.2f}"] * (threshold != self.in_use.threshold)
        return " ".join([*changed, *[f"--margin {margin:g}"] * (margin != self.in_use.margin)])


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The gallery, and the comparisons of photos and index."""

    gallery: Gallery
    warnings: tuple[str, ...]
    photos: PhotoTrials
    found: Trials
    strangers: dict[str, Trials]
    usual: ImpostorDistribution
    num_tracks: int

    @property
    def pairs(self) -> ComparisonCounts:
        """Return the numbers of comparisons of a search in the archive."""
        return ComparisonCounts(self.num_tracks * len(self.gallery.targets))

    @property
    def judged_kind(self) -> str:
        """Return the kind that determines the threshold: tracks if they have a tail, since tracks are decided."""
        tracks = self.strangers.get(_TRACK_STRANGERS)
        return _PHOTO_STRANGERS if tracks is None or len(tracks) < LEAST_STRANGERS else _TRACK_STRANGERS

    @property
    def judged(self) -> Trials:
        """Return the comparisons of that kind."""
        return self.strangers.get(self.judged_kind, self.photos.strangers)


def calibrate(
    config: Config, targets: Sequence[str], out: Path, observer: Observer, *, index: Path | None
) -> Calibration:
    """Find the evidence threshold that the risk needs for these persons and this archive, and draw the chart.

    Args:
        config: The settings; those of networks, references and matching are used.
        targets: Photos, folders of photos, banks.
        out: Folder of the chart.
        observer: Receives the networks in use and remarks on photos.
        index: Output folder whose tracks are also compared; None for photos alone.

    Raises:
        ConfigError: One of these: unusable targets, nothing to compare, no decision of whole tracks, no index, `out`
            not writable.
        LockedError: A run holds the index.
        BackendError, ModelError: The networks cannot be used.
        InterruptError: The user stopped the command.
    """
    if not config.match.tracks:
        raise ConfigError("calibrate compares whole tracks: switch match.tracks on")
    check_writable(out)
    with _open(config, targets, observer, index) as evidence:
        photos, usual, pairs = evidence.photos, evidence.usual, evidence.pairs
        if not any(map(len, (photos.mates, *evidence.strangers.values()))):
            raise ConfigError("nothing to compare: give several photos of a person, or photos of several persons")
        in_use = DecisionLimits(round(build_rule(config, usual, pairs).anywhere, 4), config.match.margin)
        rate = allowed_rate(config.match.false_tracks, pairs)
        threshold, reasons = choose_threshold(in_use.threshold, photos.mates, evidence.judged, rate)
        margin = suggest_margin(photos, threshold, in_use.margin) if threshold != in_use.threshold else in_use.margin
        suggested = DecisionLimits(threshold, margin)
        limits = in_use, suggested
        comparisons = [_misses(_PHOTO_MATES, photos.mates, limits)] if len(photos.mates) else []
        comparisons += [_misses(_TRACKS_FOUND, evidence.found, limits)] if len(evidence.found) else []
        comparisons += [_false_matches(kind, found, limits) for kind, found in evidence.strangers.items()]
        result = Calibration(
            persons=len(evidence.gallery.targets),
            photos=sum(len(target.embeddings) for target in evidence.gallery.targets),
            tracks=evidence.num_tracks,
            false_tracks=config.match.false_tracks,
            pairs=counted_pairs(pairs),
            in_use=in_use,
            suggested=suggested,
            reasons=tuple(reasons),
            comparisons=tuple(comparisons),
            judged=evidence.judged_kind,
            risk=tuple(_risk(evidence)),
            chart=out / CHART_NAME,
            remarks=evidence.warnings,
        )
    from fastface.commands.evaluation.calibrate_chart import draw_chart  # noqa: PLC0415 - only this command needs Pillow

    mates = {_PHOTO_MATES: photos.mates, _TRACKS_FOUND: evidence.found}
    write_atomic(result.chart, draw_chart(result, mates, evidence.strangers))
    return result


def _risk(evidence: _Evidence) -> Iterator[RiskPoint]:
    """Yield the risk curve, by the strangers that determine the threshold."""
    pairs, judged = counted_pairs(evidence.pairs), evidence.judged
    tail = fit_tail(judged.evidence, judged.face) if len(judged) >= LEAST_STRANGERS else None
    first, last, step = _CURVE
    for threshold in np.arange(first, last + step / 2, step).round(2).tolist():
        here = None
        if tail is not None and threshold >= tail.floor:
            rate = tail.rate(threshold)
            here = replace(rate, value=rate.value * pairs, low=rate.low * pairs, high=rate.high * pairs)
        yield RiskPoint(threshold, evidence.usual.rate(threshold) * pairs, here)


@contextmanager
def _open(config: Config, targets: Sequence[str], observer: Observer, index: Path | None) -> Iterator[_Evidence]:
    """Collect the comparisons of the photos and of the index; the index stays locked meanwhile."""
    if index is None:
        with interruptible() as interruption:
            networks = ready_networks(config, observer.note, interruption)
            observer.header(networks)
            gallery, report = enrol(tuple(targets), config, networks, interruption)
        usual = networks.models.thresholds.impostors
        references = _references(gallery)
        photos = photo_trials(references, EvidenceModel(references, usual))
        nothing = join_trials([], largest=True)
        strangers = {_PHOTO_STRANGERS: photos.strangers} if len(photos.strangers) else {}
        yield _Evidence(gallery, report.warnings, photos, nothing, strangers, usual, 0)
        return
    require_index(index)
    with open_context(config, index, observer, "calibrate") as context:
        observer.header(context.networks)
        gallery, report = enrol_with_context(context, targets)
        yield _archive_evidence(context, gallery, report.warnings)


def _references(gallery: Gallery) -> ReferenceSet:
    """Return the references of the persons to calibrate for.

    Raises:
        ConfigError: There is no such person.
    """
    if not gallery.targets:
        raise ConfigError("nothing to compare: '*' is no person; give photos of several persons")
    return ReferenceSet(gallery)


def _archive_evidence(context: RunContext, gallery: Gallery, warnings: tuple[str, ...]) -> _Evidence:
    """Compare the photos, and all tracks of finished videos that the gallery's network embedded."""
    references, usual = _references(gallery), context.networks.models.thresholds.impostors
    archive = context.track_archive()
    searcher = Searcher(context, references, context.limits, archive)
    records = searcher.list_indexed(searcher.comparable(context.answered_records(with_info=False)))
    observed = observe_archive(context, references, archive.blocks({record.video_id for record in records}))
    model, num_tracks = observed.model, observed.num_tracks
    rule = build_rule(context.config, usual, ComparisonCounts(num_tracks * references.num_targets))
    labels = [target.label for target in gallery.targets]
    videos = []
    for record in records:
        context.interruption.check()
        tracks = VideoIndex(context.out.index, record.video_id).tracks()
        decision = decide_tracks(tracks, model.weigh(tracks.embedding, rule.in_shot), rule, context.limits.margin)
        evidence = model.by_photos(tracks.embedding)
        videos.append(track_trials(record.video_id, tracks, evidence, decision.owner, labels))
    photos = photo_trials(references, model)
    strangers = {
        _PHOTO_STRANGERS: photos.strangers,
        _TRACK_STRANGERS: join_trials([video.strangers for video in videos], largest=True),
    }
    strangers = {kind: found for kind, found in strangers.items() if len(found)}
    found = join_trials([video.found for video in videos], largest=False)
    return _Evidence(gallery, warnings, photos, found, strangers, usual, num_tracks)


def _misses(kind: str, trials: Trials, limits: tuple[DecisionLimits, DecisionLimits]) -> Comparison:
    """Count misses by the threshold alone; a margin adds more."""
    return _count(kind, True, trials, [trials.evidence < np.float32(pair.threshold) for pair in limits])


def _false_matches(kind: str, trials: Trials, limits: tuple[DecisionLimits, DecisionLimits]) -> Comparison:
    """Count false matches by the threshold alone; a margin removes some."""
    found = _count(kind, False, trials, [trials.evidence >= np.float32(pair.threshold) for pair in limits])
    if len(trials) < LEAST_STRANGERS:
        return found
    return replace(found, estimated=fit_tail(trials.evidence, trials.face).rate(limits[1].threshold))


def _count(kind: str, mates: bool, trials: Trials, errors: Sequence[npt.NDArray[np.bool_]]) -> Comparison:
    """Summarise a kind of comparison; `errors` are those with the current limits, then with the suggested ones."""
    lowest, median, highest = np.quantile(trials.evidence, (0, 0.5, 1)).tolist()
    in_use, suggested = (counted_rate(int(wrong.sum()), len(trials)) for wrong in errors)
    return Comparison(kind, mates, len(trials), lowest, median, highest, trials.extreme, in_use, suggested)
