"""Options of the command line, made from the settings: default, bounds and help stand in `config` alone.

Every option arrives as text and is checked there too, so that all faults are reported at once.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from fastface.config import Config, load_config, profiles_folder
from fastface.errors import ConfigError
from fastface.runtime.saved_settings import read_remembered

__all__ = [
    "CURATE",
    "DEVICE",
    "ENGINES",
    "EXPORT",
    "GROWTH",
    "LIMITS",
    "MATCH",
    "MODELS",
    "PEOPLE",
    "REFERENCES",
    "RUN",
    "SAMPLING",
    "SCAN",
    "SPANS",
    "Invocation",
    "with_settings",
]


@dataclass(frozen=True, slots=True)
class Flag:
    """One option: the setting behind it and what it is called."""

    section: str
    key: str
    names: tuple[str, ...]

    @property
    def parameter(self) -> str:
        """The name of the function's parameter."""
        return f"{self.section}_{self.key}"

    @property
    def field(self) -> FieldInfo:
        """The setting, with its default, bounds and help."""
        section = Config.model_fields[self.section].annotation
        fields: dict[str, FieldInfo] = section.model_fields  # type: ignore[union-attr]
        return next(f for name, f in fields.items() if self.key in (name, f.alias))

    def typed(self, value: object) -> str:
        """The option and its value, as the user typed them."""
        name = self.names[0]
        if isinstance(value, bool):
            return name if value else f"--no{name[1:]}"
        return " ".join(f"{name} {one}" for one in (value if isinstance(value, list) else [value]))

    def annotation(self) -> Any:
        """Type from which typer makes the option."""
        field = self.field
        kind = bool if field.annotation is bool else list[str] if field.default == () else str
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        option = typer.Option(
            *(f"{name}/--no{name[1:]}" if kind is bool else name for name in self.names),
            help=f"{field.description} {_bounds(field)}".strip(),
            metavar="" if kind is bool else _join_help(choices) or _kind_of_value(self.key, field),
            rich_help_panel=None if (self.section, self.key) in _USUAL else _MORE,
            show_default=False,
            autocompletion=(lambda incomplete: [one for one in choices if one.startswith(incomplete)])
            if choices
            else None,
        )
        return Annotated[kind | None, option]


def _join_help(choices: tuple[str, ...]) -> str:
    """The choices; with spaces if they are long, so that a narrow terminal breaks between them."""
    joined = "|".join(choices)
    return joined if len(joined) <= _MOST_UNBROKEN else joined.replace("|", " | ")


_MOST_UNBROKEN = 20

_MORE = "More options (all settings: -s section.key=value)"

_USUAL = {
    *(("match", key) for key in ("not", "threshold")),
    *(("scan", key) for key in ("sample_fps", "track")),
    *(("spans", key) for key in ("pad",)),
    *(("export", key) for key in ("clips", "crops", "boxes")),
    *(("people", key) for key in ("min_faces", "top", "rank", "video", "store")),
    *(("run", key) for key in ("fresh", "until", "max_hours")),
    *(("models", key) for key in ("dir", "pack", "device")),
    ("curate", "max"),
}
"""Settings that most users need: their options stand first in the help."""

_KINDS_BY_KEY = {
    "det_size": "auto|WxH",
    "pad": "BEFORE,AFTER",
    "size": "WxH",
    "until": "HH:MM",
    "ratio": "W:H,…",
    "devices": "N,…",
    "not": "PHOTOS",
    "store": "FILE|URL",
    "pack": "NAME",
    "detector": "FILE|NAME",
    "recogniser": "FILE|NAME",
    "person_model": "FILE|NAME",
}


def _kind_of_value(key: str, field: FieldInfo) -> str:
    """Describe the value of a setting that has no fixed choices."""
    kind = str(field.annotation)  # a union or an annotated type, as pydantic keeps it
    by_type = next((shown for name, shown in _KINDS_BY_TYPE.items() if name in kind), "TEXT")
    return _KINDS_BY_KEY.get(key, by_type)


_KINDS_BY_TYPE = {"Path": "PATH", "int": "N", "float": "NUMBER"}


