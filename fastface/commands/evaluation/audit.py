"""Run `fastface audit`: draw a random sample of moments for review, and estimate precision and recall from the answers.

OUT/audit/audit.html    the page with the pictures
OUT/audit/sample.json   the drawn moments, and the sizes of the strata
OUT/audit/result.json   the estimates
"""

import json
import shlex
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from fastface.distribution import read_version
from fastface.errors import ConfigError, InputError, SpaceError
from fastface.export.frame_jobs import CellsJob, FrameImages, FramePicture, FramesJob, PhotoJob
from fastface.files import private_folder, write_atomic
from fastface.gallery.photo_set.sources import collect, make_label
from fastface.index.ledger import Ledger
from fastface.names import pluralize, valid_text
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.review.audit_files import (
    AuditItem,
    AuditSample,
    DrawnStratum,
    LeftOut,
    answered_moments,
    item_id,
    read_answers,
    read_sample,
)
from fastface.review.audit_moments import LastAnswer, Moments, VideoMoments, read_answer, read_moments
from fastface.review.audit_page import MomentPicture, write_audit_page
from fastface.review.estimates import AuditEstimates, estimate_audit
from fastface.review.sampling import Stratum, allocate, choose_rows, stream
from fastface.runtime.events.event_log import open_event_log
from fastface.runtime.events.observer import Observer
from fastface.runtime.output_folder import OutputFolder, require_free, require_ledger
from fastface.runtime.resources import num_cores
from fastface.runtime.shutdown import interruptible

_PAGE, _SAMPLE, _RESULT = "audit/audit.html", "audit/sample.json", "audit/result.json"
_PICTURES_A_JOB = 12
_ROLES = ("hit", "near", "face", "beside", "empty")
_Interrupted = Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """Sample of an audit.

    Attributes:
        page: Path of the page.
        seed: Seed of the sample.
        targets: Labels of the targets.
        strata: Kinds of moments: their size, and the number drawn.
        left_out: Videos that cannot be decoded again.
        lost: Number of moments whose pictures could not be made.
    """

    page: Path
    seed: int
    targets: tuple[str, ...]
    strata: tuple[DrawnStratum, ...]
    left_out: tuple[LeftOut, ...]
    lost: int = 0


@dataclass(frozen=True, slots=True)
class AuditResult:
    """Result of an audit: precision, recall and screen time.

    Attributes:
        seed: Seed of the sample.
        targets: Labels of the targets.
        strata: Kinds of moments.
        answered: Number of moments of each kind with a certain answer.
        unsure: Number of moments of each kind that the user was unsure of.
        open: Number of moments of each kind without an answer.
        estimates: Precision, recall and screen time.
        left_out: Videos without a moment in the sample.
        file: Path of the result.
    """

    seed: int
    targets: tuple[str, ...]
    strata: tuple[DrawnStratum, ...]
    answered: tuple[int, ...]
    unsure: tuple[int, ...]
    open: tuple[int, ...]
    estimates: AuditEstimates
    left_out: tuple[LeftOut, ...]
    file: Path

    def to_object(self) -> dict[str, Any]:
        """Return the result as in result.json."""
        kinds = [
            {**stratum.model_dump(mode="json"), "target": _label(self.targets, stratum.target)}
            | {"answered": answered, "unsure": unsure, "open": left}
            for stratum, answered, unsure, left in zip(self.strata, self.answered, self.unsure, self.open, strict=True)
        ]
        scores = zip(self.targets, self.estimates.targets, strict=True)
        return {
            "schema_version": 1,
            "seed": self.seed,
            "confidence": 0.95,
            "answered": sum(self.answered),
            "unsure": sum(self.unsure),
            "open": sum(self.open),
            "overall": self.estimates.overall.to_object(),
            "targets": [{"target": valid_text(label), **one.to_object()} for label, one in scores],
            "strata": kinds,
            "left_out": [one.model_dump(mode="json") for one in self.left_out],
        }


