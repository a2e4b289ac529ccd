"""Options made from the fields of a form, so that the command line knows the same fields as the pages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import click

from deployer.web.forms.base import StrictForm

F = TypeVar("F", bound=Callable[..., Any])


def options_of(form: type[StrictForm], but: Collection[str]) -> Callable[[F], F]:
    """An option for every field of ``form`` except those in ``but``, with the field's label as its help."""

    def decorate(command: F) -> F:
        for field in reversed(list(form())):
            if field.name not in but:
                command = click.option(f"--{field.name.replace('_', '-')}", field.name, help=f"{field.label.text}.")(
                    command
                )
        return command

    return decorate


def given(values: Mapping[str, str | None]) -> dict[str, str]:
    """Those of the values that were given."""
    return {name: value for name, value in values.items() if value is not None}
