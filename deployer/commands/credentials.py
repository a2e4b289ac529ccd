"""``deployer credential``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import current_app

from deployer import sealing
from deployer.commands.inside import FAILED, REFUSED, actor, inside, stop
from deployer.operations import credentials as operations
from deployer.privatekeys import MAX_KEY
from deployer.queries import credentials, names
from deployer.web.forms.credentials import MAX_PASSWORD, CredentialForm

KINDS = ("key", "password", "file")


@click.group()
def credential() -> None:
    """Credentials: what workers show to hosts to be let in."""


_OPTIONS = (
    click.argument("name"),
    click.option("--kind", type=click.Choice(KINDS), default="key", show_default=True, help="What it is."),
    click.option("--key-file", type=click.Path(dir_okay=False, path_type=Path), help="The private key to seal."),
    click.option("--passphrase-stdin", is_flag=True, help="Read the passphrase of the key from standard input."),
    click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
    click.option("--path", default="", help="Where the key lies on the worker's machine, for the kind file."),
)


def _options(command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@credential.command("add")
@_options
@inside
def add_credential(
    name: str, kind: str, key_file: Path | None, passphrase_stdin: bool, password_stdin: bool, path: str
) -> None:
    """Add the credential NAME. A key and a password are sealed; nothing shows them again.

    Example: deployer credential add deploy --key-file deploy_ed25519
    """
    form = _read(name, kind, key_file, passphrase_stdin, password_stdin, path)
    added = operations.add(form.new(), actor())
    click.echo(f"Added credential {name} (id {added}). {form.public}".rstrip())


@credential.command("replace")
@_options
@inside
def replace_credential(
    name: str, kind: str, key_file: Path | None, passphrase_stdin: bool, password_stdin: bool, path: str
) -> None:
    """Put another secret in the place of that of NAME; the hosts that use it use the new one."""
    credential_id = names.credential_id(name)
    form = _read(name, kind, key_file, passphrase_stdin, password_stdin, path)
    operations.replace(credential_id, form.new(), actor())
    click.echo(f"Replaced credential {name}. {form.public}".rstrip())


@credential.command("list")
@inside
def list_credentials() -> None:
    """List the credentials: the name, the kind, a key's fingerprint or a file's path, how many hosts use it."""
    for one in credentials.credentials():
        click.echo("\t".join((one.name, one.kind.value, one.public, str(one.hosts))))


@credential.command("remove")
@click.argument("name")
@inside
def remove_credential(name: str) -> None:
    """Remove the credential NAME. It is refused while hosts use it."""
    operations.remove(names.credential_id(name), actor())
    click.echo(f"Removed credential {name}.")


@credential.command("rotate")
@inside
def rotate() -> None:
    """Make a new key for the workers and seal every credential for it. Run it where a worker runs.

    Old keys are kept for opening. With CREDENTIAL_KEYS, put a new key before the others on every worker first.
    """
    try:
        keys = sealing.renewed(current_app.config["SETTINGS"].home)
    except (sealing.BadKeys, OSError) as problem:
        stop(str(problem), FAILED)
    unopened = operations.reseal(keys, actor())
    click.echo("Everything is sealed for the newest key.")
    if unopened:
        stop(f"No key here opens {', '.join(unopened)}. Replace them: deployer credential replace NAME", FAILED)


def _read(
    name: str, kind: str, key_file: Path | None, passphrase_stdin: bool, password_stdin: bool, path: str
) -> CredentialForm:
    values = {"name": name, "kind": kind, "path": path}
    if key_file is not None:
        values["key"] = _text(key_file)
    if passphrase_stdin:
        values["passphrase"] = _piped("passphrase")
    if password_stdin:
        values["password"] = _piped("password")
    elif kind == "password":
        values["password"] = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    form: CredentialForm = CredentialForm.read(values)
    return form


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            found = opened.read(MAX_KEY + 1)
    except OSError as problem:
        stop(f"key: {file} cannot be read: {problem.strerror}.", REFUSED)
    return found.decode("ascii", "replace")


def _piped(field: str) -> str:
    given = sys.stdin.buffer.read(MAX_PASSWORD * 4 + 3)
    try:
        return given.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        stop(f"{field}: This is not text in UTF-8. Check what is piped into the command.", REFUSED)
