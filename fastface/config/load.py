"""Load all settings from their sources and check them together.

Order of precedence: defaults < settings stored in OUT by its last run < profile < file < environment
(`FASTFACE_SECTION__KEY`) < flags.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from fastface.config.faults import Origin, fault_line, suggestion
from fastface.config.pictures import BodyConfig, CurateConfig
from fastface.config.sections import (
    ExportConfig,
    GrowthConfig,
    MatchConfig,
    ModelsConfig,
    PeopleConfig,
    QuestionConfig,
    ReferencesConfig,
    RunConfig,
    ScanConfig,
    SpansConfig,
)
from fastface.config.values import Section
from fastface.errors import ConfigError
from fastface.setting_help import profiles_folder


class Config(Section):
    """All settings of a run."""

    scan: ScanConfig = Field(default_factory=ScanConfig)
    match: MatchConfig = Field(default_factory=MatchConfig)
    references: ReferencesConfig = Field(default_factory=ReferencesConfig)
    growth: GrowthConfig = Field(default_factory=GrowthConfig)
    spans: SpansConfig = Field(default_factory=SpansConfig)
    question: QuestionConfig = Field(default_factory=QuestionConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)
    body: BodyConfig = Field(default_factory=BodyConfig)
    curate: CurateConfig = Field(default_factory=CurateConfig)
    people: PeopleConfig = Field(default_factory=PeopleConfig)
    run: RunConfig = Field(default_factory=RunConfig)
    models: ModelsConfig = Field(default_factory=ModelsConfig)


def load_config(
    *,
    profile: str | None = None,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, Mapping[str, object]] | None = None,
    remembered: Mapping[str, Mapping[str, object]] | None = None,
    typed: Mapping[tuple[str, str], str] | None = None,
) -> Config:
    """Load the settings in force.

    Args:
        profile: Name of a file of `configs/`, without its suffix.
        file: A TOML file of the user.
        environment: Variables, of which `FASTFACE_SECTION__KEY` and `FASTFACE_MODELS` are read.
        flags: {section: {key: value}} of the command line; values may be text.
        remembered: {section: {key: value}} of the last run in the output folder.
        typed: {(section, key): the option and value as the user typed them}, for messages.

    Raises:
        ConfigError: Lists every unknown key and every value out of range, each with its origin.
    """
    known = {section: dict(keys) for section, keys in (remembered or {}).items()}
    merged: dict[str, Any] = {}
    origins: dict[tuple[str, str], Origin] = {}
    variables = _environment_layer(environment, known.get("models", {}))
    for name, layer in _layers(profile, file, variables, flags or {}):
        for section, keys in layer.items():
            merged[section] = _join_layers(merged.get(section, {}), keys)
            for key in keys if isinstance(keys, Mapping) else ("",):
                origins[section, key] = _origin(name, section, key, environment, typed or {})
    if known:
        known["models"] = _fitting_models(known.get("models", {}), merged.get("models"))
        known["export"] = _fitting_crops(known.get("export", {}), merged.get("export"))
        merged = {**known, **{name: _join_layers(known.get(name, {}), layer) for name, layer in merged.items()}}
    try:
        config = Config.model_validate(merged)
    except ValidationError as error:
        faults = [_fault(detail, origins) for detail in error.errors()]
        raise ConfigError(list(dict.fromkeys([*_unknown_variables(environment), *faults]))) from error
    if unknown := _unknown_variables(environment):
        raise ConfigError(unknown)
    return config


def _fitting_crops(remembered: Mapping[str, Any], given: object) -> dict[str, Any]:
    """Keep the stored crop settings that fit the given kind: ratio and size belong to one kind."""
    before = remembered.get("crops", ExportConfig.model_fields["crops"].default)
    now = given.get("crops", before) if isinstance(given, Mapping) else before
    dropped = {"ratio", "size"} if now != before else set()
    dropped |= {"count"} if now == "none" else set()
    return {name: value for name, value in remembered.items() if name not in dropped}


def _fitting_models(remembered: Mapping[str, Any], given: object) -> dict[str, Any]:
    """Keep the stored network settings that fit the given ones: another folder has its own packs."""
    names = given.keys() if isinstance(given, Mapping) else ()
    dropped = {"pack", "detector", "recogniser", "person_model"} if "dir" in names else set()
    dropped |= {"detector", "recogniser"} if "pack" in names else set()
    return {name: value for name, value in remembered.items() if name not in dropped}


def _join_layers(known: object, layer: object) -> object:
    """Merge a section with a later layer. A value that is no section stays, so that the validation names it."""
    both = isinstance(known, Mapping) and isinstance(layer, Mapping)
    return {**known, **layer} if both else known if isinstance(layer, Mapping) else layer  # type: ignore[dict-item]


def _layers(
    profile: str | None,
    file: Path | None,
    variables: Mapping[str, Any],
    flags: Mapping[str, Mapping[str, object]],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (name of the source, its settings), the weakest first."""
    if profile is not None:
        path = _profile_path(profile)
        yield str(path), _toml_layer(path)
    if file is not None:
        yield str(file), _toml_layer(file)
    yield _ENVIRONMENT, variables
    yield _FLAGS, flags


