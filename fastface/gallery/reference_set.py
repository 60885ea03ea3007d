"""Prepare all references of a gallery for products with the faces of many videos. Pure array code for the matching."""

from collections.abc import Iterator, Sequence
from copy import copy

import numpy as np
import numpy.typing as npt

from fastface.cosine import References, cosine_blocks, near_rows, row_blocks
from fastface.types import FloatArray, Gallery, GrownReference

NO_COSINE = -2.0
"""Value below every cosine."""

_Numbers = npt.NDArray[np.int64]


class ReferenceSet:
    """The references of a gallery's persons: targets, then lookalikes, each with a number.

    Args:
        gallery: Gallery of targets and lookalikes.

    Attributes:
        gallery: The gallery.
        num_targets: Number of targets; smaller person numbers are targets.
        num_persons: Number of targets and lookalikes.
        photos: Photo references, by person.
        photo_firsts: (persons,) row of each person's first photo; each person has at least one.
        films: Grown references from films, by person.
        film_persons: Numbers of the persons with grown references, ascending.
        film_firsts: Row of the first grown reference of each of these persons.
        rejected: {number of a target: faces that the user rejected for this target}; only targets with such faces.
    """

    def __init__(self, gallery: Gallery) -> None:
        self.gallery = gallery
        self.num_targets = len(gallery.targets)
        persons = [*gallery.targets, *gallery.lookalikes]
        self.num_persons = len(persons)
        self._numbers = {target.label: number for number, target in enumerate(gallery.targets)}
        photos, self.photo_firsts = _join([person.photo_embeddings for person in persons])
        self.photos = References(photos)
        self._set_films(gallery)

    def grown(self, gallery: Gallery) -> "ReferenceSet":
        """Return the same photos with other faces of films: those of `gallery`, which must have the same persons."""
        same = copy(self)
        same.gallery = gallery
        same._set_films(gallery)
        return same

    def _set_films(self, gallery: Gallery) -> None:
        persons = [*gallery.targets, *gallery.lookalikes]
        self.film_persons = np.array([number for number, person in enumerate(persons) if person.added], np.int64)
        grown = [persons[number] for number in self.film_persons.tolist()]
        films, self.film_firsts = _join([person.embeddings[-len(person.added) :] for person in grown])
        self.films = References(films)
        self.rejected = {
            number: References(target.rejected) for number, target in enumerate(gallery.targets) if len(target.rejected)
        }
        self._added: dict[str, list[tuple[int, GrownReference]]] = {}
        for row, one in enumerate(one for person in grown for one in person.added):
            self._added.setdefault(one.video_id, []).append((row, one))

    def find_number(self, label: str) -> int | None:
        """Return the number of the target with a label; None if there is no such target."""
        return self._numbers.get(label)

    def list_grown(self, video_id: str) -> Sequence[tuple[int, GrownReference]]:
        """List the grown references from a film: the row in `films`, and the origin of the reference."""
        return self._added.get(video_id, ())

    def __len__(self) -> int:
        return len(self.photos) + len(self.films)

    def photo_counts(self) -> _Numbers:
        """Return (persons,) the number of photos of each person."""
        return np.diff(self.photo_firsts, append=len(self.photos))

    def film_counts(self) -> _Numbers:
        """Return the number of grown references of each of `film_persons`."""
        return np.diff(self.film_firsts, append=len(self.films))

    def near(
        self, embeddings: npt.NDArray[np.float16], floor: float, others: Sequence[References] = ()
    ) -> npt.NDArray[np.int64]:
        """Return the rows whose cosine to a reference, or to one of `others`, may reach a floor: see `near_rows`."""
        return near_rows(embeddings, [self.photos, self.films, *others], floor)

    def photo_cosines(self, embeddings: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
        """Return (n, persons) cosines of embeddings to the nearest photo of each person."""
        return _largest(self.photos.cosines(embeddings), self.photo_firsts)

    def film_cosines(
        self, embeddings: npt.NDArray[np.float16], is_left_out: npt.NDArray[np.bool_] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return (n, film_persons) cosines of embeddings to the nearest grown reference of each person.

        Args:
            embeddings: (n, D) float16, L2-normalised.
            is_left_out: (n, films) true for a row that is not compared with a reference; None compares all.
        """
        found = self.films.cosines(embeddings)
        if is_left_out is not None:
            found[is_left_out] = NO_COSINE
        return _largest(found, self.film_firsts)

    def compute_rejected_cosines(
        self, embeddings: npt.NDArray[np.float16], targets: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float32]:
        """Return (n,) the cosine of each embedding to the nearest rejected face of its target; `targets` is (n,)."""
        found = np.full(len(embeddings), NO_COSINE, np.float32)
        for number, faces in self.rejected.items():
            rows = np.flatnonzero(targets == number)
            for block in row_blocks(len(rows), len(faces)):
                found[rows[block]] = faces.cosines(embeddings[rows[block]]).max(axis=1)
        return found

    def blocks(
        self,
        embeddings: npt.NDArray[np.float16],
        tracks: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None,
    ) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        """Yield blocks of rows, and (rows, persons) cosines to each person's nearest reference.

        Args:
            embeddings: (n, D) float16, L2-normalised, of the gallery's contract.
            tracks: Track numbers of the embeddings (n,), and of the grown references. An embedding is not compared with
                references of its own track. None compares all.
        """
        for block in row_blocks(len(embeddings), len(self)):
            rows = embeddings[block]
            nearest = self.photo_cosines(rows)
            if len(self.film_persons):
                is_own = None if tracks is None else tracks[0][block, None] == tracks[1]
                by_films = self.film_cosines(rows, is_own)
                nearest[:, self.film_persons] = np.maximum(nearest[:, self.film_persons], by_films)
            yield block, nearest

    def own_cosines(
        self, embeddings: npt.NDArray[np.float16], targets: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.float32]:
        """Return (n,) the cosine of each embedding to the nearest reference of its target; `targets` is (n,)."""
        found = np.empty(len(embeddings), np.float32)
        for target in np.unique(targets).tolist():
            rows = np.flatnonzero(targets == target)
            for block, cosines in cosine_blocks(embeddings[rows], self.gallery.targets[target].embeddings):
                found[rows[block]] = cosines.max(axis=1)
        return found


def _join(parts: Sequence[FloatArray]) -> tuple[FloatArray, _Numbers]:
    """Concatenate the rows of all parts, and return the first row of each part."""
    rows = np.concatenate(parts) if parts else np.empty((0, 0), np.float32)
    return rows, np.cumsum([0, *(len(part) for part in parts[:-1])])[: len(parts)].astype(np.int64)


def _largest(cosines: npt.NDArray[np.float32], firsts: _Numbers) -> npt.NDArray[np.float32]:
    """Return (n, groups) the maximum of each group of adjacent columns; `firsts` are their first columns."""
    if cosines.shape[1] == len(firsts):
        return cosines
    largest: npt.NDArray[np.float32] = np.maximum.reduceat(cosines, firsts, axis=1)
    return largest
