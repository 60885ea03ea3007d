"""`fastface models`: the networks that are there, and installing others."""

from typing import Annotated

import typer

from fastface.cli.options import MODELS, Invocation, with_settings
from fastface.cli.report import say
from fastface.models.catalog import PACKS
from fastface.models.download import install as install_pack
from fastface.models.packs import verify as verify_pack
from fastface.models.store import data_folder, places

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The networks that are there, and installing others.")


@app.command("list")
@with_settings(MODELS)
def list_(invocation: Invocation) -> None:
    """The packs that are there, and those that can be installed."""
    for place in places(invocation.config.models.folder):
        say(f"{place}:")
        for folder in sorted(path for path in (place, *place.glob("*")) if any(path.glob("*.onnx"))):
            say(f"  {folder.name}: {', '.join(sorted(file.name for file in folder.glob('*.onnx')))}")
    say("can be installed:")
    for name in PACKS:
        say(f"  {name}")


@app.command()
@with_settings()
def install(
    _invocation: Invocation,
    pack: Annotated[str, typer.Argument(help="The pack, as buffalo_l.")],
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="The weights are for non-commercial research: accept that.")
    ] = False,
) -> None:
    """Download a pack, check its digest, and keep it for all runs."""
    say(f"installed {install_pack(pack, accept_license=accept_license)}")


@app.command()
@with_settings(MODELS)
def verify(invocation: Invocation) -> None:
    """Compare the files that are there with the catalogue's digests."""
    folder = invocation.config.models.folder or data_folder()
    damaged = False
    for check in verify_pack(folder):
        damaged = damaged or check.state == "damaged"
        say(f"{check.path}: {check.state} {check.detail}".rstrip())
    raise typer.Exit(int(damaged))
