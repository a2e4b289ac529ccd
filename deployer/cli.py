"""The command line. A command is loaded when it is called: most of the program is not needed for any one of them."""

from __future__ import annotations

import gc
import importlib
import os
import traceback

import click

COMMANDS = {
    "demo": "deployer.commands.running",
    "web": "deployer.commands.running",
    "worker": "deployer.commands.running",
    "db": "deployer.commands.database",
    "doctor": "deployer.commands.doctor",
    "user": "deployer.commands.people",
    "token": "deployer.commands.people",
    "service": "deployer.commands.catalog",
    "version": "deployer.commands.catalog",
    "host": "deployer.commands.hosts",
    "credential": "deployer.commands.credentials",
    "instance": "deployer.commands.fleet",
}


class Commands(click.Group):
    """Each command of :data:`COMMANDS` is the function of its name in its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        gc.set_threshold(50_000, 20, 50)  # what is loaded stays; looking it through takes a fifth of a start
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. What nobody expected is told in one line, as a person who types commands can use it."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, BrokenPipeError):
            raise  # click tells these in its own way
        except Exception as problem:
            what = traceback.format_exception_only(problem)[0].strip().splitlines()[0]
            if os.environ.get("DEPLOYER_DEBUG") == "1":
                click.echo(traceback.format_exc(), err=True)
                click.echo(f"deployer: {what}", err=True)
            else:
                hint = "DEPLOYER_DEBUG=1 in the environment shows where it happened."
                click.echo(f"deployer: {what.rstrip('.')}. {hint}", err=True)
            raise SystemExit(1) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="deployer")
def main() -> None:
    """Upgrade and revert the versions of your microservices on your hosts.

    Settings come from the environment: DEPLOYER_HOME (default ./.deployer), DATABASE_URL (default SQLite in the home),
    REDIS_URL (default: an embedded Redis in the home) and SECRET_KEY (default: made once and kept in the home).
    """
