"""Are cuts found where an eye sees them, and how far is the threshold from each clip's changes?

    python benchmarks/shots.py [--shared ../shared] [--write]

The times were found by FFmpeg's `scdet` on every frame, at thresholds from 8 down to 2.5, and by eye on sheets of the
frames around each candidate; no code of fastface was used. They are pts in seconds, of the first frame after the cut.
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from results import add_tiny, machine, write_section

from fastface.types import Sampling
from fastface.video.frames.shots import CUT, measure_changes
from fastface.video.frames.signature import compute_signature

CUTS = {
    "azvi_billhyland.mp4": (),
    "azvi_herapheri.mp4": (12.48, 13.72),
    "azvi_testhyland.mp4": (2.102, 8.408),
    "corridor.mp4": (),
    "friends.mp4": (6.0416, 12.965, 18.429, 20.556, 24.7687),
    "hamilton.mp4": (1.511, 3.580, 7.884),
    "plastic_bubble_02.mp4": (0.12, 2.56, 5.84, 7.32, 10.8, 14.52, 21.44, 24.92),
    "street.mp4": (),
}
SLACK = 1e-3
PERIODS = (None, Fraction(1, 5), Fraction(1))
"""Every frame, the usual sampling, and one frame a second."""


def read_signatures(path: Path) -> tuple[list[float], np.ndarray]:
    """Seconds and signature of every frame."""
    times, signatures = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            height = round(640 * frame.height / frame.width / 2) * 2
            picture = frame.reformat(640, height, "bgr24", interpolation="BILINEAR").to_ndarray()
            times.append(float(frame.time))
            signatures.append(compute_signature(picture))
    return times, np.array(signatures)


def changes_of(times: list[float], signatures: np.ndarray, cuts: tuple[float, ...], period: Fraction | None):
    """(changes at cuts, changes elsewhere) of consecutive samples; beside a cut a frame may be blended of two."""
    sampling = Sampling(period)
    cells = [sampling.cell(Fraction(time - times[0] + 1e-9)) for time in times]
    rows = [n for n in range(len(times)) if period is None or n == 0 or cells[n] != cells[n - 1]]
    shown = np.array(times)[rows]
    is_cut = np.zeros(len(rows) - 1, bool)
    for cut in cuts:
        is_cut |= (shown[:-1] < cut - SLACK) & (cut - SLACK <= shown[1:])
    is_near = np.convolve(is_cut, np.ones(3), "same") > 0 if period is None else is_cut
    change = measure_changes(signatures[rows[:-1]], signatures[rows[1:]], least=0)
    return change[is_cut], change[~is_near]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    folder = options.shared / "media" / "clips"
    paths = sorted(folder.iterdir())[:2] if options.tiny else [folder / name for name in CUTS]
    clips = {path.name: read_signatures(path) for path in paths}
    lines = [machine(), "", f"`python benchmarks/shots.py`: a cut is a change from {CUT} on."]
    for period in PERIODS:
        lines += ["", "Every frame" if period is None else f"A frame each {float(period):g} s", ""]
        lines += table({name: changes_of(*clip, CUTS.get(name, ()), period) for name, clip in clips.items()})
    text = "\n".join(lines)
    print(text)
    if options.write:
        write_section("Cuts", text)


def table(found: dict[str, tuple[np.ndarray, np.ndarray]]) -> list[str]:
    """A row a clip; the last column is of the threshold that the other clips alone would give."""
    lines = [
        "| clip | cuts | found | false | lowest cut | highest other | threshold of the others: found, false |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (at, other) in found.items():
        rest = [pair for key, pair in found.items() if key != name]
        low = max((float(elsewhere.max()) for _, elsewhere in rest), default=0.0)
        high = min((float(cut.min()) for cut, _ in rest if len(cut)), default=2.0)
        middle = max(low, 1e-4) ** 0.5 * high**0.5
        lowest = f"{at.min():.3f}" if len(at) else ""
        lines.append(
            f"| {name} | {len(at)} | {(at >= CUT).sum()} | {(other >= CUT).sum()} of {len(other)} "
            f"| {lowest} | {other.max():.4f} | {middle:.4f}: {(at >= middle).sum()}, {(other >= middle).sum()} |"
        )
    return lines


if __name__ == "__main__":
    main()
