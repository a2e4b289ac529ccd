"""``deployer service`` and ``deployer version``."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import current_app

from deployer import artifacts
from deployer.commands.inside import FAILED, REFUSED, actor, inside, stop
from deployer.commands.options import given, options_of
from deployer.operations import catalog
from deployer.queries import names
from deployer.web.forms.catalog import BUILD_STATUSES, BuildForm, MarkForm, ServiceForm, VersionForm

TOO_LARGE = "artifact: The file is too large; at most 2 GiB are kept."

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def service() -> None:
    """Services: what can be deployed, and how."""


@service.command("add")
@click.argument("name")
@options_of(ServiceForm, but=("name",))
@inside
def add_service(name: str, **fields: str | None) -> None:
    """Add the service NAME with its recipe.

    With the recipe "release" (the default), an artifact is unpacked on the host and --restart puts it into service;
    with "script", --deploy does everything. The commands are words, as a shell would split them; no shell runs them.

    Example: deployer service add orders --restart "systemctl restart orders" --health-path /healthz
    """
    form = ServiceForm.read(given({"name": name, **fields}))
    added = catalog.add_service(form.new(), actor())
    click.echo(f"Added service {name} (id {added}).")


@click.group()
def version() -> None:
    """Versions: the builds of a service."""


def _build_options(command: F) -> F:
    for option in (
        click.option("--sha256", help="SHA-256 of the artifact; needed with --url."),
        click.option("--url", "artifact_url", help="Where workers fetch the artifact from."),
        click.option(
            "--artifact",
            type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
            help="A file to keep as the artifact.",
        ),
        click.option(
            "--status", default="success", show_default=True, help=f"Build status: {', '.join(BUILD_STATUSES)}."
        ),
    ):
        command = option(command)
    return command


@version.command("add")
@click.argument("service")
@click.argument("label")
@_build_options
@options_of(VersionForm, but=("version", "status", "artifact_url", "sha256"))
@inside
def add_version(service: str, label: str, artifact: Path | None, **fields: str | None) -> None:
    """Add the version LABEL to SERVICE. Versions are ordered by when they were added, not by their labels."""
    service_id = names.service_id(service)
    sha256 = _sha256(artifact)
    form = VersionForm.read(given({"version": label, **fields}), uploaded=sha256)
    _keep(artifact, sha256)
    added = catalog.add_version(service_id, form.new(), actor())
    click.echo(f"Added version {label} of {service} (id {added}).")


@version.command("build")
@click.argument("service")
@click.argument("label")
@_build_options
@inside
def record_build(service: str, label: str, artifact: Path | None, **fields: str | None) -> None:
    """Record how the build of the version LABEL of SERVICE ended."""
    service_id = names.service_id(service)
    version_id = names.version_id(service_id, label)
    sha256 = _sha256(artifact)
    form = BuildForm.read(given(fields), uploaded=sha256)
    _keep(artifact, sha256)
    catalog.record_build(service_id, version_id, form.build(), actor())
    click.echo(f"Recorded the build of {service} {label}: {form.status.value.name.lower()}.")


@version.command("mark")
@click.argument("service")
@click.argument("label")
@click.option("--irreversible", default="", help='Why hosts cannot go back past it; "" when they can.')
@inside
def mark_version(service: str, label: str, irreversible: str) -> None:
    """Say that LABEL of SERVICE cannot be reverted past, and why; without a reason, that it can.

    Who then reverts hosts from it, or from a newer version, to an older one is warned.
    """
    service_id = names.service_id(service)
    version_id = names.version_id(service_id, label)
    form = MarkForm.read({"irreversible": irreversible})
    catalog.mark_version(service_id, version_id, form.irreversible.value, actor())
    told = "cannot be reverted past" if form.irreversible.value else "can be reverted past"
    click.echo(f"{service} {label} {told}.")


def _open(artifact: Path) -> BufferedReader:
    """Open a regular file: a pipe or a device may never end, or never begin."""
    file = os.fdopen(os.open(artifact, os.O_RDONLY | os.O_NONBLOCK), "rb")  # so that opening a pipe waits for nobody
    found, problem = os.fstat(file.fileno()), ""
    if not stat.S_ISREG(found.st_mode):
        problem = f"artifact: {artifact} is not a regular file. Write what it gives into a file first."
    elif found.st_size > artifacts.MAX_BYTES:
        problem = TOO_LARGE
    if problem:
        file.close()
        stop(problem, REFUSED)
    return file


def _sha256(artifact: Path | None) -> str | None:
    if artifact is None:
        return None
    with _open(artifact) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keep(artifact: Path | None, sha256: str | None) -> None:
    """Into the store; only after the form was read, so that a refused form leaves nothing."""
    if artifact is None:
        return
    try:
        with _open(artifact) as file:
            kept = artifacts.store_stream(current_app.config["SETTINGS"].artifacts, file, artifacts.MAX_BYTES)
    except artifacts.TooLarge:
        stop(TOO_LARGE, REFUSED)
    if kept != sha256:
        stop("artifact: The file changed while it was read. Wait until it is complete, then try again.", FAILED)