@dataclass(frozen=True, slots=True)
class _Population:
    """All moments that may be drawn: their number in each video, for each stratum."""

    videos: tuple[VideoMoments, ...]
    strata: tuple[Stratum, ...]
    left_out: tuple[LeftOut, ...]

    def parts(self, stratum: Stratum) -> list[tuple[VideoMoments, Moments]]:
        """Return the videos that have moments of a stratum, with these moments."""
        key = (stratum.role, stratum.kind, stratum.target)
        return [(video, video.parts[key]) for video in self.videos if key in video.parts]


def plan_audit(out: Path, count: int, seed: int) -> AuditPlan:
    """Plan the sample of `draw_audit`. Decodes and writes nothing.

    Raises:
        ConfigError, FaceIndexError, LockedError: See `draw_audit`.
    """
    require_ledger(out)
    require_free(out)
    with Ledger(out / ".fastface" / "state.sqlite", read_only=True) as ledger:
        answer = read_answer(out, ledger)
        population = _population(out / ".fastface" / "index", ledger, answer)
    drawn = allocate(population.strata, count)
    strata = tuple(_draw_pictures(one, number) for one, number in zip(population.strata, drawn, strict=True))
    return AuditPlan(out / _PAGE, seed, answer.targets, strata, population.left_out)


def draw_audit(out: Path, count: int, seed: int, observer: Observer, *, photos: Sequence[str] = ()) -> AuditPlan:
    """Draw a sample of moments of the latest answer in `out`, and write the page for their review.

    Args:
        out: The output folder.
        count: Number of moments to review.
        seed: The same seed, index and answer give the same sample.
        observer: Receives notes on skipped videos and moments.
        photos: Photos of targets to show beside the question, in the form of `-t`.

    Raises:
        ConfigError: There is no answer, it cannot be audited, or `count` is too small for it.
        FaceIndexError: The index is damaged.
        LockedError: A run holds `out`.
        InterruptError, SpaceError: See `run`.
    """
    require_ledger(out)
    folder = OutputFolder(out)
    with (
        folder.hold_lock(),
        open_event_log(folder.log, observer, read_version(), "audit") as noted,
        interruptible() as interruption,
        Ledger(folder.ledger) as ledger,
    ):
        answer = read_answer(out, ledger)
        population = _population(folder.index, ledger, answer)
        for video in population.left_out:
            noted.note(
                f"left out: {video.reason} ({pluralize(video.hits, 'hit')}, {pluralize(video.samples, 'sample')})"
            )
        draft = _draw(population, answer, count, seed, interruption)
        if draft.sample.lost:
            noted.note(f"{pluralize(draft.sample.lost, 'moment')} left out, which could not be decoded again")
        thumbnails = _thumbnails(photos, answer.targets, noted, interruption)
        private_folder(out / "audit")
        for name in (_PAGE, _SAMPLE, _RESULT):
            ledger.put_export(name, "", "{}")
        (out / _RESULT).unlink(missing_ok=True)  # it belongs to another sample
        write_atomic(out / _SAMPLE, draft.sample.model_dump_json(indent=1) + "\n", private=True)
        command = f"fastface audit audit.json -o {shlex.quote(str(out))}"
        write_audit_page(out / _PAGE, draft.sample, draft.pictures, thumbnails, command)
        return AuditPlan(
            out / _PAGE, seed, answer.targets, draft.sample.strata, draft.sample.left_out, draft.sample.lost
        )


