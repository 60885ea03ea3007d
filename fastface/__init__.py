"""Find every moment in which chosen persons appear, in folders of videos, on your own machine.

import fastface
result = fastface.run("videos", targets="photos", out="out")
for row in result.spans:
    print(row.span.video_id, row.span.target, row.span.start, row.span.end, row.clip)
"""

from typing import TYPE_CHECKING, Any

from fastface.errors import FastfaceError

if TYPE_CHECKING:
    from fastface.api import (
        EnrollResult,
        MergeResult,
        PeopleResult,
        RunResult,
        enroll,
        find,
        merge,
        people,
        pick,
        run,
        scan,
    )

__all__ = [
    "EnrollResult",
    "FastfaceError",
    "MergeResult",
    "PeopleResult",
    "RunResult",
    "enroll",
    "find",
    "merge",
    "people",
    "pick",
    "run",
    "scan",
]


def __getattr__(name: str) -> Any:
    # Child processes import this package: they must not import modules that only users need.
    if name not in __all__:
        raise AttributeError(f"module 'fastface' has no attribute {name!r}")
    from fastface import api  # noqa: PLC0415

    return getattr(api, name)
