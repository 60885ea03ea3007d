"""Make portraits of persons without a picture from the scan: decode one frame for each such person.

`files` calls `decode_portraits`. Such persons exist if a video has too many tracks for one picture each within
`scan.portrait_mb`.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.census.census import Census
from fastface.errors import InputError
from fastface.export.jobs import ExportSettings, PortraitJob, PortraitsJob
from fastface.faces.portraits import portrait_worth
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.names import pluralize
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.runtime.context import RunContext


@dataclass(frozen=True, slots=True)
class BestFace:
    """The best face of a person without a picture."""

    place: int  # place of the person among the listed persons
    video: int  # number of the video
    worth: float
    quality: float
    time: float
    track: int
    pts: int
    landmarks: tuple[float, ...]


def decode_portraits(
    context: RunContext, census: Census, places: npt.NDArray[np.int64]
) -> Iterator[tuple[BestFace, bytes]]:
    """Decode one frame for each person with faces and no picture; log the reason if this fails.

    Args:
        context: Run context.
        census: All persons.
        places: Places of the persons without a picture, ascending.

    Yields:
        The face and its JPEG picture.
    """
    best: dict[int, BestFace] = {}
    for video in range(len(census.table.records)):
        for face in _best_faces(context, census, video, places):
            if face.place not in best or face.worth > best[face.place].worth:
                best[face.place] = face
    jobs, reasons = [], ["no whole frame shows the face"] * (len(places) - len(best))
    for video in sorted({face.video for face in best.values()}):
        record = census.table.records[video]
        wanted = [face for face in best.values() if face.video == video]
        if reason := _obstacle(context, record):
            reasons += [reason] * len(wanted)
            continue
        assert record.info is not None
        portraits = tuple(PortraitJob(face.place, face.pts, face.landmarks) for face in wanted)
        jobs.append(PortraitsJob(record.info, portraits))
    drawn = dict(_draw(context, jobs, reasons)) if jobs else {}
    yield from ((best[place], jpeg) for place, jpeg in sorted(drawn.items()))
    for reason in dict.fromkeys(reasons):
        context.observer.note(f"{pluralize(reasons.count(reason), 'person')} without a picture: {reason}")


def _best_faces(context: RunContext, census: Census, video: int, places: npt.NDArray[np.int64]) -> Iterator[BestFace]:
    """Yield the best face in a video of each of the given persons; the first one if several are equally good."""
    own, record = census.table.tracks.video_rows(video), census.table.records[video]
    if not np.isin(census.label[own], places).any():
        return
    assert record.info is not None
    faces = VideoIndex(context.out.index, record.video_id).faces()
    place = census.label[own][np.searchsorted(census.table.tracks.number[own], faces.tracks)]
    worth = portrait_worth(faces, record.info.size)
    rows = np.flatnonzero(np.isin(place, places) & ~faces.damaged)
    rows = rows[np.lexsort((rows, -worth[rows], place[rows]))]
    _, firsts = np.unique(place[rows], return_index=True)
    for row in rows[firsts].tolist():
        yield BestFace(
            place=int(place[row]),
            video=video,
            worth=float(worth[row]),
            quality=float(faces.quality[row]),
            time=float(faces.time[row]),
            track=int(faces.tracks[row]),
            pts=int(faces.pts[row]),
            landmarks=tuple(faces.landmarks[row].reshape(-1).tolist()),
        )


def _obstacle(context: RunContext, record: VideoRecord) -> str:
    """Return the reason why no frame of a video can be decoded for a picture; empty if one can."""
    video_id = record.video_id
    if not VideoIndex(context.out.index, video_id).portraits_path.exists():
        return f"{video_id} was scanned without pictures (scan.portrait_mb = 0)"
    room = "scan.portrait_mb is used up"
    try:
        if not record.has_unchanged_file():
            return f"{room}, and {video_id} changed since it was scanned"
    except InputError as error:
        return f"{room}, and {video_id} {error.reason}"
    return ""


def _draw(context: RunContext, jobs: Sequence[PortraitsJob], reasons: list[str]) -> Iterator[tuple[int, bytes]]:
    """Yield (place, JPEG) of each face whose frame can be decoded; add a reason to `reasons` for each other face."""
    settings = ExportSettings(context.networks.device, 1, context.networks.cache)
    pool = ProcessPool("exporter", "fastface.export.process:serve", 1, settings)
    with closing(TaskRun(pool, jobs, context.interruption).results()) as errands:
        for job, result in errands:
            if isinstance(result, TaskFailed):
                reasons += [f"{job.info.video_id}: {result.reason}"] * len(job.portraits)
                continue
            yield from result.items()
            num_lost = len(job.portraits) - len(result)
            reasons += [f"{job.info.video_id}: its frame could not be decoded again"] * num_lost
