"""Every URL with its methods, as `urls.txt` has them: clients depend on these.

After a wanted change: `.venv/bin/python -m tests.contracts.test_urls`
"""

from pathlib import Path

from flask import Flask

import config
from app import create_app

SNAPSHOT = Path(__file__).with_name("urls.txt")
SECRETS = {"SECRET_KEY": "-", "PASSWORD_PEPPER": "-", "DATABASE_URL": "sqlite:////tmp/none.db"}


def urls(app: Flask) -> str:
    """One line a URL and method, sorted."""
    lines = {
        f"{rule.rule} {method}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    return "\n".join(sorted(lines)) + "\n"


def test_urls_are_the_ones_of_the_snapshot(app):
    assert urls(app) == SNAPSHOT.read_text(), "renew it with: .venv/bin/python -m tests.contracts.test_urls"


def test_every_page_has_its_mirror(app):
    """What JSON does with PUT, PATCH and DELETE has its form page, and nothing else is PUT, PATCH or DELETE."""
    known = set(urls(app).splitlines())
    for line in known:
        path, method = line.split()
        suffix = {"PUT": "/edit", "PATCH": "/edit", "DELETE": "/delete"}.get(method)
        if suffix:
            page = path.removeprefix("/api") + suffix
            assert {f"{page} GET", f"{page} POST"} <= known, line


if __name__ == "__main__":
    SNAPSHOT.write_text(urls(create_app(config.load({"ENVIRONMENT": "testing", **SECRETS}))))
