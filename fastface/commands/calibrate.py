"""Photos, and the index of a run → the threshold of evidence for a risk, with the errors to expect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.commands.enroll import enrol
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
from fastface.runtime.context import RunContext, open_context
from fastface.runtime.engines import ready_networks
from fastface.runtime.networks import thresholds
from fastface.runtime.observer import Observer
from fastface.runtime.output_folder import check_writable, require_index
from fastface.runtime.resources import choose_layout
from fastface.runtime.shutdown import interruptible
from fastface.search.archive_survey import build_rule, observe_archive
from fastface.search.searcher import open_searcher
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

    threshold: float  # evidence from which any track is a target's
    margin: float  # minimum lead over every other target and lookalike


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of comparison, and its errors with two pairs of limits.

    Attributes:
        kind: What was compared with what.
        mates: Whether both sides are one person's: then errors are misses, else false matches.
        count: Comparisons.
        lowest: Smallest evidence.
        median: Of the evidence.
        highest: Largest evidence.
        extreme: The comparison that speaks most against what was taken as known.
        in_use: Counted with the limits in use.
        suggested: Counted with those that are suggested.
        estimated: By the tail, with the suggested threshold; None for mates, and where there are too few.
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
    """The false tracks that are expected with one threshold among the comparisons of one question."""

    threshold: float
    usual: float  # as measured for the network on others' archives
    here: RateEstimate | None  # as the tail of these comparisons has it; None where there are too few


@dataclass(frozen=True, slots=True)
class Calibration:
    """Result of a calibration.

    Attributes:
        persons: With usable photos.
        photos: References of all of them.
        tracks: In the index; 0 without one.
        false_tracks: The risk: false tracks that may be expected in one question.
        pairs: Comparisons of one question to the archive, or to one of some size.
        in_use: The limits of a question with these settings.
        suggested: Those that the comparisons speak for.
        reasons: Why.
        comparisons: All kinds of which there are any, mates first.
        judged: The kind of comparisons by which the threshold is judged.
        risk: Expected false tracks by threshold.
        chart: The picture.
        remarks: What is odd about a photo.
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
        """Options to add to the command line; empty if the limits in use stay."""
        threshold, margin = self.suggested.threshold, self.suggested.margin
        changed = [f"--threshold {threshold:.2f}"] * (threshold != self.in_use.threshold)
        return " ".join([*changed, *[f"--margin {margin:g}"] * (margin != self.in_use.margin)])


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The gallery, and what photos and index say."""

    gallery: Gallery
    warnings: tuple[str, ...]
    photos: PhotoTrials
    found: Trials
    strangers: dict[str, Trials]
    usual: ImpostorDistribution
    num_tracks: int

    @property
    def pairs(self) -> ComparisonCounts:
        """Comparisons of a question to the archive."""
        return ComparisonCounts(self.num_tracks * len(self.gallery.targets))

    @property
    def judged_kind(self) -> str:
        """The kind by which the threshold is judged: tracks, which are what is decided, if they have a tail."""
        tracks = self.strangers.get(_TRACK_STRANGERS)
        return _PHOTO_STRANGERS if tracks is None or len(tracks) < LEAST_STRANGERS else _TRACK_STRANGERS

    @property
    def judged(self) -> Trials:
        """The comparisons of that kind."""
        return self.strangers.get(self.judged_kind, self.photos.strangers)


def calibrate(
    config: Config, targets: Sequence[str], out: Path, observer: Observer, *, index: Path | None
) -> Calibration:
    """Says which threshold of evidence the risk needs for these persons and this archive, and draws why.

    Args:
        config: The settings; those of networks, references and matching are used.
        targets: Photos, folders of photos, banks.
        out: The folder that gets the chart.
        observer: Receives the networks in use and remarks on photos.
        index: An output folder, of which the tracks count too; None for photos alone.

    Raises:
        ConfigError: The targets cannot be used, or there is nothing to compare; tracks are not decided as wholes; there
            is no index; `out` cannot be written.
        LockedError: A run holds the index.
        BackendError, ModelError: The networks cannot be used.
        InterruptError: The user stopped it.
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
    from fastface.commands.calibrate_chart import draw_chart  # noqa: PLC0415 - Pillow, which all others can spare

    mates = {_PHOTO_MATES: photos.mates, _TRACKS_FOUND: evidence.found}
    write_atomic(result.chart, draw_chart(result, mates, evidence.strangers))
    return result


