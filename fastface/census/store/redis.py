"""Keep an identity store on a Redis server, for processes of several machines. `open_store` opens it.

The store has four keys that begin with its prefix, see `register`; no other key is ever read or written. The server
accepts a change only if no other client changed the keys since they were read. Otherwise the change is repeated.

The server's settings decide how long the store lasts. Permanent storage needs the append-only file and no policy that
evicts keys.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from fastface.census.store.base import ComparisonRules
from fastface.census.store.register import PATIENCE_SECONDS, SharedStore, parts_to_text
from fastface.census.store.transaction import StoreTransaction
from fastface.distribution import describe_install
from fastface.errors import ConfigError, FastfaceError, SpaceError, StoreError
from fastface.failpoints import fail_point

_PREFIX = "fastface:identities:"
_OPTIONS = ("prefix", "db", "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_CONNECT_SECONDS = 5.0
_CALL_SECONDS = 15.0
_CHUNK = 1000
"""Number of looks in one read: 2 MB at 512 components, so that a read is short on any connection."""
_LONGEST_PAUSE = 0.1

_HOW = (
    "write redis://user:password@host:6379/0, rediss://… or unix:///path/of.sock?db=0, "
    "in a name or a password %2F for /, %3F for ?, %23 for #, %40 for @; "
    f"after ? may stand {', '.join(_OPTIONS)}, with & between them"
)

_Answer = TypeVar("_Answer")


class RedisStore(SharedStore):
    """See `IdentityStore`.

    Args:
        address: Address of the server, see `open_store`.
        rules: Rules for the comparison of faces; None opens the store with its own contract.
        patience: Maximum seconds of retries while other clients change the store.

    Raises:
        StoreError, SpaceError, ConfigError: See `open_store`.
    """

    def __init__(self, address: str, rules: ComparisonRules | None, *, patience: float = PATIENCE_SECONDS) -> None:
        parts, options = _split(address)
        super().__init__(_hide_secrets(parts), rules)
        self._patience = patience
        self._secrets = {options.get("password"), parts.password, unquote(parts.password or "")} - {None, ""}
        prefix = options.pop("prefix", _PREFIX)
        if not prefix:
            raise ConfigError(f"a store on {self._shown} needs a prefix for its keys, as {_PREFIX!r}")
        self._key = {name: f"{prefix}{name}" for name in ("state", "looks", "changes", "sightings")}
        self._redis = _package()
        self._client = self._connect(f"{address.partition('?')[0]}?{urlencode(options)}")
        self._pipe: Any = None
        """Pipeline of the current transaction."""
        with ExitStack() as unless_ready:
            unless_ready.callback(self._close)
            self._transact(StoreTransaction.begin if rules is not None else lambda _: None)
            unless_ready.pop_all()

    def clear(self) -> None:
        """See `IdentityStore`. The four keys are removed in one step; a client in the middle of a change repeats it."""
        with self._translate():
            self._client.delete(*self._key.values())

    def _connect(self, address: str) -> Any:
        retry = import_module("redis.retry").Retry(import_module("redis.backoff").NoBackoff(), 0)
        try:
            return self._redis.Redis.from_url(
                address, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_CALL_SECONDS, retry=retry
            )
        except ValueError:
            # The error's text may contain a part of the password.
            raise ConfigError(f"cannot read the address of {self._shown}: {_HOW}") from None

    def _close(self) -> None:
        self._client.close()

    def _transact(self, change: Callable[[StoreTransaction], _Answer]) -> _Answer:
        deadline = time.monotonic() + self._patience
        pause = 0.001
        while True:
            with self._translate(), self._client.pipeline() as self._pipe:
                try:
                    return self._attempt(change)
                except self._redis.WatchError:  # another client changed the keys, or the connection was lost
                    pass
            if time.monotonic() > deadline:
                raise StoreError(f"{self._shown} was in use by others for {self._patience:g} seconds: try again")
            time.sleep(random.uniform(0, pause))  # noqa: S311 - prevents two clients from colliding again
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _attempt(self, change: Callable[[StoreTransaction], _Answer]) -> _Answer:
        pipe, key = self._pipe, self._key["state"]
        pipe.watch(key)
        try:
            fields = {_text(field): _text(value) for field, value in pipe.hgetall(key).items()}
            fail_point("identities.begin")
            draft = self._draft(fields)
            answer = change(draft)
        except FastfaceError:
            self._execute()  # inconsistent values may come from two states of the store
            raise
        if draft.is_changed:
            pipe.multi()
            self._write(draft)
            fail_point("identities.commit")
            pipe.execute()
            fail_point("identities.committed")
        else:
            self._execute()
        self._done(draft)
        return answer

    def _execute(self) -> None:
        """Change nothing; raise WatchError if another client changed the keys since the transaction began."""
        self._pipe.multi()
        self._pipe.hget(self._key["state"], "version")
        self._pipe.execute()

    def _write(self, draft: StoreTransaction) -> None:
        version = draft.state.version + 1
        for number, look in draft.looks.items():
            if look is None:
                self._pipe.hdel(self._key["looks"], number)
            else:
                self._pipe.hset(self._key["looks"], number, look.to_bytes())
            self._pipe.zadd(self._key["changes"], {str(number): version})
        for source, parts in draft.sightings.items():
            if parts:
                self._pipe.hset(self._key["sightings"], source, parts_to_text(parts))
            else:
                self._pipe.hdel(self._key["sightings"], source)
        self._pipe.hset(self._key["state"], mapping={**draft.state.to_fields(), "version": str(version)})

    def _read_changes(self, version: int) -> Iterator[tuple[int, bytes | None]]:
        numbers = [int(number) for number in self._pipe.zrangebyscore(self._key["changes"], f"({version}", "+inf")]
        for start in range(0, len(numbers), _CHUNK):
            chunk = numbers[start : start + _CHUNK]
            yield from zip(chunk, self._pipe.hmget(self._key["looks"], chunk), strict=True)

    def _read_parts(self, source: str) -> str | bytes | None:
        parts: bytes | None = self._pipe.hget(self._key["sightings"], source)
        return parts

    def _read_sightings(self) -> Iterator[tuple[str, str | bytes]]:
        for source, parts in self._pipe.hgetall(self._key["sightings"]).items():
            yield _text(source), parts

    @contextmanager
    def _translate(self) -> Iterator[None]:
        """Translate errors and drop their causes: a server may repeat the password in its message."""
        try:
            yield
        except self._redis.exceptions.OutOfMemoryError as error:
            raise SpaceError(f"no space left on {self._shown}: {self._said(error)}") from None
        except (self._redis.RedisError, OSError) as error:
            raise StoreError(f"cannot use {self._shown}: {self._said(error)}") from None

    def _said(self, error: Exception) -> str:
        said = " ".join(str(error).split())
        for secret in self._secrets:
            said = said.replace(str(secret), "…")
        return said


def _package() -> Any:
    try:
        return import_module("redis")
    except ImportError as error:
        raise ConfigError(f"a store on a Redis server needs a package; {describe_install('redis')}") from error


def _split(address: str) -> tuple[SplitResult, dict[str, str]]:
    """Split an address into its parts and options. Errors do not repeat it, as it may contain the password."""
    try:
        parts = urlsplit(address)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        _ = parts.port
    except ValueError:
        raise ConfigError(f"cannot read the address of the Redis server: {_HOW}") from None
    database = parts.path.removeprefix("/")
    is_server = bool(parts.hostname) and (not database or database.isdecimal())
    is_socket = bool(database)
    is_whole = is_socket if parts.scheme == "unix" else is_server
    if not is_whole or parts.fragment or not options.keys() <= set(_OPTIONS):
        raise ConfigError(f"cannot read the address of the Redis server: {_HOW}")
    return parts, options


def _hide_secrets(parts: SplitResult) -> str:
    """Return an address without its secrets."""
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}{parts.path}"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
