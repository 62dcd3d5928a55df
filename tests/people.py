"""People for the tests, made through the product itself."""

import contextvars
import re
from typing import Any

from flask import Flask, has_app_context
from sqlalchemy import select

from app.database import db
from app.mail import KeptMail
from tests.clients import Browser, Program

PASSWORD = "correct horse battery"


def work(app: Flask) -> None:
    """Run the jobs that are due, as the worker does."""
    if has_app_context():
        db.session.rollback()
    contextvars.Context().run(app.extensions["jobs"].run_due)


def kept_mails(app: Flask) -> list[Any]:
    """The mails kept so far, oldest first, after running the jobs that are due."""
    work(app)
    with app.app_context():
        return list(db.session.scalars(select(KeptMail).order_by(KeptMail.created_at, KeptMail.id)))


def link_in(mail: Any) -> str:
    """The path and query of the first link in a mail."""
    found = re.search(r"http://localhost:8000(/\S+)", mail.text)
    assert found, mail.text
    return found.group(1)


def token_in(mail: Any) -> str:
    """The token of the first link in a mail."""
    link = link_in(mail)
    return link.partition("token=")[2] or link.rpartition("/")[2]


class People:
    """Makes accounts and signs them in."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def verified(self, email: str, password: str = PASSWORD, **more: Any) -> Program:
        """A person with a verified account, as a signed-in program."""
        program = Program(self.app)
        assert program.submit("/auth/sign-up", email=email, password=password, **more).status == 202
        mail = next(mail for mail in reversed(kept_mails(self.app)) if mail.recipient.lower() == email.lower())
        assert program.submit("/auth/verify-email", token=token_in(mail)).status == 200
        return program

    def program(self, email: str, password: str = PASSWORD) -> Program:
        """A further signed-in program of somebody."""
        program = Program(self.app)
        answer = program.submit("/auth/sign-in", email=email, password=password)
        assert answer.status == 200, answer.text
        return program

    def browser(self, email: str, password: str = PASSWORD) -> Browser:
        """A signed-in browser of somebody."""
        browser = Browser(self.app)
        assert browser.submit("/auth/sign-in", email=email, password=password).status == 303
        return browser

    def admin(self, email: str = "admin@example.com", password: str = PASSWORD) -> Program:
        """A signed-in administrator."""
        from blueprints.auth.services.operators import create_admin

        with self.app.app_context():
            create_admin(email, password)
        return self.program(email, password)
