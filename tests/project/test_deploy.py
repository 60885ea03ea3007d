"""The recipes of deploy/: each is read by its own program, and its command lines by fastface's own.

Scripts are run by their shell, with programs that only write down how they were called.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from crontab import CronTab
from document_tools import check_command
from places import ROOT

DEPLOY = ROOT / "deploy"
KUBERNETES = ("volumes.yaml", "scan.yaml", "merge.yaml")
KUBERNETES_VERSIONS = ("1.29", "1.37")
WATCH = "fastface-watch.service"
UNITS = sorted(path.name for path in (DEPLOY / "systemd").iterdir())
INSTALLED = "/opt/fastface/.venv/bin/fastface"
SLURM_SCRIPTS = ("scan.sbatch", "merge.sbatch")
SLURM_CONF = """ClusterName=none
SlurmctldHost=localhost
SlurmctldPort=1
AuthType=auth/none
CryptoType=crypto/none
MessageTimeout=1
NodeName=localhost
PartitionName=all Nodes=ALL Default=YES
"""


def need(program: str) -> str:
    """The program's path; without it the test is skipped, but never under CI, which installs it."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        assert not os.environ.get("CI"), f"{program} is not installed"
        pytest.skip(f"{program} is not installed")
    return path


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


@dataclass
class Calls:
    """Programs that write down their arguments, in a folder that a script finds first."""

    folder: Path
    made: list[list[str]] = field(default_factory=list)

    def put(self, name: str, prints: str = "", *, runs: bool = False) -> Path:
        """Make a program; `runs` makes it run the command that follows its own options."""
        path = self.folder / name
        skip = 'while [ "${1#-}" != "$1" ]; do shift; done; exec "$@"' if runs else ""
        path.write_text(
            f"#!/bin/sh\n{{ printf '%s\\0' {name} \"$@\"; echo; }} >>{self.folder}/calls\necho {prints}\n{skip}\n"
        )
        path.chmod(0o755)
        return path

    def run(self, command: list[str], **variables: str) -> list[list[str]]:
        """The calls that a command makes."""
        log = self.folder / "calls"
        log.unlink(missing_ok=True)
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", **variables}
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=60)
        return [line.split("\0")[:-1] for line in log.read_text().splitlines()]


@pytest.fixture
def calls(tmp_path: Path) -> Calls:
    (tmp_path / "bin").mkdir()
    return Calls(tmp_path / "bin")


# ── cron ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cron_starts_the_run_every_night_at_ten(calls: Calls, tmp_path: Path) -> None:
    text = (DEPLOY / "cron" / "fastface").read_text()
    (job,) = CronTab(tab=text, user=False)
    assert job.is_valid()
    assert job.user == "fastface"
    nights = job.schedule(datetime(2027, 2, 27, 12, 0))
    assert [nights.get_next() for _ in range(2)] == [datetime(2027, 2, 27, 22, 0), datetime(2027, 2, 28, 22, 0)]
    program = calls.put("fastface")
    command = str(job.command).replace(INSTALLED, str(program)).replace("/var/log/fastface", str(tmp_path))
    assert "%" not in command  # cron would end the line there
    ((_, *words),) = calls.run(["/bin/sh", "-c", command])
    assert check_command(words)["run_until"] == "06:00"
    assert (tmp_path / "night.log").read_text().splitlines()[-1].startswith("exit code 0 at ")


def test_a_wrong_crontab_would_be_found() -> None:
    wrong = (DEPLOY / "cron" / "fastface").read_text().replace("0 22 * * *", "0 25 * * *")
    assert list(CronTab(tab=wrong, user=False)) == []


# ── logrotate ───────────────────────────────────────────────────────────────────────────────────────────────────────


