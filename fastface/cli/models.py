"""`fastface models`: the networks that are there, and installing others."""

from pathlib import Path
from typing import Annotated

import typer

from fastface.cli.options import ENGINES, MODELS, Invocation, with_settings
from fastface.cli.report import as_json, observer_for, say, show
from fastface.models.catalog import PACKS
from fastface.models.download import install as install_pack
from fastface.models.packs import verify as verify_pack
from fastface.models.store import data_folder, places
from fastface.persons.export import SIDES, export_person, exported_path
from fastface.workflows.engines import BuiltEngine, build_engines, engine_jobs
from fastface.workflows.interrupt import interruptible
from fastface.workflows.networks import open_networks
from fastface.workflows.preview import Preview, preview_build, preview_install

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The networks that are there, and installing others.")


@app.command("list")
@with_settings(MODELS)
def list_(invocation: Invocation) -> None:
    """The packs that are there, and those that can be installed."""
    there = {str(place): _packs(place) for place in places(invocation.config.models.folder)}
    if invocation.json:
        as_json({"places": there, "can_be_installed": list(PACKS)})
        return
    for place, packs in there.items():
        say(f"{place}:")
        for name, files in packs.items():
            say(f"  {name}: {', '.join(files)}")
    say("can be installed:")
    for name in PACKS:
        say(f"  {name}")


def _packs(place: Path) -> dict[str, list[str]]:
    folders = sorted(path for path in (place, *place.glob("*")) if any(path.glob("*.onnx")))
    return {folder.name: sorted(file.name for file in folder.glob("*.onnx")) for folder in folders}


@app.command()
@with_settings()
def install(
    invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="The pack, as buffalo_l.")],
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="The weights are for non-commercial research: accept that.")
    ] = False,
) -> None:
    """Download a pack, check its digest, and keep it for all runs."""
    if invocation.dry_run:
        show(preview_install(pack), invocation)
    folder = install_pack(pack, accept_license=accept_license)
    if invocation.json:
        as_json({"installed": str(folder)})
    elif not invocation.quiet:
        say(f"installed {folder}")


@app.command()
@with_settings(MODELS)
def verify(invocation: Invocation) -> None:
    """Compare the files that are there with the catalogue's digests."""
    checks = verify_pack(invocation.config.models.folder or data_folder())
    if invocation.json:
        as_json({"files": [{"path": str(c.path), "state": c.state, "detail": c.detail} for c in checks]})
    else:
        for check in checks:
            say(f"{check.path}: {check.state} {check.detail}".rstrip())
    raise typer.Exit(int(any(check.state == "damaged" for check in checks)))


@app.command()
@with_settings(MODELS, ENGINES)
def build(invocation: Invocation) -> None:
    """Build TensorRT's engines now, so that no run has to: minutes for each network, once."""
    config = invocation.config
    if invocation.dry_run:
        show(preview_build(config), invocation)
    with interruptible() as interruption:
        networks = open_networks(config)
        built = build_engines(engine_jobs(config, networks), observer_for(invocation).note, interruption)
    if invocation.json:
        as_json({"device": networks.device.name, "engines": [_facts(engine) for engine in built]})
        return
    for engine in built:
        state = f"built in {engine.note.seconds:.0f} s" if engine.is_new else "already there"
        say(f"{engine.job.name}: {state}, {engine.note.precision}, for {engine.job.device.name}")
    if not built:
        device = networks.device
        say(f"nothing to build: {device.provider} on {device.name} ({device.versions}) needs no engine")


@app.command("export-person")
@with_settings(MODELS)
def export_person_model(
    invocation: Invocation,
    weights: Annotated[Path, typer.Argument(help="A YOLO's weights, as yolo11n.pt; they may run code: trust them.")],
    size: Annotated[int, typer.Option(help=f"Side of the canvas, {SIDES}.")] = 640,
) -> None:
    """Export a YOLO that finds persons, once, with ultralytics (AGPL); nothing is downloaded."""
    folder = invocation.config.models.folder or data_folder()
    if invocation.dry_run:
        target = exported_path(weights, folder, size)
        show(Preview(networks=(repr(str(weights)),), output=(repr(str(target)),)), invocation)
    path = export_person(weights, folder, size)
    if invocation.json:
        as_json({"exported": str(path)})
    elif not invocation.quiet:
        say(f"exported {path}")


def _facts(engine: BuiltEngine) -> dict[str, object]:
    return {
        "network": engine.job.name,
        "card": engine.job.device.name,
        "precision": engine.note.precision,
        "reason": engine.note.reason,
        "seconds": engine.note.seconds,
        "built": engine.is_new,
    }
