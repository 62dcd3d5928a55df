"""What a proxy may say is decided by PROXY_HOPS alone, and by nothing that gunicorn believes on its own."""

import http.client
import json
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.app.conftest import SAMPLE
from tests.live import serve

SAID = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "1.2.3.4", "Content-Type": "application/json"}
BODY = json.dumps({"name": "ada", "password": "open sesame"})


@pytest.mark.sqlite_only("the database makes no difference to a header")
@pytest.mark.parametrize("hops, status, ip", [("0", 403, "127.0.0.1"), ("1", 200, "1.2.3.4")])
def test_gunicorn_believes_no_proxy(environ, tmp_path, hops, status, ip):
    """Whether `https://…` is our own origin depends on the scheme, and that on who is believed."""
    values = environ | {"PROXY_HOPS": hops, "FORWARDED_ALLOW_IPS": "*", "BLUEPRINTS": SAMPLE}
    with serve(values, tmp_path / "log") as running:
        host = urlsplit(running.base_url).netloc
        with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
            connection.request("POST", "/api/sample/enter", BODY, SAID | {"Origin": f"https://{host}"})
            assert connection.getresponse().status == status
        written = [line for line in running.log.read_text().splitlines() if '"/api/sample/enter"' in line]
        assert [json.loads(line)["ip"] for line in written] == [ip]
