"""Every template compiles, and none works around the content security policy or the escaping."""

import re
from pathlib import Path

import pytest

from config.settings import ROOT

TEMPLATES = ROOT / "templates"
FILES = sorted(path for path in TEMPLATES.rglob("*") if path.is_file())
PAGES = [path for path in FILES if path.suffix == ".html" and "emails" not in path.parts]
MAILS = sorted(path for path in (TEMPLATES / "emails").iterdir() if path.is_dir())

FORBIDDEN = {
    "an inline style": re.compile(r"<style|\sstyle\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE),
    "an inline handler": re.compile(r"\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "a script address": re.compile(r"javascript:", re.IGNORECASE),
    "something from elsewhere": re.compile(r"(src|href)\s*=\s*[\"'](https?:)?//", re.IGNORECASE),
    "escaping switched off": re.compile(r"\|\s*safe\b|autoescape\s+false|Markup", re.IGNORECASE),
}


def name_of(path: Path) -> str:
    return str(path.relative_to(TEMPLATES))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_template_compiles(app, path):
    app.jinja_env.get_template(name_of(path))


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_page_has(what):
    assert [name_of(path) for path in PAGES if FORBIDDEN[what].search(path.read_text())] == []


def test_mails_are_escaped_and_load_nothing():
    for path in (path for path in FILES if "emails" in path.parts):
        text = path.read_text()
        for what in ("an inline script", "an inline handler", "escaping switched off", "something from elsewhere"):
            assert not FORBIDDEN[what].search(text), f"{name_of(path)} has {what}"
        assert "<img" not in text, "a picture would tell when a mail is read"


def test_every_mail_has_its_three_templates_and_its_job(app):
    jobs = {name.removeprefix("mail.") for name in app.extensions["jobs"].jobs if name.startswith("mail.")}
    assert {path.name for path in MAILS} == jobs
    for path in MAILS:
        assert {part.name for part in path.iterdir()} == {"subject.txt", "body.txt", "body.html"}


def test_every_page_has_its_template(app):
    """What a view would render is there: `<blueprint>/<view>.html`, and `…_shown.html` for what is shown once."""
    names = set(app.jinja_env.list_templates())
    for view in app.extensions["views"].values():
        if view.kind == "raw" or view.only == "api" or (view.kind == "form" and view.on is not None):
            continue
        assert view.template in names, view.endpoint


def test_every_form_posts_with_a_token():
    for path in PAGES:
        for form in re.findall(r"<form.*?</form>", path.read_text(), re.DOTALL):
            assert "csrf_token()" in form or "hidden(" in form, name_of(path)


def test_every_view_template_belongs_to_a_view(app):
    """A template that nothing renders, extends or imports is dead."""
    text = "".join(path.read_text() for path in [*FILES, *ROOT.glob("app/*.py"), *ROOT.glob("blueprints/**/*.py")])
    used = {view.template for view in app.extensions["views"].values()}
    used |= {template.replace(".html", "_shown.html") for template in used}
    for path in FILES:
        name = name_of(path)
        if not name.startswith("emails/"):
            assert name in used or f'"{name}"' in text or f"'{name}'" in text, name
