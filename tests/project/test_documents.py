"""The documents hold: commands parse and run, links lead somewhere, snippets run, tables name what the code writes."""

import ast
import json
import re
import shlex
import shutil
import sqlite3
import sys
import tomllib
from pathlib import Path
from typing import Any

import cv2
import document_tools
import numpy as np
import pyarrow as pa
import pytest
from cartoon_tools import Cartoon
from cli_tools import environment, fastface
from document_tools import ROOT, Command, pages
from run_tools import finish_in
from setting_tools import FILE as SETTINGS
from setting_tools import HELP, document, option_names

from fastface.cli.app import COMMANDS
from fastface.config import Config, describe_settings, load_config
from fastface.models.catalog import KNOWN_NETWORKS
from fastface.setting_help import settings_to_text

MOST_WORDS = 20
"""Of a sentence."""

_BANNED = re.compile(r"\b(nobody|somebody|whoever|whom|likewise|as before|tells?|told|she)\b", re.IGNORECASE)


def all_commands() -> list[Command]:
    found = [command for page in pages() for command in document_tools.commands(page)]
    assert len(found) > 80
    return sorted(set(found), key=str)


# ── command lines ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", all_commands(), ids=str)
def test_a_command_line_of_a_document_is_one_that_the_program_takes(command: Command) -> None:
    """Commands and options exist, values are in range, profiles are there."""
    document_tools.check_command(command.words)


def test_a_wrong_command_line_would_be_found() -> None:
    for wrong in (("runn",), ("run", "--sampel-fps", "3"), ("models", "instal", "buffalo_l")):
        with pytest.raises(Exception, match=r"(?i)no such"):
            document_tools.parse_command(wrong)


@pytest.fixture(scope="module")
def workplace(cartoon: Cartoon, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the documents speak of: videos/, photos/ of Alice and Bob, others/ of Carol; all drawn."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "videos").mkdir()
    shutil.copy(cartoon.films / "film2.mp4", folder / "videos" / "a.mp4")
    shutil.copy(cartoon.films / "film3.mp4", folder / "videos" / "b.mp4")
    names = sorted(path.name for path in cartoon.photos.iterdir())
    shown = {person.name for film in ("film2.mp4", "film3.mp4") for person in cartoon.scripts[film].persons}
    drawn = sorted(names, key=lambda name: Path(name).stem not in shown)
    for place, name in zip(("photos/Alice.jpg", "photos/Bob.jpg", "others/Carol.jpg"), drawn, strict=False):
        (folder / place).parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / place), cv2.imread(str(cartoon.photos / name)))
    return folder


def test_the_commands_of_the_documents_do_what_they_say(workplace: Path, cartoon: Cartoon) -> None:
    """Each line of a `sh` fence ends with 0, and what the pages name is there; then the snippets of Python run.

    Lines are run in the order of the pages; a line that several pages have is run once.
    """
    lines = {command.words: command for page in document_tools.RUN_ORDER
             for command in document_tools.commands(ROOT / page) if command.is_run}  # fmt: skip
    assert len(lines) > 35
    variables = {"FASTFACE_MODELS": str(cartoon.models)}
    for words, command in lines.items():
        done = fastface(*words, folder=workplace, **variables)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    for name in ("spans.csv", "hits.csv", "review.csv", "run.json", "audit/audit.html"):
        assert (workplace / "out" / name).is_file(), name
    assert (workplace / "alice-set" / "curation.csv").is_file()
    assert (workplace / "check" / "calibration.png").is_file()
    assert (workplace / "family.npz").is_file()
    for name in ("people.html", "people.csv", "appearances.csv", "together.csv", "table.png"):
        assert (workplace / "archive" / "people" / name).is_file(), name

    page = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
    snippets = [content for _, content in document_tools.fences(page, "python")]
    assert len(snippets) >= 5
    done = finish_in(workplace, [sys.executable, "-c", "\n".join(snippets)], environment(**variables))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "a.mp4 done" in done.stdout

    documented = document_tools.tables((ROOT / "docs" / "outputs.md").read_text(encoding="utf-8"))
    archives = {
        "OUT/people/embeddings.npz": workplace / "archive" / "people" / "embeddings.npz",
        "OUT/primary_person.npz": workplace / "archive" / "primary_person.npz",
        "bank": workplace / "family.npz",
    }
    for name, path in archives.items():
        with np.load(path, allow_pickle=False) as arrays:
            written = [[key, "text" if arrays[key].dtype.kind == "U" else str(arrays[key].dtype)] for key in arrays]
        assert [[row[0], row[1].split(" ")[0]] for row in documented[name]] == written, name


