"""How a version gets onto a host: a service's recipe, read strictly and written back in the same flat form.

The flat form (one key per setting) is what forms, the JSON API and the database share, so a refusal names the very
field it is shown at.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from deployer.domain.errors import N_, Invalid

RecipeKind = Literal["release", "script"]
HealthKind = Literal["http", "tcp", "command", "none"]
ProbeKind = Literal["http", "command"]

HEALTH_KEYS = ("health", "health_path", "health_command", "health_timeout")
PROBE_KEYS = ("probe", "probe_path", "probe_command")
KEYS = frozenset(("kind", "restart", "keep", "deploy", "timeout", *HEALTH_KEYS, *PROBE_KEYS))
# A command typed for the other kind of recipe is refused, because dropping it would lose somebody's work; other
# settings that the chosen kind has no use for (a form sends them all) are left out.
_FOREIGN_COMMANDS = {"release": ("deploy",), "script": ("restart",)}

_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,6}", re.ASCII)
_PATH = re.compile(r"/[!-~]{0,1023}", re.ASCII)


@dataclass(frozen=True)
class HealthCheck:
    """How to tell that a service serves: by ``GET path`` (any 2xx), by a connection, or by a command's status 0."""

    kind: HealthKind = "http"
    path: str = "/healthz"  # "" unless http
    command: tuple[str, ...] = ()  # empty unless command
    timeout: float = 30.0  # seconds it may take until the new version answers


@dataclass(frozen=True)
class Probe:
    """How to ask which version runs: the body of ``GET path`` (plain text, or JSON with the key "version"), or the
    last line that a command prints."""

    kind: ProbeKind = "http"
    path: str = "/version"  # "" unless http
    command: tuple[str, ...] = ()  # empty unless command


@dataclass(frozen=True)
class ReleaseRecipe:
    """Unpack the artifact beside the others, switch the ``current`` link, restart, check, probe."""

    restart: tuple[str, ...]
    health: HealthCheck = HealthCheck()
    probe: Probe = Probe()
    keep: int = 5  # releases left on the host
    restart_timeout: float = 60.0


@dataclass(frozen=True)
class ScriptRecipe:
    """The team's own command deploys; another one prints the version that runs."""

    deploy: tuple[str, ...]
    probe: tuple[str, ...]
    timeout: float = 600.0
    health: HealthCheck = HealthCheck(kind="none", path="")


Recipe = ReleaseRecipe | ScriptRecipe


def is_deployable(recipe: Recipe, artifact_sha256: str | None) -> bool:
    """Whether what ``recipe`` needs of a version is there: a release needs an artifact, a script may do without."""
    return artifact_sha256 is not None or isinstance(recipe, ScriptRecipe)


def parse_recipe(data: Mapping[str, object]) -> Recipe:
    """The recipe that ``data`` describes; absent, ``None`` and blank values mean the default.

    Commands are lists of strings, or one string split as a shell would split words (nothing else of a shell applies).
    """
    unknown = [key for key in data if key not in KEYS]
    if unknown:
        raise Invalid(
            N_("The recipe has a setting that does not exist."),
            N_("Use only these: %(known)s."),
            "recipe",
            {"known": ", ".join(sorted(KEYS))},
        )
    kind = _choice(data, "kind", get_args(RecipeKind), "release")
    for key in _FOREIGN_COMMANDS[kind]:
        if not _blank(data.get(key)):
            raise Invalid(
                N_("This command does not belong to the chosen kind of recipe."),
                N_("Leave it empty, or choose the other kind."),
                key,
            )
    if kind == "release":
        return ReleaseRecipe(
            restart=_command(data, "restart"),
            health=_health(data, "http"),
            probe=_probe(data),
            keep=_count(data, "keep", 5, 100),
            restart_timeout=_seconds(data, "timeout", 60.0, 1, 3600),
        )
    _choice(data, "probe", ("command",), "command")
    return ScriptRecipe(
        deploy=_command(data, "deploy"),
        probe=_command(data, "probe_command"),
        timeout=_seconds(data, "timeout", 600.0, 1, 7200),
        health=_health(data, "none"),
    )


