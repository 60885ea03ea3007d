"""Help, faults of the user, devices that are not there, dry runs: told in plain lines, before anything is done."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from cli_tools import Ran, contents, errors, fastface

from fastface.cli.app import COMMANDS, SUMMARIES

OPTIONS = {
    "run": "--config --set --profile --models --device --dry-run --json -q -v --out --targets --sample-fps "
    "--every-frame --det-size --det-threshold --min-face --batch --decoders --workers --ring-mb --threshold "
    "--exit-threshold --margin --not --pad --merge-gap --min-span --exact --clips --crops --snapshots --boxes --fresh "
    "--timelines --until --max-hours --shard --faces --flip --jitter --grow --ratio --min-gap --max-crops "
    "--person-model "
    "--report --no-report --where --name --decisions --reel --contact-sheet --watch --watch-interval",
    "scan": "--config --set --profile --models --device --dry-run --json -q -v --out --sample-fps --every-frame "
    "--det-size --det-threshold --min-face --batch --decoders --workers --ring-mb --fresh --until --max-hours "
    "--shard --watch --watch-interval",
    "find": "--config --set --profile --models --device --dry-run --json -q -v --out --targets --threshold "
    "--exit-threshold --margin --not --pad --merge-gap --min-span --exact --clips --crops --snapshots --boxes "
    "--timelines --until --max-hours --faces --flip --jitter --grow --ratio --min-gap --max-crops "
    "--where --name --decisions --reel --contact-sheet",
    "enroll": "--bank -b --models --device --faces --flip --jitter --json -q",
    "calibrate": "--targets --index --false-tracks --threshold --faces --models --json -q",
    "people": "--out --min-faces --link-threshold --top --rank --video --store --refine-limit --json -q --models",
    "pick": "--name --selection --merge --split --reject --out --pad --clips --crops --timelines --json -q --models",
    "correct": "--undo --out --models --dry-run --json -q",
    "report": "--out --dry-run --json -q",
    "timelines": "--out --as --dry-run --json -q",
    "curate": "--out --targets --max --dry-run --json -q",
    "status": "--out --json",
    "merge": "--out --link --copy --dry-run --json -q",
    "audit": "--out -n --number --seed --targets --dry-run --json -q",
    "bench": "--out --batches --workers --decoders --backends --write-profile --models --json",
    "demo": "--out --json -q",
    "models": "list install verify build export-person",
    "models list": "--models",
    "models install": "--accept-license",
    "models verify": "--models",
}
HAS_CARD = Path("/proc/driver/nvidia").exists()


def test_help_names_the_commands() -> None:
    done = fastface("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in OPTIONS:
        assert re.search(rf"\b{command.split()[0]}\b", done.stdout), command
    assert "--version" in done.stdout
    assert fastface("-h").stdout == done.stdout


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_names_its_options(command: str) -> None:
    done = fastface(*command.split(), "--help")
    if "--help-all" in done.stdout:
        done = fastface(*command.split(), "--help-all")
    assert (done.returncode, done.stderr) == (0, "")
    words = set(re.findall(r"[\w-]+", done.stdout))
    missing = [option for option in OPTIONS[command].split() if option not in words]
    assert missing == []


@pytest.mark.parametrize("arguments", [("no-such-command",), ("enroll",), ("models", "install"), ("run", "--batch")])
def test_a_command_line_that_is_none_is_told_as_usage(arguments: tuple[str, ...]) -> None:
    done = fastface(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("fastface: ")


def test_an_option_that_does_not_exist_is_named_once() -> None:
    for command in ("run", "scan", "find", "enroll", "status", "demo"):
        done = fastface(command, "--no-such-option")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("--no-such-option") == 1
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "--profile", "quick"), ("quick", "fast", "faces", "highlights")),
        (("run", "-c", "no such.toml"), ("no such.toml", "No such file")),
        (("run", "-s", "batch"), ("batch", "section.key=value")),
        (("run", "--batch", "many"), ("--batch many", "must be a whole number")),
        (("find", "-t", "film.mp4"), ("out", "fastface scan")),
        (("status",), ("out",)),
        (("bench", "--batches", "4;8"), ("--batches", "4;8")),
        (("run", "film.mp4", "-t", "film.mp4", "-o", "film.mp4"), ("film.mp4", "cannot write")),
    ],
)
def test_a_usage_error_is_one_line(
    arguments: Sequence[str], parts: tuple[str, ...], cartoon: Cartoon, tmp_path: Path
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"not read")
    (line,) = errors(fastface(*arguments, folder=tmp_path, FASTFACE_MODELS=str(cartoon.models)), 2, 1)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("rn",), "no such command 'rn'; did you mean 'run'? (see fastface --help)"),
        (("run", "--treshold", "1"), "no such option: --treshold; did you mean --threshold? (see fastface run --help)"),
        (
            ("find", "Bob.jpg", "-o", "my out"),
            "find takes no argument Bob.jpg: give photos with -t, as: fastface find -t Bob.jpg "
            "(see fastface find --help)",
        ),
        (
            ("status", "my out"),
            "status takes no argument 'my out': name the output folder with -o, as: fastface status -o 'my out' "
            "(see fastface status --help)",
        ),
        (
            ("purge", "--out=one", "-otwo", "--yes"),  # a purge of the last one alone would leave faces in the first
            "purge takes one output folder, and -o names 2: run it once for each (see fastface purge --help)",
        ),
        (
            ("run", "film.mp4"),
            "no photos to search for: give photos with -t, as -t photos/Alice.jpg, or put them into samples/",
        ),
        (
            ("find",),
            "no photos to search for: give photos with -t, as -t photos/Alice.jpg, or put them into samples/",
        ),
    ],
)
def test_a_slip_of_the_keyboard_is_answered_with_the_right_way(
    arguments: tuple[str, ...], line: str, tmp_path: Path
) -> None:
    (tmp_path / "film.mp4").write_bytes(b"not read")
    assert errors(fastface(*arguments, folder=tmp_path), 2, 1) == [f"fastface: {line}"]


def test_find_takes_no_option_of_a_scan() -> None:
    words = set(re.findall(r"[\w-]+", fastface("find", "--help-all").stdout))
    assert not words & {"--fresh", "--sample-fps", "--decoder", "--ring-mb"}
    done = fastface("find", "--fresh")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--fresh" in done.stderr


def test_all_faults_of_the_settings_are_listed_before_anything_is_written(cartoon: Cartoon, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[scan]\nbach = 4\n[match]\nmargin = nan\n")
    arguments = ("run", cartoon.films, "-t", cartoon.photos, "-c", "mine.toml", "-s", "spam.egg=1", "--batch", "65")
    done = fastface(*arguments, folder=tmp_path, FASTFACE_SPANS__PAD="1,nan")
    lines = errors(done, 2, 5)
    for start in ("scan.bach: ", "match.margin: ", "-s spam.egg=1: ", "--batch 65: ", "FASTFACE_SPANS__PAD=1,nan: "):
        assert sum(line.startswith(f"fastface: {start}") for line in lines) == 1, start
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


def test_no_usable_target_is_never_everybody(cartoon: Cartoon, tmp_path: Path) -> None:
    """Every target is named that gives none, and nothing was decoded."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("put photos here")
    blank = np.full((400, 400, 3), 128, np.uint8)
    assert cv2.imwrite(str(tmp_path / "nobody.png"), blank)
    (tmp_path / "text.jpg").write_text("no picture")
    targets = ("empty", "notes", "nobody.png", "text.jpg", "missing.jpg")
    given = [part for target in targets for part in ("-t", target)]
    done = fastface("run", cartoon.films, *given, "--models", cartoon.models, "-q", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    for target in targets:
        assert target in done.stderr, target
    assert run_tools.num_units(tmp_path / "out") == 0
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix in {".csv", ".mp4"}]
    assert not list((tmp_path / "out" / ".fastface" / "index").rglob("*"))