def test_pages_with_commands_to_run_are_in_the_order_of_the_run() -> None:
    with_commands = {one.page for one in all_commands() if one.is_run}
    assert with_commands <= set(document_tools.RUN_ORDER)


def test_make_lines_name_targets_that_exist() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    lines = [line for page in pages() for _, content in document_tools.fences(page.read_text(encoding="utf-8"))
             for line in document_tools.shell_lines(content) if line.startswith("make ")]  # fmt: skip
    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        assert {word for word in words if "=" not in word} <= set(phony.split()), line


# ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def linked_pages() -> list[Path]:
    return [*pages(), *sorted((ROOT / "benchmarks").glob("*.md"))]


@pytest.mark.parametrize("page", linked_pages(), ids=document_tools.page_name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in document_tools.links(page.read_text(encoding="utf-8")):
        place, _, anchor = target.partition("#")
        assert not re.match(r"\w+:", place), f"{target}: links lead into the repository alone"
        found = (page.parent / place).resolve() if place else page
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in document_tools.anchors(found.read_text(encoding="utf-8")), target


def test_the_index_names_every_page_and_command() -> None:
    page = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert set(document_tools.links(page)) == {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert sorted(re.findall(r"^\| `fastface (\w+)` \|", page, re.MULTILINE)) == sorted(COMMANDS)


def test_the_first_screen_is_short_and_its_picture_small() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    (picture,) = (ROOT / target for target in document_tools.links(text) if target.startswith("docs/images/"))
    assert picture.stat().st_size < 300 << 10
    first = "\n".join(text.splitlines()[:20])
    assert all(system in first for system in ("Linux", "Windows", "WSL2", "macOS"))


def test_files_of_the_source_that_documents_name_exist() -> None:
    named = {(document_tools.page_name(page), path) for page in pages() if page.name not in document_tools.GENERATED
             for path in re.findall(r"`([\w/]+/\w+\.py)`", page.read_text(encoding="utf-8"))}  # fmt: skip
    assert len(named) > 20
    assert [
        one for one in sorted(named) if not any((root / one[1]).is_file() for root in (ROOT, ROOT / "fastface"))
    ] == []


def test_shares_of_hits_are_those_of_the_results() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    told = {found for page in pages() for found in re.findall(r"\d+ of \d+ hits", page.read_text(encoding="utf-8"))}
    assert told
    assert [one for one in told if one not in results] == []


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "page", [page for page in pages() if page.name not in document_tools.GENERATED], ids=document_tools.page_name
)
def test_sentences_are_short_and_plain(page: Path) -> None:
    found = document_tools.sentences(page.read_text(encoding="utf-8"))
    assert found
    assert [one for one in found if len(re.findall(r"[\w’'%×−-]+", one)) > MOST_WORDS] == []
    assert [one for one in found if _BANNED.search(one)] == []


# ── snippets ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_snippets_of_python_and_toml_are_valid() -> None:
    texts = [page.read_text(encoding="utf-8") for page in pages()]
    snippets = [content for text in texts for _, content in document_tools.fences(text, "python")]
    settings = [content for text in texts for _, content in document_tools.fences(text, "toml")]
    assert len(snippets) >= 6
    assert settings
    for snippet in snippets:
        ast.parse(snippet)
    for content in settings:
        load_config(environment={}, flags=tomllib.loads(content))


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stored_help_of_the_settings_is_that_of_their_models() -> None:
    stored = json.loads(HELP.read_text(encoding="utf-8"))
    assert len(stored) > 100
    assert HELP.read_text(encoding="utf-8") == settings_to_text(describe_settings()), "run: make settings"
    # By another path than ours: the fields of the models, as pydantic knows them.
    fields = [
        (section, field.alias or key, field.description)
        for section, model in Config.model_fields.items()
        for key, field in model.annotation.model_fields.items()
    ]
    assert [(one["section"], one["key"], one["text"]) for one in stored] == fields


def test_the_page_of_settings_is_up_to_date() -> None:
    assert SETTINGS.read_text(encoding="utf-8") == document(), "run: make settings"


def test_the_page_of_settings_has_every_setting_and_profile() -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    sections: dict[str, Any] = {name: field.annotation for name, field in Config.model_fields.items()}
    paths = {f"{name}.{f.alias or key}" for name, model in sections.items() for key, f in model.model_fields.items()}
    assert len(paths) > 100
    for path in paths:
        assert text.count(f"| `{path}` |") == 1
    assert set(option_names()) <= paths
    profiles = [path.stem for path in (ROOT / "configs").glob("*.toml")]
    assert len(profiles) >= 4
    for profile in profiles:
        assert f"| `{profile}` |" in text


# ── networks ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_page_of_networks_names_every_network_with_its_use() -> None:
    rows = [
        line for line in (ROOT / "docs" / "models.md").read_text(encoding="utf-8").splitlines() if line[:3] == "| `"
    ]
    uses = {
        name: cells[-1]
        for cells in ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
        for name in re.findall(r"`([^`]+)`", cells[0])
        if cells[-1] in ("yes", "no")
    }
    known = {name: "yes" if one.licence.is_commercial else "no" for name, one in KNOWN_NETWORKS.items()}
    assert len(known) > 15
    assert uses == known


# ── tables and schemas ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def documented() -> dict[str, list[list[str]]]:
    return document_tools.tables((ROOT / "docs" / "outputs.md").read_text(encoding="utf-8"))


def test_columns_of_tables_are_those_that_the_code_writes(documented: dict[str, list[list[str]]]) -> None:
    from fastface.curation.set_folder import COLUMNS as CURATION
    from fastface.export.tables import people_tables, results
    from fastface.search.archive_survey import _GROWTH_COLUMNS

    written = {
        "spans.csv": results._SPAN_COLUMNS,
        "hits.csv": results._HIT_COLUMNS,
        "review.csv": results._REVIEW_COLUMNS,
        "bank_growth.csv": _GROWTH_COLUMNS,
        "OUT/crops/crops.csv": results._CROP_COLUMNS,
        "OUT/people/people.csv": people_tables._PEOPLE_COLUMNS,
        "OUT/people/appearances.csv": people_tables._APPEARANCE_COLUMNS,
        "OUT/people/together.csv": people_tables._TOGETHER_COLUMNS,
        "curation.csv": CURATION,
    }
    for name, columns in written.items():
        assert [row[0] for row in documented[name]] == list(columns), name


def test_schemas_of_the_index_are_those_that_the_code_writes(documented: dict[str, list[list[str]]]) -> None:
    from fastface.index import schema

    written: dict[str, pa.Schema] = {
        "faces.parquet": schema.FACES.schema(512),
        "frames.parquet": schema.FRAMES.schema(),
        "tracks.parquet": schema.TRACKS.schema(512),
        "portraits.parquet": schema.PICTURES.schema(),
        "bodies.parquet": schema.BODIES.schema(),
    }
    for name, columns in written.items():
        assert [row[:2] for row in documented[name]] == [[one.name, str(one.type)] for one in columns], name
    page = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
    assert f"`schema_version` ({schema.SCHEMA_VERSION})" in page


def _columns(path: Path) -> list[list[str]]:
    with sqlite3.connect(path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [[name, column, kind] for name in names
                for _, column, kind, *_ in connection.execute(f"PRAGMA table_info({name})")]  # fmt: skip


def test_databases_have_the_documented_tables(documented: dict[str, list[list[str]]], tmp_path: Path) -> None:
    from fastface.census.store.base import open_store
    from fastface.index.ledger import Ledger

    with Ledger(tmp_path / "state.sqlite"):
        pass
    with open_store(str(tmp_path / "identities.sqlite"), contract="abc", dimension=4, threshold=0.5):
        pass
    for name, file in (("OUT/.fastface/state.sqlite", "state"), ("OUT/.fastface/identities.sqlite", "identities")):
        assert [row[:3] for row in documented[name]] == _columns(tmp_path / f"{file}.sqlite"), name


def test_objects_have_the_documented_keys(documented: dict[str, list[list[str]]], ran: Any) -> None:
    import json

    report = json.loads((ran.out / "run.json").read_text(encoding="utf-8"))
    assert [row[0] for row in documented["run.json"]] == list(report)
    night = json.loads((ran.out / "night.json").read_text(encoding="utf-8"))
    assert [row[0] for row in documented["night.json"]] == list(night)
    spans = json.loads((ran.out / "spans.json").read_text(encoding="utf-8"))
    assert spans
    assert [row[0] for row in documented["spans.json"]] == list(spans[0])
