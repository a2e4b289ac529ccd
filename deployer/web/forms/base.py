"""A form field whose meaning is a domain function, and the form that gathers what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Field, Form
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from deployer.domain.errors import N_, Invalid, Refused
from deployer.domain.ids import parse_id
from deployer.web.words import whole


class RefusedInput(Exception):
    """Some fields were refused. ``refusals`` maps field names to why; ``first`` is the summary's."""

    def __init__(self, refusals: Mapping[str, Refused]) -> None:
        super().__init__("; ".join(str(refused) for refused in refusals.values()))
        self.refusals = refusals

    @property
    def first(self) -> Refused:
        """The refusal of the first field, in the form's order."""
        return next(iter(self.refusals.values()))


class Parsed(Field):  # type: ignore[misc]
    """A field read by a domain function. ``data`` is the text as sent, ``value`` what the function made of it.

    With ``default`` given, an empty text is allowed and means that value.
    """

    widget = TextInput()

    def __init__(self, label: str, parse: Callable[[str], Any], empty: Any = Ellipsis, **kwargs: Any) -> None:
        super().__init__(label, **kwargs)
        self.parse = parse
        self.empty = empty
        self.value: Any = None
        self.refused: Refused | None = None

    def process_formdata(self, valuelist: list[str]) -> None:
        """WTForms' hook: the text as it came."""
        if valuelist:
            self.data = valuelist[0]

    def pre_validate(self, form: Form) -> None:
        """WTForms' hook: ask the domain."""
        text = self.data or ""
        if not text and self.empty is not Ellipsis:
            self.value = self.empty
            return
        try:
            self.value = self.parse(text)
        except Refused as refused:
            self.refused = refused
            raise StopValidation(whole(refused)) from None

    def _value(self) -> str:
        return self.data or ""


class StrictForm(Form):  # type: ignore[misc]
    """A form of :class:`Parsed` fields."""

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """What the form reads, for :func:`deployer.web.values.read_values`."""
        return tuple(cls().data)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Any:
        """The form filled from ``values``, not yet checked."""
        return cls(values if isinstance(values, MultiDict) else MultiDict(values))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Any:
        """The form filled from ``values`` and valid. Raises :class:`RefusedInput`."""
        form = cls.of(values)
        form.check()
        return form

    def check(self) -> None:
        """Raise :class:`RefusedInput` unless every field was read."""
        self.fail_with(self.refusals())

    def refusals(self) -> dict[str, Refused]:
        """Read every field; which of them were refused, in the form's order."""
        self.validate()
        return {field.name: field.refused for field in self if field.refused is not None}

    def fail_with(self, refusals: dict[str, Refused]) -> None:
        """Show ``refusals`` at their fields and raise :class:`RefusedInput`, if there are any."""
        for name, refused in refusals.items():
            if name in self._fields:
                self[name].errors = [whole(refused)]
        if refusals:
            raise RefusedInput(refusals)


@dataclass(frozen=True)
class Bound:
    """A domain reader bound to the name of its field."""

    parse: Callable[..., Any]
    field: str
    args: tuple[Any, ...]

    def __call__(self, text: str) -> Any:
        return self.parse(text, self.field, *self.args)


def by(parse: Callable[..., Any], field: str, *args: Any) -> Bound:
    """A domain reader of ``domain.names`` bound to the name of its field."""
    return Bound(parse, field, args)


def parse_an_id(text: str, field: str) -> int:
    """The id of a thing that is there to choose. Raises Invalid on ``field``."""
    value = parse_id(text)
    if value is None:
        raise Invalid(N_("This is not an id."), N_("Choose one from the list, or send its whole number."), field)
    return value


YES_NO = {"true": True, "false": False, "1": True, "0": False, "y": True, "on": True}


@dataclass(frozen=True)
class OneOf:
    """A reader that takes exactly the keys of ``choices``."""

    field: str
    choices: Mapping[str, Any]
    message: str
    hint: str

    def __call__(self, text: str) -> Any:
        try:
            return self.choices[text]
        except KeyError:
            raise Invalid(self.message, self.hint, self.field, {"choices": ", ".join(self.choices)}) from None


def yes_no(field: str) -> OneOf:
    """A reader of what a tick box or a JSON boolean says."""
    return OneOf(field, YES_NO, N_("This is neither yes nor no."), N_("Give true or false."))


def one_of(field: str, choices: Mapping[str, Any], message: str, hint: str) -> OneOf:
    """A reader that takes exactly the keys of ``choices``."""
    return OneOf(field, choices, message, hint)
