"""Split a video into units: stretches between keyframes that are decoded, retried and committed separately. Pure.

`pipeline.decoder` calls it. The same video and sampling must give the same units in every run.
"""

from fractions import Fraction

from fastface.types import Sampling, Unit
from fastface.video.probe import Probe


def plan_units(probe: Probe, sampling: Sampling, unit_seconds: float) -> tuple[Unit, ...]:
    """Return units of about `unit_seconds` that together cover [0, ∞).

    A unit starts on the first cell edge of the sampling grid at or after a keyframe. So decoding it wastes less than
    one sample period. Its samples are the samples of one pass over the whole video.

    Args:
        probe: The video, with the times at which decoding may start.
        sampling: The sampling grid.
        unit_seconds: Target length of a unit in seconds.
    """
    length = Fraction(unit_seconds).limit_denominator(1000)
    edges = [Fraction(0)]
    for cut in probe.cuts:
        edge = _edge(cut, sampling)
        if edge - edges[-1] >= length:
            edges.append(edge)
    duration = probe.info.duration
    # A short rest joins the unit before it: starting a decoder costs more than a unit that is longer by half.
    if len(edges) > 1 and duration is not None and duration - edges[-1] < length / 2:
        edges.pop()
    ends = [*edges[1:], None]
    return tuple(
        Unit(probe.info.video_id, index, start, end, sampling)
        for index, (start, end) in enumerate(zip(edges, ends, strict=True))
    )


def _edge(time: Fraction, sampling: Sampling) -> Fraction:
    if sampling.period is None:
        return time
    return -(-time // sampling.period) * sampling.period
