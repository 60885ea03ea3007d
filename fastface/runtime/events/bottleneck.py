"""Name the part of the pipeline that limits a scan, and the settings that help.

`run -v`, `scan -v` and `bench` print it. Decoders wait for free slots if the networks are slower; workers wait for
frames if decoding is slower.
"""

from collections.abc import Mapping

_DECODER_STEPS = ("read", "decode", "copy", "canvas")
_WORKER_STEPS = ("detect", "turn", "align", "embed", "persons", "picture")

_CLEAR_WAIT = 0.15
"""Share of its time that one side must wait more than the other. Below, both work all the time."""
_SLOW_DISK = 0.5
"""Share of the decoders' work above which the disk limits them: an idle disk takes a few percent."""

_WORDS = {
    "read": ("reading the files", "put the videos on a faster disk; more processes do not help"),
    "decode": (
        "decoding",
        "a lower --sample-fps, --profile fast, or more --decoders if cores are free",
    ),
    "detect": (
        "finding faces",
        "a smaller --det-size, a lower --sample-fps, a graphics card, or more --workers if cores are free",
    ),
    "embed": (
        "recognising faces",
        "a smaller --pack of networks, a larger --min-face, a graphics card, or more --workers if cores are free",
    ),
    "persons": (
        "finding persons",
        "scans without bodies (scan.track = faces), a graphics card, or more --workers if cores are free",
    ),
}
"""{step: (description, settings that help)}"""


def describe_bottleneck(seconds: Mapping[str, float]) -> str:
    """Describe what limits a scan in two sentences; empty if no time was measured.

    Args:
        seconds: {step: seconds, summed over all processes}, as in run.json.
    """
    decoders = sum(seconds.get(step, 0.0) for step in _DECODER_STEPS)
    workers = sum(seconds.get(step, 0.0) for step in _WORKER_STEPS)
    if not decoders or not workers:
        return ""
    decoders_wait = _share(seconds.get("wait_slot", 0.0), decoders)
    workers_wait = _share(seconds.get("wait_batch", 0.0), workers)
    largest = max(_WORDS, key=lambda step: seconds.get(step, 0.0))
    is_even = abs(decoders_wait - workers_wait) < _CLEAR_WAIT
    if is_even and largest != "read":
        words, remedy = _WORDS[largest]
        return f"The processor limits this scan. Most of its time goes to {words}. What helps: {remedy}."
    if is_even:
        step, reason = largest, f"it is {seconds['read'] / decoders:.0%} of the decoders' work"
    elif decoders_wait > workers_wait:
        step = max(("detect", "embed", "persons"), key=lambda step: seconds.get(step, 0.0))
        reason = f"decoders waited {decoders_wait:.0%} of their time for the networks"
    else:
        step = "read" if seconds.get("read", 0.0) > _SLOW_DISK * decoders else "decode"
        reason = f"the networks waited {workers_wait:.0%} of their time for frames"
    words, remedy = _WORDS[step]
    return f"{words.capitalize()} limits this scan: {reason}. What helps: {remedy}."


def _share(waiting: float, working: float) -> float:
    return waiting / (waiting + working)
