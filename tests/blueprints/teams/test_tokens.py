"""The token of an invitation stands in its mail, and nowhere else."""

import pytest

from tests.blueprints.auth.support import dump, let_limits_pass
from tests.people import token_in, work


@pytest.fixture
def tokens(app, house, ada, as_ada, outbox):
    """The tokens of an invitation that was sent anew, and of one that was accepted."""
    path = f"/teams/{house.team(ada)}/invite"
    first = as_ada.submit(path, email="bob@example.com", message="Join us").data["invitation"]["id"]
    as_ada.submit(path, email="eve@example.com")
    work(app)
    let_limits_pass(minutes=11)
    assert as_ada.submit(f"/teams/invites/{first}/resend").status == 201
    work(app)
    found = [token_in(mail) for mail in outbox() if "Invitation" in mail.subject]
    assert len(set(found)) == 3
    return path.removesuffix("/invite"), found


def test_none_stands_in_the_database(app, tokens):
    _, found = tokens
    stored = dump(app, "kept_mails")  # the mailbox of development keeps what was mailed
    assert [token for token in found if token in stored] == []


def test_none_stands_in_an_answer(tokens, as_ada, house, ada, browser):
    path, found = tokens
    house.sign_in(browser, ada)
    invites = as_ada.get(f"{path}/invites")
    ids = [invite["id"] for invite in invites.data["invites"]]
    answers = [invites, as_ada.get("/teams/invites"), as_ada.get(path), as_ada.get("/teams")]
    answers += [browser.get(page) for page in (path, f"{path}/settings", *(f"/teams/invites/{id_}" for id_ in ids))]
    assert {answer.status for answer in answers} == {200}
    assert [token for token in found for answer in answers if token in answer.text] == []


def test_none_stands_in_the_log(tokens, program, capsys):
    _, found = tokens
    for token in found:
        program.client.get(f"/team/invite/{token}")
        program.get(f"/teams/invites/preview?token={token}")
        program.submit("/teams/invites/reject", token=token)
    said = capsys.readouterr()
    assert '"route":"/team/invite/<token>"' in said.out
    assert [token for token in found if token in said.out + said.err] == []
