"""What OpenTimelineIO reads of a file, in a process of its own: its library may crash when a long process ends."""

import json
import subprocess
import sys
from dataclasses import dataclass

_READ = """
import json, os, sys, xml.etree
from xml.etree import ElementTree
xml.etree.cElementTree = ElementTree  # the adapter of FCPXML asks for the name of Python 3.8
import opentimelineio as otio
adapter, rate = sys.argv[1:]
arguments = {"rate": float(rate)} if rate else {}
read = otio.adapters.read_from_string(sys.stdin.buffer.read().decode(), adapter, **arguments)
found = []
for clip in read.find_clips():
    start, length = clip.source_range.start_time, clip.source_range.duration
    source = clip.media_reference.available_range
    found.append({
        "name": clip.name, "start": round(start.value), "length": round(length.value), "rate": start.rate,
        "url": getattr(clip.media_reference, "target_url", None) or "",
        "comments": list(clip.metadata.get("cmx_3600", {}).get("comments", [])),
        "source_start": None if source is None else round(source.start_time.value),
        "source_length": None if source is None else round(source.duration.value),
    })
print(json.dumps(found), flush=True)
os._exit(0)
"""


@dataclass(frozen=True)
class ReadClip:
    """A clip as OpenTimelineIO has it; times are frames, of sources from 00:00:00:00."""

    name: str
    start: int
    length: int
    rate: float
    url: str
    comments: list[str]
    source_start: int | None
    source_length: int | None


def read_clips(text: str, adapter: str, rate: float | None = None) -> list[ReadClip]:
    """The clips that an adapter reads of a text, in order.

    Args:
        text: The text of the file.
        adapter: Name of the adapter: `cmx_3600`, `fcp_xml`, `fcpx_xml` or `otio_json`.
        rate: Frames a second, which an edit decision list does not hold.
    """
    command = [sys.executable, "-c", _READ, adapter, "" if rate is None else repr(rate)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [ReadClip(**clip) for clip in json.loads(done.stdout)]
