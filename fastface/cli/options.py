"""Build the options of commands from the help of the settings.

The modules of `cli.commands` use `with_settings`. Every option arrives as text, and `given_settings` checks all
together, so that all faults are reported at once. This module must not import `config`, which takes long.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fastface.cli.help_pages import Entry, format_page
from fastface.setting_help import SettingHelp, explain_setting, list_profiles, list_settings

if TYPE_CHECKING:
    from fastface.config import Config


@dataclass(frozen=True, slots=True)
class Flag:
    """A setting on the command line."""

    section: str
    key: str
    name: str  # name of its option, as --pad; empty if only -s sets it

    @property
    def parameter(self) -> str:
        """Name of the function's parameter."""
        return f"{self.section}_{self.key}"

    @property
    def setting(self) -> SettingHelp:
        """Return the help of the setting."""
        return explain_setting(self.section, self.key)

    def as_typed(self, value: object) -> str:
        """Format the option and its value as the user typed them."""
        if isinstance(value, bool):
            return self.name if value else f"--no{self.name[1:]}"
        return " ".join(f"{self.name} {one}" for one in (value if isinstance(value, list) else [value]))

    def annotation(self) -> Any:
        """Type from which typer makes the option."""
        setting = self.setting
        is_switch = setting.kind == "switch"
        option = typer.Option(
            f"{self.name}/--no{self.name[1:]}" if is_switch else self.name,
            help=setting.full_text,
            metavar="" if is_switch else setting.value,
            rich_help_panel=None if setting.is_usual else setting.topic,
            show_default=setting.default,
            autocompletion=_COMPLETERS.get(self.parameter) or _complete_from(setting.choices),
        )
        kind: Any = bool if is_switch else list[str] if setting.kind == "list" else str
        return Annotated[kind | None, option]


def _complete_from(names: Iterable[str]) -> Callable[[str], list[str]] | None:
    """Complete one of these names; None for no names, so that the shell completes files."""
    known = list(names)
    return (lambda incomplete: [name for name in known if name.startswith(incomplete)]) if known else None


