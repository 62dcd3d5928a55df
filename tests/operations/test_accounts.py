"""Accounts over several processes: what one process ends or counts, the others know at the next request."""

from collections.abc import Iterator

import pytest

from tests.operations.processes import Running, Session, eventually, run, serving

EMAIL = "ada@example.com"
PASSWORD = "harbour lights at night"
NEW_PASSWORD = "harbour lights at dawn"


@pytest.fixture
def two(migrated, tmp_path) -> Iterator[tuple[Running, Running]]:
    """Two services on one database, as two dynos of two workers each; Ada has an account."""
    environ = migrated | {"WEB_CONCURRENCY": "2", "WEB_THREADS": "20"}
    done = run(f"flask users create-admin {EMAIL}", environ, typed=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    with serving(environ, tmp_path / "one") as one, serving(environ, tmp_path / "two") as other:
        yield one, other


def sign_in(web: Running, password: str = PASSWORD) -> Session:
    person = Session(web.port)
    assert person.call("POST", "/api/auth/sign-in", data={"email": EMAIL, "password": password}).status == 200
    return person


def at(web: Running, person: Session) -> Session:
    """The same browser, sent to another process."""
    return Session(web.port, person.cookies)


def statuses(person: Session, times: int = 8) -> set[int]:
    """What a browser is answered, often enough to meet every worker."""
    return {person.call("GET", "/api/auth/session").status for _ in range(times)}


def test_a_password_change_ends_the_others_on_every_process(two):
    one, other = two
    desk, phone = sign_in(one), sign_in(other)
    token = phone.call("POST", "/api/auth/tokens", data={"name": "Export"}).json["data"]["value"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert statuses(at(one, phone)) == {200}
    assert other.call("GET", "/api/auth/session", headers=bearer).status == 200
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "revokeOtherSessions": True}
    changed = desk.call("POST", "/api/auth/change-password", data=body)
    assert changed.json["data"] == {
        "message": "Password changed successfully",
        "revokedSessions": "all",
        "revokedCount": 1,
    }
    for web in two:
        assert statuses(at(web, phone)) == {401}
        assert {web.call("GET", "/api/auth/session", headers=bearer).status for _ in range(8)} == {401}
        assert statuses(at(web, desk)) == {200}
    sign_in(other, NEW_PASSWORD)


def test_checks_of_the_password_are_counted_over_sessions_and_processes(two):
    """Five tries in all: at two services, by two sessions, for three use cases, as JSON and as a form."""
    one, other = two
    desk, phone = sign_in(one), sign_in(other)
    wrong = {"currentPassword": "not the password", "newPassword": NEW_PASSWORD}
    form = {**wrong, "csrf_token": csrf_token(at(other, desk))}
    found = [
        desk.call("POST", "/api/auth/change-password", data=wrong),
        at(other, desk).call("POST", "/auth/change-password", form=form),
        phone.call("POST", "/api/auth/reauthenticate", data={"password": "not the password"}),
        at(one, phone).call(
            "POST", "/api/auth/change-email", data={"newEmail": "ada@example.org", "password": "not the password"}
        ),
        at(one, phone).call("DELETE", "/api/auth/account", data={"password": "not the password"}),
    ]
    assert [reply.status for reply in found] == [401] * 5
    right = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    for person in (desk, phone, at(other, desk), at(one, phone)):
        refused = person.call("POST", "/api/auth/change-password", data=right)
        assert refused.status == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert statuses(desk) == {200}
    sign_in(other)  # signing in has limits of its own


def csrf_token(person: Session) -> str:
    page = person.call("GET", "/auth/change-password").text
    return page.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]


def test_a_disabled_account_is_out_everywhere(two, migrated):
    one, other = two
    desk = sign_in(one)
    token = desk.call("POST", "/api/auth/tokens", data={"name": "Export"}).json["data"]["value"]
    done = run(f"flask users disable {EMAIL}", migrated)
    assert done.returncode == 0, done.stderr
    for web in two:
        assert statuses(at(web, desk)) == {401}
        bearer = {"Authorization": f"Bearer {token}"}
        assert web.call("GET", "/api/auth/session", headers=bearer).status == 401
    assert run(f"flask users enable {EMAIL}", migrated).returncode == 0
    assert statuses(desk) == {401}, "what was ended stays ended"
    sign_in(other)


def test_a_sign_up_here_is_mailed_and_verified_there(two):
    one, other = two
    person = Session(one.port)
    body = {"email": "bob@example.com", "password": PASSWORD}
    assert person.call("POST", "/api/auth/sign-up", data=body).status == 202

    def mailed() -> list[str]:
        messages = other.call("GET", "/api/dev/mailbox").json["data"]["messages"]
        return [message["text"] for message in messages if message["to"] == "bob@example.com"]

    (text,) = eventually(mailed, lambda: one.said + other.said)
    token = text.partition("token=")[2].split()[0]
    verified = at(other, person).call("POST", "/api/auth/verify-email", data={"token": token})
    assert verified.json["data"]["user"]["email"] == "bob@example.com"
