"""What went wrong elsewhere with limits: each test is one incident."""

import http.client
import json
from contextlib import closing
from threading import BoundedSemaphore
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from limits import parse_many

from app.jobs import QueuedJob
from blueprints.auth import lane as lane_module
from blueprints.auth.services import current_password, sign_ins
from blueprints.auth.settings import AuthSettings
from tests.blueprints.auth.support import NEW_PASSWORD, at_once, count, let_limits_pass
from tests.clients import Program
from tests.live import serve
from tests.people import PASSWORD

EMAIL, WRONG = "ada@example.com", "not the password"


@pytest.fixture(autouse=True)
def ada(ada):
    """Ada; what it took to make her account is forgotten by the limits."""
    let_limits_pass(hours=2)
    return ada


@pytest.fixture
def evaluated(monkeypatch):
    """The passwords that were really looked at."""
    seen, real = [], sign_ins.verify_password

    def verify_password(password, stored):
        seen.append(password)
        return real(password, stored)

    monkeypatch.setattr(sign_ins, "verify_password", verify_password)
    monkeypatch.setattr(current_password, "verify_password", verify_password)
    return seen


def sign_in(client, email=EMAIL, password=WRONG, **headers):
    """Sign in as a program; the headers are named `X_Forwarded_For`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/auth/sign-in", json={"email": email, "password": password}, headers=sent).status


def at(client, ip):
    client.client.environ_base["REMOTE_ADDR"] = ip
    return client


@pytest.mark.parametrize("hops, chain", [("0", "10.0.0.{0}"), ("1", "10.0.0.{0}, 203.0.113.9")])
def test_a_spoofed_chain_is_the_same_address(make_app, hops, chain):
    """allauth 65.14.2, Better Auth #10203 and #9990: the leftmost X-Forwarded-For named the bucket."""
    app = make_app(PROXY_HOPS=hops, LIMIT_SIGN_IN_IP="3/5 minutes")
    tries = range(1, 5)
    names = {"X_Forwarded_For": chain, "X_Real_Ip": chain, "Cf_Connecting_Ip": chain, "True_Client_Ip": chain}
    found = []
    for number in tries:
        headers = {name: value.format(number) for name, value in names.items()}
        found.append(sign_in(Program(app), f"somebody{number}@example.com", **headers))
    assert found == [401, 401, 401, 429]


@pytest.mark.sqlite_only("the database makes no difference to a header")
def test_two_header_lines_are_the_same_account(environ, app, tmp_path):
    """Heroku's router, 2016: of two X-Forwarded-For lines it extended the first, and the second was the client's."""
    values = environ | {"PROXY_HOPS": "1", "LIMIT_SIGN_IN_ACCOUNT": "3/5 minutes", "BLUEPRINTS": "health,auth"}
    body = json.dumps({"email": EMAIL, "password": WRONG}).encode()
    found = []
    with serve(values, tmp_path / "log") as running:
        host = urlsplit(running.base_url).netloc
        for number in range(4):
            with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
                connection.putrequest("POST", "/api/auth/sign-in")
                connection.putheader("Content-Type", "application/json")
                connection.putheader("Content-Length", str(len(body)))
                connection.putheader("X-Forwarded-For", "203.0.113.9")
                connection.putheader("X-Forwarded-For", f"198.51.100.{number}")
                connection.endheaders(body)
                found.append(connection.getresponse().status)
    assert found == [401, 401, 401, 429]


@pytest.mark.parametrize(
    "spellings",
    [
        ["2001:db8:0:1::1", "2001:0DB8:0000:0001:0:0:0:2", "2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::9%eth0"],
        ["203.0.113.9", "::ffff:203.0.113.9", "::FFFF:203.0.113.9", "::ffff:cb00:7109"],
    ],
)
def test_one_network_is_one_bucket(make_app, spellings):
    """better-auth CVE-2026-45364: another address of the same /64, or another spelling, was a new bucket."""
    app = make_app(LIMIT_SIGN_IN_IP="3/5 minutes")
    found = [sign_in(at(Program(app), ip), f"x{number}@example.com") for number, ip in enumerate(spellings)]
    assert found == [401, 401, 401, 429]


@pytest.mark.parametrize("junk", ["", "unknown", "1.2.3.4<script>", "999.1.1.1", "localhost", "_hidden", "[::1]:80"])
def test_no_address_is_counted_and_holds_up_nobody_else(make_app, junk):
    """nametag GHSA-qwj2, Better Auth #9990: who came without an address was not limited, or locked out everyone."""
    app = make_app(PROXY_HOPS="1", LIMIT_SIGN_IN_IP="3/5 minutes")
    found = [sign_in(at(Program(app), junk), f"somebody{number}@example.com") for number in range(4)]
    assert found == [401, 401, 401, 429]
    assert sign_in(Program(app), password=PASSWORD, X_Forwarded_For="203.0.113.9") == 200


