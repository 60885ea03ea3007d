"""Define the settings: one model a section, each key with its default, bounds and help in one place.

The command line takes its option ranges and help from here, and so do all error messages.
"""

from fastface.config.explain import describe_settings
from fastface.config.load import Config, load_config
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

__all__ = [
    "BodyConfig",
    "Config",
    "CurateConfig",
    "ExportConfig",
    "GrowthConfig",
    "MatchConfig",
    "ModelsConfig",
    "PeopleConfig",
    "QuestionConfig",
    "ReferencesConfig",
    "RunConfig",
    "ScanConfig",
    "SpansConfig",
    "describe_settings",
    "load_config",
]
