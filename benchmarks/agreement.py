"""Does fastface find what insightface's own classes find, one image at a time, on the same frames?

    python benchmarks/agreement.py [--shared ../shared] [--precision float32] [--write]
    PYTHONPATH=tests/support/bfloat16_machine python benchmarks/agreement.py --precision bfloat16 [--write]

The second is for a processor without bfloat16: it emulates one, with a cache of its own.

The reference is every frame of four real clips through insightface's own classes (det_500m at 640×640, w600k_mbf):
hits at cosine ≥ 0.40. fastface runs with `--every-frame --det-size 640x640`, the same threshold, and each face judged
by itself, as they do. A hit is common if the other side has one at the same time with a box IoU ≥ 0.9; every other hit
is told with its distance from the threshold. Then the spans of the default sampling with exact boundaries are compared
with those of every frame.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from results import add_tiny, machine, write_section

import fastface

THRESHOLD = 0.40
MIN_IOU = 0.9
SAME_TIME_SECONDS = 0.002
CLIPS = {"friends": "friends", "hamilton": "hamilton", "azvi_billhyland": "hyland", "azvi_testhyland": "hyland"}


@dataclass(frozen=True)
class Hit:
    """One face of one target: seconds, cosine, x1, y1, x2, y2."""

    time: float
    similarity: float
    box: tuple[float, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    add_tiny(parser)
    options = parser.parse_args()
    lines = [
        "| clip | target | reference hits | common | others, farthest from the threshold "
        "| median similarity difference | span IoU, default against every frame |",
        "|---|---|---|---|---|---|---|",
    ]
    totals = [0, 0]
    is_emulated = "bfloat16_machine" in os.environ.get("PYTHONPATH", "")
    with tempfile.TemporaryDirectory() as folder:
        if is_emulated:  # what is noted of the emulated processor must not be taken for the real one's
            os.environ["XDG_CACHE_HOME"] = folder
        for clip, photos in list(CLIPS.items())[: 1 if options.tiny else None]:
            lines += compare(options, clip, photos, Path(folder) / clip, totals)
    lines += ["", f"Common: {totals[0]} of {totals[1]} hits of either side ({totals[0] / totals[1]:.2%})."]
    how = f"`python benchmarks/agreement.py --precision {options.precision}`"
    if is_emulated:
        how = f"`PYTHONPATH=tests/support/bfloat16_machine` {how}: this processor has no bfloat16, which was emulated."
    text = "\n".join([machine(), "", how, "", *lines])
    print(text)
    if options.write:
        title = "Agreement with insightface"
        write_section(title if options.precision == "float32" else f"{title} in {options.precision}", text)


def compare(options: argparse.Namespace, clip: str, photos: str, out: Path, totals: list[int]) -> list[str]:
    """The table's rows for one clip."""
    shared = options.shared
    video = shared / "media" / "clips" / f"{clip}.mp4"
    targets = shared / "media" / "photos" / photos
    every = {
        "match": {"threshold": THRESHOLD, "exit_threshold": THRESHOLD, "margin": 0, "tracks": False},
        "export": {"clips": "none", "crops": "none"},
        "models": {"dir": shared / "models", "precision": options.precision},
        "spans": {"pad": (0, 0), "merge_gap": 1},
    }
    whole = fastface.run(video, targets, out / "every", scan={"every_frame": True, "det_size": "640x640"}, **every)
    sampled = fastface.run(video, targets, out / "default", **{**every, "spans": {**every["spans"], "exact": True}})
    found = hits_of(out / "every" / "hits.csv")
    reference = json.loads((shared / "media" / "reference" / f"{clip}.json").read_text())["hits"]
    rows = []
    for label, values in reference.items():
        theirs = [Hit(v[0], v[1], tuple(v[2:])) for v in values]
        ours = found.get(label, [])
        pairs = pair(theirs, ours)
        odd = [hit for hit in theirs if hit not in pairs] + [hit for hit in ours if hit not in pairs.values()]
        difference = statistics.median([abs(a.similarity - b.similarity) for a, b in pairs.items()] or [0])
        farthest = max((abs(hit.similarity - THRESHOLD) for hit in odd), default=0)
        iou = interval_iou(intervals(sampled, label), intervals(whole, label))
        totals[0] += 2 * len(pairs)
        totals[1] += len(theirs) + len(ours)
        counts = f"{len(theirs)} | {len(pairs)} | {len(odd)}, {farthest:.3f}"
        rows.append(f"| {clip} | {label} | {counts} | {difference:.4f} | {iou} |")
    return rows


def hits_of(path: Path) -> dict[str, list[Hit]]:
    """Hits that fastface wrote, by target."""
    found: dict[str, list[Hit]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = tuple(float(row[side]) for side in ("x1", "y1", "x2", "y2"))
            found.setdefault(row["target"], []).append(Hit(float(row["time"]), float(row["similarity"]), box))
    return found


def pair(theirs: list[Hit], ours: list[Hit]) -> dict[Hit, Hit]:
    """Common hits: {theirs: ours}, each once."""
    pairs: dict[Hit, Hit] = {}
    free = set(ours)
    for hit in theirs:
        near = [o for o in free if abs(o.time - hit.time) <= SAME_TIME_SECONDS and iou_of(o.box, hit.box) >= MIN_IOU]
        if near:
            pairs[hit] = near[0]
            free.remove(near[0])
    return pairs


def iou_of(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def intervals(result: fastface.RunResult, label: str) -> list[tuple[float, float]]:
    """The spans of one target."""
    return [(row.span.start, row.span.end) for row in result.spans if row.span.target == label]


def interval_iou(a: list[tuple[float, float]], b: list[tuple[float, float]]) -> str:
    """Intersection over union of two sets of disjoint intervals; a dash where both are empty."""
    both = sum(max(0.0, min(x[1], y[1]) - max(x[0], y[0])) for x in a for y in b)
    either = sum(x[1] - x[0] for x in a) + sum(y[1] - y[0] for y in b) - both
    return f"{both / either:.3f}" if either else "–"


if __name__ == "__main__":
    main()
