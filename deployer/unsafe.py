"""What makes a console unsafe to serve with, though it would start. It is told with its remedy, and nothing starts."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import make_url

from deployer.config import BadSettings, Settings

# What our documents, and those of Flask and Django, show as an example. Everybody knows them.
EXAMPLES = frozenset(
    {
        "put-the-64-characters-of-openssl-rand-hex-32-here",
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    }
)
FEWEST = 8  # different characters
MAKE_ONE = "Make one with: python -c 'import secrets; print(secrets.token_hex(32))'"
FALSE = ("", "0", "false", "no", "off")


def refuse_unsafe(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raise :class:`BadSettings` when there is something that should be mended first."""
    found = dangers(settings, environ)
    if found:
        raise BadSettings("\n".join(found))


def dangers(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """What is unsafe, each in a sentence with its remedy."""
    elsewhere = [name for name, is_so in _elsewhere(settings).items() if is_so]
    found = []
    if environ.get("FLASK_DEBUG", "").lower() not in FALSE:
        found.append("FLASK_DEBUG is on, which lets whoever sees an error page run code here. Unset it.")
    if _is_weak(settings.secret_key):
        found.append(f"SECRET_KEY is an example or too simple to be a secret. {MAKE_ONE}")
    if elsewhere and not environ.get("SECRET_KEY"):
        found.append(
            f"SECRET_KEY is missing, and {' and '.join(elsewhere)} is on another machine: every machine would make a "
            f"key of its own, and a sign-in at one would be none at the next. Give all of them the same one. {MAKE_ONE}"
        )
    if "DATABASE_URL" not in elsewhere and "REDIS_URL" in elsewhere and _is_sqlite(settings):
        found.append(
            "The database is SQLite, a file of this machine, and REDIS_URL is on another machine, which other machines "
            "may share: they would not see what happens here. Give a PostgreSQL by DATABASE_URL, or no REDIS_URL."
        )
    return found


def _is_weak(secret: str) -> bool:
    return len(set(secret)) < FEWEST or secret.lower() in EXAMPLES or secret.lower().startswith("django-insecure")


def _is_sqlite(settings: Settings) -> bool:
    return make_url(settings.database_url).get_backend_name() == "sqlite"


def _elsewhere(settings: Settings) -> dict[str, bool]:
    """Which of the two is reached over a network that other machines are on."""
    url = make_url(settings.database_url)
    hosts = [url.host or "", *str(url.query.get("host") or "").split(",")]
    redis = urlsplit(settings.redis_url)
    redis_host = "" if redis.scheme == "unix" else redis.hostname or parse_qs(redis.query).get("host", [""])[0]
    return {
        "DATABASE_URL": not _is_sqlite(settings) and any(map(_is_remote, hosts)),
        "REDIS_URL": _is_remote(redis_host),
    }


def _is_remote(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True
