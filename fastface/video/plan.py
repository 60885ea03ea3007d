"""A video's units: stretches between keyframes that are decoded, retried and committed apart. Pure."""

from fractions import Fraction

from fastface.types import Sampling, Unit
from fastface.video.probe import Probe


def plan_units(probe: Probe, sampling: Sampling, unit_seconds: float) -> tuple[Unit, ...]:
    """Units that together cover [0, ∞), each about `unit_seconds` long.

    A unit begins on the first cell edge of the sampling grid at or after a keyframe, so that decoding it wastes less
    than one sample period, and so that its samples are those that one pass over the whole video would take.

    Args:
        probe: The video, with the times at which decoding may begin.
        sampling: The grid.
        unit_seconds: The length aimed at.
    """
    length = Fraction(unit_seconds).limit_denominator(1000)
    edges = [Fraction(0)]
    for cut in probe.cuts:
        edge = _edge(cut, sampling)
        if edge - edges[-1] >= length:
            edges.append(edge)
    duration = probe.info.duration
    # A short rest joins the unit before it: starting a decoder costs more than half a unit more in one piece.
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
