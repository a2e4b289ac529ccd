"""Bring an artifact to the worker's store, once, and only if it is what the version says it is."""

from __future__ import annotations

import urllib.request
from pathlib import Path

from deployer import artifacts
from deployer.domain.errors import N_

MAX_BYTES = 2 * 1024**3
TIMEOUT = 30.0  # seconds for each wait on the network


class FetchFailed(Exception):
    """The artifact is not to be had; the message says why and what to do."""


def artifact(store: Path, sha256: str | None, url: str) -> Path | None:
    """The artifact's file, fetched from ``url`` unless it is here already; None when the version has none."""
    if sha256 is None:
        return None
    kept = artifacts.path_of(store, sha256)
    if kept.is_file():
        return kept
    if not url:
        raise FetchFailed(
            N_("The uploaded artifact is not in this worker's store. Share DEPLOYER_HOME with the web process.")
        )
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # noqa: S310 (the form takes only http and https)
            found = artifacts.store_stream(store, answer, MAX_BYTES)
    except artifacts.TooLarge:
        raise FetchFailed(N_("The artifact is larger than 2 GiB.")) from None
    except (OSError, ValueError) as problem:
        raise FetchFailed(f"The artifact could not be fetched from its address: {problem}.") from None
    if found != sha256:
        artifacts.path_of(store, found).unlink(missing_ok=True)
        raise FetchFailed(
            f"The artifact at its address has SHA-256 {found}, not the recorded one. It was thrown away; "
            "nothing reached the host."
        )
    return kept
