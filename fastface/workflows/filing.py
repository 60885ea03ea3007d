"""What is written of a scanned unit and of a finished video: tracks, pictures, the files of the index.

All of it is done in the background, with nothing but what is given: see `workflows.background`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastface.errors import InputError
from fastface.faces.portraits import choose_portraits
from fastface.faces.succession import max_gap_seconds
from fastface.failpoints import fail_point
from fastface.identities.body_tracks import link_bodies
from fastface.identities.tracks import link_tracks
from fastface.index.bodies import with_best_pictures
from fastface.index.portraits import best_of_tracks, rows_of
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.store import VideoIndex
from fastface.pipeline.events import UnitScanned
from fastface.types import Bodies, FacePictures, Faces, VideoInfo
from fastface.video.fingerprint import fingerprint
from fastface.workflows.recipe import Recipe
from fastface.workflows.verdict import judge

__all__ = ["Filing", "Seen"]

_CHANGED = "the file changed while it was read"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the units of a video have found, in order."""

    faces: list[Faces]
    portraits: list[FacePictures]
    bodies: list[Bodies]


@dataclass(frozen=True, slots=True)
class Filing:
    """Writes into the index folder `root` as the recipe says."""

    root: Path
    recipe: Recipe

    def write_unit(self, event: UnitScanned, record: UnitRecord, info: VideoInfo | None) -> None:
        """Writes what a unit has found.

        Args:
            event: The unit.
            record: What the ledger will say of it.
            info: The video; None for a closer look at one that is finished.

        Raises:
            SpaceError, ConfigError: It cannot be written.
        """
        kept, bodies = self.portraits_of(event, info), None
        if len(kept):
            kept = best_of_tracks(kept, replace(event.faces, track=self._linked(info, event.faces)))
        if record.bodies is not None:
            bodies = with_best_pictures(self._linked_bodies(info, event.bodies, event.faces))
        index = VideoIndex(self.root, event.unit.video_id)
        index.write_unit(record, event.faces, self.recipe.metadata, kept, bodies=bodies)

    def portraits_of(self, event: UnitScanned, info: VideoInfo | None) -> FacePictures:
        """The pictures of a unit's faces that are the same for any batches and processes.

        Args:
            event: The unit.
            info: The video; None for a closer look, of which there are no pictures.
        """
        if not len(event.portraits) or info is None:
            return FacePictures.empty()
        rows, faces = rows_of(event.portraits, event.faces), event.faces
        worth = np.full(len(faces), -1, np.float32)
        worth[rows] = event.portraits.worth
        max_gap = max_gap_seconds(self.recipe.period, is_film=info.is_film)
        chosen = choose_portraits(faces, worth, np.isin(faces.pts, event.due), max_gap)
        kept = event.portraits[chosen[rows]]
        assert kept.taken.all(), event.unit
        return kept

    def read_units(self, video_id: str, units: Sequence[UnitRecord]) -> Seen:
        """What the units of a video have found that are not lost.

        Raises:
            FaceIndexError: A file is missing or damaged.
        """
        index, whole = VideoIndex(self.root, video_id), [unit for unit in units if not unit.lost]
        return Seen(index.unit_faces(whole), index.unit_portraits(whole), index.unit_bodies(whole))

    def write_video(self, record: VideoRecord, units: Sequence[UnitRecord], read: Callable[[], Seen]) -> VideoRecord:
        """Writes what all units of a video have found; gives the record with the video's final state.

        Args:
            record: The video as it was probed.
            units: All its units.
            read: Gives what they have found.

        Raises:
            SpaceError, ConfigError: It cannot be written.
            FaceIndexError: A file of a unit is missing or damaged.
        """
        verdict = judge(units, record.info.duration if record.info else None)
        state, reason = verdict.state, verdict.reason
        if change := _change(record):
            # Its fingerprint is forgotten, so that another run looks at it again even if it comes back as it was.
            record = replace(record, fingerprint="")
            state = "unstable" if change == _CHANGED else "partial" if state == "done" else state
            reason = change if change == _CHANGED or not reason else f"{change}: {reason}"
        fail_point("scan.merge")
        seen, recipe = read(), self.recipe
        portraits = FacePictures.concatenate([FacePictures.empty(), *seen.portraits])
        bodies = Bodies.concatenate([Bodies.empty(), *seen.bodies])
        VideoIndex(self.root, record.video_id).write_faces(
            seen.faces,
            recipe.dimension,
            {**recipe.metadata, "fingerprint": record.fingerprint},
            partial(self._linked, record.info),
            partial(best_of_tracks, portraits, most_bytes=recipe.portrait_bytes) if len(portraits) else None,
            bodies=partial(self._finished_bodies, record.info, bodies) if recipe.has_bodies else None,
        )
        fail_point("scan.merged")
        return replace(record, state=state, reason=reason, coverage=verdict.coverage)

    def _linked(self, info: VideoInfo | None, faces: Faces) -> npt.NDArray[np.int32]:
        return link_tracks(faces, self.recipe.period, is_film=info is None or info.is_film)

    def _linked_bodies(self, info: VideoInfo | None, bodies: Bodies, faces: Faces) -> Bodies:
        return link_bodies(bodies, faces, self.recipe.period, is_film=info is None or info.is_film)

    def _finished_bodies(self, info: VideoInfo | None, bodies: Bodies, faces: Faces) -> Bodies:
        return with_best_pictures(self._linked_bodies(info, bodies, faces), self.recipe.portrait_bytes)


def _change(record: VideoRecord) -> str:
    """What happened to a file since it was probed; empty if nothing did."""
    try:
        return "" if fingerprint(record.path) == record.fingerprint else _CHANGED
    except InputError as error:
        return f"the file went away while it was read ({error.reason})"