def score_audit(out: Path, file: Path) -> AuditResult:
    """Estimate precision, recall and screen time from the saved answers of the page; write OUT/audit/result.json.

    Raises:
        ConfigError: The file was not saved by the page, or belongs to another sample, answer or index.
        LockedError: A run holds `out`.
    """
    require_ledger(out)
    folder = OutputFolder(out)
    draw = f"fastface audit -o {shlex.quote(str(out))}"
    with folder.hold_lock(), Ledger(folder.ledger) as ledger:
        sample = read_sample(out / _SAMPLE, draw)
        answers = read_answers(file, sample)
        if read_answer(out, ledger).digest != sample.answer:
            raise ConfigError(
                f"the answer or the index of {str(out)!r} changed since the sample was drawn; draw a new one: {draw}"
            )
        stratum_of = {item.id: item.stratum for item in sample.items}
        size = len(sample.strata)
        asked = np.bincount([item.stratum for item in sample.items], minlength=size)
        unsure = np.bincount([stratum_of[one.id] for one in answers.answers if one.unsure], minlength=size)
        sure = np.bincount([stratum_of[one.id] for one in answers.answers if not one.unsure], minlength=size)
        strata = [one.stratum for one in sample.strata]
        result = AuditResult(
            seed=sample.seed,
            targets=sample.targets,
            strata=sample.strata,
            answered=tuple(sure.tolist()),
            unsure=tuple(unsure.tolist()),
            open=tuple((asked - sure - unsure).tolist()),
            estimates=estimate_audit(strata, answered_moments(sample, answers), len(sample.targets)),
            left_out=sample.left_out,
            file=out / _RESULT,
        )
        ledger.put_export(_RESULT, "", "{}")
        write_atomic(out / _RESULT, json.dumps(result.to_object(), indent=2) + "\n", private=True)
        return result


def _label(targets: Sequence[str], place: int | None) -> str | None:
    return None if place is None else valid_text(targets[place])


# ── what may be drawn ───────────────────────────────────────────────────────────────────────────────────────────────


def _population(index: Path, ledger: Ledger, answer: LastAnswer) -> _Population:
    """Collect all moments of videos that can be decoded again.

    Raises:
        ConfigError: There is no such moment.
    """
    videos, left_out = [], []
    for video in read_moments(index, ledger, answer):
        reason = _why_changed(video)
        if not reason:
            videos.append(video)
            continue
        hits = sum(len(part) for (role, _, _), part in video.parts.items() if role == "hit")
        left_out.append(
            LeftOut(video=valid_text(video.record.video_id), reason=reason, hits=hits, samples=video.num_samples)
        )
    strata = _strata(videos)
    if not strata:
        raise ConfigError(["no picture of any moment can be made", *(one.reason for one in left_out)])
    return _Population(tuple(videos), strata, tuple(left_out))


def _why_changed(video: VideoMoments) -> str:
    """Return why a video cannot be decoded again; empty if it can."""
    record = video.record
    try:
        if record.has_unchanged_file():
            return ""
    except InputError as error:
        return valid_text(f"{record.video_id} {error.reason}, and was scanned as {str(record.path)!r}")
    return valid_text(f"{record.video_id} changed since it was scanned")


def _strata(videos: Sequence[VideoMoments]) -> tuple[Stratum, ...]:
    keys = {key for video in videos for key in video.parts}
    ordered = sorted(keys, key=lambda key: (_ROLES.index(key[0]), key[1], -1 if key[2] is None else key[2]))
    strata = []
    for role, kind, target in ordered:
        parts = [
            (len(video.parts[role, kind, target]), video.period)
            for video in videos
            if (role, kind, target) in video.parts
        ]
        seconds = sum(moments * period for moments, period in parts)
        strata.append(Stratum(role, kind, target, sum(moments for moments, _ in parts), seconds))
    empty = sum(video.empty.moments for video in videos)
    if empty:
        strata.append(Stratum("empty", "", None, empty, sum(video.empty.moments * video.period for video in videos)))
    return tuple(strata)


