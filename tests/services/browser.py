"""The Chromium of this machine, driven by Playwright; none is downloaded."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.services import ServiceUnavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def chromium_path() -> str | None:
    """The browser to start, or None."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (MAC if Path(MAC).exists() else None)


def launch(playwright: "Playwright") -> "Browser":
    """Start the browser without a window.

    :raises ServiceUnavailable: there is none.
    """
    path = chromium_path()
    if path is None:
        raise ServiceUnavailable("No browser: install Chromium or Google Chrome.")
    return playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
