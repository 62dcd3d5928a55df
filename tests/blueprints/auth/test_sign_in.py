"""Sign-in: one answer for whoever may not, a fresh session for whoever may."""

import pytest

from app.database import utc_now
from blueprints.auth.models import Device, User, UserSession
from blueprints.auth.services import sign_ins
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    TIME,
    UUID,
    at_once,
    change,
    cookie,
    cookies,
    count,
    dump,
    let_limits_pass,
    let_pass,
    succeeds,
    with_cookie,
)
from tests.clients import Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"
YEAR = 365 * 24 * 3600


def sign_in(client, email=EMAIL, password=PASSWORD, **more):
    return client.submit("/auth/sign-in", email=email, password=password, **more)


@pytest.fixture(autouse=True)
def account(ada):
    """Ada's, without her session."""
    ada.submit("/auth/sign-out")


def test_sign_in(either):
    answer = sign_in(either)
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/"
        assert either.get("/auth/account").status == 200
        return
    assert list(answer.data) == ["user", "session"]
    assert (answer.data["user"]["email"], answer.data["user"]["emailVerified"]) == (EMAIL, True)
    assert list(answer.data["session"]) == ["id", "expiresAt"]
    assert UUID.fullmatch(answer.data["session"]["id"])
    assert TIME.fullmatch(answer.data["session"]["expiresAt"])
    assert either.get("/auth/session").data == answer.data


@pytest.mark.parametrize("remember, max_age", [(False, ""), (True, str(30 * 24 * 3600))])
def test_the_cookies(either, remember, max_age):
    sent = cookies(sign_in(either, rememberMe=remember))
    assert set(sent) == {"session", "device", "pre"}
    for morsel in sent.values():
        attributes = (morsel["path"], morsel["samesite"], morsel["domain"], morsel["httponly"], morsel["secure"])
        assert attributes == ("/", "Lax", "", True, "")
        assert morsel.value
    assert sent["session"]["max-age"] == max_age
    assert sent["session"]["expires"] == "" or remember
    assert sent["device"]["max-age"] == str(YEAR)
    assert len(sent["session"].value) == 43  # 256 bits


def test_the_cookies_in_production(make_app):
    app = make_app(ENVIRONMENT="production", BASE_URL="https://localhost", BCRYPT_COST="10")
    program = Program(app)
    body = {"email": EMAIL, "password": PASSWORD}
    sent = cookies(program.post("/auth/sign-in", json=body, base_url="https://localhost"))
    assert set(sent) == {"__Host-session", "__Host-device", "__Host-pre"}
    for morsel in sent.values():
        assert (morsel["path"], morsel["samesite"], morsel["domain"]) == ("/", "Lax", "")
        assert morsel["secure"]
        assert morsel["httponly"]


def test_a_known_device_keeps_its_cookie_for_another_year(either):
    first = cookies(sign_in(either))["device"]
    either.submit("/auth/sign-out", _page="/auth/account")
    again = cookies(sign_in(either))["device"]
    assert (again.value, again["max-age"]) == (first.value, str(365 * 86400))
    assert count(Device) == 2  # the one of the fixture's program, and this


@pytest.mark.parametrize("spelling", ["ADA@EXAMPLE.COM", "  ada@example.com ", "Ada@Example.Com"])
def test_spellings_of_the_address(either, spelling):
    assert sign_in(either, email=spelling).status == succeeds(either)


def told(answer):
    """The refusal, without what is random in every answer."""
    body = answer.response.get_json(silent=True)
    return answer.status, sorted(cookies(answer)), body["error"] if body else None


def test_unknown_wrong_and_disabled_are_one_answer(app, either, people):
    people.verified("bob@example.com")
    change(User, User.email == "bob@example.com", disabled_at=utc_now())
    unknown = sign_in(either, email="nobody@example.com")
    wrong = sign_in(either, password=NEW_PASSWORD)
    disabled = sign_in(either, email="bob@example.com")
    wrong_and_disabled = sign_in(either, email="bob@example.com", password=NEW_PASSWORD)
    too_long = sign_in(either, password="x" * 1000)
    assert told(unknown) == told(wrong) == told(disabled) == told(wrong_and_disabled) == told(too_long)
    assert unknown.status == 401
    assert "session" not in cookies(unknown)
    if either.is_browser:
        assert "The address or the password is not right." in unknown.text
        assert 'value="nobody@example.com"' in unknown.text
        assert NEW_PASSWORD not in wrong.text
    else:
        error = unknown.response.get_json()["error"]
        assert error == {"code": "INVALID_CREDENTIALS", "message": "The address or the password is not right."}


def test_a_disabled_account_that_was_never_verified_is_unknown_too(app, either, outbox):
    Program(app).submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    change(User, User.email == "bob@example.com", disabled_at=utc_now())
    before = len(outbox())
    assert sign_in(either, email="bob@example.com").status == 401
    assert len(outbox()) == before


