"""What all benchmarks share: who measured, and where the figures go."""

import argparse
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["add_tiny", "machine", "write_section"]

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = (
    "fastface-video",
    "insightface",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "av",
    "opencv-python-headless",
    "numpy",
)


def add_tiny(parser: argparse.ArgumentParser) -> None:
    """Add `--write` and `--tiny`, of which only one can be given: figures of a tiny run are worth nothing."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--write", action="store_true", help="replace this section of RESULTS.md")
    either.add_argument("--tiny", action="store_true", help="only check that the script runs, on a share of its input")


def machine() -> str:
    """One line: processor, cores, system, versions."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    name = next((line.split(":")[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "?")
    flags = next((line for line in cpuinfo.splitlines() if line.startswith("flags")), "")
    vectors = next((flag for flag in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if flag in flags.split()), "")
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    cores = cpuinfo.count("processor\t:")
    return f"Machine: {name} ({vectors}), {cores} cores, Python {platform.python_version()}; {', '.join(versions)}."


def write_section(title: str, text: str, report: Path = RESULTS) -> None:
    """Replaces the section of RESULTS.md, or of another report, with this title, or adds it."""
    head = f"# {report.stem.capitalize()}\n\nAll of it by the scripts beside.\n"
    content = report.read_text(encoding="utf-8") if report.exists() else head
    section = f"## {title}\n\n{text.strip()}\n"
    pattern = re.compile(rf"## {re.escape(title)}\n.*?(?=\n## |\Z)", re.DOTALL)
    content = pattern.sub(lambda _: section, content) if pattern.search(content) else f"{content.rstrip()}\n\n{section}"
    report.write_text(content, encoding="utf-8")
