"""Read the version of the installed distribution.

The help pages do without it: the standard library's reader of distributions takes a fifth of their start.
"""

from importlib.metadata import version

from fastface.distribution import DISTRIBUTION

VERSION = version(DISTRIBUTION)
