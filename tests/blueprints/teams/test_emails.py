"""What teams mail."""

import re

import pytest
from sqlalchemy import update

from app.database import db, transaction, utc_now
from blueprints.teams.models import Invitation, Team
from blueprints.teams.schemas import AcceptInvitation
from blueprints.teams.services import acceptance
from tests.people import token_in, work


def accept(house, who, sent):
    return acceptance.accept_invite(who, house.token(sent), AcceptInvitation(), house.client)


def test_the_invitation_says_who_what_as_what_and_how_long(house, ada, outbox):
    house.invite(ada, house.team(ada, "Night Shoot"), "Bob@example.com", role="admin", message="We need you.\nSoon.")
    [mail] = outbox()
    assert mail.recipient == "Bob@example.com"
    assert mail.subject == "Invitation to join Night Shoot"
    for body in (mail.text, mail.html):
        for part in ("Ada", "Night Shoot", "an admin", "We need you.", "Accept Invitation", "7 days"):
            assert part in body
    assert "http://localhost:8000/team/invite/" in mail.html


def test_the_link_is_the_invitations(house, ada, outbox):
    sent = house.invite(ada, house.team(ada))
    [mail] = outbox()
    assert token_in(mail) == house.token(sent)
    stored = {str(value) for value in vars(db.session.get_one(Invitation, sent.invitation.id)).values()}
    assert token_in(mail) not in stored


def test_the_link_is_the_same_at_each_try(house, ada, app, monkeypatch):
    delivered = []

    def deliver(job_id, to, subject, text, html):
        delivered.append((job_id, text))
        if len(delivered) == 1:
            raise OSError

    monkeypatch.setattr("app.mail.deliver", deliver)
    monkeypatch.setattr("app.jobs.timedelta", lambda **delay: utc_now() - utc_now())  # no back-off
    house.invite(ada, house.team(ada))
    work(app)
    work(app)
    assert len(delivered) == 2
    assert delivered[0] == delivered[1]


def test_a_nameless_inviter_is_called_by_address(house, outbox):
    eve = house.person("eve@example.com")
    house.invite(eve, house.team(eve))
    [mail] = outbox()
    assert "eve@example.com invites you" in mail.text.replace("\u2060", "")


@pytest.mark.parametrize("status", ["revoked", "accepted", "rejected", "superseded"])
def test_an_invitation_that_lost_its_reason_is_not_mailed(house, ada, outbox, status):
    house.change(house.invite(ada, house.team(ada)), status=status)
    assert outbox() == []


def test_an_invitation_to_a_deleted_team_is_not_mailed(house, ada, outbox):
    house.invite(ada, house.team(ada))
    with transaction() as session:
        session.execute(update(Team).values(deleted_at=utc_now()))
    assert outbox() == []


def test_the_inviter_hears_who_joined(house, ada, outbox):
    team_id = house.team(ada, "Night Shoot")
    accept(house, house.person("bob@example.com", "Bob"), house.invite(ada, team_id))
    [mail] = [mail for mail in outbox() if mail.recipient == "ada@example.com"]
    assert mail.subject == "Bob joined Night Shoot"
    for body in (mail.text, mail.html):
        assert "View Team Members" in body
        assert f"http://localhost:8000/teams/{team_id}" in body


def test_a_nameless_member_is_called_by_address(house, ada, outbox):
    accept(house, house.person("bob@example.com"), house.invite(ada, house.team(ada)))
    [mail] = [mail for mail in outbox() if mail.recipient == "ada@example.com"]
    assert mail.subject == "bob@example.com joined Night Shoot"


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\u00a0"])
def test_names_cannot_break_headers(house, ada, outbox, separator):
    name = f"Night{separator}Bcc: eve"
    bob = house.person("bob@example.com", f"Bob{separator}X: y")
    accept(house, bob, house.invite(ada, house.team(ada, name)))
    subjects = [mail.subject for mail in outbox()]
    assert subjects == ["Bob X: y joined Night Bcc: eve"]


def test_names_are_escaped_in_html_alone(house, ada, outbox):
    house.invite(ada, house.team(ada, "<b>Night</b> & Day"), message="<script>alert(1)</script>")
    [mail] = outbox()
    assert mail.subject == "Invitation to join <b>Night</b> & Day"
    assert "<script>alert(1)</script>" in mail.text
    assert "<script" not in mail.html
    assert not re.search(r"<b>Night", mail.html)
