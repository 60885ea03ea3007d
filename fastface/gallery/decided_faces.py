"""Hold the user's decisions on the faces of one video, by row. Pure array code for the matching."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastface.types import Faces, FaceTracks


@dataclass(frozen=True, slots=True)
class DecidedFaces:
    """Decisions on n faces.

    Attributes:
        owner: (n,) int32, number of the target that a face was confirmed for; -1 for none.
        rejected: {number of a target: (n,) true for faces that were rejected for it}; targets may be missing. A face
            that is confirmed for a target is not rejected for it.
        for_everyone: (n,) true for faces that were rejected as hits on every face.
    """

    owner: npt.NDArray[np.int32]
    rejected: Mapping[int, npt.NDArray[np.bool_]]
    for_everyone: npt.NDArray[np.bool_]

    def find_rejected(self, target: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Return (n,) true for a face that was rejected for its target (n,)."""
        found = np.zeros(len(target), np.bool_)
        for number, is_rejected in self.rejected.items():
            found |= is_rejected & (target == number)
        return found

    def find_any(self) -> npt.NDArray[np.bool_]:
        """Return (n,) true for faces with a decision for any target."""
        found = self.owner >= 0
        for is_rejected in self.rejected.values():
            found |= is_rejected
        return found

    def by_track(self, faces: Faces, tracks: FaceTracks) -> "DecidedTracks":
        """Return the decisions on the tracks of these faces: on whole tracks, and on parts of them."""
        place = np.searchsorted(tracks.number, faces.tracks)

        def count(is_chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
            return np.bincount(place[is_chosen], minlength=len(tracks))

        rejected = {number: count(is_rejected) for number, is_rejected in self.rejected.items()}
        confirmed = {number: count(self.owner == number) for number in np.unique(self.owner).tolist() if number >= 0}
        owner = np.full(len(tracks), -1, np.int32)
        for number, counts in confirmed.items():
            owner[counts >= tracks.faces] = number
        nothing = np.zeros(len(tracks), np.int64)
        return DecidedTracks(
            owner,
            denied={number: counts >= tracks.faces for number, counts in rejected.items()},
            touched={
                number: rejected.get(number, nothing) + confirmed.get(number, nothing) > 0
                for number in {**rejected, **confirmed}
            },
        )


@dataclass(frozen=True, slots=True)
class DecidedTracks:
    """Decisions on t tracks.

    Attributes:
        owner: (t,) int32, number of the target that all faces of the track were confirmed for; -1 for none.
        denied: {number of a target: (t,) true for tracks of which all faces were rejected for it}.
        touched: {number of a target: (t,) true for tracks of which any face was confirmed or rejected for it}.
    """

    owner: npt.NDArray[np.int32]
    denied: Mapping[int, npt.NDArray[np.bool_]]
    touched: Mapping[int, npt.NDArray[np.bool_]]

    def find_touched(self, target: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Return (t,) true for a track with a decision for its target (t,)."""
        found = np.zeros(len(target), np.bool_)
        for number, is_touched in self.touched.items():
            found |= is_touched & (target == number)
        return found