SAME_PATH = [
    "/api/auth/sign-in",
    "//api/auth/sign-in",
    "/api/auth/sign%2Din",
    "/api/%61uth/sign-in",
    "/api/auth/sign-in?x=1",
]
NO_PATH = [
    "/api//auth/sign-in",
    "/api/auth//sign-in",
    "/api/auth/sign-in/",
    "/API/auth/sign-in",
    "/api/auth/Sign-In",
    "/api/auth/sign-in%00",
    "/api/auth/sign-in%20",
    "/api/auth/sign-in%2F",
    "/api/auth/./sign-in",
    "/api/auth/x/../sign-in",
    "/api/auth/sign-in;x=1",
    "/api\\auth\\sign-in",
    "/api/auth/sign-in.json",
    "/api/auth/sign%252Din",
]


def post_raw(client, target):
    """Ask for a target exactly as it is written."""
    path, _, query = target.partition("?")
    environ = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query, "REQUEST_URI": target}
    body = {"email": EMAIL, "password": WRONG}
    return client.client.post("/x", json=body, environ_overrides=environ).status_code


def test_a_path_has_one_bucket(make_app, evaluated):
    """better-auth GHSA-x732: `//path` reached the handler and missed the limit, whose key was the path."""
    app = make_app(LIMIT_SIGN_IN_ACCOUNT="5/5 minutes")
    for target in NO_PATH:
        assert post_raw(Program(app), target) in (308, 404), target
    assert evaluated == []
    assert [post_raw(Program(app), target) for target in SAME_PATH * 2] == [401] * 5 + [429] * 5
    assert len(evaluated) == 5


def test_a_good_sign_in_gives_no_try_back(make_app, people):
    """allauth 65.8.1: signing in to one's own account cleared the counter of the address for others' accounts."""
    people.verified("eve@example.com")
    app = make_app(LIMIT_SIGN_IN_IP="4/5 minutes")
    let_limits_pass(hours=2)
    tries = [(EMAIL, WRONG), ("eve@example.com", PASSWORD)] * 2
    assert [sign_in(Program(app), *each) for each in tries] == [401, 200, 401, 200]
    assert sign_in(Program(app)) == 429


@pytest.fixture
def wide_lane(monkeypatch):
    """A lane in which everyone has a place, so that the limit alone decides."""
    monkeypatch.setattr(lane_module, "_permits", BoundedSemaphore(100))


def test_a_burst_of_sign_ins_is_looked_at_as_often_as_allowed(make_app, evaluated, wide_lane):
    """better-auth #9993, devise CVE-2019-5421: parallel tries all read the counter before any had raised it."""
    app = make_app(LIMIT_SIGN_IN_ACCOUNT="3/5 minutes", DB_POOL_SIZE="12")
    clients = [at(Program(app), f"198.51.100.{number}") for number in range(12)]
    statuses = at_once(12, lambda number: sign_in(clients[number]))
    assert sorted(statuses) == [401] * 3 + [429] * 9
    assert len(evaluated) == 3


def test_a_burst_at_the_current_password_is_looked_at_as_often_as_allowed(ada, app, people, evaluated, wide_lane):
    """laravel/react-starter-kit #139, nextcloud #4376: who held a session could try its password without end."""
    let_limits_pass(hours=2)
    clients = [ada, people.program(EMAIL), people.browser(EMAIL)]
    evaluated.clear()
    tokens = {client: client.token("/auth/change-password") for client in clients if client.is_browser}

    def attempt(number):
        client = clients[number % 3]
        values = {"currentPassword": f"wrong {number}", "newPassword": NEW_PASSWORD}
        if client.is_browser:
            return client.post("/auth/change-password", data={**values, "csrf_token": tokens[client]}).status
        return client.post("/auth/change-password", json=values).status

    statuses = at_once(12, attempt)
    assert sorted(statuses) == [401] * 5 + [429] * 7
    assert len(evaluated) == 5


def test_a_burst_of_forgotten_passwords_mails_as_often_as_allowed(app, outbox):
    """better-auth #9993: parallel requests made more mails to one address than its limit."""
    before = len(outbox())
    statuses = at_once(10, lambda number: Program(app).submit("/auth/forgot-password", email=EMAIL).status)
    assert set(statuses) <= {200, 503}
    outbox()
    assert statuses.count(200) > 5
    assert count(QueuedJob, QueuedJob.name == "auth.password_forgotten") == 5
    assert len(outbox()) <= before + 5


def test_limits_are_on_without_a_setting():
    """Fortify #171, #179 and #191: nothing was limited until a new key stood in the configuration."""
    limits = {name: field.default for name, field in AuthSettings.model_fields.items() if name.startswith("limit_")}
    assert len(limits) >= 8
    assert all(parse_many(limit) for limit in limits.values())
