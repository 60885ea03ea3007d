"""`fastface run`: the main job."""

from pathlib import Path

from fastface.cli.arguments import IN_FOLDER, OUT_FOLDER, SAMPLES_FOLDER, Inputs, Out, Targets
from fastface.cli.options import EXPORT, GROWTH, MATCH, MODELS, REFERENCES, RUN, SCAN, SPANS, Invocation, with_settings
from fastface.cli.report import finish, observer_for, show
from fastface.errors import ConfigError
from fastface.workflows.preview import preview_demo, preview_run
from fastface.workflows.run import run as run_workflow

__all__ = ["run"]


@with_settings(SCAN, REFERENCES, MATCH, GROWTH, SPANS, EXPORT, RUN, MODELS, remembers="export")
def run(invocation: Invocation, inputs: Inputs = None, targets: Targets = None, out: Out = OUT_FOLDER) -> None:
    """Scan, find and export: the main job. With nothing in in_video/ it runs the demo."""
    if inputs is None and not _holds_anything(Path(IN_FOLDER)):
        if targets is not None:
            raise ConfigError(f"no videos: put some into {IN_FOLDER}/, or name them")
        observer, folder = observer_for(invocation), out / "demo"
        observer.note(f"{IN_FOLDER}/ is empty: this is the demo, on a film that fastface draws itself")
        if invocation.dry_run:
            show(preview_demo(folder), invocation)
        from fastface.workflows.demo import run_demo  # noqa: PLC0415 - codecs take a tenth of a second to load

        wanted = invocation.config.models
        finish(run_demo(folder, observer, wanted.device, wanted.precision), invocation)
    inputs, targets = inputs or [IN_FOLDER], targets or [SAMPLES_FOLDER]
    if invocation.dry_run:
        show(preview_run(invocation.config, inputs, targets, out), invocation)
    finish(run_workflow(invocation.config, inputs, targets, out, observer_for(invocation)), invocation)


def _holds_anything(folder: Path) -> bool:
    return folder.is_dir() and any(path.name != "README.md" for path in folder.iterdir())
