"""What every request goes through first, and every answer last."""

import re
from io import BytesIO

import pytest

from app.limits import ip_bucket
from app.security import CSP, valid_ip
from tests.app.conftest import SAMPLE
from tests.clients import Browser, Program

HTTPS = "https://app.example.com"
KINDS = [  # one answer of every kind
    "/sample/things",
    "/sample/enter",
    "/sample/mine",
    "/sample/operators",
    "/sample/fails/crash",
    "/nothing",
    "/",
    "/static/css/app.css",
    "/favicon.ico",
    "/bootstrap/static/css/bootstrap.min.css",
    "/health",
    "/health/live",
    "/dev/mailbox",
    "/api/sample/things",
    "/api/sample/fails/crash",
    "/api/nothing",
    "/api/auth/session",
    "/api/openapi.json",
]


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
def test_the_headers_are_on_every_kind_of_answer(page, path, method):
    with page.client.open(path, method=method) as answer:
        headers = answer.headers
    assert headers.getlist("Content-Security-Policy") == [CSP]
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("Referrer-Policy") == ["strict-origin"]
    assert headers.getlist("X-Frame-Options") == ["DENY"]
    assert headers.getlist("Cross-Origin-Opener-Policy") == ["same-origin"]
    assert len(headers.getlist("X-Request-ID")) == 1
    assert "Strict-Transport-Security" not in headers


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    rules = dict(rule.strip().split(" ", 1) for rule in CSP.split(";"))
    assert "unsafe" not in CSP
    assert rules["default-src"] == rules["script-src"] == rules["style-src"] == rules["form-action"] == "'self'"
    assert rules["object-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert "http" not in CSP


@pytest.mark.parametrize("given", ["a" * 8, "a" * 128, "Ab9._-xyz", "550e8400-e29b-41d4-a716-446655440000"])
def test_a_request_id_is_accepted_and_echoed(page, given):
    assert page.client.get("/nothing", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    body = page.client.get("/api/nothing", headers={"X-Request-ID": given}).get_json()
    assert body["meta"]["requestId"] == given


@pytest.mark.parametrize(
    "given", ["", "a" * 7, "a" * 129, "a b c d e", "<script>x</script>", "ä" * 10, "abcdefgh%", "12345678,"]
)
def test_another_request_id_is_replaced(page, given):
    made = page.client.get("/api/nothing", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,128}", made)
    assert made != given
    assert made != page.client.get("/api/nothing", headers={"X-Request-ID": given}).headers["X-Request-ID"]


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "LocalHost:80"])
def test_this_machine_is_served_on_any_port_outside_production(page, host):
    assert page.client.get("/sample/things", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8000",
        "localhost@evil.example",
        "[::2]",
        "",
        "a b",
        "xlocalhost",
    ],
)
def test_another_host_is_400(page, host):
    answer = page.client.get("/sample/things", headers={"Host": host})
    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert page.client.get("/api/sample/things", headers={"Host": host}).get_json()["error"]["code"] == "BAD_REQUEST"
    assert page.client.get("/static/css/app.css", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize(
    "path, status", [("/health", 200), ("/health/live", 200), ("/health/ready", 200), ("/healthy", 400)]
)
def test_health_answers_any_host(page, path, status):
    assert page.client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == status


def test_metrics_answer_any_host(app):
    client = app.test_client()
    assert client.get("/metrics", headers={"Host": "10.1.2.3"}).status_code == 401
    assert client.get("/metrics/dashboard", headers={"Host": "10.1.2.3"}).status_code == 400
    assert client.get("/api/metrics", headers={"Host": "10.1.2.3"}).status_code == 400


def test_in_production_only_the_named_hosts_are_served(production):
    app = production(TRUSTED_HOSTS="app.example.com, .example.org")
    for host, status in (("app.example.com", 303), ("a.example.org", 303), ("localhost", 400), ("example.com", 400)):
        assert app.test_client().get("/", base_url="https://x", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "hops, forwarded, ip",
    [
        ("0", "1.2.3.4", "10.0.0.9"),
        ("1", "1.2.3.4", "1.2.3.4"),
        ("1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("2", "6.6.6.6, 1.2.3.4, 5.6.7.8", "1.2.3.4"),
        ("2", "1.2.3.4", "10.0.0.9"),
        ("1", None, "10.0.0.9"),
        ("1", "junk", ""),
        ("1", "1.2.3.4<script>", ""),
        ("1", "2001:DB8::0001", "2001:db8::1"),
        ("1", "fe80::1%<script>alert(1)</script>", "fe80::1"),
        ("1", "::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_the_address_is_the_one_our_own_proxy_wrote(make_app, lines, hops, forwarded, ip):
    headers = {"X-Forwarded-For": forwarded} if forwarded is not None else {}
    client = make_app(PROXY_HOPS=hops).test_client()
    client.get("/health/live", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.9"})
    assert lines()[-1]["ip"] == ip


def test_junk_is_no_address():
    for junk in ("", "x", "1.2.3", "1.2.3.4.5", "1.2.3.4:80", "::g", "0x7f.1"):
        assert valid_ip(junk) == ""
    assert ip_bucket(valid_ip("junk")) == "unknown"


def test_a_forged_forwarded_host_is_ignored(make_app):
    app = make_app(PROXY_HOPS="1")
    headers = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"}
    answer = app.test_client().get("/auth/account", headers=headers)
    assert answer.headers["Location"] == "/auth/sign-in?next=%2Fauth%2Faccount"


@pytest.fixture
def proxied(production):
    """An application behind one proxy that ends TLS."""
    return production(PROXY_HOPS="1", BLUEPRINTS=SAMPLE)


def over(app, scheme: str, path: str, method: str = "GET"):
    headers = {"X-Forwarded-Proto": scheme, "X-Forwarded-For": "1.2.3.4", "Host": "app.example.com"}
    return app.test_client().open(path, method=method, headers=headers)


def test_a_plain_page_behind_a_proxy_is_308_to_https(proxied):
    for method in ("GET", "POST"):
        answer = over(proxied, "http", "/sample/things?a=1&b=%3F?", method)
        assert (answer.status_code, answer.headers["Location"]) == (308, f"{HTTPS}/sample/things?a=1&b=%3F?")
    assert over(proxied, "http", "//evil.example/").headers["Location"].startswith(f"{HTTPS}/")
    assert over(proxied, "http", "/a%0d%0ab%3Fc%20d").headers["Location"] == f"{HTTPS}/a%0D%0Ab%3Fc%20d"
    assert over(proxied, "https", "/sample/things").status_code == 200


def test_plain_json_behind_a_proxy_is_400(proxied):
    answer = over(proxied, "http", "/api/sample/things")
    assert answer.get_json()["error"]["code"] == "BAD_REQUEST"
    assert over(proxied, "https", "/api/sample/things").status_code == 200


def test_health_needs_no_https(proxied):
    assert over(proxied, "http", "/health/live").status_code == 200


def test_without_a_proxy_nothing_is_redirected(production):
    app = production(BLUEPRINTS=SAMPLE)
    assert over(app, "http", "/sample/things").status_code == 200, "X-Forwarded-Proto is not believed either"


def test_hsts_is_sent_with_https_only(proxied, production, page):
    assert (
        over(proxied, "https", "/nothing").headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    )
    local = production(BASE_URL="http://localhost:8000")
    assert "Strict-Transport-Security" not in local.test_client().get("/nothing").headers


FRIEND = "https://front.example"


@pytest.fixture
def friendly(make_app):
    """A program of an application that another origin's front end may call."""
    return Program(make_app(ALLOWED_ORIGINS=f"{FRIEND}, https://other.example", BLUEPRINTS=SAMPLE)).client


@pytest.mark.parametrize("path", ["/api/sample/things", "/api/nothing", "/api/sample/fails/crash", "/api/auth/session"])
def test_an_allowed_origin_may_read_every_answer(friendly, path):
    headers = friendly.get(path, headers={"Origin": FRIEND}).headers
    assert headers["Access-Control-Allow-Origin"] == FRIEND
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert "Retry-After" in headers["Access-Control-Expose-Headers"]
    assert "Origin" in headers.getlist("Vary")


def test_another_origin_may_not(friendly):
    for origin in ("https://evil.example", f"{FRIEND}.evil.example", "null", f"{FRIEND}:444", "http://front.example"):
        headers = friendly.get("/api/sample/things", headers={"Origin": origin}).headers
        assert "Access-Control-Allow-Origin" not in headers
        assert "Origin" in headers.getlist("Vary")


def test_pages_are_never_shared(friendly):
    headers = friendly.get("/sample/things", headers={"Origin": FRIEND}).headers
    assert "Access-Control-Allow-Origin" not in headers


def test_a_preflight_is_answered(friendly):
    asked = {"Origin": FRIEND, "Access-Control-Request-Method": "PUT"}
    answer = friendly.options("/api/sample/things", headers=asked)
    assert answer.status_code == 204
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
    answer = friendly.options("/api/sample/things", headers=asked | {"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Methods" not in answer.headers
    answer = friendly.options("/sample/things", headers=asked)
    assert "Access-Control-Allow-Methods" not in answer.headers, "pages are never shared"


def test_without_allowed_origins_nothing_is_said(api):
    headers = api.client.get("/api/sample/things", headers={"Origin": FRIEND}).headers
    assert not [name for name, _ in headers if name.startswith("Access-Control")]


LIMIT = 64 * 1024


def post(client, body: bytes, path: str = "/api/sample/enter", chunked: bool = False, **headers: str):
    """Post a body with a length, or in chunks as gunicorn hands them over."""
    kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
    if chunked:
        environ = {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return client.open(path, method="POST", content_type=kind, environ_overrides=environ, headers=headers)
    return client.post(path, data=body, content_type=kind, headers=headers)


def sized(size: int) -> bytes:
    start = b'{"name":"ada","password":"open sesame","other":"'
    return start + b"x" * (size - len(start) - 2) + b'"}'


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_have_64_kb_and_not_a_byte_more(api, chunked):
    assert post(api.client, sized(LIMIT), chunked=chunked).status_code == 200
    for size in (LIMIT + 1, 3 * LIMIT):
        answer = post(api.client, sized(size), chunked=chunked)
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_form_that_is_too_large_is_a_page(page, chunked):
    form = f"csrf_token={page.token('/sample/enter')}&name=ada&password=open+sesame&x=".encode()
    assert post(page.client, form, "/sample/enter", chunked=chunked).status_code == 303
    answer = post(page.client, form + b"x" * LIMIT, "/sample/enter", chunked=chunked)
    assert (answer.status_code, answer.mimetype) == (413, "text/html")


def test_a_form_of_very_many_fields_is_413(page):
    body = {f"field{number}": "x" for number in range(60)} | {"csrf_token": page.token("/sample/enter")}
    assert page.post("/sample/enter", data=body, content_type="multipart/form-data").status == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
def test_a_compressed_body_is_415(api, encoding):
    answer = post(api.client, b"{}", **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert post(api.client, b"{}", **{"Content-Encoding": "identity"}).status_code == 400


def cookies(answer) -> dict[str, str]:
    return {cookie.partition("=")[0]: cookie for cookie in answer.headers.getlist("Set-Cookie")}


def signed_in(app, people, base_url: str):
    people.verified("ada@example.com")
    browser = Browser(app)
    token = re.search('name="csrf_token" value="([^"]+)"', browser.client.get("/auth/sign-in", base_url=base_url).text)
    form = {"email": "ada@example.com", "password": "correct horse battery", "csrf_token": token.group(1)}
    return browser.client.post("/auth/sign-in", data=form, base_url=base_url, headers={"Origin": base_url})


def test_cookies_outside_production(app, people):
    found = cookies(signed_in(app, people, "http://localhost:8000"))
    assert set(found) == {"session", "pre", "device"}
    for cookie in found.values():
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Secure" not in cookie
        assert "Domain" not in cookie
    assert "Max-Age" not in found["session"]
    assert "Max-Age=31536000" in found["device"]


def test_cookies_in_production(production, people, environ):
    app = production(PASSWORD_PEPPER=environ["PASSWORD_PEPPER"])
    found = cookies(signed_in(app, people, HTTPS))
    assert set(found) == {"__Host-session", "__Host-pre", "__Host-device"}
    for cookie in found.values():
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "Domain" not in cookie


def test_what_depends_on_who_asks_is_not_cached(sample):
    program = Program(sample)
    headers = program.client.get("/api/sample/mine").headers
    assert headers["Cache-Control"] == "no-store"
    assert "Cookie" in headers["Vary"]
    assert program.client.get("/sample/things").headers["Cache-Control"] == "no-store"
    program.client.set_cookie("session", "anything")
    assert program.client.get("/").headers["Cache-Control"] == "no-store"
