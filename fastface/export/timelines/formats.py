"""List the formats of timelines. A format is in one of the two tables; `types.TimelineFormat` has all names."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastface.export.timelines.boxes.ass import render_ass
from fastface.export.timelines.boxes.coco import render_coco
from fastface.export.timelines.boxes.cvat import render_cvat
from fastface.export.timelines.boxes.hit_boxes import RenderBoxes
from fastface.export.timelines.boxes.web_annotations import render_annotations, render_regions
from fastface.export.timelines.edit_lists import render_edl, render_markers
from fastface.export.timelines.elan import render_elan
from fastface.export.timelines.final_cut import render_fcp7, render_fcpxml
from fastface.export.timelines.otio import render_otio
from fastface.export.timelines.tables import render_losslesscut, render_presence
from fastface.export.timelines.timed_texts import render_chapters, render_srt, render_vtt
from fastface.export.timelines.timeline import Render
from fastface.types import TimelineFormat


@dataclass(frozen=True, slots=True)
class BoxFormat:
    """A format that shows the boxes of hits."""

    file: str  # name of its file
    render: RenderBoxes
    needs_rate: bool = False  # whether it counts frames


FORMATS: Mapping[TimelineFormat, Render] = {
    "edl": render_edl,
    "markers": render_markers,
    "fcp7": render_fcp7,
    "fcpxml": render_fcpxml,
    "otio": render_otio,
    "losslesscut": render_losslesscut,
    "srt": render_srt,
    "vtt": render_vtt,
    "chapters": render_chapters,
    "elan": render_elan,
    "annotations": render_annotations,
    "presence": render_presence,
}
"""{name of a format: its function}"""

BOX_FORMATS: Mapping[TimelineFormat, BoxFormat] = {
    "ass": BoxFormat("boxes.ass", render_ass),
    "regions": BoxFormat("regions.json", render_regions),
    "cvat": BoxFormat("cvat.xml", render_cvat, needs_rate=True),
    "coco": BoxFormat("coco.json", render_coco, needs_rate=True),
}
"""{name of a format: the format}"""
