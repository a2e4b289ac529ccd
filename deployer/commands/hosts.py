"""``deployer host``."""

from __future__ import annotations

import time
from typing import BinaryIO

import click

from deployer.commands.inside import FAILED, actor, inside, stop
from deployer.commands.options import given, options_of
from deployer.domain.facts import CheckState, size
from deployer.domain.inventory import MAX_TEXT
from deployer.domain.names import parse_text
from deployer.domain.reach import parse_fingerprint, parse_labels
from deployer.extensions import db
from deployer.inventory import FORMATS
from deployer.operations import checks, host_keys, imports
from deployer.operations import hosts as operations
from deployer.operations.import_plan import ImportPlan
from deployer.queries import hosts, names, workers
from deployer.queries.hosts import HostFilter, HostRow
from deployer.queries.paging import MAX_LIMIT, Slice
from deployer.web import importing
from deployer.web.forms.hosts import HostForm, filled
from deployer.web.forms.imports import ImportForm
from deployer.web.importing import decoded
from deployer.web.words import note

LOOK_SECONDS = 0.3
NO_WORKER = "No worker is alive, so nobody would test it. Run: deployer worker"


@click.group()
def host() -> None:
    """Hosts: the machines that services run on."""


@host.command("list")
@click.option(
    "--label", default="", help="Only those with this label; several, separated by commas, must all be there."
)
@click.option("--search", default="", help="Only those with this text in their name, address or description.")
@click.option("--state", type=click.Choice(["ok", "problem", "never"]), help="Only those whose last check ended so.")
@click.option("--retired", is_flag=True, help="Those that are retired, instead of those in use.")
@inside
def list_hosts(label: str, search: str, state: str | None, retired: bool) -> None:
    """List the hosts by name: the name, how it is reached, its check, how many services it runs, its labels."""
    wanted = HostFilter(
        search=parse_text(search, "search", 100),
        labels=parse_labels(label, "label"),
        state=CheckState(state) if state else None,
        retired=retired,
    )
    number = 1
    while True:
        page = hosts.hosts(Slice(number, MAX_LIMIT), wanted)
        for row in page.rows:
            click.echo("\t".join((row.hostname, way(row), row.state.value, str(row.instances), " ".join(row.labels))))
        if number >= page.pages:
            break
        number += 1


@host.command("show")
@click.argument("hostname", metavar="HOST")
@inside
def show_host(hostname: str) -> None:
    """Show how HOST is reached, what runs there, its keys and its last check."""
    row = hosts.host(names.host_id(hostname))
    form = HostForm()
    for name, value in filled(row).items():
        if value:
            click.echo(f"{form[name].label.text}: {value}")
    if row.retired:
        click.echo(f"Retired: {row.retired:%Y-%m-%d %H:%M} UTC")
    for one in hosts.instances(row.id):
        click.echo(f"Runs: {one.service} {one.version} on port {one.port}")
    for key in hosts.keys(row.id):
        state = f"approved by {key.approved_by}" if key.approved else "not approved"
        click.echo(f"Key: {key.fingerprint} ({key.kind}, {state})")
    _tell(row)


@host.command("add")
@click.argument("hostname")
@options_of(HostForm, but=("hostname",))
@inside
def add_host(hostname: str, **fields: str | None) -> None:
    """Add the host HOSTNAME.

    Example: deployer host add web-1 --address 192.0.2.7 --directory /srv/deployer --reach ssh --ssh-user deploy
    """
    added = operations.add_host(HostForm.read(given({"hostname": hostname, **fields})).new(), actor())
    click.echo(f"Added host {hostname} (id {added}).")


@host.command("edit")
@click.argument("host", metavar="HOST")
@options_of(HostForm, but=())
@inside
def edit_host(host: str, **fields: str | None) -> None:
    """Change HOST; what no option names stays as it is. An option with "" empties a field."""
    host_id = names.host_id(host)
    values = {**filled(hosts.host(host_id)), **given(fields)}
    operations.change_host(host_id, HostForm.read(values).new(), actor())
    click.echo(f"{values['hostname']} is as you said.")


@host.command("retire")
@click.argument("hostname", metavar="HOST")
@click.option("--back", is_flag=True, help="Bring a retired host back instead.")
@inside
def retire_host(hostname: str, back: bool) -> None:
    """Take HOST out of use. It is refused while services run there."""
    host_id = names.host_id(hostname)
    (operations.bring_back if back else operations.retire)(host_id, actor())
    click.echo(f"{hostname} is {'back in use' if back else 'retired'}.")


@host.command("trust")
@click.argument("hostname", metavar="HOST")
@click.option("--fingerprint", help="The fingerprint of the key to approve, as ssh-keygen prints it.")
@click.option("--replace", is_flag=True, help="It replaces the key that is approved now.")
@click.option("--forget", is_flag=True, help="Forget the key instead of approving it.")
@inside
def trust_host(hostname: str, fingerprint: str | None, replace: bool, forget: bool) -> None:
    """Approve a key that HOST has shown.

    Without --fingerprint it lists what was shown; compare it with what this prints on the host itself:
    ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
    """
    host_id = names.host_id(hostname)
    if fingerprint is None:
        found = hosts.keys(host_id)
        for key in found:
            click.echo(f"{key.fingerprint}\t{key.kind}\t{'approved' if key.approved else 'not approved'}")
        stop("Nothing was approved. " + (_COMPARE if found else f"No key was seen yet. {_LOOK} {hostname}"), FAILED)
    wanted = parse_fingerprint(fingerprint, "fingerprint")
    if forget:
        host_keys.forget(host_id, wanted, actor())
        click.echo(f"The key {wanted} of {hostname} is forgotten.")
        return
    host_keys.trust(host_id, wanted, actor(), replace=replace)
    click.echo(f"The key {wanted} of {hostname} is approved.")


