"""Photos, and the index of a run → a threshold and a margin, with the errors to expect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.config import Config
from fastface.errors import ConfigError
from fastface.files import write_atomic
from fastface.gallery.calibration import (
    Rate,
    contradictions,
    counted_rate,
    fit_tail,
    judged_kinds,
    shortages,
    suggest_margin,
    suggest_threshold,
)
from fastface.gallery.photos import LEAST_SHARPNESS
from fastface.gallery.references import GalleryReport
from fastface.gallery.trials import PhotoTrials, Trials, frame_trials, photo_trials, track_trials, video_trials
from fastface.index.store import VideoIndex
from fastface.types import Gallery
from fastface.workflows.desk import open_desk
from fastface.workflows.engines import ready_networks
from fastface.workflows.enrolment import enrol
from fastface.workflows.interrupt import interruptible
from fastface.workflows.machine import choose_layout
from fastface.workflows.networks import thresholds
from fastface.workflows.observer import Observer
from fastface.workflows.output import check_writable, require_index

__all__ = ["CHART_NAME", "Calibration", "Comparison", "Limits", "calibrate"]

CHART_NAME = "calibration.png"

_PHOTO_MATES = "photo, own person"
_PHOTO_STRANGERS = "photo, other person"
_TRACKS = "first, last of track"
_FRAMES = "two in a frame"
_VIDEOS = "track, not nearest"
_ALL = "all strangers"


@dataclass(frozen=True, slots=True)
class Limits:
    """Cosines from which a face is a person's: see `MatchConfig`."""

    threshold: float
    margin: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of comparison, and its errors with two pairs of limits.

    Attributes:
        kind: What was compared with what.
        mates: Whether both sides are one person's: then errors are misses, else false matches.
        count: Comparisons.
        lowest: Smallest cosine.
        median: Of the cosines.
        highest: Largest cosine.
        extreme: The comparison that speaks most against what was taken as known.
        in_use: Counted with the limits in use.
        suggested: Counted with those that are suggested.
        estimated: By the tail, with the suggested threshold; of what the threshold is not judged by, None.
    """

    kind: str
    mates: bool
    count: int
    lowest: float
    median: float
    highest: float
    extreme: str
    in_use: Rate
    suggested: Rate
    estimated: Rate | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What calibrating found.

    Attributes:
        persons: With usable photos.
        photos: References of all of them.
        wanted: The false match rate that the threshold is for.
        in_use: The limits that the settings, or the network, have.
        suggested: Those that the comparisons speak for.
        comparisons: All kinds of which there are any, mates first.
        chart: The picture.
        remarks: What is odd about a photo.
    """

    persons: int
    photos: int
    wanted: float
    in_use: Limits
    suggested: Limits
    comparisons: tuple[Comparison, ...]
    chart: Path
    remarks: tuple[str, ...]

    @property
    def options(self) -> str:
        """The suggestion, to be pasted."""
        return f"--threshold {self.suggested.threshold:.2f} --margin {self.suggested.margin:.2f}"


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The gallery, and what the index says, by kind."""

    gallery: Gallery
    report: GalleryReport
    in_use: Limits
    video_mates: dict[str, Trials]
    video_strangers: dict[str, Trials]


def calibrate(
    config: Config, targets: Sequence[str], out: Path, observer: Observer, *, index: Path | None, wanted: float
) -> Calibration:
    """Suggests a threshold and a margin for these persons, and draws why.

    Args:
        config: The settings; those of networks, references and matching are used.
        targets: Photos, folders of photos, banks.
        out: The folder that gets the chart.
        observer: Told which networks are used, and what is odd about a photo.
        index: An output folder, of which the faces in videos count too; None for photos alone.
        wanted: The false match rate that the threshold is for.

    Raises:
        ConfigError: The targets cannot be used, or say too little; there is no index; `out` cannot be written.
        LockedError: A run holds the index.
        BackendError, ModelError: The networks cannot be used.
        InterruptError: The user stopped it.
    """
    check_writable(out)
    with _opened(config, targets, observer, index) as evidence:
        references = evidence.report.references
        photos = photo_trials(references) if len(references) > 1 else None
        missing = shortages(len(references), photos)
        if missing or photos is None:
            raise ConfigError(missing)
        strangers = {_PHOTO_STRANGERS: photos.strangers, **evidence.video_strangers}
        odd = contradictions(strangers, photos.mates, wanted)
        judged = judged_kinds({kind: found for kind, found in strangers.items() if kind not in odd}, wanted, _ALL)
        suggested, remarks = _suggested(judged, odd, evidence.in_use, photos, wanted)
        remarks += [_why_odd(kind, needed, strangers[kind].extreme) for kind, needed in odd.items()]
        limits = evidence.in_use, suggested
        comparisons = [_photo_misses(photos, limits)]
        comparisons += [_misses(kind, found, limits) for kind, found in evidence.video_mates.items()]
        comparisons += [_false_matches(kind, found, limits, kind in judged) for kind, found in strangers.items()]
        if _ALL in judged:
            comparisons.append(_false_matches(_ALL, judged[_ALL], limits, is_judged=True))
    result = Calibration(
        persons=len(references),
        photos=sum(map(len, references.values())),
        wanted=wanted,
        in_use=limits[0],
        suggested=limits[1],
        comparisons=tuple(comparisons),
        chart=out / CHART_NAME,
        remarks=(*evidence.report.warnings, *remarks),
    )
    from fastface.workflows.calibrate_chart import draw_chart  # noqa: PLC0415 - Pillow, which all others can spare

    write_atomic(result.chart, draw_chart(result, photos, evidence.video_mates, strangers))
    return result


def _suggested(
    judged: dict[str, Trials], odd: dict[str, float], in_use: Limits, photos: PhotoTrials, wanted: float
) -> tuple[Limits, list[str]]:
    """The limits that the comparisons speak for, or those in use where they speak for none, and what is odd."""
    threshold = 1.0 if _PHOTO_STRANGERS in odd else suggest_threshold(judged.values(), wanted)
    typical = float(np.median(photos.mates.similarity))
    if threshold > typical:
        reason = f"the comparisons support no threshold: half of the photos reach {typical:.2f} with their own person"
        return in_use, [f"{reason}, and strangers come as near; the limits in use stay"]
    return Limits(threshold, suggest_margin(photos, threshold)), []


def _why_odd(kind: str, needed: float, extreme: str) -> str:
    return (
        f"left out of the suggestion: {kind!r} would need a threshold of {needed:.2f}, more than photos of one person"
        f" reach ({extreme}); blurred faces, or one person twice?"
    )


@contextmanager
def _opened(config: Config, targets: Sequence[str], observer: Observer, index: Path | None) -> Iterator[_Evidence]:
    """The references, and the comparisons of the index while nobody can change it."""
    if index is None:
        with interruptible() as interruption:
            networks = ready_networks(config, observer.note, interruption)
            observer.header(networks, choose_layout(config.scan, networks.device, len(networks.cards)))
            limits = thresholds(config, networks.models)
            gallery, report = enrol(tuple(targets), config, networks, limits, interruption)
        yield _Evidence(gallery, report, Limits(limits.enter, limits.margin), {}, {})
        return
    require_index(index)
    with open_desk(config, index, observer, "calibrate") as desk:
        observer.header(desk.networks, desk.layout)
        gallery, report = enrol(
            tuple(targets), config, desk.networks, desk.limits, desk.interruption, known=desk.out.photos
        )
        videos = [VideoIndex(desk.out.index, record.video_id) for record in desk.answered()]
        in_use = Limits(desk.limits.enter, desk.limits.margin)
        yield _Evidence(gallery, report, in_use, *_video_evidence(videos, gallery, config.people.min_quality))


def _video_evidence(
    videos: Sequence[VideoIndex], gallery: Gallery, min_quality: float
) -> tuple[dict[str, Trials], dict[str, Trials]]:
    """Mates and strangers of all finished videos whose faces were embedded by the gallery's network.

    Blurred and tiny faces are like each other, whosever they are: only clear ones count.
    """
    found: dict[str, list[Trials]] = {_TRACKS: [], _FRAMES: [], _VIDEOS: []}
    for video in videos:
        if not video.faces_path.exists() or video.metadata()["contract"] != gallery.contract:
            continue
        faces, name = video.faces(), video.faces_path.parent.name
        faces = faces[(faces.quality >= min_quality) & (faces.sharpness >= LEAST_SHARPNESS)]
        found[_TRACKS].append(_named(track_trials(faces), name))
        found[_FRAMES].append(_named(frame_trials(faces), name))
        if len(gallery.targets) > 1:
            found[_VIDEOS].append(_named(video_trials(faces, gallery), name))
    mates = _joined(found[_TRACKS], largest=False)
    strangers = {kind: _joined(found[kind], largest=True) for kind in (_FRAMES, _VIDEOS)}
    return {_TRACKS: mates} if len(mates) else {}, {kind: all_ for kind, all_ in strangers.items() if len(all_)}


def _named(trials: Trials, video: str) -> Trials:
    return Trials(trials.similarity, f"{video}: {trials.extreme}")


def _joined(parts: Sequence[Trials], *, largest: bool) -> Trials:
    """The comparisons of all videos; the extreme one is of the video that has the largest, or smallest, cosine."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return Trials(np.empty(0, np.float32))
    extremes = [float(part.similarity.max() if largest else -part.similarity.min()) for part in filled]
    similarity = np.concatenate([part.similarity for part in filled])
    return Trials(similarity, filled[int(np.argmax(extremes))].extreme)


