"""Write OUT/targets: pictures that show which face was taken from each photo with several faces.

`commands.run` calls it after the photos are read. The ledger records the pictures as exports.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from fastface.export.frame_jobs import PhotoJob
from fastface.files import private_folder, remove_empty, write_atomic
from fastface.gallery.references import PhotoReport
from fastface.names import pluralize, safe_name
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.runtime.context import RunContext

_FOLDER = "targets"
_SERVE = "fastface.export.frame_process:serve"
_NAME_BYTES = 100


def write_taken_faces(context: RunContext, reports: Sequence[PhotoReport]) -> None:
    """Draw each photo with several faces with a box around the taken face, and remove outdated pictures.

    A photo that cannot be read any more is omitted.

    Raises:
        InterruptError: The user stopped it.
        SpaceError: No space is left.
    """
    root, known = context.out.root, context.ledger.exports()
    several = [report for report in reports if report.used and report.taken_box is not None]
    wanted = {f"{_FOLDER}/{_file_name(report)}": (report, _key(report)) for report in several}
    for path in [path for path in known if path.partition("/")[0] == _FOLDER and path not in wanted]:
        (root / path).unlink(missing_ok=True)
        context.ledger.forget_export(path)
        remove_empty((root / path).parent, root)
    missing = [
        path for path, (_, key) in wanted.items() if known.get(path, ("",))[0] != key or not (root / path).exists()
    ]
    if missing:
        private_folder(root / _FOLDER)
    jobs = [
        PhotoJob(place, Path(wanted[path][0].source), wanted[path][0].taken_box) for place, path in enumerate(missing)
    ]
    pool = ProcessPool("photos", _SERVE, 1, None)
    with closing(TaskRun(pool, jobs, context.interruption).results()) as results:
        for job, result in results:
            if isinstance(result, TaskFailed):
                continue
            (shot,) = result
            path = missing[job.target]
            write_atomic(root / path, shot.frame, private=True)
            context.ledger.put_export(path, wanted[path][1], "{}")
    if missing:
        context.observer.note(
            f"{pluralize(len(wanted), 'photo')} with several faces: see which was taken in {root / _FOLDER}"
        )


def _file_name(report: PhotoReport) -> str:
    """Return the file name of a photo: person, photo and digest."""
    digest = hashlib.sha256(report.source.encode()).hexdigest()[:6]
    return f"{safe_name(f'{report.label} {Path(report.source).stem} {digest}', _NAME_BYTES)}.jpg"


def _key(report: PhotoReport) -> str:
    """Digest the photo's path, size and time of change, and the box."""
    try:
        status = Path(report.source).stat()
        facts = (report.source, status.st_size, status.st_mtime_ns, report.taken_box)
    except (OSError, ValueError):
        facts = (report.source, 0, 0, report.taken_box)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]
