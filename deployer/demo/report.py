"""What the demo says: progress on stderr, and on stdout how to get in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from deployer.demo.seed import SignIn


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say ``what``, and then whether it went well."""
    _say(f"{what}… ", newline=False)
    try:
        yield
    except BaseException:
        _say("not done")
        raise
    _say("ok")


def line(text: str) -> None:
    """Something for a person to read."""
    _say(text)


def problem(text: str) -> None:
    """Why the demo ends."""
    _say(f"Error: {text}")


def ready(url: str, who: SignIn, as_json: bool) -> None:
    """How to get in: one line of JSON, or some for a person."""
    if as_json:
        text = json.dumps({"url": url, **asdict(who)})
    else:
        text = f"\n  {url}\n\n  Name      {who.user}\n  Password  {who.password}\n  Token     {who.token}\n"
    with contextlib.suppress(OSError):
        click.echo(text)
    _say("Ready. Press Ctrl-C to stop everything.")


def _say(text: str, newline: bool = True) -> None:
    # Whoever started us may have closed their end; that is no reason to stop, and less to stop halfway.
    with contextlib.suppress(OSError):
        click.echo(text, nl=newline, err=True)
