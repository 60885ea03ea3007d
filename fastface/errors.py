"""Define all exceptions that fastface raises on purpose.

FastfaceError
├── ConfigError            the configuration or the command line is wrong; nothing was started
├── InputError             one input file cannot be used
│   ├── VideoError         … a video: carries the state that the video ends in
│   └── ReferenceImageError  … a photo or a bank of a target
├── FaceIndexError         a file of an output folder's index or ledger is damaged, or of another version
├── ModelError             a network is missing, damaged, or not the expected one
├── BackendError           the requested device or runtime is not available
│   └── DeviceLostError      … or was lost during the work: this process cannot use it again, a new one may
├── WorkerError            a child process died too often
├── ClusterError           no node of a cluster can work
├── ExportError            a clip or a picture cannot be made
├── LockedError            another run holds the output folder
├── SpaceError             no space is left where fastface writes
├── StoreError             a store of identities cannot be reached, is damaged, or belongs to another network
└── InterruptError         the user stopped the run; committed results stay

A message gives the value, the allowed values, and the remedy. The module that calls a library converts its errors.
"""

from pathlib import Path

CANNOT_READ = "cannot be read"
"""Start of the reason if the disk or the share fails while a video is read; another run may succeed."""


class FastfaceError(Exception):
    """Root of the tree; `exit_code` is the exit code of the command line."""

    exit_code: int = 1


class ConfigError(FastfaceError):
    """A setting is unknown or out of range, or no usable target or input was given.

    Attributes:
        faults: All faults, one a line, so that the user can correct them together.
    """

    exit_code = 2

    def __init__(self, faults: str | list[str]) -> None:
        self.faults = [faults] if isinstance(faults, str) else faults
        super().__init__("\n".join(self.faults))


class InputError(FastfaceError):
    """One input file cannot be used. The run continues with the others."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{str(path)!r}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling across a process border: the message alone does not rebuild the error."""
        return type(self), (self.path, self.reason)


class VideoError(InputError):
    """A video cannot be decoded, or only in part. `state` is one of the states of a video in the run's report."""

    def __init__(self, path: Path, reason: str, state: str = "failed") -> None:
        self.state = state
        super().__init__(path, reason)

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling across a process border."""
        return type(self), (self.path, self.reason, self.state)


class ReferenceImageError(InputError):
    """A photo or a bank gives no usable reference."""

    exit_code = 2


class FaceIndexError(FastfaceError):
    """A file of the index or the ledger is damaged, or of another version."""


class ModelError(FastfaceError):
    """A network is missing, damaged, of the wrong kind, or of another contract than the data at hand."""


class BackendError(FastfaceError):
    """The requested device is not available, or a session cannot be created on it."""

    exit_code = 4


class DeviceLostError(BackendError):
    """A card failed and stays lost for this process: the process must end, and a new one may do its work."""


class WorkerError(FastfaceError):
    """A child process died and its replacement did too."""

    def __init__(self, process: str, exit_code: int | None, reason: str) -> None:
        super().__init__(f"{process} ended with {exit_code}: {reason}")


class ClusterError(FastfaceError):
    """There is no Ray cluster, or none of its nodes can work. Committed results stay."""


class ExportError(FastfaceError):
    """A clip or a picture could not be written."""


class LockedError(FastfaceError):
    """Another run holds the output folder."""

    exit_code = 11


class SpaceError(FastfaceError):
    """No space is left on a device that fastface writes to."""

    exit_code = 28


class StoreError(FastfaceError):
    """A store of identities cannot be reached, is damaged, or belongs to another network than the one in use."""


class InterruptError(FastfaceError):
    """A signal stopped the run. It can be resumed.

    Attributes:
        signal_number: The signal.
        exit_code: 128 + the signal, as shells have it.
    """

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number
        super().__init__("Stopped. Run the same command to continue.")