_COMPARE = "Compare a fingerprint with what the host itself says, then name it with --fingerprint."
_LOOK = "Run: deployer host check"


@host.command("check")
@click.argument("hostname", metavar="HOST")
@click.option("--timeout", type=click.IntRange(1, 600), default=90, show_default=True, help="Seconds to wait.")
@inside
def check_host(hostname: str, timeout: int) -> None:
    """Have a worker test the connection to HOST, and print what it found. The exit status is 1 on a problem."""
    host_id = names.host_id(hostname)
    if not workers.is_any_alive():
        stop(NO_WORKER, FAILED)
    before = hosts.host(host_id).checked
    checks.ask(host_id, actor())
    end = time.monotonic() + timeout
    while True:
        time.sleep(LOOK_SECONDS)
        db.session.rollback()
        row = hosts.host(host_id)
        if row.check_by is None and row.checked != before:
            break
        if row.check_by is None:
            stop(f"{hostname} was changed meanwhile. Test it again.", FAILED)
        if time.monotonic() > end:
            stop(f"No worker has answered within {timeout} s; it is still asked for. Run: deployer doctor", FAILED)
    if not _tell(row):
        raise SystemExit(FAILED)


@host.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--format", "kind", type=click.Choice(FORMATS), help="What the file is; guessed when it is not said.")
@click.option("--directory", help="Directory of their services, where the file names none.")
@click.option("--labels", help="Labels for all of them.")
@click.option("--apply", "confirmed", is_flag=True, help="Do it, instead of saying what would change.")
@inside
def import_hosts(file: BinaryIO, kind: str | None, directory: str | None, labels: str | None, confirmed: bool) -> None:
    """Say what importing the hosts in FILE would change; with --apply, do it.

    FILE is a table (CSV, columns named as the options of deployer host add), an ~/.ssh/config, or an Ansible inventory
    in INI or YAML. Without --apply the exit status is 1 when hosts in it are refused; with --apply the others are
    imported.
    """
    text = decoded(file.read(4 * MAX_TEXT + 1))
    form: ImportForm = ImportForm.of(given({"content": text, "format": kind, "directory": directory, "labels": labels}))
    form.filename = getattr(file, "name", "") or ""
    form.check()
    upload = form.upload()
    found = importing.read(upload)
    planned = importing.plan(upload, found)
    _tell_plan(planned, importing.remarks(found))
    if not confirmed:
        click.echo("Nothing was written. With --apply it is done." if planned.does_something else "Nothing to do.")
        if planned.left_out:
            raise SystemExit(FAILED)
        return
    click.echo(importing.told(imports.apply(lambda: importing.plan(upload, found), planned.digest, actor())))


def _tell_plan(plan: ImportPlan, remarks: list[tuple[int, str]]) -> None:
    for name, path in plan.credentials.items():
        click.echo(f"+ credential {name}: {path}")
    for added in plan.added:
        told = ", ".join(f"{name} {value}" for name, value in added.host.as_typed().items() if value)
        click.echo(f"+ {told}")
    for changed in plan.changed:
        for name, (before, after) in changed.changes.items():
            click.echo(f"~ {changed.host.hostname}: {name} {before or '–'} → {after or '–'}")
    click.echo(f"{len(plan.unchanged)} unchanged.")
    for one in plan.left_out:
        click.echo(f"Line {one.line}, {one.name or 'no name'}: refused. {' '.join(importing.why(one))}", err=True)
    for line, text in remarks:
        click.echo(f"Line {line}: {text}", err=True)


def way(row: HostRow) -> str:
    """How a host is reached, in one word."""
    user = f"{row.login.user}@" if row.login.user else ""
    port = f":{row.login.port}" if row.login.port else ""
    return f"{row.reach.value} {user}{row.address}{port}" + (f" via {row.login.jump}" if row.login.jump else "")


def _tell(row: HostRow) -> bool:
    """Print the last check; whether nothing is wrong with the host."""
    if row.state is CheckState.NEVER:
        click.echo("Check: never")
        return False
    if row.state is CheckState.PROBLEM:
        click.echo(f"Check: {row.check_kind}: {row.check_cause} {row.check_remedy}".rstrip())
        return False
    click.echo(f"Check: {'ok' if row.state is CheckState.OK else 'to mend'}")
    for one in row.warnings:
        click.echo(f"  {note(one)}")
    facts = row.facts
    if facts is not None:
        free = f", {size(facts.disk_free)} free" if facts.disk_free is not None else ""
        click.echo(f"  {facts.os}, as user {facts.user}; the directory is {facts.directory}{free}")
    return row.state is CheckState.OK