def test_every_refusal_costs_one_hash(app, people, program, monkeypatch):
    people.verified("bob@example.com")
    change(User, User.email == "bob@example.com", disabled_at=utc_now())
    checked = []
    real = sign_ins.verify_password
    monkeypatch.setattr(
        "blueprints.auth.services.passwords.bcrypt.checkpw",
        lambda password, hashed: checked.append(hashed[:7]) or False,
    )
    assert real(PASSWORD, None) is False
    for email in ("nobody@example.com", EMAIL, "bob@example.com"):
        assert sign_in(program, email=email).status == 401
    assert checked == [b"$2b$04$"] * 4


def test_an_unverified_address_gets_a_new_mail_and_no_session(app, either, outbox):
    Program(app).submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    before = len(outbox())
    answer = sign_in(either, email="bob@example.com")
    assert answer.status == 403
    assert "session" not in cookies(answer)
    message = "Verify your address first. We have sent you a new mail with a link."
    if either.is_browser:
        assert message in answer.text
    else:
        assert answer.response.get_json()["error"] == {"code": "EMAIL_NOT_VERIFIED", "message": message}
    newest = outbox()[-1]
    assert (len(outbox()), newest.subject) == (before + 1, "Confirm your email for Pitchey")
    assert either.submit("/auth/verify-email", token=token_in(newest)).status == succeeds(either)


def test_an_unverified_address_with_a_wrong_password_is_unknown(app, either, outbox):
    Program(app).submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    before = len(outbox())
    assert sign_in(either, email="bob@example.com", password=NEW_PASSWORD).status == 401
    assert len(outbox()) == before


def test_mails_to_an_unverified_address_have_a_limit(app, outbox):
    Program(app).submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    before = len(outbox())
    for _ in range(7):
        assert sign_in(Program(app), email="bob@example.com").code == "EMAIL_NOT_VERIFIED"
        outbox()
    assert len(outbox()) == before + 5


def test_signing_in_again_ends_the_session_of_the_cookie(app, either):
    other = type(either)(app)
    sign_in(other)
    sign_in(either)
    first = cookie(either)
    sign_in(either, _page="/auth/account")
    assert cookie(either) != first
    assert with_cookie(Program(app), first).get("/auth/session").status == 401
    assert other.get("/auth/account").status == 200
    assert count(UserSession, UserSession.ended_at.is_(None)) == 2


def test_signing_in_as_someone_else_ends_the_session_too(app, either, people):
    people.verified("bob@example.com").submit("/auth/sign-out")
    sign_in(either)
    first = cookie(either)
    assert sign_in(either, email="bob@example.com", _page="/auth/account").status == succeeds(either)
    assert with_cookie(Program(app), first).get("/auth/session").status == 401


def test_a_failed_sign_in_ends_nothing(either):
    sign_in(either)
    sign_in(either, password=NEW_PASSWORD)
    assert either.get("/auth/account").status == 200


def test_a_planted_cookie_is_never_taken_over(app, either):
    with_cookie(either, "a" * 43)
    sign_in(either)
    assert cookie(either) != "a" * 43
    assert with_cookie(Program(app), "a" * 43).get("/auth/session").status == 401


def test_the_cookie_is_stored_as_a_hash_alone(app, either):
    sign_in(either)
    written = dump(app)
    assert cookie(either) not in written
    assert cookie(either, "device") not in written


def test_at_most_twenty_sessions_and_the_oldest_ends(app, either):
    clients = []
    for _ in range(20):
        clients.append(sign_in_quietly(app))
        let_pass(UserSession, minutes=1)
    # Sessions that are over do not count.
    gone = sign_in_quietly(app)
    assert clients[0].get("/auth/session").status == 401
    assert clients[1].get("/auth/session").status == 200
    gone.submit("/auth/sign-out")
    sign_in(either)
    assert clients[1].get("/auth/session").status == 200
    assert count(UserSession, UserSession.ended_at.is_(None)) == 20


def sign_in_quietly(app):
    """A further session, without counting against the limits of the test's address."""
    program = Program(app)
    sign_in(program)
    let_limits_pass(minutes=5)
    return program


def test_sessions_that_ran_out_do_not_push_out_others(app):
    remembered = Program(app)
    sign_in(remembered, rememberMe=True)
    for _ in range(20):
        sign_in_quietly(app)
        change(UserSession, UserSession.remember.is_(False), expires_at=utc_now())
    assert remembered.get("/auth/session").status == 200


@pytest.mark.parametrize("meanwhile", [{"password_hash": "$2b$04$another"}, {"disabled_at": utc_now()}])
def test_what_changes_while_the_password_is_checked_counts(app, either, monkeypatch, meanwhile):
    """The password is changed, or the account disabled, between the check and the session."""
    real = sign_ins.verify_password

    def verify_password(password, stored):
        fits = real(password, stored)
        at_once(1, lambda number: change_in_a_process_of_its_own(app, meanwhile))
        return fits

    monkeypatch.setattr(sign_ins, "verify_password", verify_password)
    answer = sign_in(either)
    assert answer.status == 401
    assert "session" not in cookies(answer)
    assert count(UserSession, UserSession.ended_at.is_(None)) == 0


def change_in_a_process_of_its_own(app, values):
    with app.app_context():
        change(User, **values)
