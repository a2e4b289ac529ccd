"""``deployer user`` and ``deployer token``."""

from __future__ import annotations

import sys

import click

from deployer.commands.inside import REFUSED, actor, inside, stop
from deployer.domain.access import Role, Scope
from deployer.domain.names import parse_name, parse_text
from deployer.operations import people, roles
from deployer.queries import names

MAX_INPUT = 64 * 1024  # bytes; far more than the longest password has


@click.group()
def user() -> None:
    """People who sign in."""


@user.command("create")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.DEPLOYER.value, show_default=True
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
@inside
def create_user(name: str, role: str, password_stdin: bool) -> None:
    """Create the person NAME, who then can sign in."""
    parse_name(name, "name")
    if password_stdin:
        password = _piped_password()
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    created = people.create_user(name, password, Role(role), by=actor().name)
    click.echo(f"Created {name}, {role} (id {created}).")


@user.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice([role.value for role in Role]))
@click.option("--service", help="For this service alone; then none takes the role away.")
@inside
def give_role(name: str, role: str, service: str | None) -> None:
    """Give the person NAME the role ROLE, for everything or for one service. It holds at once."""
    user_id = names.user_id(name)
    if service is None:
        roles.give(user_id, Role(role), actor())
    else:
        roles.give_for_service(user_id, names.service_id(service), Role(role), actor())
    click.echo(f"{name}: {role}{f' for {service}' if service else ''}.")


def _piped_password() -> str:
    given = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(given) > MAX_INPUT:
        stop("password: This is too long for a password.", REFUSED)
    try:
        return given.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        stop("password: This is not text in UTF-8. Check what is piped into the command.", REFUSED)


@click.group()
def token() -> None:
    """Tokens with which programs call the API."""


@token.command("create")
@click.argument("user")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="What it may be used for; never more than the person may.",
)
@click.option("--name", default="cli", show_default=True, help="What the token is for.")
@inside
def create_token(user: str, scope: str, name: str) -> None:
    """Create a token that speaks for USER, and print it this once."""
    secret = people.create_token(parse_name(user, "user"), parse_text(name, "name", 64), Scope(scope), by=actor().name)
    click.echo(secret)
