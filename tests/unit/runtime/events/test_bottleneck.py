"""Naming what limits a scan: shares by hand."""

import pytest

from fastface.runtime.events.bottleneck import describe_bottleneck

WORK = {"read": 1.0, "decode": 7.0, "copy": 1.0, "canvas": 1.0, "detect": 6.0, "align": 1.0, "embed": 3.0}
"""Ten seconds of decoders and ten of workers."""


@pytest.mark.parametrize(
    ("more", "begin", "part"),
    [
        ({"wait_batch": 10.0}, "Decoding limits this scan: the networks waited 50%", "--sample-fps"),
        ({"wait_slot": 30.0}, "Finding faces limits this scan: decoders waited 75%", "--det-size"),
        ({"wait_slot": 30.0, "embed": 13.0, "align": 0.0}, "Recognising faces limits this scan", "--pack"),
        ({"wait_slot": 30.0, "persons": 9.0}, "Finding persons limits this scan", "scan.track"),
        ({"wait_batch": 10.0, "read": 9.1}, "Reading the files limits this scan: the networks waited 50%", "disk"),
        ({"wait_batch": 10.0, "read": 8.9}, "Decoding limits", "--decoders"),
        # A processor does not read files.
        (
            {"wait_batch": 1.1, "read": 9.0},
            "Reading the files limits this scan: it is 50% of the decoders' work",
            "disk",
        ),
        # 10 % and 0 %: neither side waits clearly more than the other.
        ({"wait_batch": 1.1}, "The processor limits this scan. Most of its time goes to decoding.", "--sample-fps"),
    ],
)
def test_the_side_that_does_not_wait_limits(more: dict[str, float], begin: str, part: str) -> None:
    text = describe_bottleneck(WORK | more)
    assert text.startswith(begin)
    assert part in text.partition("What helps: ")[2]


def test_nothing_is_said_without_times() -> None:
    assert not describe_bottleneck({})
    assert not describe_bottleneck({"decode": 3.0})
