"""Settings of accounts: what is refused at the start, in one clear line."""

import pytest

from app.plugins import PluginError
from blueprints.auth.settings import AuthSettings


def settings_of(app):
    return app.extensions["plugin_settings"][AuthSettings]


@pytest.mark.parametrize("url", ["https://api.pwnedpasswords.com/range/", "HTTP://[::1]:8080/", "http://ranges.local/"])
def test_an_address_of_ranges(make_app, url):
    assert (
        make_app(BREACHED_PASSWORDS_URL=url).extensions["plugin_settings"][AuthSettings].breached_passwords_url == url
    )


@pytest.mark.parametrize(
    "url",
    [
        "yes",
        "api.pwnedpasswords.com/range/",
        "ftp://api.pwnedpasswords.com/range/",
        "file:///etc/passwd/",
        "https:///range/",
        "https://api.pwnedpasswords.com",
        "https://api.pwnedpasswords.com/range",
        "https://api.pwnedpasswords.com/range/?padded=/",
        "https://api.pwnedpasswords.com/range/#/",
        "https://user:pass@api.pwnedpasswords.com/range/",
        "https://api.pwnedpasswords.com:99999/range/",
        "https://api.pwnedpasswords.com:0/range/",
        "https://[::1/range/",
        "https://api.pwnedpasswords.com/a range/",
        "https://api.pwnedpasswords.com/range/\r\nX: /",
    ],
)
def test_no_address_of_ranges(make_app, url):
    with pytest.raises(PluginError) as refused:
        make_app(BREACHED_PASSWORDS_URL=url)
    line = "Configuration error: BREACHED_PASSWORDS_URL: write it like https://api.pwnedpasswords.com/range/"
    assert str(refused.value) == line


@pytest.mark.parametrize(
    "name, default, least, most",
    [("VERIFY_LINK_HOURS", 24, 1, 168), ("RESET_LINK_MINUTES", 60, 5, 1440)],
)
def test_the_life_of_mailed_links(make_app, name, default, least, most):
    assert getattr(settings_of(make_app()), name.lower()) == default
    for value in (least, most):
        assert getattr(settings_of(make_app(**{name: str(value)})), name.lower()) == value
    for value in (least - 1, most + 1, "soon"):
        with pytest.raises(PluginError, match=f"^Configuration error: {name}: "):
            make_app(**{name: str(value)})
