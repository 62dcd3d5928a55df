"""Mail: queued in the transaction of its cause, rendered and sent by a job, kept to read in development."""

import contextlib
import smtplib
import ssl
from collections.abc import Callable
from email.charset import QP, Charset
from email.mime.text import MIMEText
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import flask_mail
from flask import Flask, current_app
from sqlalchemy import Index, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app import database, jobs
from app.database import Base, UtcDateTime, transaction, utc_now

SMTP_TIMEOUT_SECONDS = 10
MOST_TRIES = 20  # over about ten hours: an outage of the mail server loses nothing
NO_SUCH_MAILBOX = (550, 551, 553)  # RFC 5321, 4.2.3, as an answer to RCPT
POLICY = b"5.7."  # RFC 3463, 3.8: "relaying denied" and its like, which the operator can mend
QUOTED = Charset("utf-8")
QUOTED.body_encoding = QP


class RecipientRefused(jobs.Hopeless):
    """The mail server takes no mail for this address, today or tomorrow."""


class KeptMail(Base):
    """A mail as it was rendered; development and tests keep them for /dev/mailbox, production none."""

    __tablename__ = "kept_mails"
    __table_args__ = (Index("idx_kept_mails_created_at", "created_at"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    recipient: Mapped[str] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(300))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Any] = mapped_column(UtcDateTime, default=utc_now)


class SafeConnection(flask_mail.Connection):
    """Flask-Mail's connection with what it lacks: a timeout, a verified certificate, and a goodbye that may fail."""

    def configure_host(self) -> smtplib.SMTP:
        mail, context = self.mail, ssl.create_default_context()
        host: smtplib.SMTP
        if mail.use_ssl:
            host = smtplib.SMTP_SSL(mail.server, mail.port, timeout=SMTP_TIMEOUT_SECONDS, context=context)
        else:
            host = smtplib.SMTP(mail.server, mail.port, timeout=SMTP_TIMEOUT_SECONDS)
        try:
            if mail.use_tls:
                host.starttls(context=context)
            if mail.username and mail.password:
                host.login(mail.username, mail.password)
        except BaseException:
            host.close()
            raise
        return host

    def __exit__(self, *_: Any) -> None:
        if self.host is None:
            return
        # The server has answered for the mail by now. A goodbye that is lost must neither send it again nor hide
        # why it was refused.
        with contextlib.suppress(smtplib.SMTPException, OSError):
            self.host.quit()
        self.host.close()


class SafeMessage(flask_mail.Message):
    """Flask-Mail's message in quoted-printable: no line is longer than the 998 octets that RFC 5321 carries."""

    def _mimetext(self, text: str | None, subtype: str = "plain") -> MIMEText:
        return MIMEText(text or "", subtype, QUOTED)  # type: ignore[arg-type]  # a Charset does, too


class SafeMail(flask_mail.Mail):
    """Flask-Mail, through SafeConnection."""

    def connect(self) -> flask_mail.Connection:
        return SafeConnection(current_app.extensions["mail"])


transport = SafeMail()


def init_app(app: Flask, settings: Any) -> None:
    """Tell Flask-Mail where to send."""
    app.config.update(
        MAIL_SERVER=settings.mail_server or "localhost",
        MAIL_PORT=settings.mail_port,
        MAIL_USERNAME=settings.mail_username,
        MAIL_PASSWORD=settings.mail_password,
        MAIL_USE_TLS=settings.mail_use_tls and not settings.mail_use_ssl,
        MAIL_USE_SSL=settings.mail_use_ssl,
        MAIL_DEFAULT_SENDER=settings.mail_default_sender,
        MAIL_SUPPRESS_SEND=False,
        MAIL_TRANSPORT=bool(settings.mail_server),
        MAIL_KEPT=not settings.is_production,
    )
    transport.init_app(app)


def can_send(app: Flask) -> bool:
    """Whether mails can leave or be kept; otherwise they stay queued."""
    return app.config["MAIL_TRANSPORT"] or app.config["MAIL_KEPT"]


def mail_job(name: str, build: Callable[..., dict[str, Any] | None]) -> jobs.Job:
    """The job that sends the mail `templates/emails/<name>/`.

    `build(**ids)` returns what the templates need, links included, anew at each try; None means that
    the mail has lost its reason (a link that was superseded) and is not sent.
    """

    def run(job_id: UUID, to: str, **ids: Any) -> None:
        context = build(**ids)
        database.end_read()
        if context is not None:
            deliver(job_id, to, *render(name, context))

    return jobs.Job(f"mail.{name}", run, ready=can_send, max_attempts=MOST_TRIES, wants_id=True)


def queue(job: jobs.Job, to: str, **ids: Any) -> UUID:
    """Queue a mail in the current transaction; `ids` are the arguments of its `build`, never secrets."""
    return jobs.enqueue(job, to=to, **{name: str(value) for name, value in ids.items()})


def render(name: str, context: dict[str, Any]) -> tuple[str, str, str]:
    """Subject, text and HTML of a mail, its CSS inlined."""
    import css_inline

    environment = current_app.jinja_env
    context = {
        "product_name": current_app.config["PRODUCT_NAME"],
        "base_url": current_app.config["BASE_URL"],
        **context,
    }
    subject, text, html = (
        environment.get_template(f"emails/{name}/{part}").render(context)
        for part in ("subject.txt", "body.txt", "body.html")
    )
    inliner = css_inline.CSSInliner(keep_style_tags=True, load_remote_stylesheets=False)
    # `=?` begins an encoded word (RFC 2047), and Python's email decodes one that it folds: a line break in it would
    # begin a header of its own. The mark between, which nobody sees, makes it plain text.
    subject = " ".join(subject.split()).replace("=?", "=\u2060?")
    return subject[:300], text.strip() + "\n", inliner.inline(html)


def deliver(job_id: UUID, to: str, subject: str, text: str, html: str) -> None:
    """Send one mail, and keep it where mails are kept; a repeat carries the same Message-ID.

    :raises RecipientRefused: the mail server says that there is no such mailbox.
    """
    if current_app.config["MAIL_TRANSPORT"]:
        message = SafeMessage(subject, recipients=[to], body=text, html=html)
        message.msgId = f"<{job_id}@{sender_domain()}>"
        message.extra_headers = {"Auto-Submitted": "auto-generated"}
        try:
            transport.send(message)
        except smtplib.SMTPRecipientsRefused as error:
            if all(is_final(*answer) for answer in error.recipients.values()):
                raise RecipientRefused from None
            raise
    if current_app.config["MAIL_KEPT"]:
        with transaction() as session:
            session.merge(KeptMail(id=job_id, recipient=to, subject=subject, text=text, html=html))


def is_final(code: int, said: bytes) -> bool:
    """Whether the answer to a recipient is about the mailbox itself; all else may pass or be mended."""
    return code in NO_SUCH_MAILBOX and not said.startswith(POLICY)


def sender_domain() -> str:
    """The domain of the sender's address, for Message-IDs."""
    address = parseaddr(current_app.config["MAIL_DEFAULT_SENDER"])[1]
    return address.rpartition("@")[2] or urlsplit(current_app.config["BASE_URL"]).hostname or "localhost"