@pytest.mark.parametrize("folder", ["none", "empty"])
def test_an_empty_samples_folder_is_told(cartoon: Cartoon, tmp_path: Path, folder: str) -> None:
    (tmp_path / "in_video").mkdir()
    shutil.copy(cartoon.films / "film3.mp4", tmp_path / "in_video")
    if folder == "empty":
        (tmp_path / "samples").mkdir()
        (tmp_path / "samples" / "README.md").write_text("photos go here")
    done = fastface("run", "-q", folder=tmp_path, FASTFACE_MODELS=str(cartoon.models))
    assert (done.returncode, done.stdout) == (2, "")
    assert "samples" in done.stderr
    assert run_tools.num_units(tmp_path / "out") == 0


def test_an_exit_threshold_above_the_threshold_is_a_fault(cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("-t", cartoon.photos, "--models", cartoon.models, "-o", tmp_path / "out")
    done = fastface("run", cartoon.films, *given, "--threshold", "0.4", "--exit-threshold", "0.5")
    (line,) = errors(done, 2, 1)
    assert "0.5" in line
    assert "0.4" in line


@pytest.mark.skipif(HAS_CARD, reason="this machine has an NVIDIA card")
@pytest.mark.parametrize("command", ["run", "scan", "enroll"])
def test_cuda_without_a_card_is_exit_code_4_in_one_line(command: str, cartoon: Cartoon, tmp_path: Path) -> None:
    rest = {
        "run": (cartoon.films, "-t", cartoon.photos),
        "scan": (cartoon.films,),
        "enroll": (cartoon.photos, "-b", "bank.npz"),
    }[command]
    done = fastface(command, *rest, "--models", cartoon.models, "--device", "cuda", folder=tmp_path)
    (line,) = errors(done, 4, 1)
    for part in ("CUDA", "driver", "--device cpu"):
        assert part in line
    assert run_tools.num_units(tmp_path / "out") == 0


@pytest.mark.skipif(HAS_CARD, reason="this machine has an NVIDIA card")
def test_the_demo_of_an_empty_folder_does_not_fall_back_to_another_device(tmp_path: Path) -> None:
    (line,) = errors(fastface("run", "--device", "cuda", "-q", folder=tmp_path), 4, 1)
    assert "CUDA" in line


def test_a_dry_run_says_what_it_would_do_and_decodes_nothing(cartoon: Cartoon, tmp_path: Path) -> None:
    """The films are no films: decoding one would fail."""
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    for name in ("a.mp4", "b.mkv"):
        (films / name).write_bytes(b"no film at all")
    before = contents(tmp_path)
    given = ("--models", cartoon.models, "-o", out, "--dry-run", "--decoders", "3", "--workers", "2", "--batch", "5")
    for command in (("run", films, "-t", cartoon.photos), ("scan", films)):
        done = fastface(*command, *given)
        assert (done.returncode, done.stderr) == (0, "")
        for part in ("a.mp4", "b.mkv", "cartoon", "3 decoders", "2 workers", "batches of 5", str(out)):
            assert part in done.stdout
        assert (str(cartoon.photos) in done.stdout) == (command[0] == "run")
    assert contents(tmp_path) == before


def test_a_dry_run_tells_what_the_command_would(cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    """The same lines, all of them, and the same exit code; and nothing is written."""
    (tmp_path / "empty").mkdir()
    out, models, photos = tmp_path / "out", ("--models", cartoon.models), ("-t", cartoon.photos)
    missing = ("missing.mp4", "-t", "missing.jpg", "--models", "empty", "--ring-mb", "1", "-o", out)
    cases: list[tuple[int, int, tuple[object, ...]]] = [
        (2, 4, ("run", *missing)),
        (28, 1, ("run", cartoon.films, *photos, *models, "--ring-mb", "262144")),
        (28, 1, ("scan", cartoon.films, *models, "--ring-mb", "262144")),
        (2, 1, ("scan", "missing.mp4", *models)),
        (2, 3, ("find", "-t", "missing.jpg", "--models", "empty", "-o", out)),
        (2, 1, ("find", *photos, *models, "-s", "run.fresh=true", "-o", ran.out)),
    ]
    if not HAS_CARD:
        cases += [(4, 1, ("scan", cartoon.films, *models, "--decoder", "nvdec")),
                  (4, 1, ("find", *photos, *models, "--device", "cuda", "-o", ran.out))]  # fmt: skip
    before = contents(tmp_path), contents(ran.out)
    for exit_code, num_lines, command in cases:
        told, done = (
            [re.sub(r"the \d+ MiB of free", "", line) for line in errors(asked, exit_code, num_lines)]
            for asked in (fastface(*command, how, folder=tmp_path) for how in ("--dry-run", "-q"))
        )
        assert told == done
    assert (contents(tmp_path), contents(ran.out)) == before


def test_a_dry_run_of_what_would_fail_fails(cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("--models", cartoon.models, "-o", tmp_path / "out", "--dry-run")
    (line,) = errors(fastface("run", tmp_path / "no such film.mp4", "-t", cartoon.photos, *given), 2, 1)
    assert "no such film.mp4" in line
    done = fastface("run", cartoon.films, "-t", tmp_path / "missing.jpg", *given)
    assert done.returncode == 2
    assert "missing.jpg" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_dry_run_in_json_is_one_object(cartoon: Cartoon, tmp_path: Path) -> None:
    given = ("-t", cartoon.photos, "--models", cartoon.models, "-o", tmp_path / "out", "--dry-run", "--json")
    done = fastface("run", cartoon.films, *given)
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), dict)


@pytest.mark.parametrize("command", ["find", "enroll", "demo", "run", "bench"])
def test_a_dry_run_of_any_command_writes_nothing(command: str, cartoon: Cartoon, ran: Ran, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    if command == "find":
        shutil.copytree(ran.out, folder / "out")
    models = ("--models", cartoon.models)
    rest: tuple[object, ...] = {
        "find": ("-t", cartoon.photos, "--clips", "none", "--crops", "none", *models),
        "enroll": (cartoon.photos, "-b", "bank.npz", *models),
        "demo": (),
        "run": (),  # in_video/ holds nothing, so the demo would run
        "bench": (cartoon.films / "film3.mp4", "--batches", "1", "--workers", "1", "--decoders", "1", *models),
    }[command]
    before = contents(folder)
    done = fastface(command, *rest, "--dry-run", folder=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert contents(folder) == before


def test_the_command_line_loads_no_codec_and_no_network_library() -> None:
    heavy = ("av", "cv2", "onnx", "PIL", "openvino", "onnxruntime")
    code = f"import sys, fastface.cli.app; print([name for name in {heavy!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


COMMANDS_WITH_HELP = [name for name in COMMANDS if name != "models"] + ["models list", "models build", "models install"]
ARRAYS = ["numpy", "pyarrow", "rich", "av", "cv2", "onnx", "PIL", "openvino", "onnxruntime"]


def run_and_list(command: list[str], heavy: list[str], *, folder: Path | None = None) -> str:
    """Run a command that may start no process; return its exit code and the modules that it loaded."""
    code = f"""
import subprocess, sys
from fastface import cli
subprocess.Popen = None
sys.argv = ["fastface", *{command!r}]
try:
    cli.main()
except SystemExit as ending:
    found = [name for name in {heavy!r} if name in sys.modules]
    sys.exit(f"{{ending.code}} {{found}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("command", [["--help"], ["run", "--help"], ["find", "-h"], ["scan", "--help-all"],
                                     ["run", "--wrong"], ["wrong"]])  # fmt: skip
def test_help_and_usage_errors_load_no_arrays_and_no_checks_and_start_no_process(command: list[str]) -> None:
    is_help = command[-1].startswith(("--help", "-h"))
    assert run_and_list(command, [*ARRAYS, "pydantic"]) == f"{0 if is_help else 2} []"


def test_no_module_of_a_command_loads_arrays_or_checks() -> None:
    assert len(COMMANDS_WITH_HELP) > 20
    code = "import sys; from fastface.cli.app import app\n"
    code += f"for name in {COMMANDS_WITH_HELP!r}: app([*name.split(), '--help'], standalone_mode=False)\n"
    code += f"print([name for name in {[*ARRAYS, 'pydantic']!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stdout.count("Usage: ") == len(COMMANDS_WITH_HELP)


def test_a_wrong_setting_loads_no_arrays_and_starts_no_process() -> None:
    assert run_and_list(["run", "-s", "scan.batch=no"], ARRAYS) == "2 []"


def test_status_loads_neither_arrays_nor_the_settings(ran: Ran) -> None:
    assert run_and_list(["status", "-o", str(ran.out)], [*ARRAYS, "fastface.config"]) == "0 []"
    # Settings that are given are checked all the same.
    assert run_and_list(["status", "-o", str(ran.out), "-s", "scan.batch=no"], ARRAYS) == "2 []"


def test_the_list_of_commands_has_the_first_sentence_of_each() -> None:
    assert len(SUMMARIES) > 20
    help_texts = {name: fastface(name, "--help").stdout for name in SUMMARIES}
    sentences = {name: " ".join(text.split("\n\n")[1].split()) for name, text in help_texts.items()}
    assert [name for name, sentence in sentences.items() if not sentence.startswith(SUMMARIES[name])] == []
    assert list(SUMMARIES) == list(COMMANDS)


def test_a_command_imports_no_other_command_and_a_wrong_name_is_still_answered_with_the_right_one() -> None:
    code = "import sys; from fastface.cli.app import app; app(['find', '-h'], standalone_mode=False);"
    code += "print([name for name in sys.modules if name.startswith('fastface.cli.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    others = {command.split()[0] for command in OPTIONS} - {"run", "scan", "find"}  # the three are one module
    assert len(others) == 14
    modules = {name: COMMANDS[name].rpartition(".")[0] for name in others}
    assert [name for name in sorted(others) if f"'fastface.cli.commands.{modules[name]}'" in loaded] == []
    assert "'fastface.cli.commands.run'" in loaded
    assert "did you mean 'find'" in fastface("fidn").stderr


def test_a_signal_while_a_command_is_loaded_is_told_in_one_line() -> None:
    code = "import fastface.cli.app as app, fastface.cli as cli\ndef load(name): raise KeyboardInterrupt\n"
    code += "app._load = load; cli.sys.argv = ['fastface', 'find']; cli.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "fastface: interrupted")


def test_a_scan_without_videos_says_what_is_missing(tmp_path: Path) -> None:
    (line,) = errors(fastface("scan", folder=tmp_path), 2, 1)
    assert line == "fastface: no videos to search: name videos or folders, or put videos into in_video/"
    assert list(tmp_path.iterdir()) == []
