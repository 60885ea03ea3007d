"""All settings together, and where they come from.

Order of precedence: defaults < what OUT remembers of its last run < profile < file < environment
(`FASTFACE_SECTION__KEY`) < flags.
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from fastface.config.faults import fault_line
from fastface.config.pictures import BodyConfig, CurateConfig
from fastface.config.sections import (
    ExportConfig,
    GrowthConfig,
    MatchConfig,
    ModelsConfig,
    PeopleConfig,
    ReferencesConfig,
    RunConfig,
    ScanConfig,
    SpansConfig,
)
from fastface.config.values import Section
from fastface.errors import ConfigError

__all__ = ["Config", "load_config", "profiles_folder"]


class Config(Section):
    """All settings of a run."""

    scan: ScanConfig = Field(default_factory=ScanConfig)
    match: MatchConfig = Field(default_factory=MatchConfig)
    references: ReferencesConfig = Field(default_factory=ReferencesConfig)
    growth: GrowthConfig = Field(default_factory=GrowthConfig)
    spans: SpansConfig = Field(default_factory=SpansConfig)
    export: ExportConfig = Field(default_factory=ExportConfig)
    body: BodyConfig = Field(default_factory=BodyConfig)
    curate: CurateConfig = Field(default_factory=CurateConfig)
    people: PeopleConfig = Field(default_factory=PeopleConfig)
    run: RunConfig = Field(default_factory=RunConfig)
    models: ModelsConfig = Field(default_factory=ModelsConfig)


def profiles_folder() -> Path:
    """Where the profiles lie: in the package when installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def load_config(
    *,
    profile: str | None = None,
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    flags: Mapping[str, Mapping[str, object]] | None = None,
    remembered: Mapping[str, Mapping[str, object]] | None = None,
) -> Config:
    """The settings in force.

    Args:
        profile: Name of a file of `configs/`, without its suffix.
        file: A TOML file of the user.
        environment: Where `FASTFACE_SECTION__KEY` and `FASTFACE_MODELS` are looked up.
        flags: {section: {key: value}} of the command line; values may be text.
        remembered: {section: {key: value}} of the last run in the output folder.

    Raises:
        ConfigError: Lists every unknown key and every value out of range, each with where it came from.
    """
    known = dict(remembered or {})
    layers: list[Mapping[str, Any]] = [_environment_layer(environment, known.get("models", {})), flags or {}]
    if file is not None:
        layers.insert(0, _toml_layer(file))
    if profile is not None:
        layers.insert(0, _toml_layer(_profile_path(profile)))
    merged = _merged(layers)
    if known:
        known["models"] = _fitting_models(known.get("models", {}), merged.get("models"))
        merged = _merged([known, merged])
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError([fault_line(detail) for detail in error.errors()]) from error


def _merged(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers as one; of a key, the last one's."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for section, keys in layer.items():
            known = merged.get(section, {})
            # What is no section is kept as it is, for the validation to name.
            both = isinstance(keys, Mapping) and isinstance(known, Mapping)
            merged[section] = {**known, **keys} if both else known if isinstance(keys, Mapping) else keys
    return merged


def _fitting_models(remembered: Mapping[str, Any], given: object) -> Mapping[str, Any]:
    """What is remembered of networks and fits those that are named now: another folder has packs of its own."""
    names = given.keys() if isinstance(given, Mapping) else ()
    dropped = {"pack", "detector", "recogniser", "person_model"} if "dir" in names else set()
    dropped |= {"detector", "recogniser"} if "pack" in names else set()
    return {name: value for name, value in remembered.items() if name not in dropped}


def _profile_path(profile: str) -> Path:
    names = sorted(path.stem for path in profiles_folder().glob("*.toml"))
    if profile not in names:
        raise ConfigError(f"--profile {profile!r} is unknown; there are: {', '.join(names) or 'none'}")
    return profiles_folder() / f"{profile}.toml"


def _toml_layer(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {str(path)!r}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{str(path)!r} is not valid TOML: {error}") from error


def _environment_layer(environment: Mapping[str, str], remembered: Mapping[str, object]) -> Mapping[str, Any]:
    layer: dict[str, dict[str, object]] = {}
    # The variable says where networks usually are: an index goes on with those that it was made with.
    if (models := environment.get("FASTFACE_MODELS")) and "dir" not in remembered:
        layer["models"] = {"dir": models}
    for name, value in environment.items():
        section, separator, key = name.removeprefix("FASTFACE_").lower().partition("__")
        if name.startswith("FASTFACE_") and separator:
            layer.setdefault(section, {})[key] = value
    return layer
