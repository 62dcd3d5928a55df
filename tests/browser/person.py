"""Somebody with a browser of their own, who does the preliminaries over JSON."""

import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import APIResponse, Browser, BrowserContext

from tests.browser.watch import Complaints
from tests.live import Live

PASSWORD = "correct horse battery"


class Person:
    """A browser, the service it looks at, and what it complains of."""

    def __init__(self, chromium: Browser, live: Live) -> None:
        self.context: BrowserContext = chromium.new_context(base_url=live.base_url)
        self.complaints = Complaints(self.context)

    def post(self, path: str, agent: str | None = None, **values: Any) -> Any:
        headers = {"User-Agent": agent} if agent else {}
        return data_of(self.context.request.post(f"/api{path}", data=values, headers=headers))

    def get(self, path: str) -> Any:
        return data_of(self.context.request.get(f"/api{path}"))

    def delete(self, path: str, **values: Any) -> Any:
        return data_of(self.context.request.delete(f"/api{path}", data=values))

    def mails(self) -> Any:
        """Every mail so far, newest first."""
        return data_of(self.context.request.get("/api/dev/mailbox"))["messages"]

    def mail_to(self, address: str, words: str) -> Any:
        """The newest mail to an address with these words in its subject."""
        return self._wait_for(lambda mail: mail["to"] == address and words in mail["subject"], f"{address}: {words}")

    def mail_with(self, words: str) -> Any:
        """The newest mail with these words in its text."""
        return self._wait_for(lambda mail: words in mail["text"], words)

    def _wait_for(self, wanted: Callable[[Any], bool], what: str) -> Any:
        for _ in range(150):  # it is kept within two seconds, on a busy machine later
            for mail in self.mails():
                if wanted(mail):
                    return mail
            time.sleep(0.1)
        raise AssertionError(f"no mail: {what}")

    def mailed_token(self, address: str, words: str) -> str:
        """The token of the first link in such a mail."""
        found = re.search(r"(?:\?token=|/team/invite/)(\S+)", self.mail_to(address, words)["text"])
        assert found
        return found.group(1)


def data_of(response: APIResponse) -> Any:
    body = response.json()
    assert body["success"], body
    return body["data"]


def sign_up(person: Person, email: str, name: str, **more: str) -> None:
    person.post("/auth/sign-up", email=email, password=PASSWORD, name=name, **more)
    assert person.post("/auth/verify-email", token=person.mailed_token(email, "Confirm"))["session"]
