"""Debian's Chromium (or Google's), driven by the Playwright library."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # tests run as root in containers; they open nothing but the console
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000  # milliseconds that anything on a page may take on a busy machine


def find_chromium() -> str | None:
    """The browser's program, if one is on the PATH."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def missing_chromium() -> str | None:
    """Why no browser test can run here, or None."""
    return None if find_chromium() else f"Chromium is not on the PATH (looked for {', '.join(NAMES)})"


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser for the time of the block."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()
