"""What answers are made of, in words of JSON Schema. Each schema stands beside the function that makes the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployer.domain.ids import MAX_ID

Schema = dict[str, Any]

ANYTHING: Schema = {}
TEXT: Schema = {"type": "string"}
YES_NO: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
ID: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
MOMENT: Schema = {"type": "string", "format": "date-time"}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def words(choices: Iterable[Any]) -> Schema:
    """One of these texts or, when they are numbers, of these numbers."""
    values = [getattr(one, "value", one) for one in choices]
    return {"type": "integer" if isinstance(values[0], int) else "string", "enum": values}


def many(schema: Schema) -> Schema:
    """A list of such."""
    return {"type": "array", "items": schema}


def each(schema: Schema) -> Schema:
    """An object whose keys are names, and whose values are such."""
    return {"type": "object", "additionalProperties": schema}


def thing(title: str, may_lack: Iterable[str] = (), /, **properties: Schema) -> Schema:
    """An object with a name of its own in the document. All of its properties are there but those it ``may_lack``."""
    lacking = set(may_lack)
    required = [name for name in properties if name not in lacking]
    return {"title": title, "type": "object", "properties": properties, "required": required}


def more(schema: Schema, title: str, **properties: Schema) -> Schema:
    """A thing with further or other properties, under a name of its own."""
    required = dict.fromkeys([*schema["required"], *properties])
    return schema | {"title": title, "properties": schema["properties"] | properties, "required": list(required)}