def _bounds(field: FieldInfo) -> str:
    """The default and the allowed range, in brackets that rich does not take for markup."""
    is_known = field.default in (None, (), False, "", 0) or "default" in (field.description or "")
    shown = [] if is_known else [f"default {_format_default(field.default)}"]
    limits = {name: getattr(m, name) for m in field.metadata for name in _SIGNS if hasattr(m, name)}
    if limits.keys() == {"ge", "le"}:
        shown.append(f"{limits['ge']} to {limits['le']}")
    else:
        shown += [f"{_SIGNS[name]} {limit:g}" for name, limit in limits.items()]
    return f"({'; '.join(shown)})" if shown else ""


_SIGNS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _format_default(default: object) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, float):
        return f"{default:g}"
    if not isinstance(default, tuple):
        return str(default)
    return ",".join(part if isinstance(part, str) else f"{part:g}" for part in default)


def _flags(section: str, *keys: str, **renamed: str) -> tuple[Flag, ...]:
    plain = [Flag(section, key, (f"--{key.replace('_', '-')}",)) for key in keys]
    return (*plain, *(Flag(section, key, (name,)) for key, name in renamed.items()))


SAMPLING = (
    *_flags("scan", "sample_fps", "every_frame", "keyframes", "det_size"),
    *_flags("scan", "det_threshold", "weak_threshold", "min_face"),
)
SCAN = (*SAMPLING, *_flags("scan", "track", "blur_gate", "decoder", "batch", "decoders", "workers", "ring_mb"))
MATCH = _flags("match", "false_tracks", "threshold", "exit_threshold", "margin", "not", "allow_faults")
REFERENCES = _flags("references", "faces", "flip", "jitter")
GROWTH = _flags("growth", "grow", "add_threshold", "max_added")
SPANS = _flags("spans", "pad", "merge_gap", "min_span", "exact")
EXPORT = (
    *_flags("export", "clips", "crops", "ratio", "min_gap", "max_crops", "count", "size"),
    *_flags("export", "crop_size", "crop_margin", "crop_format", "snapshots", "boxes", "replace"),
)
CURATE = _flags("curate", "max")
PEOPLE = _flags(
    "people",
    *(
        "min_faces",
        "min_seconds",
        "link_threshold",
        "top",
        "rank",
        "min_quality",
        "portraits",
        "video",
        "store",
        "refine_limit",
    ),
)
LIMITS = _flags("run", "until", "max_hours")
RUN = (*_flags("run", "fresh"), *LIMITS)
DEVICE = _flags("models", "device", "precision")
ENGINES = _flags("scan", "batch", "det_size")
MODELS = (
    *_flags("models", "pack", "detector", "recogniser", "person_model", "devices", dir="--models"),
    *DEVICE,
)


@dataclass(frozen=True, slots=True)
class Invocation:
    """Arguments that all commands share.

    Attributes:
        config: The settings in force.
        json: Whether standard output is one JSON object and nothing else.
        quiet: Whether only errors are printed.
        verbose: Whether stage times and files that were left out are listed.
        dry_run: Whether to say what would be done, and do nothing.
        notes: What the user should know of where settings come from.
    """

    config: Config
    json: bool
    quiet: bool
    verbose: bool
    dry_run: bool
    notes: tuple[str, ...] = ()


_COMMON: dict[str, Any] = {
    "config_file": Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Read settings from a TOML file.")
    ],
    "set_": Annotated[
        list[str] | None,
        typer.Option("--set", "-s", metavar="SECTION.KEY=VALUE", help="Change any setting; may be repeated."),
    ],
    "profile": Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Use a set of settings for one purpose: dataset, faces, fast, highlights.",
            autocompletion=lambda incomplete: [
                path.stem for path in sorted(profiles_folder().glob(f"{incomplete}*.toml"))
            ],
        ),
    ],
    "dry_run": Annotated[
        bool | None, typer.Option("--dry-run", metavar="", help="Say what would be done; do nothing.")
    ],
    "json_": Annotated[bool | None, typer.Option("--json", metavar="", help="Print one JSON object and nothing else.")],
    "quiet": Annotated[bool | None, typer.Option("--quiet", "-q", metavar="", help="Print only failures.")],
    "verbose": Annotated[
        bool | None,
        typer.Option(
            "--verbose", "-v", metavar="", help="Also print how the time was spent, and which files were left out."
        ),
    ],
}


