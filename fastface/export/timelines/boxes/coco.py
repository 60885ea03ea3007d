"""Write COCO object detection JSON: an annotation a hit, an image a frame with hits, a category a person.

An image is called as CVAT calls a frame of a video, `frame_000123.jpg`; the first frame is 0. Source: COCO, "Data
format". A box is left, top, width and height in pixels of the file's frames.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastface.export.timelines.boxes.hit_boxes import BoxTimeline, Whole
from fastface.export.timelines.timeline import format_label


def render_coco(video: BoxTimeline) -> Iterator[str]:
    """Yield the text of `coco.json`. The video has a rate."""
    timeline = video.timeline
    rate = timeline.rate
    assert rate is not None
    width, height = timeline.stored_size
    counted = [track.count_frames(rate) for track in video.tracks]
    frames = np.unique(np.concatenate(counted)) if counted else np.empty(0, np.int64)
    categories = (
        {"id": number, "name": label, "supercategory": "person"} for number, label in enumerate(video.labels, 1)
    )
    images = (
        {"id": number, "file_name": f"frame_{frame:06}.jpg", "width": width, "height": height}
        for number, frame in enumerate(frames.tolist(), 1)
    )
    yield f'{{\n "info": {json.dumps({"description": format_label(timeline.video_id)}, ensure_ascii=False)},\n'
    yield ' "licenses": [],\n'
    yield from _format_list("categories", categories)
    yield ",\n"
    yield from _format_list("images", images)
    yield ",\n"
    yield from _format_list("annotations", _list_annotations(video, counted, frames))
    yield "\n}\n"


def _list_annotations(video: BoxTimeline, counted: Sequence[Whole], frames: Whole) -> Iterator[dict[str, Any]]:
    number, categories = 0, {label: place for place, label in enumerate(video.labels, 1)}
    for track, own in zip(video.tracks, counted, strict=True):
        images = (np.searchsorted(frames, own) + 1).tolist()
        columns = (images, video.list_stored_boxes(track), track.similarities.tolist())
        for image, (x1, y1, x2, y2), similarity in zip(*columns, strict=True):
            number += 1
            width, height = round(x2 - x1, 1), round(y2 - y1, 1)
            yield {
                "id": number,
                "image_id": image,
                "category_id": categories[track.label],
                "bbox": [x1, y1, width, height],
                "area": round(width * height, 2),
                "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]],
                "iscrowd": 0,
                "attributes": {"similarity": similarity, "track_id": track.number},
            }


def _format_list(name: str, items: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield f' "{name}": ['
    for place, item in enumerate(items):
        yield f"{',' if place else ''}\n  {json.dumps(item, ensure_ascii=False)}"
    yield "\n ]"
