"""The Dockerfiles, which cannot be built here: every instruction is read, and what they name is there."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from places import ROOT

from fastface.cli.app import COMMANDS

FILES = ("Dockerfile", "Dockerfile.gpu")
INSTRUCTIONS = {"FROM", "WORKDIR", "RUN", "COPY", "ENV", "VOLUME", "USER", "ENTRYPOINT", "CMD"}
"""All that these files need. A new one is a reason to look at this test again."""

VOLUMES = {"/videos", "/photos", "/models", "/out"}
MOVING_TAGS = ("latest", "slim", "stable", "rolling", "devel", "base")


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str
    stage: int


def instructions(name: str) -> list[Instruction]:
    """The file's instructions, continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    found: list[Instruction] = []
    stage = -1
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            stage += word == "FROM"
            found.append(Instruction(word, rest.strip(), stage))
    return found


def of(name: str, word: str) -> list[Instruction]:
    return [instruction for instruction in instructions(name) if instruction.word == word]


def commands(name: str) -> Iterator[list[str]]:
    """Each command of each RUN, as words."""
    for instruction in of(name, "RUN"):
        for command in instruction.rest.split(" && "):
            yield shlex.split(command)


def packages(name: str) -> set[str]:
    """The distribution's packages that are installed."""
    installs = [words for words in commands(name) if words[:2] == ["apt-get", "install"]]
    return {word for words in installs for word in words[2:] if not word.startswith("-")}


@pytest.mark.parametrize("name", FILES)
class TestDockerfile:
    def test_instructions_are_valid_and_begin_with_a_pinned_base(self, name: str) -> None:
        found = instructions(name)
        assert len(found) >= 15
        assert found[0].word == "FROM"
        assert {instruction.word for instruction in found} == INSTRUCTIONS
        assert all(instruction.rest for instruction in found)
        bases = [instruction.rest.split()[0] for instruction in of(name, "FROM")]
        assert len(bases) == 2  # what is needed to build stays behind
        assert len(set(bases)) == 1  # the environment that was built finds the same Python
        image, _, tag = bases[0].partition(":")
        assert image in ("python", "nvidia/cuda")
        assert re.match(r"\d+\.\d+\.\d+-", tag), tag
        assert tag not in MOVING_TAGS

    def test_it_runs_as_nobody_special(self, name: str) -> None:
        (user,) = of(name, "USER")
        last_stage = instructions(name)[-1].stage
        assert user.stage == last_stage
        assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user.rest)
        number = user.rest.partition(":")[0]
        assert any(words[0] == "useradd" and number in words for words in commands(name))
        after = instructions(name)[instructions(name).index(user) + 1 :]
        assert {instruction.word for instruction in after} == {"ENTRYPOINT", "CMD"}

    def test_entry_point_and_volumes_are_lists(self, name: str) -> None:
        (entry,), (default,), (volumes,) = of(name, "ENTRYPOINT"), of(name, "CMD"), of(name, "VOLUME")
        assert json.loads(entry.rest) == ["fastface"]
        assert set(json.loads(volumes.rest)) == {*VOLUMES, "/cache"}
        arguments = json.loads(default.rest)
        assert arguments[0] in COMMANDS
        assert {word for word in arguments if word.startswith("/")} == VOLUMES - {"/models"}
        (made,) = [words for words in commands(name) if words[:3] == ["install", "-d", "-m"]]
        assert set(made[4:]) == {*VOLUMES, "/cache"}

    def test_nothing_is_fetched_but_by_package_managers(self, name: str) -> None:
        programs = {words[0] for words in commands(name)}
        assert programs <= {
            "apt-get",
            "rm",
            "python3",
            "/opt/fastface/bin/pip",
            "groupadd",
            "useradd",
            "install",
            "ln",
        }
        assert not any("://" in instruction.rest for instruction in instructions(name))

    def test_lists_of_packages_do_not_stay(self, name: str) -> None:
        layers = [instruction.rest for instruction in of(name, "RUN") if "apt-get" in instruction.rest]
        assert bool(layers) == bool(packages(name))
        for layer in layers:
            assert layer.startswith("apt-get update && apt-get install -y --no-install-recommends ")
            assert layer.endswith("&& rm -rf /var/lib/apt/lists/*")

    def test_its_packages_are_debians(self, name: str) -> None:
        """CI has fetched Debian's lists; Ubuntu, the base of the card's image, has these under the same names."""
        wanted = packages(name)
        assert "ffmpeg" not in wanted  # its libraries come with PyAV
        known = {package for package in sorted(wanted | {"dpkg"}) if has_candidate(package)}
        if "dpkg" not in known:
            told = "apt has no lists of packages here: apt-get update"
            assert not os.environ.get("CI"), told
            pytest.skip(told)
        assert wanted <= known

    def test_its_extras_are_the_projects(self, name: str) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        (install,) = [words for words in commands(name) if words[0].endswith("/pip")]
        extras = re.fullmatch(r"\.\[(.+)\]", install[-1])
        assert extras is not None
        chosen = set(extras[1].split(","))
        assert chosen == ({"gpu", "nvdec"} if name.endswith(".gpu") else {"cpu"})
        assert chosen <= project["optional-dependencies"].keys()
        assert "--no-cache-dir" in install

    def test_what_is_copied_is_there_and_enough_to_build(self, name: str) -> None:
        sources = [word for copy in of(name, "COPY") if copy.stage == 0 for word in copy.rest.split()[:-1]]
        assert len(sources) == 6
        ignored = (ROOT / ".dockerignore").read_text().split("\n")
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored
        pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
        wheel = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]
        project = pyproject["project"]
        needed = {"pyproject.toml", "constraints.txt", project["readme"], *project["license-files"], *wheel["packages"]}
        assert {*needed, *wheel["force-include"]} == set(sources)

    def test_the_comments_commands_use_what_there_is(self, name: str) -> None:
        told = [line.lstrip("# ") for line in (ROOT / name).read_text().splitlines() if line.startswith("#")]
        text = " ".join(line.rstrip("\\") for line in told)
        tag = "fastface:gpu" if name.endswith(".gpu") else "fastface"
        assert f"docker build -t {tag} " in text
        mounted = set(re.findall(r'"\$PWD/\w+:(/\w+)', text))
        assert mounted >= VOLUMES
        assert mounted <= {*VOLUMES, "/cache"}
        assert ("--gpus all" in text) == name.endswith(".gpu")
        assert "models install buffalo_l --accept-license" in text


def has_candidate(package: str) -> bool:
    """Whether apt would install it. A package that is installed already says nothing of the lists."""
    if shutil.which("apt-cache") is None:
        return False
    done = subprocess.run(["apt-cache", "madison", package], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip())


def test_only_what_is_built_of_goes_to_docker() -> None:
    """Videos, photos, indexes and weights never reach an image."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert kept == {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "configs", "fastface"}
    assert not any((ROOT / "fastface").rglob("*.onnx"))
