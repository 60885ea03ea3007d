"""How much memory a process and its children hold, as Linux accounts for it."""

from pathlib import Path


def tree_memory(pid: int) -> int:
    """Bytes of a process and its children. Memory that several share is counted once (PSS).

    A process that ends meanwhile counts as nothing; so does every one where there is no `/proc`.
    """
    return sum(_memory(Path(f"/proc/{member}")) for member in [pid, *_children(pid)])


def _children(pid: int) -> list[int]:
    children = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children += [int(text) for text in tasks.read_text().split()]
        except OSError:
            continue
    return children


def _memory(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
