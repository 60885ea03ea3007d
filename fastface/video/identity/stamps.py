"""Write and compare stamps: the size and the times of a file, which show that it may have changed. Pure.

`discover` and `fingerprint` write them. The ledger keeps the stamp of each scanned video.
"""

import os


def format_stamp(status: os.stat_result) -> str:
    """Return the stamp of a file with this status: bytes, time of writing and time of change."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def read_size(text: str) -> int:
    """Return the bytes of the video with this fingerprint or stamp; -1 for an empty text."""
    size = text.partition("-")[0]
    return int(size) if size.isdecimal() else -1


def was_written(before: str, now: str) -> bool:
    """Return whether a file was written between two stamps. A link, a move or other permissions are no writing."""
    return before.rpartition("-")[0] != now.rpartition("-")[0]
