"""A real SMTP server that keeps what it is given; with STARTTLS, authentication, refusals and delays on request."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.services import free_port

HOST = "127.0.0.1"


class ReceivedMessage(EmailMessage):
    """A message with the envelope it came in."""

    mail_from: str = ""
    rcpt_tos: tuple[str, ...] = ()


@dataclass
class Mailbox:
    """Where the server listens, and what it has received, oldest first.

    It answers to a recipient what `answers` says, keeps a message and answers for it `delay_seconds` later, and
    with `hangs_up` cuts the connection instead of saying goodbye.
    """

    host: str
    port: int
    ca_file: str | None = None
    messages: list[ReceivedMessage] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    hangs_up: bool = False

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_QUIT(self, server: Any, _session: Any, _envelope: Any) -> str:
        if self.hangs_up:
            server.transport.abort()
        return "221 Bye"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        content = envelope.content.replace(b"\r\n", b"\n")
        message = BytesParser(ReceivedMessage, policy=default).parsebytes(content)
        message.mail_from = envelope.mail_from
        message.rcpt_tos = tuple(envelope.rcpt_tos)
        self.messages.append(message)
        await asyncio.sleep(self.delay_seconds)
        return "250 OK"


@contextlib.contextmanager
def smtp(tls: bool = False, auth: tuple[str, str] | None = None, port: int = 0) -> Iterator[Mailbox]:
    """Yield a mailbox that is being filled, on a port of its own unless one is given.

    With `tls` nothing is accepted before STARTTLS, and `ca_file` is what a client must trust.
    With `auth` (user, password) nothing is accepted before LOGIN or PLAIN.
    """
    with tempfile.TemporaryDirectory(prefix="smtp-") as home:
        mailbox = Mailbox(HOST, port or free_port())
        options: dict[str, Any] = {}
        if tls:
            mailbox.ca_file, options["tls_context"] = _certificate(Path(home))
            options["require_starttls"] = True
        if auth:
            options |= {"authenticator": _authenticator(auth), "auth_required": True, "auth_require_tls": tls}
        controller = Controller(mailbox, hostname=HOST, port=mailbox.port, **options)
        controller.start()
        try:
            yield mailbox
        finally:
            controller.stop()


def _authenticator(auth: tuple[str, str]) -> Any:
    expected = tuple(part.encode() for part in auth)

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        known = isinstance(given, LoginPassword) and (given.login, given.password) == expected
        return AuthResult(success=known, handled=False)

    return authenticate


def _certificate(home: Path) -> tuple[str, ssl.SSLContext]:
    """A self-signed certificate for localhost and 127.0.0.1, as a file, and a server context that uses it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = home / "certificate.pem", home / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return str(certificate_file), context
