"""Every setting of the kernel, with one line of explanation each; a plugin brings its own model."""

import os
import secrets
import socket
import tempfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

ROOT = Path(__file__).resolve().parent.parent
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
SQLITE_FILE = "sqlite:///"


def split_commas(value: Any) -> Any:
    """Turn `a, b` into `("a", "b")`; anything but text passes."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], BeforeValidator(split_commas)]


class Settings(BaseModel):
    """What the kernel needs to know; frozen, and valid once it exists.

    In production SECRET_KEY, BASE_URL and PASSWORD_PEPPER are required, on a dyno DATABASE_URL too.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    root: ClassVar[Path] = ROOT  # the folder of the code

    # The whole environment as read, for the plugins' own settings models.
    environ: dict[str, str] = Field(default_factory=dict, repr=False, exclude=True)

    # --- what this is -------------------------------------------------------------------------------
    environment: Literal["development", "testing", "production"] = Field(
        "production", description="`development`, `testing` or `production`; a dyno is always production."
    )
    product_name: str = Field("Pitchey", min_length=1, max_length=60, description="The name that pages and mails show.")
    release: str | None = Field(None, description="The running release; default HEROKU_BUILD_COMMIT.")
    heroku_build_commit: str | None = Field(None, description="Set by the platform; used when RELEASE is not.")
    dyno: str | None = Field(None, description="Set by the platform; marks a Heroku dyno.")
    blueprints: CommaList = Field(
        ("health", "auth", "teams", "metrics"),
        description="Comma list of what is switched on; a dotted path names one of your own.",
    )
    instance_path: Path = Field(ROOT / "instance", description="Folder for what development keeps on disk.")

    # --- secrets ------------------------------------------------------------------------------------
    secret_key: str = Field("", repr=False, description="32 or more random characters; signs cookies and mailed links.")
    secret_key_fallbacks: CommaList = Field((), repr=False, description="Earlier SECRET_KEYs that still verify.")
    password_pepper: str = Field(
        "", repr=False, description="Keys the password hashes; losing it loses every password."
    )
    password_pepper_fallbacks: CommaList = Field((), repr=False, description="Earlier peppers that still verify.")
    bcrypt_cost: int = Field(12, ge=4, le=16, description="Work factor of bcrypt (10 or more in production).")

    # --- where it is --------------------------------------------------------------------------------
    base_url: str = Field(
        "", description="The address people use, such as https://app.example.com; links start with it."
    )
    trusted_hosts: CommaList = Field((), description="Host names answered; default the host of BASE_URL.")
    allowed_origins: CommaList = Field((), description="Origins of other front ends that may call the JSON API.")
    proxy_hops: int = Field(-1, ge=-1, le=10, description="Proxies in front; default 1 on a dyno, else 0.")
    port: int = Field(8000, ge=1, le=65535, description="The port to listen on.")
    web_concurrency: int = Field(0, ge=0, le=64, description="Web processes; default 1 with SQLite, else 2.")
    web_threads: int = Field(
        0, ge=0, le=500, description="Threads a process; default 40 / WEB_CONCURRENCY, at least 20."
    )

    # --- services -----------------------------------------------------------------------------------
    database_url: str = Field(
        "", repr=False, description="PostgreSQL (postgres:// works); default SQLite in instance/."
    )
    db_pool_size: int = Field(8, ge=1, le=100, description="Database connections a process.")
    redis_url: str | None = Field(None, repr=False, description="Redis for exact limits and the cache.")
    s3_bucket: str | None = Field(None, description="Bucket for stored files; default files in instance/storage.")
    s3_endpoint_url: str | None = Field(None, description="Address of an S3-compatible service other than AWS.")
    aws_access_key_id: str | None = Field(None, repr=False, description="Key id for S3.")
    aws_secret_access_key: str | None = Field(None, repr=False, description="Secret for S3.")
    aws_region: str = Field("us-east-1", description="Region of the bucket.")
    mail_server: str | None = Field(None, description="SMTP host; without it (and RESEND_API_KEY) mails stay queued.")
    mail_port: int = Field(587, ge=1, le=65535, description="SMTP port.")
    mail_username: str | None = Field(None, description="SMTP user.")
    mail_password: str | None = Field(None, repr=False, description="SMTP password.")
    mail_use_tls: bool = Field(True, description="STARTTLS, with the certificate verified.")
    mail_use_ssl: bool = Field(False, description="TLS from the first byte (port 465).")
    mail_default_sender: str | None = Field(
        None, description="Sender; default `<PRODUCT_NAME> <team@host of BASE_URL>`."
    )
    resend_api_key: str | None = Field(
        None, repr=False, description="Sends through Resend's SMTP instead of MAIL_SERVER."
    )
    sentry_dsn: str | None = Field(
        None, repr=False, description="Where Sentry listens; without it Sentry is not loaded."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level of log lines.")
    worker: Literal["embedded", "separate"] = Field(
        "embedded", description="`embedded` runs jobs in the web processes; `separate` leaves them to `flask worker`."
    )

    @property
    def version(self) -> str:
        """The project's version, from pyproject.toml."""
        import tomllib

        with (self.root / "pyproject.toml").open("rb") as file:
            return tomllib.load(file)["project"]["version"]

    @property
    def is_production(self) -> bool:
        return self.environment == "production"

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def base_host(self) -> str:
        """Host name of BASE_URL, without its port."""
        return urlsplit(self.base_url).hostname or "localhost"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @model_validator(mode="before")
    @classmethod
    def fill_defaults(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill what depends on something else: the environment, the platform, the base address."""
        values = dict(values)
        on_dyno = bool(values.get("dyno"))
        environment = values.setdefault("environment", "production")
        port = values.get("port", 8000)
        instance = values["instance_path"] = ROOT / values.get("instance_path", "instance")
        if on_dyno and environment != "production":
            raise ValueError("ENVIRONMENT must be production on a dyno")
        values.setdefault("proxy_hops", 1 if on_dyno else 0)
        values.setdefault("release", values.get("heroku_build_commit"))
        if environment != "production":
            values.setdefault("base_url", f"http://localhost:{port}")
            for name in ("secret_key", "password_pepper"):
                values.setdefault(name, made_once(instance, name))
        if "database_url" not in values and not on_dyno:
            instance.mkdir(parents=True, exist_ok=True)
            values["database_url"] = f"sqlite:///{instance / 'app.db'}"
        if values.get("resend_api_key"):
            values |= {
                "mail_server": "smtp.resend.com",
                "mail_port": 465,
                "mail_username": "resend",
                "mail_password": values["resend_api_key"],
                "mail_use_ssl": True,
                "mail_use_tls": False,
            }
        return values

    @model_validator(mode="after")
    def check_production(self, info: ValidationInfo) -> "Settings":
        """Refuse to start in production without the required settings, or with weak ones."""
        problems = [f"{name} is required" for name in self._missing()]
        if self.is_production:
            if self.secret_key and (len(self.secret_key) < 32 or len(set(self.secret_key)) < 8):
                problems.append("SECRET_KEY must be 32 or more random characters")
            if self.password_pepper and len(self.password_pepper) < 16:
                problems.append("PASSWORD_PEPPER must be 16 or more random characters")
            if self.base_url and not self.is_https and self.base_host not in LOCAL_HOSTS:
                problems.append("BASE_URL must be https in production")
            if self.bcrypt_cost < 10:
                problems.append("BCRYPT_COST must be 10 or more in production")
        problems += self._malformed()
        if problems:
            raise ValueError("; ".join(problems))
        set_ = object.__setattr__
        set_(self, "base_url", self.base_url.rstrip("/"))
        set_(self, "database_url", driver_url(self.database_url, self.instance_path))
        set_(self, "trusted_hosts", self._hosts())
        set_(self, "web_concurrency", self.web_concurrency or (1 if self.is_sqlite else 2))
        set_(self, "web_threads", self.web_threads or max(20, 40 // self.web_concurrency))
        if not self.mail_default_sender:
            set_(self, "mail_default_sender", f"{self.product_name} <team@{self.base_host}>")
        return self

    def _missing(self) -> list[str]:
        required = ["secret_key", "base_url", "password_pepper"]
        if self.dyno:
            required.append("database_url")
        return [name.upper() for name in required if not getattr(self, name)]

    def _malformed(self) -> list[str]:
        problems = []
        base = urlsplit(self.base_url)
        if self.base_url and (base.scheme not in ("http", "https") or not base.hostname or base.path not in ("", "/")):
            problems.append("BASE_URL must look like https://app.example.com")
        for origin in self.allowed_origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
                problems.append(f"ALLOWED_ORIGINS: {origin!r} must look like https://app.example.com")
        known = ("postgres:", "postgresql:", "postgresql+psycopg2:", SQLITE_FILE)
        if self.database_url and (not self.database_url.startswith(known) or ":memory:" in self.database_url):
            problems.append("DATABASE_URL must be a PostgreSQL address or a file such as sqlite:////data/app.db")
        if any(character in self.product_name for character in '\r\n\0<>"@'):
            problems.append("PRODUCT_NAME must be plain text")
        return problems

    def _hosts(self) -> tuple[str, ...]:
        hosts = self.trusted_hosts or (self.base_host,)
        return hosts if self.is_production else (*hosts, *LOCAL_HOSTS)


def driver_url(url: str, folder: Path) -> str:
    """Name the driver in a database address; a relative file of SQLite lies in `folder`.

    Heroku says `postgres://`, and SQLAlchemy 2.1 takes a bare `postgresql://` for psycopg 3.
    """
    if url.startswith(SQLITE_FILE):
        return f"{SQLITE_FILE}{folder / url.removeprefix(SQLITE_FILE)}"
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url


def made_once(folder: Path, name: str) -> str:
    """A random secret that development keeps in a file of `folder`, made at its first use."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        # Written aside and linked: whoever comes at the same moment finds a whole secret, and the same one.
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=f".{name}-") as draft:  # readable by its owner only
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            try:
                os.link(draft.name, path)
            except FileExistsError:
                pass
    return path.read_text()


def bind_address(port: int, production: bool) -> str:
    """Where to listen: this machine alone outside production, else every address, IPv6 where it exists."""
    if not production:
        return f"127.0.0.1:{port}"
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return f"0.0.0.0:{port}"
    return f"[::]:{port}"
