"""The page of one invitation: what became of its mail, while it can be sent again."""

import pytest

from app.jobs import QueuedJob
from blueprints.teams.services import resending
from tests.blueprints.auth.support import change


@pytest.fixture
def sent(house, ada):
    return house.invite(ada, house.team(ada))


@pytest.fixture
def page(house, ada, browser, sent):
    """The text of the page of Bob's invitation."""
    house.sign_in(browser, ada)

    def page():
        answer = browser.get(f"/teams/invites/{sent.invitation.id}")
        assert answer.status == 200
        return answer.text

    return page


@pytest.mark.parametrize(
    "state, words", [("queued", "Mail on its way"), ("done", "Mail sent"), ("failed", "Mail failed")]
)
def test_what_became_of_the_mail(page, state, words):
    change(QueuedJob, QueuedJob.name == "mail.invitation", state=state)
    text = page()
    assert [one for one in ("Mail on its way", "Mail sent", "Mail failed") if one in text] == [words]
    assert ("The mail could not be delivered." in text) == (state == "failed")


def test_one_that_is_withdrawn_has_no_mail_to_wait_for(page, ada, sent):
    resending.revoke_invite(ada, sent.invitation.id)
    text = page()
    assert "Withdrawn" in text
    assert "Mail on its way" not in text
