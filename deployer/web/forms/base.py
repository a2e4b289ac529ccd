"""A form field whose meaning is a domain function, and the form that gathers what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Field, Form
from wtforms.validators import StopValidation
from wtforms.widgets import TextInput

from deployer.domain.errors import N_, Invalid, Refused
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


def by(parse: Callable[..., Any], field: str, *args: Any) -> Callable[[str], Any]:
    """A domain reader of ``domain.names`` bound to the name of its field."""
    return lambda text: parse(text, field, *args)


_YES_NO = {"true": True, "false": False, "1": True, "0": False, "y": True, "on": True}


def yes_no(field: str) -> Callable[[str], bool]:
    """A reader of what a tick box or a JSON boolean says."""
    return one_of(field, _YES_NO, N_("This is neither yes nor no."), N_("Give true or false."))


def one_of(field: str, choices: Mapping[str, Any], message: str, hint: str) -> Callable[[str], Any]:
    """A reader that takes exactly the keys of ``choices``."""

    def parse(text: str) -> Any:
        try:
            return choices[text]
        except KeyError:
            raise Invalid(message, hint, field, {"choices": ", ".join(choices)}) from None

    return parse