def _complete_pack(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the packs in the folders that a run would search."""
    from fastface.models.selection import PERSON_FOLDER, places  # noqa: PLC0415 - only a completion needs NumPy

    folder = ctx.params.get("models_dir") or os.environ.get("FASTFACE_MODELS")
    found = (path.parent for place in places(Path(folder) if folder else None) for path in place.glob("*/*.onnx"))
    return sorted({pack.name for pack in found if pack.name.startswith(incomplete) and pack.name != PERSON_FOLDER})


_COMPLETERS: dict[str, Callable[..., list[str]]] = {"models_pack": _complete_pack}


def _options(section: str, *keys: str, **renamed: str) -> tuple[Flag, ...]:
    """Return settings that have an option of the same name, or of a given name."""
    plain = [Flag(section, key, f"--{key.replace('_', '-')}") for key in keys]
    return (*plain, *(Flag(section, key, name) for key, name in renamed.items()))


def _complete_sections(*flags: Flag) -> tuple[Flag, ...]:
    """Add the settings of the same sections that have no option: `--help-all` lists them with `-s`."""
    known = {(flag.section, flag.key) for flag in flags}
    rest = [one for one in list_settings() if one.section in {flag.section for flag in flags}]
    return (*flags, *(Flag(one.section, one.key, "") for one in rest if (one.section, one.key) not in known))


SAMPLING = (
    *_options("scan", "sample_fps", "every_frame", "keyframes", "det_size"),
    *_options("scan", "det_threshold", "weak_threshold", "min_face"),
)
SCAN = _complete_sections(
    *SAMPLING, *_options("scan", "track", "blur_gate", "decoder", "batch", "decoders", "workers", "ring_mb")
)
MATCH = _complete_sections(
    *_options("match", "false_tracks", "threshold", "exit_threshold", "margin", "not", "allow_faults", "decisions")
)
REFERENCES = _options("references", "faces", "flip", "jitter")
GROWTH = _complete_sections(*_options("growth", "grow", "add_threshold", "max_added"))
QUESTION = _options("question", "where", "persons", "name")
SPANS = _options("spans", "pad", "merge_gap", "min_span", "exact")
EXPORT = (
    *_complete_sections(
        *_options("export", "clips", "crops", "ratio", "min_gap", "max_crops", "count", "size"),
        *_options("export", "crop_size", "crop_margin", "crop_format", "snapshots", "boxes", "report", "reel"),
        *_options("export", "contact_sheet", "timelines", "replace"),
    ),
    *(Flag(one.section, one.key, "") for one in list_settings() if one.section == "body"),
)
CURATE = _complete_sections(*_options("curate", "max"))
PEOPLE = _complete_sections(
    *_options("people", "min_faces", "min_seconds", "link_threshold", "top", "rank", "min_quality"),
    *_options("people", "portraits", "video", "store", "refine_limit"),
)
LIMITS = _options("run", "until", "max_hours")
ENGINE = _options("run", "engine")
RUN = _complete_sections(
    *_options("run", "fresh", "shard", "watch", "watch_interval"),
    *LIMITS,
    *_options("run", "strict", "on_finish", "metrics"),
    *ENGINE,
)
DEVICE = _options("models", "device", "precision")
ENGINES = _options("scan", "batch", "det_size")
MODELS = _complete_sections(
    *_options("models", "pack", "detector", "recogniser", "person_model", "devices", dir="--models"), *DEVICE
)


@dataclass(frozen=True, slots=True)
class Invocation:
    """Arguments that all commands share.

    Attributes:
        settings: Returns the settings in force.
        json: True if standard output is one JSON object and nothing else.
        quiet: True to print only errors.
        verbose: True to list stage times and files that were left out.
        dry_run: True to print the plan and do nothing.
        notes: Notes for the user on the origin of settings.
    """

    settings: "Callable[[], Config]"
    json: bool
    quiet: bool
    verbose: bool
    dry_run: bool
    notes: tuple[str, ...] = ()

    @property
    def config(self) -> "Config":
        """The settings in force."""
        return self.settings()


def _print_full_help(ctx: typer.Context, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        typer.echo(format_page(ctx.command, ctx, is_full=True))
        raise typer.Exit


_PROFILES = list_profiles()

_COMMON: dict[str, Any] = {
    "config_file": Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Read settings from a TOML file.")
    ],
    "set_": Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            "-s",
            metavar="KEY=VALUE",
            help="Change any setting, as -s scan.batch=8. May be repeated.",
            autocompletion=_complete_from(f"{setting.path}=" for setting in list_settings()),
        ),
    ],
    "profile": Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Use settings for one purpose: {', '.join(_PROFILES)}. "
            + " ".join(f"{name}: {purpose[0].lower()}{purpose[1:]}" for name, purpose in _PROFILES.items()),
            autocompletion=lambda incomplete: [one for one in _PROFILES.items() if one[0].startswith(incomplete)],
        ),
    ],
    "dry_run": Annotated[bool | None, typer.Option("--dry-run", help="Print what would be done, and do nothing.")],
    "json_": Annotated[bool | None, typer.Option("--json", help="Print one JSON object and nothing else.")],
    "quiet": Annotated[bool | None, typer.Option("--quiet", "-q", help="Print only failures.")],
    "verbose": Annotated[
        bool | None,
        typer.Option("--verbose", "-v", help="Also print times, and files that were left out."),
    ],
}

_SWITCHES = {"json": "json_", "quiet": "quiet", "verbose": "verbose", "dry_run": "dry_run"}
"""{field of an `Invocation`: parameter of its option}"""

_HELP_ALL: dict[str, Any] = {
    "help_all": Annotated[
        bool,
        typer.Option(
            "--help-all",
            is_eager=True,
            callback=_print_full_help,
            help="Show all options and settings.",
        ),
    ]
}
"""Epilog of commands that have more options than `--help` lists."""


def with_settings(
    *groups: tuple[Flag, ...], remembers: Literal["", "models", "export", "crops"] = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the common options and those of the groups to a command; its first argument is an `Invocation`.

    Args:
        groups: The options.
        remembers: Stored settings of the output folder that the command uses: none, only networks, or exports too.
            `crops` uses the networks of the folder that contains the crops.
    """
    every = [flag for group in groups for flag in group]
    flags = [flag for flag in every if flag.name]
    without_option = [flag.setting for flag in every if not flag.name]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        annotations = {**{flag.parameter: flag.annotation() for flag in flags}, **_COMMON}
        annotations |= _HELP_ALL if every else {}
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter(name, keyword, default=None, annotation=annotation)
            for name, annotation in annotations.items()
        ]
        kept = [parameter for name, parameter in own.parameters.items() if name != "invocation"]

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            values.pop("help_all", None)
            common = {name: values.pop(name) for name in _COMMON}
            given = [(flag, values.pop(flag.parameter)) for flag in flags]
            out = values.get("index") or values.get("out")
            out = out[0] if isinstance(out, list) else out  # several are asked with the settings of the first
            if remembers == "crops":
                out = _find_output_folder(values["crops"])
            settings, notes = _load_defaults, tuple[str, ...]()
            if every or _gives_settings(common):
                from fastface.cli.given_settings import check_settings  # noqa: PLC0415 - most of the start of `status`

                out = out if remembers else None
                config, notes = check_settings(given, common, out, with_export=remembers == "export")
                settings = lambda: config  # noqa: E731 - a value for later
            switches = {name: bool(common[parameter]) for name, parameter in _SWITCHES.items()}
            command(Invocation(settings, **switches, notes=notes), **values)

        wrapper.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*kept, *added]}
        wrapper.settings_without_option = [  # type: ignore[attr-defined]
            (one.topic, Entry(f"-s {one.path}={one.value}", one.full_text, f"[default: {one.default}]"))
            for one in without_option
        ]
        return wrapper

    return decorate


def _gives_settings(common: dict[str, Any]) -> bool:
    """Return whether the user set anything that a command without settings of its own must check too."""
    variables = {name for name in os.environ if name.startswith("FASTFACE_")} - {"FASTFACE_MODELS"}
    return bool(common["set_"] or common["profile"] or common["config_file"] or variables)


def _load_defaults() -> "Config":
    from fastface.config import load_config  # noqa: PLC0415 - commands without settings do not read them

    return load_config()


def _find_output_folder(crops: list[str]) -> Path | None:
    """Return the output folder that contains the pictures."""
    places = (place for crop in crops for place in Path(crop).absolute().parents)
    return next((place for place in places if (place / ".fastface").is_dir()), None)
