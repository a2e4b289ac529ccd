"""What calls may be sent, as JSON Schema: read from the forms that read it, with the limits that the domain sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from deployer.domain.errors import N_
from deployer.domain.facts import CheckState
from deployer.domain.hosts import MAX_HOSTS, parse_host_ids
from deployer.domain.ids import ID as DIGITS
from deployer.domain.ids import parse_version_id
from deployer.domain.names import NAME, SHA256, parse_name, parse_port, parse_sha256
from deployer.domain.reach import FINGERPRINT, parse_fingerprint, parse_jump, parse_labels
from deployer.domain.recipe import HealthKind, ProbeKind, RecipeKind
from deployer.domain.strategy import parse_stop_after, parse_wave_size
from deployer.domain.token import TOKEN, parse_plan_token
from deployer.queries.paging import MAX_LIMIT
from deployer.web.api.envelope import MAX_PAGE, USUAL_LIMIT
from deployer.web.api.schema import ID, TEXT, YES_NO, Schema, words
from deployer.web.exporting import FORMATS
from deployer.web.forms import base
from deployer.web.forms.base import Parsed, StrictForm
from deployer.web.forms.catalog import recipe_text
from deployer.web.forms.fleet import MAX_WEIGHT, parse_weight


def _whole(low: int, high: int) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high}


def _like(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


_HOSTS = _like(f"all|{DIGITS}(?:,{DIGITS})*")
_DAY = {"type": "string", "format": "date"}
# What a reader takes; one that is not here takes text and judges it as no schema could.
_READ_BY: dict[Callable[..., Any], Schema] = {
    base.parse_an_id: ID,
    parse_version_id: ID,
    parse_host_ids: _HOSTS | {"description": N_("all, or ids with commas")},
    parse_wave_size: TEXT | {"description": N_("a number such as 5, a share of all (25%), or nothing for all at once")},
    parse_labels: TEXT | {"description": N_("words with blanks or commas between them")},
    parse_jump: TEXT | {"description": "user@host:port"},
    parse_name: _like(NAME.pattern),
    parse_port: _whole(1, 65535),
    parse_sha256: _like(SHA256.pattern),
    parse_fingerprint: _like(FINGERPRINT.pattern),
    parse_plan_token: _like(TOKEN.pattern),
    parse_stop_after: _whole(1, MAX_HOSTS),
    parse_weight: _whole(0, MAX_WEIGHT),
}
# The fields of a recipe are read together.
_OF_RECIPE = {"kind": RecipeKind, "health": HealthKind, "probe": ProbeKind}
_PARAMETERS: dict[str, tuple[Schema, str]] = {
    "page": (_whole(1, MAX_PAGE) | {"default": 1}, N_("Which part of the list.")),
    "limit": (_whole(1, MAX_LIMIT) | {"default": USUAL_LIMIT}, N_("How many a part has.")),
    "q": (TEXT | {"maxLength": 100}, N_("Text that the rows contain.")),
    "label": (TEXT, N_("A label, or several with commas: all must be there.")),
    "state": (words((CheckState.OK, CheckState.PROBLEM, CheckState.NEVER)), N_("How the last check ended.")),
    "retired": (words("01"), N_("1: those that were retired instead.")),
    "version_id": (ID, N_("Only those on this version.")),
    "locked": (words("01"), N_("0: only those that are free to operate on; 1: only those that are locked.")),
    "service_id": (ID, N_("Only what is of this service.")),
    "rollout_id": (ID, N_("Only what belongs to this rollout.")),
    "host": (_HOSTS | {"default": "all"}, N_("On which hosts: all, or ids with commas.")),
    "by": (TEXT | {"maxLength": 64}, N_("Who did it.")),
    "verb": (TEXT | {"maxLength": 40}, N_("What was done.")),
    "noun": (TEXT | {"maxLength": 20}, N_("What it was done to.")),
    "refused": (words("01"), N_("1: only what was refused; 0: only what was done.")),
    "first": (_DAY, N_("The first day (UTC).")),
    "last": (_DAY, N_("The last day (UTC).")),
    "text": (TEXT | {"maxLength": 100}, N_("Text anywhere in what is known of it.")),
    "format": (words(FORMATS), N_("The format of the file.")),
}
_NEEDED = {"format"}


def parameter(name: str, say: Callable[[str], str]) -> dict[str, Any]:
    """A parameter of the query string."""
    schema, description = _PARAMETERS[name]
    return {
        "name": name,
        "in": "query",
        "required": name in _NEEDED,
        "description": say(description),
        "schema": _told(schema, say),
    }


def body(form: type[StrictForm], say: Callable[[str], str]) -> Schema:
    """The fields of a form. Needed are those without which it is refused when nothing is sent."""
    empty = form.of({})
    missing = empty.refusals()
    return {
        "title": form.__name__,
        "type": "object",
        "properties": {field.name: _field(field, say) for field in empty},
        "required": list(missing),
        "additionalProperties": False,
    }


def _field(field: Parsed, say: Callable[[str], str]) -> Schema:
    schema = _told(_read_by(field.parse), say)
    if field.parse is recipe_text and field.name in _OF_RECIPE:
        schema = words(get_args(_OF_RECIPE[field.name]))
    told = {"description": ": ".join([say(field.label.text), *filter(None, [schema.get("description")])])}
    if field.default is not None:
        told["default"] = field.default if schema["type"] == "string" else field.parse(field.default)
    return schema | told


def _told(schema: Schema, say: Callable[[str], str]) -> Schema:
    return schema | {"description": say(schema["description"])} if "description" in schema else schema


def _read_by(parse: Callable[[str], Any]) -> Schema:
    if isinstance(parse, base.OneOf):
        return YES_NO if parse.choices is base.YES_NO else words(parse.choices)
    if isinstance(parse, base.Bound):
        limit = {"maxLength": parse.args[0]} if parse.args else {}
        return _READ_BY.get(parse.parse, TEXT) | limit
    return _READ_BY.get(parse, TEXT)
