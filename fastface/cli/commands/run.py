"""Define `fastface run`, the main job, and its two halves: `scan` builds the index, `find` searches it.

`cli.app` registers them. The work is in `commands.run`; this module only parses options and prints.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import typer

from fastface.cli.arguments import (
    IN_FOLDER,
    OUT_FOLDER,
    OUT_FOLDERS,
    Inputs,
    Out,
    Outs,
    Targets,
    holds_anything,
    or_samples,
)
from fastface.cli.console import finish, make_observer, print_result, show
from fastface.cli.options import (
    ENGINE,
    EXPORT,
    GROWTH,
    LIMITS,
    MATCH,
    MODELS,
    QUESTION,
    REFERENCES,
    RUN,
    SCAN,
    SPANS,
    Invocation,
    with_settings,
)
from fastface.commands.merge import locate_joined, open_joined
from fastface.commands.nights.finish_command import finish_command
from fastface.commands.run import find as find_workflow
from fastface.commands.run import run as run_workflow
from fastface.commands.run import scan as scan_workflow
from fastface.diagnostics.dry_run import preview_demo, preview_find, preview_run
from fastface.errors import ConfigError
from fastface.fleet.shards import Shard, take_shard
from fastface.video.discover import Discovery

_NO_VIDEOS = f"no videos to search: name videos or folders, or put videos into {IN_FOLDER}/"


@with_settings(SCAN, REFERENCES, MATCH, GROWTH, QUESTION, SPANS, EXPORT, RUN, MODELS, remembers="export")
def run(invocation: Invocation, inputs: Inputs = None, targets: Targets = None, out: Out = OUT_FOLDER) -> None:
    """Find the persons of your photos in videos. Write tables, clips and crops; without videos, run the demo.

    Example: fastface run videos/ -t photos/ -o out
    """
    if inputs is None and not invocation.config.run.watch and not holds_anything(Path(IN_FOLDER)):
        if targets is not None:
            raise ConfigError(_NO_VIDEOS)
        observer, folder = make_observer(invocation), out / "demo"
        observer.note(f"{IN_FOLDER}/ is empty, so this is the demo: a film that fastface draws itself")
        if invocation.dry_run:
            show(preview_demo(folder), invocation)
        from fastface.commands.demo import run_demo  # noqa: PLC0415 - codecs take a tenth of a second to load

        wanted = invocation.config.models
        finish(run_demo(folder, observer, wanted.device, wanted.precision), invocation)
    inputs, targets = inputs or [IN_FOLDER], or_samples(targets)
    if invocation.dry_run:
        show(preview_run(invocation.config, inputs, targets, out, _shard(invocation)), invocation)
    observer = make_observer(invocation)
    with finish_command(invocation.config, out, observer) as ending:
        ending.exit_code = print_result(run_workflow(invocation.config, inputs, targets, out, observer), invocation)
    raise typer.Exit(ending.exit_code)


@with_settings(SCAN, RUN, MODELS, remembers="models")
def scan(invocation: Invocation, inputs: Inputs = None, out: Out = OUT_FOLDER) -> None:
    """Find all faces in videos and store them as an index. The commands find and people search the index.

    Example: fastface scan videos/ -o out
    """
    if inputs is None and not invocation.config.run.watch and not holds_anything(Path(IN_FOLDER)):
        raise ConfigError(_NO_VIDEOS)
    inputs = inputs or [IN_FOLDER]
    if invocation.dry_run:
        show(preview_run(invocation.config, inputs, None, out, _shard(invocation)), invocation)
    observer = make_observer(invocation)
    with finish_command(invocation.config, out, observer) as ending:
        ending.exit_code = print_result(scan_workflow(invocation.config, inputs, out, observer), invocation)
    raise typer.Exit(ending.exit_code)


@with_settings(REFERENCES, MATCH, GROWTH, QUESTION, SPANS, EXPORT, LIMITS, ENGINE, MODELS, remembers="export")
def find(invocation: Invocation, targets: Targets = None, out: Outs = OUT_FOLDERS) -> None:
    """Search scanned videos for other persons or with other settings. No video is scanned again.

    Example: fastface find -t photos/Bob.jpg -o out
    """
    targets = or_samples(targets)
    if invocation.dry_run:
        show(preview_find(invocation.config, targets, out[0], into=locate_joined(out)), invocation)
    observer = make_observer(invocation)
    where = open_joined(invocation.config, out, observer)
    finish(find_workflow(invocation.config, targets, where, observer), invocation)


def _shard(invocation: Invocation) -> Callable[[Discovery], Discovery]:
    return partial(take_shard, shard=Shard.parse(invocation.config.run.shard))
