"""The lookup of breached passwords: what it tells the service, what it believes, and that it holds nobody up."""

import json
import socket
import threading
from contextlib import ExitStack

import pytest

from app.database import db
from app.errors import ValidationFailed
from blueprints.auth.services import breaches
from blueprints.auth.services.passwords import check_password
from blueprints.auth.settings import AuthSettings
from tests.blueprints.auth.support import NEW_PASSWORD, refuses
from tests.clients import Program
from tests.people import People, kept_mails, link_in, token_in
from tests.services import free_port
from tests.services.ranges import a_range, digest, http, ranges
from tests.services.smtp import _certificate

EMAIL = "ada@example.com"
PASSWORD = "leaked with many others"
SENTENCE = "This password has appeared in a data breach. Choose another."
DIGEST = digest(PASSWORD)
PREFIX, SUFFIX = DIGEST[:5], DIGEST[5:]
HIT, MISS = a_range(f"{SUFFIX}:3"), a_range()
LIMIT_SECONDS = breaches.LOOKUP_SECONDS
SILENT_SECONDS = 20  # far beyond the limit


@pytest.fixture(autouse=True)
def places(monkeypatch):
    """Nothing is being looked up, and no service has failed yet; sets how many lookups there may be.

    However slow this machine is: a service that answers does so in time.
    """

    def limit(most):
        monkeypatch.setattr(breaches, "places", threading.BoundedSemaphore(most))

    breaches.service.cache_clear()
    monkeypatch.setattr(breaches, "LOOKUP_SECONDS", SILENT_SECONDS)
    limit(breaches.MOST_AT_ONCE)
    return limit


@pytest.fixture
def serve(make_app):
    """Starts a service, and an application that asks it: `app, service = serve(HIT)`."""
    with ExitStack() as stack:

        def start(*pieces, answer=None, tls=None):
            service = stack.enter_context(ranges(answer or (lambda: pieces), tls))
            return make_app(BREACHED_PASSWORDS_URL=service.url, PRODUCT_NAME="Pitch \u00fc"), service

        yield start


@pytest.fixture
def released(places, monkeypatch):
    """Set when the test is over, or seems to wait for the service after all; the limit is the real one."""
    assert LIMIT_SECONDS == 0.5
    monkeypatch.setattr(breaches, "LOOKUP_SECONDS", LIMIT_SECONDS)
    event = threading.Event()
    timer = threading.Timer(SILENT_SECONDS, event.set)
    timer.start()
    yield event
    event.set()
    timer.cancel()


@pytest.fixture
def warnings(capsys):
    """What was warned of since it was last asked; no line may tell anything of the password."""

    def read():
        written = capsys.readouterr().out
        assert not [secret for secret in (PASSWORD, DIGEST, DIGEST.lower(), SUFFIX, PREFIX) if secret in written]
        lines = [json.loads(line) for line in written.splitlines()]
        return [(line["event"], line.get("error_type")) for line in lines if line["level"] == "warning"]

    return read


def passes(app):
    """Whether the password is accepted."""
    with app.app_context():
        try:
            check_password(PASSWORD, EMAIL, "newPassword")
        except ValidationFailed as refused:
            return refused.fields != {"newPassword": [SENTENCE]}
    return True


def ask_again(app):
    """Let the pause after a failure pass."""
    url = app.extensions["plugin_settings"][AuthSettings].breached_passwords_url
    breaches.service(url, app.config["SETTINGS"].product_name).again_at = 0


def lookups_end():
    for thread in threading.enumerate():
        if thread.name == "breach-lookup":
            thread.join(5)
            assert not thread.is_alive(), "its thread goes on"


def test_a_hit_is_refused_in_every_way_to_a_password(serve, either):
    app, _ = serve(HIT)
    client = type(either)(app)
    People(app).verified(EMAIL, NEW_PASSWORD)
    signed_in = getattr(People(app), "browser" if client.is_browser else "program")(EMAIL, NEW_PASSWORD)
    client.submit("/auth/forgot-password", email=EMAIL)
    mail = kept_mails(app)[-1]
    for answer in (
        client.submit("/auth/sign-up", email="eve@example.com", password=PASSWORD),
        signed_in.submit("/auth/change-password", currentPassword=NEW_PASSWORD, newPassword=PASSWORD),
        client.submit("/auth/reset-password", _page=link_in(mail), token=token_in(mail), newPassword=PASSWORD),
    ):
        assert answer.status == refuses(client)
        assert SENTENCE in answer.text


def test_the_service_learns_five_digits_and_who_asks(serve):
    app, service = serve(MISS)
    assert passes(app)
    assert [request.rstrip().splitlines() for request in service.requests] == [
        [
            f"GET /range/{PREFIX} HTTP/1.1",
            f"Host: {service.url.split('/')[2]}",
            "User-Agent: Pitch ?",
            "Add-Padding: true",
            "Accept-Encoding: identity",
            "Connection: close",
        ]
    ]