def with_settings(
    *groups: tuple[Flag, ...], remembers: Literal["", "models", "export", "crops"] = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the common options and those of the groups; it takes an `Invocation` as its first argument.

    Args:
        groups: The options.
        remembers: What the output folder remembers of its last run and the command goes on with: nothing, the networks
            alone, or settings of export too. Of `crops` it is the networks of the folder that they were made in.
    """
    flags = [flag for group in groups for flag in group]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        annotations = {**{flag.parameter: flag.annotation() for flag in flags}, **_COMMON}
        keyword = inspect.Parameter.KEYWORD_ONLY
        added = [
            inspect.Parameter(name, keyword, default=None, annotation=annotation)
            for name, annotation in annotations.items()
        ]
        kept = [parameter for name, parameter in own.parameters.items() if name != "invocation"]

        @functools.wraps(command)
        def wrapper(**values: Any) -> None:
            common = {name: values.pop(name) for name in _COMMON}
            given = [(flag, values.pop(flag.parameter)) for flag in flags]
            out = values.get("index") or values.get("out")
            if remembers == "crops":
                out = _output_folder(values["crops"])
            command(_invocation(given, common, out if remembers else None, with_export=remembers == "export"), **values)

        wrapper.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
        wrapper.__annotations__ = {p.name: p.annotation for p in [*kept, *added]}
        return wrapper

    return decorate


def _invocation(
    given: list[tuple[Flag, Any]], common: dict[str, Any], out: Path | None, *, with_export: bool
) -> Invocation:
    layers: dict[str, dict[str, object]] = {}
    typed: dict[tuple[str, str], str] = {}
    for text in common["set_"] or ():
        path, separator, value = text.partition("=")
        section, dot, key = path.partition(".")
        if not (separator and dot):
            raise ConfigError(f"--set {text!r}: write it as section.key=value, as --set scan.batch=8")
        layers.setdefault(section, {})[key] = value
        typed[section, key] = f"-s {text}"
    for flag, value in given:
        if value is not None:
            layers.setdefault(flag.section, {})[flag.key] = value
            typed[flag.section, flag.key] = flag.typed(value)
    sources = {"profile": common["profile"], "file": common["config_file"], "flags": layers, "typed": typed}
    # A profile or a file is a recipe of its own: only the networks are remembered beside it.
    is_own = common["profile"] is not None or common["config_file"] is not None
    remembered = {} if out is None else read_remembered(out, with_export=with_export and not is_own)
    # Flags may need what is remembered to make sense, so all are checked together.
    config, notes = load_config(**sources, remembered=remembered), []
    if config.run.fresh:
        config = load_config(**sources)
    elif told := _describe_remembered(remembered, config, typed):
        notes = [f"as in the last run in {out}: {told}"]
    return Invocation(
        config=config,
        json=bool(common["json_"]),
        quiet=bool(common["quiet"]),
        verbose=bool(common["verbose"]),
        dry_run=bool(common["dry_run"]),
        notes=tuple(notes),
    )


def _output_folder(crops: list[str]) -> Path | None:
    """The output folder that pictures lie in."""
    places = (place for crop in crops for place in Path(crop).absolute().parents)
    return next((place for place in places if (place / ".fastface").is_dir()), None)


def _describe_remembered(
    remembered: Mapping[str, Mapping[str, object]], config: Config, typed: Collection[tuple[str, str]]
) -> str:
    """Describe the settings that come from the last run in OUT and from no flag; empty if there are none."""
    if not remembered.keys() - {"models"}:
        return ""
    usual, now = Config().model_dump(by_alias=True), config.model_dump(by_alias=True)
    before = load_config(environment={}, remembered=remembered).model_dump(by_alias=True)
    kept = [
        f"{section}.{key}={_format_setting(key, now[section][key])}"
        for section, keys in remembered.items()
        for key in keys
        if section != "models"
        and (section, key) not in typed
        and now[section][key] == before[section][key] != usual[section][key]
    ]
    return ", ".join(kept)


def _format_setting(key: str, value: object) -> str:
    """A value as its option is written."""
    return "x".join(map(str, value)) if key == "size" and isinstance(value, tuple) else _format_default(value)
