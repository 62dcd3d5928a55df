"""A real Chromium in front of the real service; whatever it complains about fails the test."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser import world as worlds
from tests.browser.watch import Complaints
from tests.live import Live, live
from tests.services.browser import launch

__all__ = ["live"]

NewVisitor = Callable[..., Page]

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def chromium(needs_browser: str) -> Iterator[Browser]:
    with sync_playwright() as playwright, contextlib.closing(launch(playwright)) as browser:
        yield browser


@pytest.fixture(scope="session")
def world(chromium: Browser, live: Live) -> worlds.World:
    """People who have used the service for a while."""
    return worlds.build(chromium, live)


@pytest.fixture
def new_visitor(chromium: Browser, live: Live) -> Iterator[NewVisitor]:
    """Opens a browser of its own for somebody, without cookies: `new_visitor()` is its first page."""
    with contextlib.ExitStack() as stack:
        watched: list[Complaints] = []

        def make(**options: Any) -> Page:
            context = chromium.new_context(base_url=live.base_url, **options)
            stack.callback(context.close)
            watched.append(Complaints(context))
            return context.new_page()

        yield make
        assert [complaint for browser in watched for complaint in browser.take()] == []