def _draw_pictures(stratum: Stratum, number: int) -> DrawnStratum:
    return DrawnStratum(**asdict(stratum), drawn=number)


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Draft:
    """A sample, and {moment's id: its pictures}."""

    sample: AuditSample
    pictures: dict[str, MomentPicture]


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A drawn moment, and the boxes to draw into its frame."""

    item: AuditItem
    video: VideoMoments
    boxes: tuple[tuple[float, float, float, float], ...]


def _draw(population: _Population, answer: LastAnswer, count: int, seed: int, interrupted: _Interrupted) -> _Draft:
    numbers = allocate(population.strata, count)
    chosen = [
        one
        for place, (stratum, number) in enumerate(zip(population.strata, numbers, strict=True))
        if stratum.role != "empty"
        for one in _choose(population, place, stratum, choose_rows(stratum, number, seed), len(answer.targets))
    ]
    pictures: dict[str, MomentPicture] = {}
    for shot in _shoot(_frame_jobs(chosen), interrupted):
        pictures[chosen[shot.place].item.id] = MomentPicture(shot.frame, shot.close)
    items = [one.item for one in chosen if one.item.id in pictures]
    if population.strata[-1].role == "empty":
        found = _draw_empty(population, numbers[-1], seed, len(answer.targets), interrupted)
        items += found
        pictures |= {item.id: picture for item, picture in found.items()}
    stream(seed, "order").shuffle(items)
    drawn = np.bincount([item.stratum for item in items], minlength=len(numbers)).tolist()
    sample = AuditSample(
        answer=answer.digest,
        seed=seed,
        targets=tuple(map(valid_text, answer.targets)),
        strata=tuple(_draw_pictures(stratum, number) for stratum, number in zip(population.strata, drawn, strict=True)),
        items=tuple(items),
        left_out=population.left_out,
        lost=sum(numbers) - len(items),
    )
    return _Draft(sample, pictures)


def _choose(
    population: _Population, place: int, stratum: Stratum, rows: Sequence[int], num_targets: int
) -> Iterator[_Chosen]:
    """Yield the moments at some places of a stratum, video by video."""
    parts = population.parts(stratum)
    ends = list(accumulate(len(part) for _, part in parts))
    for row in rows:
        number = bisect_right(ends, row)
        video, part = parts[number]
        row_in_part = row - (ends[number - 1] if number else 0)
        pts = int(part.pts[row_in_part])
        x1, y1, x2, y2 = part.boxes[row_in_part].tolist()
        box = None if np.isnan(x1) else (x1, y1, x2, y2)
        taken = video.targets_at.get(pts, frozenset()) if stratum.role == "beside" else frozenset()
        item = AuditItem(
            id=item_id([stratum.key, video.record.video_id, pts, box]),
            stratum=place,
            video=valid_text(video.record.video_id),
            time=float(part.time[row_in_part]),
            pts=pts,
            period=video.period,
            target=stratum.target,
            box=box,
            choices=tuple(target for target in range(num_targets) if target not in taken),
        )
        if stratum.role != "beside":
            yield _Chosen(item, video, () if box is None else (box,))
            continue
        boxes = video.seen.boxes[video.seen.pts == pts].tolist()
        yield _Chosen(item, video, tuple((a, b, c, d) for a, b, c, d in boxes if not np.isnan(a)))


def _frame_jobs(chosen: Sequence[_Chosen]) -> Iterator[FramesJob]:
    """Yield jobs for several frames of one video, adjacent frames together."""
    order = sorted(range(len(chosen)), key=lambda number: (chosen[number].item.video, chosen[number].item.pts, number))
    job: list[int] = []
    for number in order:
        if job and (len(job) == _PICTURES_A_JOB or chosen[number].video is not chosen[job[0]].video):
            yield _frames_job(chosen, job)
            job = []
        job.append(number)
    if job:
        yield _frames_job(chosen, job)


def _frames_job(chosen: Sequence[_Chosen], numbers: Sequence[int]) -> FramesJob:
    wanted = (
        FramePicture(number, chosen[number].item.pts, chosen[number].boxes, chosen[number].item.box)
        for number in numbers
    )
    return FramesJob(chosen[numbers[0]].video.info, tuple(wanted))


def _draw_empty(
    population: _Population, wanted: int, seed: int, num_targets: int, interrupted: _Interrupted
) -> dict[AuditItem, MomentPicture]:
    """Draw moments without a face. A grid cell without the start of a decodable frame is no moment.

    Free cells are taken in random order until the wanted number had a frame, so each moment is equally likely.
    """
    videos = population.videos
    ends = list(accumulate(video.empty.num_free for video in videos))
    chance, total, seen = stream(seed, "empty"), ends[-1], set[int]()
    place = len(population.strata) - 1
    found: dict[AuditItem, MomentPicture] = {}
    while len(found) < wanted and len(seen) < total:
        fresh: list[int] = []
        while len(fresh) < wanted - len(found) and len(seen) < total:
            free = chance.randrange(total)
            if free not in seen:
                seen.add(free)
                fresh.append(free)
        jobs = _cell_jobs(videos, ends, fresh)
        for job, shots in _answers(jobs, interrupted):
            video = videos[job.video]
            taken = set(video.seen.pts.tolist())
            for shot in shots:
                if shot.pts in taken:
                    continue
                item = AuditItem(
                    id=item_id(["empty", video.record.video_id, shot.pts]),
                    stratum=place,
                    video=valid_text(video.record.video_id),
                    time=float(video.info.frame_time(shot.pts)),
                    pts=shot.pts,
                    period=video.period,
                    target=None,
                    box=None,
                    choices=tuple(range(num_targets)),
                )
                found[item] = MomentPicture(shot.frame)
    return dict(sorted(found.items(), key=lambda pair: (pair[0].video, pair[0].pts)))


def _cell_jobs(videos: Sequence[VideoMoments], ends: Sequence[int], places: Iterable[int]) -> Iterator[CellsJob]:
    cells: dict[int, list[int]] = {}
    for place in sorted(places):
        number = bisect_right(ends, place)
        video = videos[number]
        cells.setdefault(number, []).append(video.empty.cell(place - (ends[number - 1] if number else 0)))
    for number, wanted in cells.items():
        for start in range(0, len(wanted), _PICTURES_A_JOB):
            some = tuple(wanted[start : start + _PICTURES_A_JOB])
            yield CellsJob(number, videos[number].info, videos[number].empty.size, some)


def _thumbnails(
    photos: Sequence[str], targets: Sequence[str], observer: Observer, interrupted: _Interrupted
) -> dict[int, bytes]:
    """Return {place of a target: small picture of its first readable photo}."""
    sources = collect(photos)
    if sources.faults:
        raise ConfigError([f"target {fault}" for fault in sources.faults])
    # The loose photos of one face became one person, named after their folder.
    folders = {folder: make_label(folder.absolute().name) for folder in sources.loose}
    labels = [(photo.path, (photo.label, folders.get(photo.path.parent, ""))) for photo in sources.photos]
    shown = [(path, next((label for label in both if label in targets), "")) for path, both in labels]
    jobs = [PhotoJob(targets.index(label), path) for path, label in shown if label]
    firsts = {job.target: job for job in reversed(jobs)}
    found = {shot.place: shot.frame for shot in _shoot(firsts.values(), interrupted)}
    if photos and (missing := [label for place, label in enumerate(targets) if place not in found]):
        observer.note(f"no photo is shown of: {', '.join(missing)}")
    return found


def _shoot(jobs: Iterable[Any], interrupted: _Interrupted) -> Iterator[FrameImages]:
    return (shot for _, shots in _answers(jobs, interrupted) for shot in shots)


def _answers(jobs: Iterable[Any], interrupted: _Interrupted) -> Iterator[tuple[Any, list[FrameImages]]]:
    """Yield the pictures of each job; nothing for a job that failed.

    Raises:
        SpaceError: No space is left.
    """
    pool = ProcessPool("auditor", "fastface.export.frame_process:serve", num_cores(), None)
    with closing(TaskRun(pool, jobs, interrupted).results()) as results:
        for job, result in results:
            if isinstance(result, TaskFailed):
                if result.kind == SpaceError.__name__:
                    raise SpaceError(result.reason)
                continue
            yield job, result
