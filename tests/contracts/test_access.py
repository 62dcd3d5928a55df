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
    public = {endpoint for endpoint, view in app.extensions["views"].items() if view.access.public}
    assert {endpoint for endpoint in public if not endpoint.startswith(("teams.", "team_links."))} == ANYONE
