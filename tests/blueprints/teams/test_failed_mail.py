"""An invitation to an address that takes no mail: seen by the team and by the operator, and sent anew by both."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from tests.clients import Browser
from tests.people import work
from tests.services.smtp import Mailbox, smtp

NOBODY = "nobody@example.com"


@pytest.fixture
def server() -> Iterator[Mailbox]:
    """A mail server that knows nobody of this name."""
    with smtp() as mailbox:
        mailbox.answers[NOBODY] = "550 5.1.1 No such user here"
        yield mailbox


@pytest.fixture
def sending(make_app, server: Mailbox) -> Flask:
    """The application that sends to it."""
    return make_app(MAIL_SERVER=server.host, MAIL_PORT=str(server.port), MAIL_USE_TLS="false")


@pytest.fixture
def browser(sending: Flask, house, ada) -> Browser:
    """Ada, signed in."""
    return house.sign_in(Browser(sending), ada)


@pytest.fixture
def path(sending: Flask, house, ada, browser: Browser) -> str:
    """The page of a team that has invited nobody, and whose mail was refused."""
    path = f"/teams/{house.team(ada)}"
    assert browser.submit(f"{path}/invite", email=NOBODY).status == 303
    work(sending)
    return path


def typed(app: Flask, *words: str) -> str:
    """What a command prints."""
    result = app.test_cli_runner().invoke(args=["jobs", *words])
    assert result.exit_code == 0, result.output
    return result.output


def links(server: Mailbox) -> list[str]:
    """The links that arrived."""
    bodies = (message.get_body(("plain",)).get_content() for message in server.messages)
    return [re.search(r"/team/invite/\S+", body).group(0) for body in bodies]


def test_it_fails_at_once_and_is_seen_on_the_page_and_by_the_operator(sending, browser, path, server):
    page = browser.get(path).text
    assert "Mail failed" in page
    assert "The mail could not be delivered. Check the address, then send it again or withdraw it." in page
    assert re.search(r"failed   1  mail\.invitation  RecipientRefused\n", typed(sending, "list", "--state", "failed"))
    assert server.messages == []


def test_the_operator_has_it_tried_again(sending, browser, path, server):
    server.answers.clear()
    assert typed(sending, "retry") == "1 jobs are queued again.\n"
    assert "Mail on its way" in browser.get(path).text
    work(sending)
    assert "Mail sent" in browser.get(path).text
    assert browser.get(links(server)[0]).status == 200


def test_the_team_sends_it_again(sending, browser, path, server):
    server.answers.clear()
    button = re.search(r'action="(/teams/invites/[^"]+/resend)"', browser.get(path).text).group(1)
    assert browser.submit(button, _page=path).location == path
    work(sending)
    page = browser.get(path).text
    assert "Mail sent" in page
    assert "Mail failed" not in page
    assert browser.get(links(server)[0]).status == 200
    assert len(server.messages) == 1


def test_a_failed_mail_that_was_sent_anew_is_not_sent_once_more(sending, browser, path, server):
    server.answers.clear()
    button = re.search(r'action="(/teams/invites/[^"]+/resend)"', browser.get(path).text).group(1)
    browser.submit(button, _page=path)
    typed(sending, "retry")
    work(sending)
    assert len(server.messages) == 1, "the first link is void: its mail has lost its reason"
    assert "failed" not in typed(sending, "list")
