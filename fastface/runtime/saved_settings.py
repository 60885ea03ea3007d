"""Store and read the settings that OUT keeps for later commands: networks and exports.

OUT/.fastface/settings.json: {"schema_version", "models": {…}, "run": {section: {key: value}}}. `run` and `scan` write
the networks; only `run` writes the rest. Only settings that differ from the defaults are stored.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastface.config import Config
from fastface.errors import FaceIndexError
from fastface.files import write_atomic

_SCHEMA_VERSION = 1
_EXPORT = ("export", "spans", "body")
_CUSTOM = "custom"
"""Name of a pack whose networks the user named one by one."""

Layer = Mapping[str, Mapping[str, Any]]


def remember_settings(state: Path, config: Config, pack: str, *, with_export: bool) -> None:
    """Store the settings that later commands need not repeat.

    Args:
        state: OUT's own folder.
        config: The settings in force.
        pack: The chosen pack.
        with_export: True to store the export settings too; else the stored ones stay.

    Raises:
        SpaceError: No space is left.
    """
    wanted = config.models
    names = {
        "dir": None if wanted.folder is None else str(wanted.folder.absolute()),
        "pack": None if pack == _CUSTOM else pack,
        "detector": _list_names(wanted.detector),
        "recogniser": _list_names(wanted.recogniser),
        "person_model": _list_names(wanted.person_model),
    }
    models = {name: value for name, value in names.items() if value is not None}
    export = _read_saved(state).get("run", {})
    if with_export:
        settings = config.model_dump(mode="json", exclude_defaults=True, include=set(_EXPORT))
        settings.get("export", {}).pop("replace", None)
        export = {section: keys for section, keys in settings.items() if keys}
    content = {"schema_version": _SCHEMA_VERSION, "models": models, "run": export}
    write_atomic(state / "settings.json", json.dumps(content, indent=1) + "\n", private=True)


def read_remembered(out: Path, *, with_export: bool) -> Layer:
    """Read the stored settings of OUT as a layer; empty if OUT has no run.

    A stored folder of networks that no longer exists is left out: the default search then applies.

    Raises:
        FaceIndexError: The file is damaged.
    """
    found = _read_saved(out / ".fastface")
    models = dict(found.get("models", {}))
    if "dir" in models and not Path(models["dir"]).is_dir():
        del models["dir"]
    return {"models": models, **(found.get("run", {}) if with_export else {})}


def networks_alone(remembered: Layer) -> Layer:
    """Keep only the networks of the stored settings: a run that starts over uses nothing else."""
    return {section: keys for section, keys in remembered.items() if section == "models"}


def _read_saved(state: Path) -> dict[str, Any]:
    path = state / "settings.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        sections = [found["models"], *found["run"].values()]
        if found["schema_version"] != _SCHEMA_VERSION or not all(isinstance(one, dict) for one in sections):
            raise ValueError(f"version {found['schema_version']}")
        return dict(found)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FaceIndexError(f"cannot read {str(path)!r}: {error}; remove it: then nothing is remembered") from error


def _list_names(network: str | None) -> str | None:
    """Return a network's file as an absolute path, or its name."""
    return network if network is None or not network.endswith(".onnx") else str(Path(network).absolute())