def _photo_misses(photos: PhotoTrials, limits: tuple[Limits, Limits]) -> Comparison:
    """Misses of photos, by threshold and margin: their lead over the next person is known."""
    below = [(photos.mates.similarity < np.float32(pair.threshold)) | (photos.lead < np.float32(pair.margin))
             for pair in limits]  # fmt: skip
    return _counted(_PHOTO_MATES, True, photos.mates, below)


def _misses(kind: str, trials: Trials, limits: tuple[Limits, Limits]) -> Comparison:
    """Misses by the threshold alone; a margin makes them more."""
    return _counted(kind, True, trials, [trials.similarity < np.float32(pair.threshold) for pair in limits])


def _false_matches(kind: str, trials: Trials, limits: tuple[Limits, Limits], is_judged: bool) -> Comparison:
    """False matches by the threshold alone; a margin makes them fewer."""
    found = _counted(kind, False, trials, [trials.similarity >= np.float32(pair.threshold) for pair in limits])
    tail = fit_tail(trials.similarity) if is_judged else None
    return found if tail is None else replace(found, estimated=tail.rate(limits[1].threshold))


def _counted(kind: str, mates: bool, trials: Trials, errors: Sequence[npt.NDArray[np.bool_]]) -> Comparison:
    """The comparison of a kind; errors with the limits in use, then with the suggested ones."""
    lowest, median, highest = np.quantile(trials.similarity, (0, 0.5, 1)).tolist()
    in_use, suggested = (counted_rate(int(wrong.sum()), len(trials)) for wrong in errors)
    return Comparison(kind, mates, len(trials), lowest, median, highest, trials.extreme, in_use, suggested)
