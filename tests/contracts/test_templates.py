"""Every template compiles, and none works around the content security policy or the escaping."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app import mail
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


AT = datetime(2026, 11, 24, 10, 2, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"


def end_of(reason: str, by: str | None) -> dict[str, object]:
    """A session that is over, as the templates get it, ended from the address `by`."""
    who = {"by_ip_address": by, "by_user_agent": CHROME if by else None}
    return {"ip_address": "198.51.100.4", "user_agent": "curl/8", "ended_at": AT, "reason": reason, **who}


def sentence(app, reason: str, by: str | None) -> str:
    module = app.jinja_env.get_template("auth/ended.html").module
    return " ".join(module.sentence(end_of(reason, by)).striptags().split())


@pytest.mark.needs("auth", "sessions are its own")
def test_every_end_of_a_session_has_words_of_its_own(app):
    from blueprints.auth.services.sessions import End

    unknown = {by: sentence(app, "something new", by) for by in (None, "203.0.113.7")}
    assert unknown[None] == "Ended by Pitchey, 24 Nov 2026, 10:02 UTC."
    assert unknown["203.0.113.7"] == "Ended by a request from Chrome on macOS (203.0.113.7), 24 Nov 2026, 10:02 UTC."
    for reason in End:
        for by, nothing_known in unknown.items():
            told = sentence(app, reason, by)
            assert told != nothing_known, reason
            assert told.startswith("Ended "), reason
            assert "24 Nov 2026, 10:02 UTC." in told, reason
            assert (by is None) or "Chrome on macOS (203.0.113.7)" in told, reason


def test_who_signs_out_in_a_browser_is_not_told_which(app):
    end = {**end_of("sign-out", "198.51.100.4"), "by_user_agent": "curl/8"}
    told = app.jinja_env.get_template("auth/ended.html").module.sentence(end)
    assert "curl" not in told
    assert "198.51.100.4" not in told


NOTICES = ("password_changed", "new_device", "email_changed", "account_deleted")


@pytest.mark.needs("auth", "the mails are its own")
@pytest.mark.parametrize("link", ["https://example.com/link?token=x", None], ids=["link", "no link"])
@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_says_when_from_where_with_what_and_what_to_do(app, name, link):
    values = {"at": AT, "ip": "203.0.113.7", "browser": CHROME, "link": link, "new_address": "n***@example.com"}
    subject, text, html = mail.render(name, values)
    assert "Pitchey" in subject
    assert "Chrome" not in subject
    for body in (text, html):
        for said in ("24 Nov 2026, 10:02 UTC", "203.0.113.7", "Chrome on macOS", "If it was you", "If it was not you"):
            assert said in body
        if name != "account_deleted" and link:
            assert link in body
        elif name in ("password_changed", "new_device"):
            assert "/auth/forgot-password" in body
        else:
            assert "reply to" in body


@pytest.mark.parametrize("name", ["verify_email", "reset_password", "confirm_email_change"])
def test_a_link_is_mailed_with_the_time_it_lasts(app, name):
    values = {"link": "https://example.com/link?token=x", "lasts": "45 minutes", "address": "new@example.com"}
    for body in mail.render(name, values)[1:]:
        assert "https://example.com/link?token=x" in body
        assert re.search(r"45\s+minutes", body)


def test_mails_have_no_text_of_people_in_their_subject(app):
    for path in MAILS:
        said = set(re.findall(r"{{ (\w+) }}", (path / "subject.txt").read_text()))
        team = {"team", "member"} if path.name in ("invitation", "member_joined") else set()
        assert said <= {"product_name"} | team, path.name


TRAP = "https://evil.example/a www.evil.example eve@evil.example mailto:eve tel:+4930 evil。example."
TEAM_MAILS = ("invitation", "member_joined", "member_removed", "ownership_offered", "ownership_taken")


@pytest.mark.needs("teams", "the mails are its own")
@pytest.mark.parametrize("name", TEAM_MAILS)
def test_what_people_write_is_no_link_in_a_mail(app, name):
    """A name or a message shows as it was written, with a word joiner where a mail program would see a link."""
    people = dict.fromkeys(("team", "inviter", "member", "owner", "message"), TRAP)
    link = "https://pitchey.example/team"
    values = {**people, "link": link, "role": "admin", "days": 7, "until": AT}
    for body in mail.render(name, values)[1:]:
        assert TRAP in body.replace("\u2060", "")
        own = body.replace(link, "")
        assert not re.search(r"evil[.。]example|s://e|www\.e|@evil|mailto:e|tel:\+", own)


@pytest.mark.needs("teams", "the mails are its own")
def test_a_message_is_quoted_line_by_line_in_plain_text(app):
    values = {
        "team": "T",
        "inviter": "I",
        "role": "viewer",
        "days": 7,
        "link": "/",
        "message": "One\n\nAccept Invitation:",
    }
    assert "\n> One\n> \n> Accept Invitation:" in mail.render("invitation", values)[1]
