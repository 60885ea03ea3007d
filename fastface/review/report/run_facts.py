"""List the faults and the facts of a run for its report, from run.json. Pure.

`report_page` calls it. All texts are shown as text by the page; file names in them may be hostile.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastface.index.video_state import STATE_WORDS
from fastface.names import pluralize
from fastface.review.report.answer import Answer

_MOST_FAULTS = 300
"""Maximum number of listed faults of one kind; of more, their number is listed."""

_COUNT_WORDS = {
    "videos": "requested videos",
    "searched": "videos searched",
    "inferred": "frames searched",
    "repeated": "frames equal to the one before",
    "blurred": "frames too blurred",
    "quarantined": "frames skipped after crashes",
    "faces": "faces",
    "unsharp": "faces not sharp enough",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A video, file or remark that the reader must know first."""

    kind: str  # word for the group, as `failed`
    what: str  # the video or file; empty for a remark
    reason: str


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts under one heading: pairs of name and value."""

    heading: str
    facts: tuple[tuple[str, str], ...]


def list_faults(answer: Answer) -> list[Fault]:
    """List what is missing or incomplete, the worst first."""
    order = {state: -place for place, state in enumerate(STATE_WORDS)}
    videos = sorted(
        (video for video in answer.videos if video.state != "done"), key=lambda video: (order[video.state], video.id)
    )
    run = answer.run
    num_hidden = sum(item["count"] for item in run["left_out"])
    return [
        *_shorten([Fault(STATE_WORDS[video.state], video.id, video.reason) for video in videos], "videos"),
        *_shorten([Fault("not exported", "", line) for line in run["export_failures"]], "exports"),
        *_shorten([Fault("skipped", item["path"], item["reason"]) for item in run["skipped"]], "inputs"),
        *([Fault("left out", pluralize(num_hidden, "file"), _sum_up(run["left_out"]))] if num_hidden else []),
        *_shorten([Fault("remark", "", line) for line in run["remarks"]], "remarks"),
    ]


def _shorten(faults: list[Fault], noun: str) -> list[Fault]:
    more = len(faults) - _MOST_FAULTS
    return faults if more <= 0 else [*faults[:_MOST_FAULTS], Fault("more", f"{more} {noun}", "all are in run.json")]


def _sum_up(left_out: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{item['reason']}: {item['count']}" for item in left_out)


def list_run_facts(run: Mapping[str, Any]) -> list[FactGroup]:
    """List the facts of a run: time, networks, thresholds, counts, settings."""
    device, models, counts = run["device"], run["models"], run["counts"]
    times = [("command", f"fastface {run['command']}"), ("answer", run["answer"])]
    times += [("expression", one) for one in run["where"]] + [("version", run["version"]), ("started", run["started"])]
    times += [("finished", run["finished"]), ("duration", f"{run['seconds']:.1f} s")]
    times += [(f"· {name}", f"{seconds:.1f} s") for name, seconds in run["phases"].items()]
    networks = [("pack", models["pack"]), ("licence", models["licence"]), *_describe_networks(models)]
    networks += [("note", note) for note in models["notes"]]
    networks += [("device", f"{device['name']} · {device['backend']} · {device['provider']}")]
    networks += [(name, str(version)) for name, version in _flatten(device["versions"])]
    found = [(word, f"{counts[name]:,}") for name, word in _COUNT_WORDS.items() if counts.get(name)]
    groups = [
        ("Run", times),
        ("Networks", networks),
        ("Thresholds", list(_flatten(run["thresholds"]))),
        ("Counts", found),
        ("Videos with several files", _list_names(run["videos"])),
        ("Settings", list(_flatten(run["config"]))),
    ]
    return [
        FactGroup(heading, tuple((name, str(value)) for name, value in facts if value is not None))
        for heading, facts in groups
        if facts
    ]


def _list_names(videos: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """List all files of each video that has several: copies and links."""
    named = [(video["id"], "; ".join([video["path"], *video["also"]])) for video in videos if video["also"]]
    more = len(named) - _MOST_FAULTS
    return named if more <= 0 else [*named[:_MOST_FAULTS], ("more", f"{pluralize(more, 'video')}: all are in run.json")]


def _describe_networks(models: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for role in ("detector", "recogniser", "person"):
        network = models[role]
        if network:
            precision = network["precision"] or "not used"
            yield role, f"{network['name']} · {precision} · sha256 {str(network['sha256'])[:16]}"


def _flatten(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each value of nested objects under its dotted name."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value)) or "–"
    elif isinstance(value, bool):
        yield name, "yes" if value else "no"
    else:
        yield name, "–" if value in (None, "") else f"{value:.4g}" if isinstance(value, float) else str(value)
