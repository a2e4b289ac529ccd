"""Settings, read once from the environment and then frozen."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import redis
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from deployer import private_files
from deployer.domain.identity import Allowed
from deployer.domain.network import NOTHING_MORE, Permitted, parse_networks

MAX_SOCKET_PATH = 100  # bytes; the kernels take 103 to 107
DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")
MAX_PROXIES = 10
OIDC = ("URL", "CLIENT_ID", "CLIENT_SECRET", "NAME_CLAIM", "SCOPE", "DOMAINS", "GROUPS", "LABEL")
WELL_KNOWN = "/.well-known/openid-configuration"
MIN_SECRET = 32  # characters; what `secrets.token_hex(16)` gives at least


class BadSettings(Exception):
    """The environment does not describe a console that is safe to start. The message says how to mend it."""


@dataclass(frozen=True)
class Provider:
    """Where people can prove who they are (OpenID Connect). ``url`` is its issuer, without a slash at its end."""

    url: str
    client_id: str
    client_secret: str
    allowed: Allowed
    name_claim: str = "preferred_username"
    scope: str = "openid profile email"
    label: str = ""  # on the button

    @property
    def discovery(self) -> str:
        """Where it says what else it has."""
        return self.url + WELL_KNOWN


@dataclass(frozen=True)
class Settings:
    """How this process runs. ``home`` holds the embedded database, Redis' data and the artifacts."""

    home: Path
    database_url: str
    redis_url: str
    secret_key: str
    secure_cookies: bool
    proxies: int = 0  # in front of us, each of which adds to X-Forwarded-For
    provider: Provider | None = None
    slots: int = 50  # steps at a time in one worker
    permitted: Permitted = NOTHING_MORE  # to which addresses workers may connect beside the usual ones

    @property
    def artifacts(self) -> Path:
        """Where uploaded and fetched artifacts are kept, by their sha256."""
        return self.home / "artifacts"

    @property
    def redis_socket(self) -> Path:
        """The embedded Redis' socket: in the home, or in a private temporary directory when that path is too long."""
        return _socket(self.home)

    @property
    def own_redis(self) -> bool:
        """Whether Redis is the embedded one of this home."""
        return self.redis_url == _socket_url(self.home)


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``environ`` (default: the process's). Raises :class:`BadSettings`.

    ``DEPLOYER_HOME`` is ``./.deployer`` unless it is set. Without ``SECRET_KEY`` a random one is made once and kept in
    the home, readable by its owner only.
    """
    env = os.environ if environ is None else environ
    home = _home(env.get("DEPLOYER_HOME") or ".deployer")
    secret = env.get("SECRET_KEY") or _kept_secret(home)
    if len(secret) < MIN_SECRET:
        raise BadSettings(
            f"SECRET_KEY has {len(secret)} characters; at least {MIN_SECRET} are needed. "
            "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    return Settings(
        home=home,
        database_url=_database_url(env.get("DATABASE_URL") or sqlite_url(home / "deployer.db")),
        redis_url=_redis_url(env.get("REDIS_URL") or _socket_url(home)),
        secret_key=secret,
        secure_cookies=env.get("DEPLOYER_SECURE_COOKIES", "") == "1",
        provider=_provider(env),
        proxies=_proxies(env.get("DEPLOYER_PROXIES") or "0"),
        permitted=_permitted(env.get("DEPLOYER_ALLOWED_NETWORKS") or ""),
    )


def sqlite_url(file: Path) -> str:
    """The URL of a SQLite database; a path may have characters that mean something in a URL."""
    return f"sqlite:///{quote(str(file))}"


def _home(text: str) -> Path:
    try:
        home = Path(text).expanduser().absolute()
        str(home).encode()
    except (RuntimeError, UnicodeEncodeError):
        raise BadSettings(
            "DEPLOYER_HOME is in the home of somebody unknown, or not text in UTF-8. Write another path."
        ) from None
    return home


def _provider(env: Mapping[str, str]) -> Provider | None:
    given = {name: env.get(f"DEPLOYER_OIDC_{name}", "").strip() for name in OIDC}
    if not any(given.values()):
        return None
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"):
        if not given[name]:
            raise BadSettings(f"DEPLOYER_OIDC_{name} is missing. Give it, or leave out all of DEPLOYER_OIDC_…")
    url = urlsplit(given["URL"])
    local = url.hostname in ("localhost", "::1") or (url.hostname or "").startswith("127.")
    if (
        (url.scheme != "https" and not (url.scheme == "http" and local))
        or not url.hostname
        or url.query
        or url.fragment
    ):
        raise BadSettings("DEPLOYER_OIDC_URL is not the address of a provider. Write its issuer: https://HOST/PATH.")
    names = {name: frozenset(given[name].replace(",", " ").split()) for name in ("DOMAINS", "GROUPS")}
    return Provider(
        given["URL"].removesuffix(WELL_KNOWN).rstrip("/"),
        given["CLIENT_ID"],
        given["CLIENT_SECRET"],
        Allowed(frozenset(map(str.lower, names["DOMAINS"])), names["GROUPS"]),
        given["NAME_CLAIM"] or Provider.name_claim,
        given["SCOPE"] or Provider.scope,
        given["LABEL"],
    )


def _proxies(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) <= MAX_PROXIES:
        return int(text)
    raise BadSettings(
        f"DEPLOYER_PROXIES is not a number from 0 to {MAX_PROXIES}. Write how many proxies a request passes before it "
        "comes here, as 1 for one nginx; 0 when browsers come here themselves."
    )


def _permitted(text: str) -> Permitted:
    try:
        return Permitted(parse_networks(text))
    except ValueError:
        raise BadSettings(
            "DEPLOYER_ALLOWED_NETWORKS is not a list of networks. Write networks and addresses with commas between "
            "them, as 10.0.0.0/8,192.0.2.7; of a network, all bits after its prefix are 0."
        ) from None


def _database_url(text: str) -> str:
    """``text`` if it can be the URL of a database. It is not repeated in a message: it may have a password in it."""
    if text.startswith("postgres://"):
        text = "postgresql://" + text.removeprefix("postgres://")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername not in DATABASES or not _is_somewhere(url):
        raise BadSettings(
            "DATABASE_URL is not the URL of a database that is supported. Write sqlite:///PATH (a file) or "
            "postgresql://USER:PASSWORD@HOST:PORT/NAME."
        )
    return text


def _is_somewhere(url: URL) -> bool:
    """Whether several processes find the same database there: in the memory each would have its own."""
    if url.drivername == "sqlite":
        return not url.host and bool(url.database) and url.database != ":memory:" and "mode" not in url.query
    return url.port is None or 1 <= url.port <= 65535


def _redis_url(text: str) -> str:
    """``text`` if it can be the URL of a Redis. It is not repeated in a message either."""
    try:
        connection = redis.ConnectionPool.from_url(text).make_connection()  # connects to nothing yet
        if isinstance(connection, redis.UnixDomainSocketConnection) and not connection.path:
            raise ValueError
    except (ValueError, TypeError, redis.RedisError):
        raise BadSettings(
            "REDIS_URL is not the URL of a Redis. Write redis://:PASSWORD@HOST:PORT/0, rediss://… for TLS, or "
            "unix:///PATH."
        ) from None
    return text


def _socket(home: Path) -> Path:
    near = home / "redis.sock"
    if len(os.fsencode(near)) <= MAX_SOCKET_PATH:
        return near
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"deployer-{os.getuid()}-{digest}", "redis.sock")


def _socket_url(home: Path) -> str:
    return f"unix://{quote(os.fsencode(_socket(home)))}"


def _kept_secret(home: Path) -> str:
    file = home / "secret_key"
    if not file.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.make_once(file, secrets.token_hex(32))
    return file.read_text().strip()
