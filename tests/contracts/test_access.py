"""Every route says who may use it, and the wrapper that asks is really around it."""

from app.access import Rule

ANYONE = {  # what is public is listed here by hand: a new public route is a decision
    "site.home",
    "site.favicon",
    "openapi.openapi",
    "health.health",
    "health.live",
    "health.ready",
    "auth.sign_up",
    "auth.check_mail",
    "auth.verify_email",
    "auth.resend_verification",
    "auth.sign_in",
    "auth.sign_out",
    "auth.forgot_password",
    "auth.reset_password",
    "auth.confirm_email_change",  # a mailed token is the key of these three
    "auth.undo_email_change",
    "auth.not_me",
    "teams.accept_invite",  # a mailed token is the key of these six
    "teams.preview_invite",
    "teams.reject_invite",
    "team_links.invitation",
    "team_links.accept_invitation",
    "team_links.reject_invitation",
    "dev.mailbox",
    "dev.message",
    "dev.message_html",
}


def test_every_view_declares_its_access(app):
    for endpoint, view in app.extensions["views"].items():
        assert isinstance(view.access, Rule), endpoint


def test_every_url_belongs_to_a_declared_view(app):
    libraries = {"static", "bootstrap.static"}
    for rule in app.url_map.iter_rules():
        assert rule.endpoint in libraries or rule.endpoint.removeprefix("api.") in app.extensions["views"], rule


def test_only_what_is_listed_is_public(app):
    assert {endpoint for endpoint, view in app.extensions["views"].items() if view.access.public} == ANYONE
