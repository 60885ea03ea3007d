"""Define `fastface run`, the main job, and its two halves: `scan` builds the index, `find` searches it.

`cli.app` registers them. The work is in `commands.run`; this module only parses options and prints. The workflow is
imported when the options are known to be right: usage errors and help pages need no NumPy. Meanwhile another process
imports what the children need, if there certainly will be children.
"""

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Never

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
from fastface.errors import ConfigError
from fastface.pipeline import child_server

if TYPE_CHECKING:
    from fastface.config import Config

_NO_VIDEOS = f"no videos to search: name videos or folders, or put videos into {IN_FOLDER}/"


@with_settings(SCAN, REFERENCES, MATCH, GROWTH, QUESTION, SPANS, EXPORT, RUN, MODELS, remembers="export")
def run(invocation: Invocation, inputs: Inputs = None, targets: Targets = None, out: Out = OUT_FOLDER) -> None:
    """Find the persons of your photos in videos. Write tables, clips and crops; without videos, run the demo.

    Example: fastface run videos/ -t photos/ -o out
    """
    if inputs is None and not invocation.config.run.watch and not holds_anything(Path(IN_FOLDER)):
        if targets is not None:
            raise ConfigError(_NO_VIDEOS)
        _run_demo(invocation, out / "demo")
    inputs, targets = inputs or [IN_FOLDER], or_samples(targets)
    if invocation.dry_run:
        _preview(invocation, inputs, targets, out)
    from fastface.enrollment.new_photos import has_new_photo

    starts_now = _is_new(out) or has_new_photo(targets, out / ".fastface" / "photos")
    modules = (*child_server.PHOTOS, *_export_modules(invocation.config))
    with _serve_children(invocation.config, *modules, starts_now=starts_now):
        from fastface.cli.console import make_observer, print_result
        from fastface.commands.nights.finish_command import finish_command
        from fastface.commands.run import run as run_workflow

        observer = make_observer(invocation)
        with finish_command(invocation.config, out, observer) as ending:
            result = run_workflow(invocation.config, inputs, targets, out, observer)
            ending.exit_code = print_result(result, invocation)
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
        _preview(invocation, inputs, None, out)
    with _serve_children(invocation.config, starts_now=_is_new(out)):
        from fastface.cli.console import make_observer, print_result
        from fastface.commands.nights.finish_command import finish_command
        from fastface.commands.run import scan as scan_workflow

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
    from fastface.enrollment.new_photos import has_new_photo

    # Most questions need no child: their photos and pictures are known.
    state = out[0] / ".fastface"
    reads_photos = not invocation.dry_run and state.is_dir() and has_new_photo(targets, state / "photos")
    modules = (*child_server.PHOTOS, *_export_modules(invocation.config))
    with child_server.serve_children(*modules, starts_now=reads_photos):
        from fastface.cli.console import finish, make_observer, show
        from fastface.commands.find import find as find_workflow
        from fastface.commands.merge import locate_joined, open_joined

        if invocation.dry_run:
            from fastface.diagnostics.dry_run import preview_find

            show(preview_find(invocation.config, targets, out[0], into=locate_joined(out)), invocation)
        observer = make_observer(invocation)
        where = open_joined(invocation.config, out, observer)
        finish(find_workflow(invocation.config, targets, where, observer), invocation)


def _serve_children(config: "Config", *modules: str, starts_now: bool) -> AbstractContextManager[None]:
    """Fork the children of a scan from one server, which starts now or with the first child."""
    starts_now &= config.run.engine == "local"
    return child_server.serve_children(*child_server.SCAN, *modules, starts_now=starts_now)


def _is_new(out: Path) -> bool:
    """Return whether no scan has used an output folder. A scan of a used one often finds nothing to do."""
    return not (out / ".fastface" / "state.sqlite").exists()


def _export_modules(config: "Config") -> tuple[str, ...]:
    export = config.export
    return () if export.clips == export.crops == "none" else child_server.EXPORT


def _run_demo(invocation: Invocation, folder: Path) -> Never:
    from fastface.cli.console import finish, make_observer, show
    from fastface.commands.demo import run_demo
    from fastface.diagnostics.dry_run import preview_demo

    observer = make_observer(invocation)
    observer.note(f"{IN_FOLDER}/ is empty, so this is the demo: a film that fastface draws itself")
    if invocation.dry_run:
        show(preview_demo(folder), invocation)
    wanted = invocation.config.models
    finish(run_demo(folder, observer, wanted.device, wanted.precision), invocation)


def _preview(invocation: Invocation, inputs: list[str], targets: list[str] | None, out: Path) -> Never:
    from fastface.cli.console import show
    from fastface.diagnostics.dry_run import preview_run
    from fastface.fleet.shards import Shard, take_shard

    own = partial(take_shard, shard=Shard.parse(invocation.config.run.shard))
    show(preview_run(invocation.config, inputs, targets, out, own), invocation)