def dump_recipe(recipe: Recipe) -> dict[str, object]:
    """The flat, JSON-able form of ``recipe``; :func:`parse_recipe` reads it back to an equal one."""
    flat: dict[str, object] = {"health": recipe.health.kind, "health_timeout": recipe.health.timeout}
    if recipe.health.kind == "http":
        flat["health_path"] = recipe.health.path
    if recipe.health.kind == "command":
        flat["health_command"] = list(recipe.health.command)
    if isinstance(recipe, ScriptRecipe):
        own = {"kind": "script", "deploy": list(recipe.deploy), "timeout": recipe.timeout}
        return flat | own | {"probe": "command", "probe_command": list(recipe.probe)}
    flat |= {"kind": "release", "restart": list(recipe.restart), "keep": recipe.keep}
    flat |= {"timeout": recipe.restart_timeout, "probe": recipe.probe.kind}
    if recipe.probe.kind == "http":
        return flat | {"probe_path": recipe.probe.path}
    return flat | {"probe_command": list(recipe.probe.command)}


def _health(data: Mapping[str, object], default: HealthKind) -> HealthCheck:
    kind = cast(HealthKind, _choice(data, "health", get_args(HealthKind), default))
    return HealthCheck(
        kind=kind,
        path=_path(data, "health_path", "/healthz") if kind == "http" else "",
        command=_command(data, "health_command") if kind == "command" else (),
        timeout=_seconds(data, "health_timeout", 30.0, 0.5, 3600),
    )


def _probe(data: Mapping[str, object]) -> Probe:
    kind = cast(ProbeKind, _choice(data, "probe", get_args(ProbeKind), "http"))
    if kind == "http":
        return Probe(kind, path=_path(data, "probe_path", "/version"))
    return Probe(kind, path="", command=_command(data, "probe_command"))


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _choice(data: Mapping[str, object], key: str, choices: tuple[str, ...], default: str) -> str:
    value = data.get(key)
    if _blank(value):
        return default
    if isinstance(value, str) and value in choices:
        return value
    raise Invalid(
        N_("This is not one of the choices."), N_("Use one of: %(choices)s."), key, {"choices": ", ".join(choices)}
    )


def _command(data: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = data.get(key)
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            raise Invalid(
                N_("This command has an unclosed quote."), N_("Close the quotes, or send a list of words."), key
            ) from None
    if value is None or value == []:
        raise Invalid(N_("A command is missing."), N_("Give a command, such as systemctl restart orders."), key)
    if (
        isinstance(value, list | tuple)
        and 0 < len(value) <= 100
        and all(isinstance(word, str) and len(word) <= 4096 and _clean(word) for word in value)
        and value[0].strip()
    ):
        return tuple(value)
    raise Invalid(
        N_("This is not a command."),
        N_(
            "Give one line, or a list of 1 to 100 texts that begins with the program; control characters may not occur."
        ),
        key,
    )


def _clean(word: str) -> bool:
    """Whether ``word`` can be an argument and be stored: no control characters but line breaks and tabs."""
    return not any(
        (character < " " and character not in "\n\t")
        or "\x7f" <= character <= "\x9f"
        or "\ud800" <= character <= "\udfff"
        for character in word
    )


def _path(data: Mapping[str, object], key: str, default: str) -> str:
    value = data.get(key)
    if _blank(value):
        return default
    if isinstance(value, str) and _PATH.fullmatch(value) and "#" not in value:
        return value
    raise Invalid(
        N_("This is not the path of a request."),
        N_("Give a path such as /healthz: it begins with / and has no spaces."),
        key,
    )


def _seconds(data: Mapping[str, object], key: str, default: float, low: float, high: float) -> float:
    value = _number(data.get(key), _SECONDS)
    if value is None:
        return default
    if low <= value <= high:
        return value
    raise Invalid(
        N_("This time is out of range."),
        N_("Give a number of seconds from %(low)s to %(high)s."),
        key,
        {"low": low, "high": high},
    )


def _count(data: Mapping[str, object], key: str, default: int, high: int) -> int:
    value = _number(data.get(key), _COUNT)
    if value is None:
        return default
    if 1 <= value <= high and value == int(value):
        return int(value)
    raise Invalid(
        N_("This number is out of range."), N_("Give a whole number from 1 to %(high)s."), key, {"high": high}
    )


def _number(value: object, shape: re.Pattern[str]) -> float | None:
    """The number in ``value``; None when it is blank, not-a-number (in no range) when it is none."""
    if _blank(value):
        return None
    if isinstance(value, str) and shape.fullmatch(value):
        return float(value)
    # An int beyond the floats would overflow, so it is compared before it is converted.
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9:
        return float(value)
    return math.nan
