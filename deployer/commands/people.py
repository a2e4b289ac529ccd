"""``deployer user`` and ``deployer token``."""

from __future__ import annotations

import sys

import click
from flask import current_app

from deployer.commands.inside import FAILED, REFUSED, actor, inside, stop
from deployer.domain.access import Role, Scope
from deployer.domain.identity import MAX_SUBJECT
from deployer.domain.names import parse_name, parse_text
from deployer.operations import identities, people, roles, tokens
from deployer.queries import names
from deployer.queries import people as queries

MAX_INPUT = 64 * 1024  # bytes; far more than the longest password has

password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


@click.group()
def user() -> None:
    """People who sign in."""


@user.command("create")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), default=Role.DEPLOYER.value, show_default=True
)
@password_stdin
@inside
def create_user(name: str, role: str, password_stdin: bool) -> None:
    """Create the person NAME, who then can sign in."""
    parse_name(name, "name")
    created = people.create_user(name, _password(password_stdin), Role(role), by=actor().name)
    click.echo(f"Created {name}, {role} (id {created}).")


@user.command("password")
@click.argument("name")
@password_stdin
@inside
def set_password(name: str, password_stdin: bool) -> None:
    """Give NAME another password, and sign them out everywhere."""
    parse_name(name, "name")
    ended = people.set_password(name, _password(password_stdin), by=actor().name)
    click.echo(f"{name} has a new password; {ended} sign-ins ended.")


@user.command("disable")
@click.argument("name")
@inside
def disable(name: str) -> None:
    """Shut NAME out at once: sign-ins end, tokens stop working."""
    roles.let_in(names.user_id(name), False, actor())
    click.echo(f"{name} cannot sign in any more.")


@user.command("enable")
@click.argument("name")
@inside
def enable(name: str) -> None:
    """Let NAME in again; tokens that were not revoked work again, too."""
    roles.let_in(names.user_id(name), True, actor())
    click.echo(f"{name} can sign in again.")


@user.command("link")
@click.argument("name")
@click.argument("subject")
@inside
def link(name: str, subject: str) -> None:
    """Let NAME sign in with the provider, which calls them SUBJECT; it says so to who is not let in."""
    provider = current_app.config["SETTINGS"].provider
    if provider is None:
        stop("No provider is configured. Set DEPLOYER_OIDC_URL and the others.", FAILED)
    subject = parse_text(subject, "subject", MAX_SUBJECT)
    identities.link(parse_name(name, "name"), provider.url, subject, by=actor().name)
    click.echo(f"{name} is {subject} at {provider.url}.")


@user.command("list")
@inside
def list_users() -> None:
    """List the people: name, role, whether they can sign in, how many valid tokens they have."""
    for person in queries.people():
        click.echo(f"{person.name}\t{person.role}\t{'active' if person.active else 'disabled'}\t{person.tokens} tokens")


def _password(piped: bool) -> str:
    if piped:
        return _piped_password()
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


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
@click.option("--service", "services", multiple=True, help="Only for this service; may be given several times.")
@click.option("--days", type=click.IntRange(1, 3650), help=f"How long it works.  [default: {tokens.DAYS}]")
@click.option("--never-expires", is_flag=True, help="It works until it is revoked.")
@inside
def create_token(
    user: str, scope: str, name: str, services: tuple[str, ...], days: int | None, never_expires: bool
) -> None:
    """Create a token that speaks for USER, and print it this once."""
    if days and never_expires:
        stop("days: Give either --days or --never-expires.", REFUSED)
    secret = tokens.create_token(
        parse_name(user, "user"),
        parse_text(name, "name", 64),
        Scope(scope),
        by=actor().name,
        days=None if never_expires else days or tokens.DAYS,
        services=[parse_name(one, "service") for one in services],
    )
    click.echo(secret)


@token.command("list")
@click.argument("user")
@inside
def list_tokens(user: str) -> None:
    """List the tokens of USER: id, name, scope, services, when it ends, when and from where it was last used."""
    for one in queries.tokens_of(parse_name(user, "user")):
        services = "all services" if one.services is None else ",".join(one.services)
        ends = f"until {one.expires:%Y-%m-%d}" if one.expires else "for ever"
        state = "revoked" if one.revoked else "expired" if one.has_expired else ends
        used = f"used {one.used:%Y-%m-%d %H:%M} UTC from {one.used_from or 'unknown'}" if one.used else "never used"
        click.echo("\t".join((str(one.id), one.name, one.scope.value, services, state, used)))


@token.command("revoke")
@click.argument("user")
@click.argument("token_id", type=click.IntRange(1))
@inside
def revoke_token(user: str, token_id: int) -> None:
    """End the token TOKEN_ID of USER, at once."""
    tokens.revoke_token(parse_name(user, "user"), token_id, by=actor().name)
    click.echo(f"Token {token_id} of {user} is revoked.")
