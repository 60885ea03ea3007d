"""Check the settings of one command from its options, files, the environment and the output folder.

`options.with_settings` calls it once the command line is read.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fastface.cli.options import Flag
from fastface.config import Config, load_config
from fastface.errors import ConfigError
from fastface.runtime.saved_settings import networks_alone, read_remembered
from fastface.setting_help import format_value


def check_settings(
    given: list[tuple[Flag, Any]], common: dict[str, Any], out: Path | None, *, with_export: bool
) -> tuple[Config, tuple[str, ...]]:
    """Check all settings of a command together; return those in force, and notes for the user on their origin.

    Args:
        given: Options with their values as typed; None for an absent option.
        common: Values of the options that all commands have, by the name of the parameter.
        out: Output folder whose stored settings apply; None for none.
        with_export: True if its export settings apply too, not only its networks.

    Raises:
        ConfigError: A setting is unknown or out of range, or a file of settings cannot be read.
    """
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
            typed[flag.section, flag.key] = flag.as_typed(value)
    sources = {"profile": common["profile"], "file": common["config_file"], "flags": layers, "typed": typed}
    # A profile or a file defines the settings completely: only the stored networks still apply.
    is_own = common["profile"] is not None or common["config_file"] is not None
    remembered = {} if out is None else read_remembered(out, with_export=with_export and not is_own)
    # Flags may depend on stored settings, so all are checked together.
    config, notes = load_config(**sources, remembered=remembered), tuple[str, ...]()
    if config.run.fresh:
        config = load_config(**sources, remembered=networks_alone(remembered))
    elif settings := _describe_remembered(remembered, config, typed):
        notes = (f"as in the last run in {out}: {settings}",)
    return config, notes


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
    """Format a value as its option is written."""
    return "x".join(map(str, value)) if key == "size" and isinstance(value, tuple) else format_value(value)
