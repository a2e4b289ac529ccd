"""``deployer instance``."""

from __future__ import annotations

import click

from deployer.commands.inside import actor, inside
from deployer.commands.options import given, options_of
from deployer.operations import fleet
from deployer.queries import names
from deployer.web.forms.fleet import InstanceForm


@click.group()
def instance() -> None:
    """Instances: which version of a service runs on which host."""


@instance.command("record")
@click.argument("service")
@click.argument("host")
@click.argument("version")
@options_of(InstanceForm, but=("host_id", "version_id", "is_maintain"))
@click.option("--maintenance", "is_maintain", is_flag=True, flag_value="true", help="The instance is in maintenance.")
@inside
def record_instance(service: str, host: str, version: str, **fields: str | None) -> None:
    """Record that SERVICE runs on HOST already, in VERSION.

    Nothing is installed or started; upgrades and reverts begin from what is recorded.
    """
    service_id = names.service_id(service)
    ids = {"host_id": names.host_id(host), "version_id": names.version_id(service_id, version)}
    form = InstanceForm.read(given({**{name: str(value) for name, value in ids.items()}, **fields}))
    recorded = fleet.record_instance(service_id, form.new(), actor())
    click.echo(f"Recorded {service} {version} on {host} (id {recorded}).")