_ENVIRONMENT, _FLAGS = "environment", "flags"


def _origin(
    source: str, section: str, key: str, environment: Mapping[str, str], typed: Mapping[tuple[str, str], str]
) -> Origin:
    if source == _FLAGS:
        return Origin(typed=typed.get((section, key), ""))
    if source != _ENVIRONMENT:
        return Origin(file=source)
    name = f"FASTFACE_{section}__{key}".upper()
    if name not in environment and (section, key) == ("models", "dir"):
        name = "FASTFACE_MODELS"
    return Origin(typed=f"{name}={environment.get(name, '')}")


def _fault(detail: Mapping[str, Any], origins: Mapping[tuple[str, str], Origin]) -> str:
    section, key = (*map(str, detail["loc"]), "")[:2]
    origin = origins.get((section, key))
    if origin is None and key == "" and detail["type"] == "extra_forbidden":  # an unknown section: name its first key
        origin = next((found for (name, _), found in origins.items() if name == section), None)
    return fault_line(detail, origin or Origin(), _known_keys())


def _known_keys() -> dict[str, list[str]]:
    """Return {section: its keys, as users write them}."""
    sections = {name: field.annotation for name, field in Config.model_fields.items()}
    return {
        name: [field.alias or key for key, field in section.model_fields.items()]  # type: ignore[union-attr]
        for name, section in sections.items()
    }


def _unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each unknown variable that starts like a variable of fastface."""
    settings = [f"{section}__{key}".upper() for section, keys in _known_keys().items() for key in keys]
    known = [name.removeprefix(_PREFIX) for name in _VARIABLES] + settings
    return [
        f"{name}: unknown environment variable{suggestion(name.removeprefix(_PREFIX), known, _PREFIX)}"
        for name in sorted(environment)
        if name.startswith(_PREFIX) and "__" not in name and name not in (*_VARIABLES, *_INTERNAL_VARIABLES)
    ]


_PREFIX = "FASTFACE_"
_VARIABLES = ("FASTFACE_MODELS",)
_INTERNAL_VARIABLES = ("FASTFACE_FAILPOINT", "FASTFACE_FAILPOINT_LOG", "FASTFACE_TEST_SEED")
"""Variables for tests."""


def _profile_path(profile: str) -> Path:
    names = sorted(path.stem for path in profiles_folder().glob("*.toml"))
    if profile not in names:
        raise ConfigError(f"--profile {profile}: unknown; there are: {', '.join(names) or 'none'}")
    return profiles_folder() / f"{profile}.toml"


def _toml_layer(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the settings file {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} is not valid TOML: {error}") from error


def _environment_layer(environment: Mapping[str, str], remembered: Mapping[str, object]) -> Mapping[str, Any]:
    layer: dict[str, dict[str, object]] = {}
    # The variable is only the usual place of networks: an index keeps the networks that it was made with.
    if (models := environment.get("FASTFACE_MODELS")) and "dir" not in remembered:
        layer["models"] = {"dir": models}
    for name, value in environment.items():
        section, separator, key = name.removeprefix("FASTFACE_").lower().partition("__")
        if name.startswith("FASTFACE_") and separator:
            layer.setdefault(section, {})[key] = value
    return layer
