"""Take the pictures of the documentation: `python -m tests.browser.pictures`."""

import contextlib
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from config.settings import ROOT
from tests.browser.world import World, build
from tests.live import flask, serve
from tests.services.browser import launch

FOLDER = ROOT / "docs" / "pictures"
PICTURES = (  # file, who looks, path, colour scheme, height
    ("sign-in", "guest", "/auth/sign-in", "light", 800),
    ("account", "ines", "/auth/account", "light", 800),
    ("team", "ines", "/teams/{team}", "light", 800),
    ("dashboard", "admin", "/metrics/dashboard", "dark", 800),
    ("mail", "guest", "/dev/mailbox/{mail}/html", "light", 660),
)


def main() -> None:
    """Write every picture, on a service and a database that are gone afterwards."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder, sync_playwright() as playwright:
        environ = {"DATABASE_URL": f"sqlite:///{folder}/app.db", "INSTANCE_PATH": folder, "BCRYPT_COST": "4"}
        flask(environ, "db", "upgrade", "heads")
        with serve(environ, Path(folder) / "log") as live, contextlib.closing(launch(playwright)) as browser:
            take(browser, build(browser, live))


def take(browser: Browser, world: World) -> None:
    for name, who, path, scheme, height in PICTURES:
        page = world.people[who].context.new_page()
        page.set_viewport_size({"width": 1280, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.goto(path.format(**world.values))
        page.screenshot(path=FOLDER / f"{name}.png")
        page.close()


if __name__ == "__main__":
    main()
