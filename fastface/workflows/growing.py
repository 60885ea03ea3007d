"""`--grow`: a gallery that grows out of the index before it is asked."""

from collections.abc import Iterable
from pathlib import Path

from fastface.config import GrowthConfig
from fastface.export.tables import is_growth, write_growth
from fastface.gallery.growth import Grower, GrowthRule
from fastface.index.records import VideoRecord
from fastface.types import Gallery
from fastface.workflows.desk import Desk
from fastface.workflows.find import Finder

__all__ = ["forget_growth", "grow"]

_TABLE = "bank_growth.csv"

_LEAD = 0.2
"""Lead over every other person that a track needs to give references. Measured on films with ten targets: strangers'
tracks lead by at most 0.09, those of targets by 0.28 and more."""


def grow(desk: Desk, finder: Finder, gallery: Gallery, records: Iterable[VideoRecord]) -> Gallery:
    """The gallery with faces of the index that are surely a target's; the evidence goes to bank_growth.csv.

    Args:
        desk: The command's.
        finder: What asks the index for the gallery.
        gallery: The photos' own.
        records: Videos whose faces may join.

    Raises:
        SpaceError: No space is left.
    """
    settings = desk.config.growth
    grower = Grower(gallery, _rule(settings, desk.limits.enter, desk.limits.margin))
    for record, faces in finder.faces(records):
        grower.take(record.video_id, faces)
    grown, evidence = grower.grown()
    write_growth(desk.out.root / _TABLE, evidence)
    num_anchors = sum(len(target.embeddings) for target in gallery.targets)
    desk.observer.note(f"the bank grew from {num_anchors} to {num_anchors + len(evidence)} references: {_TABLE}")
    return grown


def forget_growth(root: Path) -> None:
    """Removes the evidence of an earlier question, which is answered no more; a file that is another's stays."""
    table = root / _TABLE
    if table.is_file() and is_growth(table):
        table.unlink()


def _rule(settings: GrowthConfig, enter: float, margin: float) -> GrowthRule:
    threshold = settings.add_threshold
    return GrowthRule(
        threshold=enter if threshold is None else threshold,
        margin=max(_LEAD, margin),
        quality=settings.add_quality,
        most=settings.max_added,
    )