def _risk(evidence: _Evidence) -> Iterator[RiskPoint]:
    """The risk curve, by the strangers that the threshold is judged by."""
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
    """The comparisons of the photos, and of the index while it cannot be changed."""
    if index is None:
        with interruptible() as interruption:
            networks = ready_networks(config, observer.note, interruption)
            observer.header(networks, choose_layout(config.scan, networks.device, len(networks.cards)))
            limits = thresholds(config, networks.models)
            gallery, report = enrol(tuple(targets), config, networks, limits, interruption)
        usual = networks.models.thresholds.impostors
        references = _references(gallery)
        photos = photo_trials(references, EvidenceModel(references, usual))
        nothing = join_trials([], largest=True)
        strangers = {_PHOTO_STRANGERS: photos.strangers} if len(photos.strangers) else {}
        yield _Evidence(gallery, report.warnings, photos, nothing, strangers, usual, 0)
        return
    require_index(index)
    with open_context(config, index, observer, "calibrate") as context:
        observer.header(context.networks, context.layout)
        gallery, report = enrol(
            tuple(targets), config, context.networks, context.limits, context.interruption, known=context.out.photos
        )
        yield _archive_evidence(context, gallery, report.warnings)


def _references(gallery: Gallery) -> ReferenceSet:
    """The references of the persons to calibrate for.

    Raises:
        ConfigError: There is none.
    """
    if not gallery.targets:
        raise ConfigError("nothing to compare: '*' is no person; give photos of several persons")
    return ReferenceSet(gallery)


def _archive_evidence(context: RunContext, gallery: Gallery, warnings: tuple[str, ...]) -> _Evidence:
    """The comparisons of photos, and of all tracks of finished videos that the gallery's network has embedded."""
    references, usual = _references(gallery), context.networks.models.thresholds.impostors
    searcher = open_searcher(context, references, context.limits)
    indexes = list(searcher.indexes(searcher.comparable(context.answered_records())))
    observed = observe_archive(context, references, (index for _, index in indexes))
    model, num_tracks = observed.model, observed.num_tracks
    rule = build_rule(context.config, usual, ComparisonCounts(num_tracks * references.num_targets))
    labels = [target.label for target in gallery.targets]
    videos = []
    for record, index in indexes:
        context.interruption.check()
        tracks = index.tracks()
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
    """Misses by the threshold alone; a margin makes them more."""
    return _count(kind, True, trials, [trials.evidence < np.float32(pair.threshold) for pair in limits])


def _false_matches(kind: str, trials: Trials, limits: tuple[DecisionLimits, DecisionLimits]) -> Comparison:
    """False matches by the threshold alone; a margin makes them fewer."""
    found = _count(kind, False, trials, [trials.evidence >= np.float32(pair.threshold) for pair in limits])
    if len(trials) < LEAST_STRANGERS:
        return found
    return replace(found, estimated=fit_tail(trials.evidence, trials.face).rate(limits[1].threshold))


def _count(kind: str, mates: bool, trials: Trials, errors: Sequence[npt.NDArray[np.bool_]]) -> Comparison:
    """The comparison of a kind; errors with the limits in use, then with the suggested ones."""
    lowest, median, highest = np.quantile(trials.evidence, (0, 0.5, 1)).tolist()
    in_use, suggested = (counted_rate(int(wrong.sum()), len(trials)) for wrong in errors)
    return Comparison(kind, mates, len(trials), lowest, median, highest, trials.extreme, in_use, suggested)