@pytest.mark.parametrize(
    "answer, accepted",
    [
        (HIT, False),
        (MISS, True),
        (a_range(f"{SUFFIX}:0"), True),
        (a_range(f"{SUFFIX.lower()}:1"), False),
        (http(f"{'0' * 35}:1\n{SUFFIX}:1\n"), False),
        (f"HTTP/1.0 200 OK\r\n\r\n{SUFFIX}:1\n".encode(), False),
        (f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n26\r\n{SUFFIX}:12\r\n0\r\n\r\n".encode(), False),
    ],
)
def test_what_is_a_hit(serve, warnings, answer, accepted):
    app, _ = serve(answer)
    assert passes(app) is accepted
    assert warnings() == []


@pytest.mark.parametrize(
    "answer, error_type",
    [
        (http("", "500 Internal Server Error"), "UnexpectedAnswer"),
        (http(f"{SUFFIX}:1", "404 Not Found"), "UnexpectedAnswer"),
        (http("<html>Sign in to this network</html>"), "UnexpectedAnswer"),
        (http(f"{SUFFIX}:1\r\n{SUFFIX}:\u0661"), "UnexpectedAnswer"),
        (http(""), "UnexpectedAnswer"),
        (HIT[: HIT.rindex(b"\r\n")], "UnexpectedAnswer"),
        (http(f"{SUFFIX}:1" + "\n" * 1_000_000), "UnexpectedAnswer"),
        (f"HTTP/1.0 200 OK\r\n\r\n{SUFFIX}:1".encode() + b"\n" * 1_000_000, "UnexpectedAnswer"),
        (b"220 mail.example.com ESMTP\r\n", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "LineTooLong"),
        (b"", "RemoteDisconnected"),
    ],
)
def test_what_is_no_range_lets_the_password_pass(serve, warnings, answer, error_type):
    app, service = serve(answer)
    assert passes(app)
    assert warnings() == [("breach_lookup_failed", error_type)]
    assert len(service.requests) == 1


def test_a_redirect_is_not_followed(serve, warnings):
    _, elsewhere = serve(HIT)
    app, _ = serve(http("", "302 Found", f"Location: {elsewhere.url}{PREFIX}"))
    assert passes(app)
    assert warnings() == [("breach_lookup_failed", "UnexpectedAnswer")]
    assert elsewhere.requests == []


def test_nobody_listens(make_app, warnings):
    assert passes(make_app(BREACHED_PASSWORDS_URL=f"http://127.0.0.1:{free_port()}/"))
    assert warnings() == [("breach_lookup_failed", "ConnectionRefusedError")]


def test_the_certificate_is_verified(serve, warnings, tmp_path, monkeypatch):
    trusted, context = _certificate(tmp_path)
    app, service = serve(HIT, tls=context)
    assert passes(app)
    assert warnings() == [("breach_lookup_failed", "SSLCertVerificationError")]
    assert service.requests == []
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    breaches.service.cache_clear()
    assert not passes(app)


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n", HIT[:-1000]])
@pytest.mark.parametrize("drip", [b"", b"X"])
def test_nobody_waits_for_a_slow_service(serve, released, warnings, begins, drip):
    def answer():
        yield begins
        while not released.wait(0.02):
            yield drip

    app, _ = serve(answer=answer)
    assert Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD).status == 202
    assert not released.is_set(), "the sign-up waited for the service"
    assert warnings() == [("breach_lookup_failed", "TimeoutError")]
    lookups_end()
    assert not released.is_set()


def test_nor_for_a_name_server_and_waiting_lookups_do_not_pile_up(serve, released, warnings, places, monkeypatch):
    app, _ = serve(HIT)
    lookup, looked_up = socket.getaddrinfo, []

    def stall(*args, **more):
        looked_up.append(args)
        released.wait(SILENT_SECONDS)
        return lookup(*args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", stall)
    places(2)
    for _ in range(2):
        assert passes(app)
        assert warnings() == [("breach_lookup_failed", "TimeoutError")]
        ask_again(app)
    assert passes(app)
    assert warnings() == [("breach_lookup_skipped", None)]
    assert (len(looked_up), released.is_set()) == (2, False)
    released.set()
    lookups_end()
    monkeypatch.setattr(breaches, "LOOKUP_SECONDS", SILENT_SECONDS)
    assert not passes(app), "the places are free again"


def test_a_place_is_given_back_when_no_thread_can_be_started(serve, places, warnings, monkeypatch):
    def fail(thread):
        raise RuntimeError("can't start new thread")

    app, _ = serve(HIT)
    places(1)
    with monkeypatch.context() as patch:
        patch.setattr(breaches, "Thread", type("NoThread", (threading.Thread,), {"start": fail}))
        assert passes(app)
    assert warnings() == [("breach_lookup_failed", "RuntimeError")]
    ask_again(app)
    assert not passes(app)


def test_a_service_that_failed_is_left_alone_for_a_while(serve, warnings):
    answers = [http("", "503 Service Unavailable"), HIT, HIT]
    app, service = serve(answer=lambda: [answers.pop(0)])
    assert [passes(app) for _ in range(3)] == [True] * 3
    assert (len(service.requests), len(warnings())) == (1, 1)
    ask_again(app)
    assert [passes(app) for _ in range(2)] == [False] * 2
    assert warnings() == []


def test_no_connection_is_held_meanwhile(app, serve):
    held = []

    def answer():
        held.append(engine.pool.checkedout())
        yield MISS

    asking, _ = serve(answer=answer)
    with asking.app_context():
        engine = db.engine
    db.session.rollback()
    program = People(asking).verified(EMAIL, PASSWORD)
    assert program.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD).status == 200
    program.submit("/auth/forgot-password", email=EMAIL)
    token = token_in(kept_mails(asking)[-1])
    assert program.submit("/auth/reset-password", token=token, newPassword=PASSWORD).status == 200
    assert held == [0, 0, 0]


def test_nobody_is_asked_about_what_is_refused_anyway(serve):
    app, service = serve(MISS)
    for password in ("short", "password", EMAIL, "Pitch \u00fc"):
        with app.app_context(), pytest.raises(ValidationFailed):
            check_password(password, EMAIL, "password")
    assert service.requests == []


def test_nobody_is_asked_by_default(app, monkeypatch):
    assert AuthSettings().breached_passwords_url is None
    monkeypatch.setattr(breaches, "service", lambda *_: pytest.fail("somebody is asked"))
    check_password(PASSWORD, EMAIL, "password")