def rotated(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "night.log").write_text("a line\n")
    file = folder / "rotation"
    user = f"su {os.getuid()} {os.getgid()}"
    file.write_text(text.replace("su fastface fastface", user).replace("/var/log/fastface", str(folder)))
    file.chmod(0o644)
    command = [need("logrotate"), "-d", "-s", str(folder / "state"), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_logrotate_takes_its_recipe_and_the_log_of_cron(tmp_path: Path) -> None:
    text = (DEPLOY / "logrotate" / "fastface").read_text()
    done = rotated(tmp_path, text)
    assert done.returncode == 0, done.stderr
    assert f"considering log {tmp_path / 'night.log'}" in done.stderr
    assert "error" not in done.stderr
    (log,) = set(re.findall(r">>(\S+)", (DEPLOY / "cron" / "fastface").read_text()))
    assert Path(log).match("/var/log/fastface/*.log")
    wrong = rotated(tmp_path, text.replace("rotate 8", "rotate often"))
    assert "bad rotation count" in wrong.stderr


# ── systemd ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def verified(folder: Path, unit: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """systemd's opinion of a unit beside the others, with the installed program replaced by this environment's."""
    program = need("systemd-analyze")
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text().replace(INSTALLED, f"{sys.prefix}/bin/fastface")
        text = text.replace("/opt/fastface/deploy", str(DEPLOY))
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return subprocess.run(
        [program, "verify", "--man=no", str(folder / unit)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_each_unit(unit: str, tmp_path: Path) -> None:
    done = verified(tmp_path, unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_unit_would_be_found(tmp_path: Path) -> None:
    done = verified(tmp_path, "fastface-night.service", IOSchedulingClass="IOSchedullingClass")
    assert "IOSchedullingClass" in done.stderr


def _settings(unit: str) -> dict[str, str]:
    lines = (DEPLOY / "systemd" / unit).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith(("#", "Environment=")))


def test_the_units_start_commands_that_fastface_takes() -> None:
    found = {unit: shlex.split(_settings(unit)["ExecStart"]) for unit in ("fastface-night.service", WATCH)}
    assert {words[0] for words in found.values()} == {INSTALLED}
    params = {unit: check_command(words[1:]) for unit, words in found.items()}
    assert params["fastface-night.service"]["run_until"] == "06:00"
    assert params[WATCH]["run_watch"] is True
    assert params[WATCH]["run_until"] == "06:00"  # one report a day; then systemd starts it again
    assert _settings(WATCH)["Restart"] == "always"
    assert "fastface-night.timer" in UNITS
    for unit, words in found.items():  # what is written lies in what may be written
        out = words[words.index("-o") + 1]
        assert Path(out).is_relative_to(_settings(unit)["ReadWritePaths"])


def test_systemd_accepts_the_night_with_its_mail(tmp_path: Path) -> None:
    on = {"#OnSuccess=": "OnSuccess=", "#OnFailure=": "OnFailure="}
    done = verified(tmp_path, "fastface-night.service", **on)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nOnSuccess=fastface-mail.service\n" in (tmp_path / "fastface-night.service").read_text()
    assert _settings("fastface-mail.service")["ExecStart"].split()[0] == "/opt/fastface/deploy/morning.sh"


@pytest.mark.parametrize(
    ("variables", "subject", "body"),
    [
        ({"FASTFACE_EXIT_CODE": "0"}, "fastface: 2 new videos", "fastface: 2 new videos\nmore\n"),
        ({"MONITOR_EXIT_STATUS": "3"}, "fastface: 2 new videos", "fastface: 2 new videos\nmore\n"),
        ({"FASTFACE_EXIT_CODE": "11"}, None, ""),
        (
            {"FASTFACE_EXIT_CODE": "28"},
            "fastface: the night failed",
            "fastface ended with exit code 28: see the log.\n",
        ),
    ],
)
def test_the_morning_mails_the_report_or_the_exit_code(
    calls: Calls, tmp_path: Path, variables: dict[str, str], subject: str | None, body: str
) -> None:
    (tmp_path / "night.txt").write_text("fastface: 2 new videos\nmore\n")
    mail = calls.put("mail")
    mail.write_text(f"{mail.read_text()}cat >{tmp_path}/body\n")
    (calls.folder / "calls").touch()
    environment = {"PATH": f"{calls.folder}:{os.environ['PATH']}", "FASTFACE_OUT": str(tmp_path), **variables}
    subprocess.run([DEPLOY / "morning.sh", "me@example.org"], check=True, env=environment, capture_output=True)
    made = [line.split("\0")[:-1] for line in (calls.folder / "calls").read_text().splitlines()]
    assert made == ([] if subject is None else [["mail", "-s", subject, "me@example.org"]])
    assert subject is None or (tmp_path / "body").read_text() == body


def test_a_run_that_goes_on_is_no_failure_of_the_night() -> None:
    """11 is the exit code of a held folder, 143 of SIGTERM: 128 + 15."""
    assert {"11", "143"} <= set(_settings("fastface-night.service")["SuccessExitStatus"].split())


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", KUBERNETES)
def test_kubernetes_accepts_each_object(name: str, version: str) -> None:
    found = documents(name)
    assert found
    for one in found:
        kubernetes_validate.validate(one, version, strict=True)


def test_the_scan_for_cards_is_accepted_too() -> None:
    """The lines marked `gpu:`, put in as the file says."""
    text = (DEPLOY / "kubernetes" / "scan.yaml").read_text()
    text = text.replace("# gpu: nvidia.com/gpu: 1", 'nvidia.com/gpu: "1"').replace(
        "image: fastface", "image: fastface:gpu"
    )
    job = yaml.safe_load(text)
    kubernetes_validate.validate(job, KUBERNETES_VERSIONS[-1], strict=True)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"] == "fastface:gpu"


def test_a_wrong_object_would_be_found() -> None:
    (job,) = documents("scan.yaml")
    job["spec"]["compleions"] = job["spec"].pop("completions")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, KUBERNETES_VERSIONS[-1], strict=True)


def test_pods_mount_what_they_name_and_claims_exist() -> None:
    claims = {one["metadata"]["name"] for one in documents("volumes.yaml")}
    for name in ("scan.yaml", "merge.yaml"):
        (job,) = documents(name)
        pod = job["spec"]["template"]["spec"]
        volumes = {one["name"]: one for one in pod["volumes"]}
        assert {
            one["persistentVolumeClaim"]["claimName"] for one in volumes.values() if "emptyDir" not in one
        } <= claims
        containers = [*pod.get("initContainers", ()), *pod["containers"]]
        for container in containers:
            assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)


def as_kubelet(text: str, variables: dict[str, str]) -> str:
    """Kubernetes' expansion of a container's arguments: `$(NAME)` of a known variable, `$$` for `$`."""

    def expand(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", expand, text)


def containers_run(calls: Calls, name: str, folder: Path, variables: dict[str, str]) -> Iterator[list[str]]:
    """The arguments of fastface in each container of a job, whose folder /out lies in `folder`."""
    (job,) = documents(name)
    pod = job["spec"]["template"]["spec"]
    calls.put("fastface")
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        known = {**{one["name"]: one["value"] for one in container.get("env", ())}, **variables}
        entry = container.get("command", ["fastface"])  # else the image's own
        words = [as_kubelet(word, known).replace("/out/", f"{folder}/") for word in [*entry, *container["args"]]]
        ((_, *arguments),) = calls.run(words, **known)
        yield arguments


def test_each_index_of_the_job_scans_a_shard_of_its_own(calls: Calls, tmp_path: Path) -> None:
    (job,) = documents("scan.yaml")
    count = job["spec"]["completions"]
    assert job["spec"]["completionMode"] == "Indexed"
    for index in range(count):  # Kubernetes counts from 0
        (words,) = containers_run(calls, "scan.yaml", tmp_path, {"JOB_COMPLETION_INDEX": str(index)})
        params = check_command(words)
        assert params["run_shard"] == f"{index + 1}/{count}"
        assert params["out"] == tmp_path / f"shard-{index + 1}"
        assert params["inputs"] == ["/videos"]


def test_the_shards_are_merged_and_then_searched(calls: Calls, tmp_path: Path) -> None:
    shards = [tmp_path / f"shard-{number}" for number in (1, 2, 3)]
    for shard in shards:
        shard.mkdir()
    merge, find = containers_run(calls, "merge.yaml", tmp_path, {})
    assert merge == ["merge", *map(str, shards), "-o", str(tmp_path / "all")]
    assert find == ["find", "-t", "/photos", "-o", str(tmp_path / "all")]
    check_command(find)
    check_command(merge)


# ── Slurm ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sbatch_accepts_the_options_of_the_scripts(tmp_path: Path) -> None:
    """Without a cluster it reads the options, then finds no controller; a wrong option stops it before."""
    program = need("sbatch")
    (tmp_path / "slurm.conf").write_text(SLURM_CONF)
    wrong = tmp_path / "wrong.sbatch"
    wrong.write_text((DEPLOY / "slurm" / "scan.sbatch").read_text().replace("--signal=", "--singal="))
    environment = {**os.environ, "SLURM_CONF": str(tmp_path / "slurm.conf")}
    told = [
        subprocess.run(
            [program, "--test-only", str(path)], capture_output=True, text=True, check=False, env=environment
        ).stderr
        for path in (*(DEPLOY / "slurm" / name for name in SLURM_SCRIPTS), wrong)
    ]
    assert "Unable to contact slurm controller" in told[0]
    assert "Unable to contact slurm controller" in told[1]
    assert "unrecognized option '--singal=TERM@300'" in told[2]


def slurm_script(name: str, folder: Path, program: Path) -> list[str]:
    """A script with fastface's program and the folder OUT replaced; bash has read it without running it."""
    text = (DEPLOY / "slurm" / name).read_text()
    script = folder / name
    script.write_text(text.replace(INSTALLED, str(program)).replace("OUT=/srv/fastface", f"OUT={folder}"))
    subprocess.run(["bash", "-n", str(script)], check=True)
    return ["bash", str(script)]


def test_each_task_of_the_array_scans_a_shard_of_its_own(calls: Calls, tmp_path: Path) -> None:
    text = (DEPLOY / "slurm" / "scan.sbatch").read_text()
    ((first, last),) = re.findall(r"^#SBATCH --array=(\d+)-(\d+)", text, re.MULTILINE)
    assert first == "1"
    calls.put("srun", runs=True)
    script = slurm_script("scan.sbatch", tmp_path, calls.put("fastface"))
    for task in range(1, int(last) + 1):
        _, (_, *words) = calls.run(script, SLURM_ARRAY_TASK_ID=str(task), SLURM_CPUS_PER_TASK="4")
        params = check_command(words)
        assert params["run_shard"] == f"{task}/{last}"
        assert params["out"] == tmp_path / f"shard-{task}"


def test_slurm_merges_after_all_tasks_have_ended(calls: Calls, tmp_path: Path) -> None:
    calls.put("sbatch", prints="4711\\;cluster")
    scan, merge = calls.run(["bash", str(DEPLOY / "slurm" / "submit.sh")])
    assert scan == ["sbatch", "--parsable", str(DEPLOY / "slurm" / "scan.sbatch")]
    assert merge == ["sbatch", "--dependency=afterany:4711", str(DEPLOY / "slurm" / "merge.sbatch")]
    for number in (1, 2):
        (tmp_path / f"shard-{number}").mkdir()
    calls.put("srun", runs=True)
    script = slurm_script("merge.sbatch", tmp_path, calls.put("fastface"))
    found = [words for name, *words in calls.run(script, SLURM_CPUS_PER_TASK="4") if name == "fastface"]
    assert found == [
        ["merge", f"{tmp_path}/shard-1", f"{tmp_path}/shard-2", "-o", f"{tmp_path}/all"],
        ["find", "-t", "/srv/photos", "-o", f"{tmp_path}/all"],
    ]
    for words in reversed(found):
        check_command(words)
