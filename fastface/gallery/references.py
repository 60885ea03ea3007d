"""Load photos, folders and banks into a gallery, with a report on each photo and one list of all faults.

`enroll` calls `load_gallery`. All faults are collected first and raised together.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from fastface.cosine import cosines
from fastface.errors import ConfigError, ReferenceImageError
from fastface.gallery.bank import load_bank, save_bank
from fastface.gallery.matching import EVERYONE
from fastface.gallery.neighbours import no_check
from fastface.gallery.photo_set.duplicates import (
    ReferenceTable,
    compare_persons,
    drop_misfiled,
    like_lookalikes,
    same_faces,
    same_pictures,
    to_matrix,
    used_references,
)
from fastface.gallery.photo_set.loose_photos import describe_mixed, describe_nested, join_loose
from fastface.gallery.photo_set.photos import (
    Analyse,
    FaceChoice,
    Pick,
    Reference,
    Select,
    all_faces,
    drop_doubles,
    drop_unlike,
    pick_faces,
    tell_minorities,
)
from fastface.gallery.photo_set.sources import Photo, Sources, collect
from fastface.names import valid_text
from fastface.types import Gallery, Target

_MOST_UNUSABLE = 3
"""Maximum number of photos without a usable face that are listed for an unsorted folder; the rest are counted."""


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """Verdict on one photo, or on one entry of a bank.

    Attributes:
        source: Path of the photo.
        label: Label of the person.
        used: True if the photo is a reference.
        remarks: Reason if it is not used; else possible improvements.
        face_size: Shorter side of the face in pixels; 0 without a face.
        sharpness: Variance of the Laplacian of the aligned face; 0 without a face.
        det_score: Detector score, 0–1; 0 without a face.
        sibling_similarity: Median cosine to the person's other references; None without any.
        nearest_other: The most similar other person, target or lookalike; empty without any.
        other_similarity: Cosine to that person's most similar reference; None without any.
        resampling: Looks averaged in its embedding, for example `flip, jitter 10`; empty for one look.
        taken_box: x1, y1, x2, y2 in pixels of the chosen face, if the photo has several faces; else None.
    """

    source: str
    label: str
    used: bool
    remarks: tuple[str, ...]
    face_size: float = 0.0
    sharpness: float = 0.0
    det_score: float = 0.0
    sibling_similarity: float | None = None
    nearest_other: str = ""
    other_similarity: float | None = None
    resampling: str = ""
    taken_box: tuple[float, float, float, float] | None = None

    @property
    def line(self) -> str:
        """Format the report as one line."""
        parts = [f"{self.label}: {self.source}: {'used' if self.used else 'LEFT OUT'}"]
        if self.used:
            parts.append(f"face {self.face_size:.0f} px, sharpness {self.sharpness:.0f}")
        if self.resampling:
            parts.append(self.resampling)
        if self.sibling_similarity is not None:
            parts.append(f"similarity to own photos {self.sibling_similarity:.2f}")
        if self.other_similarity is not None:
            parts.append(f"closest other person: {self.nearest_other} ({self.other_similarity:.2f})")
        return "; ".join([*parts, *self.remarks])


@dataclass(frozen=True, slots=True)
class ReferenceRule:
    """Rule for the face of a photo that becomes a reference.

    Attributes:
        contract: Contract of the recogniser that embeds the photos.
        alike: Match threshold: minimum cosine of two faces of one person.
        faces: Choice among several faces in a photo: see `pick_faces`.
        resampling: `Resampling.name` of the looks averaged in an embedding. References of banks stay unchanged.
        tolerant: True if faults are only reported; persons with a fault are left out, or stay similar.
        dimension: Components of the recogniser's embeddings; None accepts banks of any dimension.
    """

    contract: str
    alike: float
    faces: FaceChoice = "auto"
    resampling: str = ""
    tolerant: bool = False
    dimension: int | None = None


@dataclass(frozen=True, slots=True)
class GalleryReport:
    """Report on the creation of a gallery.

    Attributes:
        photos: Reports on targets, then lookalikes, each by label, then in the order of the arguments.
        faults: Faults that the rule tolerated.
        references: References of each target, with their measures.
        remarks: Remarks on persons, for example a lookalike that may be a target.
    """

    photos: tuple[PhotoReport, ...]
    faults: tuple[str, ...]
    references: Mapping[str, tuple[Reference, ...]]
    remarks: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Format one line a photo, then the remarks on persons."""
        return tuple(photo.line for photo in self.photos) + self.remarks

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return the remarks on persons, the lines of photos with a remark, and the tolerated faults."""
        return self.remarks + tuple(photo.line for photo in self.photos if photo.remarks) + self.faults


def load_gallery(
    targets: Iterable[str | Path] | Sources,
    lookalikes: Iterable[str | Path] | Sources = (),
    *,
    analyse: Analyse,
    rule: ReferenceRule,
    check: Callable[[], None] = no_check,
    select: Select = all_faces,
) -> tuple[Gallery, GalleryReport]:
    """Make a gallery of the arguments of `-t` and `--not`.

    A photo without a usable face or of another person is left out with a remark if the person has others. Faults are
    missing paths, empty folders, damaged or foreign banks, persons without a usable photo, and targets with one face.

    Args:
        targets: Photos, folders, banks, `'*'`; or the sources that `collect` returned.
        lookalikes: Photos, folders, banks of persons that the targets must not be confused with.
        analyse: Function that finds and embeds the faces of a photo; called once a photo.
        rule: Rule for the face of a reference.
        check: Function called often while persons are compared; an exception from it stops the loading.
        select: Function that limits the faces of a photo.

    Raises:
        ConfigError: Lists all faults; or, even with a tolerant rule, there is no usable target.
        BackendError: The networks failed.
    """
    wanted, unwanted = (one if isinstance(one, Sources) else collect(one) for one in (targets, lookalikes))
    faults = [f"target {fault}" for fault in wanted.faults] + [f"--not {fault}" for fault in unwanted.faults]
    if unwanted.everyone:
        faults.append("'*' cannot be used with --not")
    alike = rule.alike
    pick = partial(
        pick_faces, analyse=analyse, alike=alike, faces=rule.faces, resampling=rule.resampling, select=select
    )
    num_before = len(faults)
    persons = _persons(wanted, pick, rule, faults, check)
    wanted, joined = join_loose(wanted, persons, alike)
    if joined:
        del faults[num_before:]
        persons = _persons(wanted, pick, rule, faults, check)
    faults += describe_nested(wanted, persons, alike)
    is_explained = bool(wanted.faults) or len(faults) > num_before or any(map(_unusable, persons.values()))
    others = _persons(unwanted, pick, rule, faults, check)
    compared = compare_persons(persons, others, alike, check)
    if compared is not None:
        drop_misfiled(compared, alike)
    for picks in chain(persons.values(), others.values()):
        tell_minorities(picks, alike)
        faults += filter(None, [_unusable(picks)])
    unseen = [f"target {fault}" for fault in _unseen(wanted, persons)]
    faults += unseen + [f"--not {fault}" for fault in _unseen(unwanted, others)]
    references, avoided = used_references(persons), used_references(others)
    if compared is not None:
        faults = _with_same_faces(faults, wanted, compared, alike)
    _check_targets(references, wanted, rule, faults, is_explained=is_explained or bool(unseen))
    gallery = Gallery(_targets(references), _targets(avoided), rule.contract, wanted.everyone)
    photos = tuple(_reports(chain(persons.values(), others.values()), compared))
    likenesses = () if compared is None else like_lookalikes(compared, alike)
    remarks = (*wanted.notes, *unwanted.notes, *joined, *likenesses)
    return gallery, GalleryReport(photos, tuple(faults), references, remarks)


def _check_targets(
    references: Mapping[str, Sequence[Reference]],
    wanted: Sources,
    rule: ReferenceRule,
    faults: list[str],
    *,
    is_explained: bool,
) -> None:
    """Raise all faults if the rule does not tolerate them, or if there is no target.

    Args:
        references: Usable references of each target.
        wanted: Sources of the targets.
        rule: Rule of the gallery.
        faults: All faults; the faults of targets are added.
        is_explained: Whether a fault already gives the reason if there is no target.

    Raises:
        ConfigError: Lists all faults.
    """
    if wanted.everyone and EVERYONE in references:
        faults.append(f"a target called {EVERYONE!r} cannot be looked for together with '*': rename it")
    has_target = wanted.everyone or bool(references)
    if not has_target and (rule.tolerant or not is_explained):
        faults.append("no usable photo: no photo, folder or bank with a usable face was given with -t")
    if not has_target or (faults and not rule.tolerant):
        raise ConfigError(faults)


def _with_same_faces(faults: list[str], wanted: Sources, compared: ReferenceTable, alike: float) -> list[str]:
    """Add the faults of persons with the same face or picture; one fault of a mixed folder stands for many of these."""
    groups = same_faces(compared, alike)
    mixed, labels = describe_mixed(wanted, [group.labels for group in groups])
    starts = tuple(map(_no_photo_message, labels))
    unusable = [fault for fault in faults if fault.startswith(starts)]
    shown = unusable if len(unusable) <= _MOST_UNUSABLE else []
    others = [group.fault for group in groups if not labels.issuperset(group.labels)]
    return [*(fault for fault in faults if fault not in unusable), *mixed, *shown, *others, *same_pictures(compared)]


def save_gallery(path: Path, gallery: Gallery, report: GalleryReport) -> None:
    """Write the targets of a gallery as a bank.

    Raises:
        ConfigError: The gallery has no target.
        SpaceError: No space is left.
    """
    if not report.references:
        raise ConfigError("no photo was given: there is nothing to write into a bank")
    save_bank(path, gallery.contract, report.references)


def _persons(
    sources: Sources,
    pick: Callable[[Sequence[Photo]], list[Pick]],
    rule: ReferenceRule,
    faults: list[str],
    check: Callable[[], None],
) -> dict[str, list[Pick]]:
    """Return {label: picks}, by label: picks of photos first, then of banks."""
    photos: dict[str, list[Photo]] = {}
    for photo in sources.photos:
        photos.setdefault(photo.label, []).append(photo)
    persons = {label: pick(found) for label, found in photos.items()}
    for path in sources.banks:
        check()
        try:
            bank = load_bank(path, rule.contract, rule.dimension)
        except ReferenceImageError as error:
            faults.append(valid_text(str(error)))
            continue
        check()
        for label, references in bank.items():
            persons.setdefault(label, []).extend(Pick(entry.source, label, entry) for entry in references)
    for picks in persons.values():
        check()
        if len(picks) > 1:
            drop_doubles(picks)
            drop_unlike(picks, rule.alike)
    return dict(sorted(persons.items()))


def _unusable(picks: Sequence[Pick]) -> str | None:
    """Return the fault of a person without a reference; None for a file that was not meant as a photo, and for tags."""
    if any(pick.reference is not None or not pick.is_meant or pick.is_tagged for pick in picks):
        return None
    reasons = "; ".join(f"{pick.source}: {', '.join(pick.remarks)}" for pick in picks)
    return f"{_no_photo_message(picks[0].label)}{reasons}"


def _no_photo_message(label: str) -> str:
    return f"{label!r} has no usable photo: "


def _targets(references: Mapping[str, Sequence[Reference]]) -> tuple[Target, ...]:
    return tuple(
        Target(label, to_matrix(found), tuple(reference.source for reference in found))
        for label, found in references.items()
    )


def _unseen(sources: Sources, persons: Mapping[str, Sequence[Pick]]) -> list[str]:
    """Return the faults of folders that contain files but no photo, such as a single read-me."""
    used = {pick.source for picks in persons.values() for pick in picks if pick.reference is not None}
    faults = []
    for folder in sources.folders:
        inside = [photo for photo in sources.photos if photo.path.is_relative_to(folder)]
        has_bank = any(bank.is_relative_to(folder) for bank in sources.banks)
        is_told = has_bank or any(photo.is_meant or valid_text(str(photo.path)) in used for photo in inside)
        if inside and not is_told:
            faults.append(f"{str(folder)!r}: no photo in it")
    return faults


def _reports(persons: Iterable[Sequence[Pick]], compared: ReferenceTable | None) -> list[PhotoReport]:
    """Report on each photo of each person; `compared` are all references, or None if there are none."""
    nearest = {} if compared is None else compared.nearest()
    reports = []
    for picks in persons:
        used = [pick.reference for pick in picks if pick.reference is not None]
        siblings: dict[int, float] = {}
        if len(used) > 1:
            between = cosines(to_matrix(used), to_matrix(used))
            medians = (float(np.median(np.delete(row, number))) for number, row in enumerate(between))
            siblings = dict(zip(map(id, used), medians, strict=True))
        for pick in picks:
            if pick.reference is not None:
                name, similarity = nearest.get(id(pick.reference), ("", None))
                reports.append(_report(pick, pick.reference, siblings.get(id(pick.reference)), name, similarity))
            elif pick.is_meant:  # a read-me beside photos needs no report
                reports.append(PhotoReport(pick.source, pick.label, used=False, remarks=tuple(pick.remarks)))
    return reports


def _report(
    pick: Pick, face: Reference, sibling_similarity: float | None, nearest: str, similarity: float | None
) -> PhotoReport:
    return PhotoReport(
        pick.source,
        pick.label,
        used=True,
        remarks=tuple(pick.remarks),
        face_size=face.face_size,
        sharpness=face.sharpness,
        det_score=face.det_score,
        sibling_similarity=sibling_similarity,
        nearest_other=nearest,
        other_similarity=similarity,
        resampling=face.resampling,
        taken_box=pick.taken_box,
    )
