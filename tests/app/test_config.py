"""The settings: what is required, what is refused in one line, and what follows from the platform."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import config
from config.settings import ROOT, bind_address, made_once
from tests.app.conftest import PRODUCTION

SECRETS = {name: PRODUCTION[name] for name in ("SECRET_KEY", "PASSWORD_PEPPER")}
HEROKU = "postgres://user:password@host:5432/name"


def production(**values: str) -> config.Settings:
    return config.load(PRODUCTION | {"DATABASE_URL": HEROKU} | values)


def refused(values: dict[str, str]) -> str:
    with pytest.raises(config.ConfigurationError) as error:
        config.load(values)
    return str(error.value)


def test_production_is_the_default():
    assert refused({"DATABASE_URL": HEROKU}) == (
        "Configuration error: SECRET_KEY is required; BASE_URL is required; PASSWORD_PEPPER is required"
    )
    assert config.load({**PRODUCTION, "ENVIRONMENT": "", "DATABASE_URL": HEROKU}).environment == "production"


@pytest.mark.parametrize("name", ["SECRET_KEY", "BASE_URL", "PASSWORD_PEPPER"])
def test_required_in_production(name):
    assert refused({**PRODUCTION, "DATABASE_URL": HEROKU, name: ""}) == f"Configuration error: {name} is required"


@pytest.mark.parametrize(
    "name, value, text",
    [
        ("SECRET_KEY", "short", "SECRET_KEY must be 32 or more random characters"),
        ("SECRET_KEY", "a" * 64, "SECRET_KEY must be 32 or more random characters"),
        ("PASSWORD_PEPPER", "short", "PASSWORD_PEPPER must be 16 or more random characters"),
        ("BASE_URL", "http://app.example.com", "BASE_URL must be https in production"),
        ("BASE_URL", "app.example.com", "BASE_URL must look like https://app.example.com"),
        ("BASE_URL", "https://app.example.com/path", "BASE_URL must look like https://app.example.com"),
        ("BCRYPT_COST", "9", "BCRYPT_COST must be 10 or more in production"),
        ("BCRYPT_COST", "many", "BCRYPT_COST: Input should be a valid integer"),
        ("ENVIRONMENT", "prod", "ENVIRONMENT: Input should be 'development', 'testing' or 'production'"),
        ("PORT", "70000", "PORT: Input should be less than or equal to 65535"),
        ("WORKER", "none", "WORKER: Input should be 'embedded' or 'separate'"),
        ("ALLOWED_ORIGINS", "front.example", "ALLOWED_ORIGINS: 'front.example' must look like https://"),
        ("ALLOWED_ORIGINS", "https://front.example/", "ALLOWED_ORIGINS: 'https://front.example/' must look like"),
        ("ALLOWED_ORIGINS", "*", "ALLOWED_ORIGINS: '*' must look like"),
        ("DATABASE_URL", "mysql://host/name", "DATABASE_URL must be a PostgreSQL address or a file"),
        ("DATABASE_URL", "sqlite://", "DATABASE_URL must be"),
        ("DATABASE_URL", "sqlite:///:memory:", "DATABASE_URL must be"),
        ("PRODUCT_NAME", "a\r\nBcc: x", "PRODUCT_NAME must be plain text"),
        ("MAIL_USE_TLS", "perhaps", "MAIL_USE_TLS: Input should be a valid boolean"),
    ],
)
def test_what_is_weak_or_wrong_is_refused_in_one_line(name, value, text):
    line = refused({**PRODUCTION, "DATABASE_URL": HEROKU, name: value})
    assert line.startswith(f"Configuration error: {text}")
    assert "\n" not in line


def test_every_mistake_is_named_at_once_and_no_secret():
    line = refused({**PRODUCTION, "SECRET_KEY": "hunter2", "PASSWORD_PEPPER": "hunter3", "DATABASE_URL": "x://hunter4"})
    assert line.count("must be") == 3
    assert "hunter" not in line


@pytest.mark.parametrize("base", ["http://localhost:9000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_this_machine_may_be_plain_http_in_production(base):
    settings = production(BASE_URL=base)
    assert (settings.base_url, settings.is_https) == (base, False)


def test_a_dyno_is_production_behind_one_proxy():
    settings = production(DYNO="web.1")
    assert (settings.proxy_hops, settings.web_concurrency) == (1, 2)
    assert production(DYNO="web.1", PROXY_HOPS="2").proxy_hops == 2
    assert production().proxy_hops == 0
    assert refused({**PRODUCTION, "DYNO": "web.1"}) == "Configuration error: DATABASE_URL is required"
    for other in ("development", "testing"):
        line = refused({**PRODUCTION, "DYNO": "web.1", "DATABASE_URL": HEROKU, "ENVIRONMENT": other})
        assert line == "Configuration error: ENVIRONMENT must be production on a dyno"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_spelling_of_postgresql(scheme):
    url = production(DATABASE_URL=f"{scheme}://user:p%40ss@host/name?sslmode=require").database_url
    assert url == "postgresql+psycopg2://user:p%40ss@host/name?sslmode=require"


def test_sqlite_is_the_default_and_its_folder_is_made(tmp_path):
    settings = config.load({**PRODUCTION, "INSTANCE_PATH": str(tmp_path / "new")})
    assert settings.database_url == f"sqlite:///{tmp_path}/new/app.db"
    assert (tmp_path / "new").is_dir()
    relative = config.load({**PRODUCTION, "INSTANCE_PATH": str(tmp_path), "DATABASE_URL": "sqlite:///other.db"})
    assert relative.database_url == f"sqlite:///{tmp_path}/other.db"
    assert config.load({**PRODUCTION, "DATABASE_URL": "sqlite:////data/x.db"}).database_url == "sqlite:////data/x.db"


def test_a_relative_instance_folder_lies_beside_the_code():
    settings = config.load({**PRODUCTION, "INSTANCE_PATH": "instance"})
    assert settings.instance_path == ROOT / "instance"


@pytest.mark.parametrize(
    "values, processes, threads",
    [
        ({"DATABASE_URL": "sqlite:////data/x.db"}, 1, 40),
        ({"DATABASE_URL": HEROKU}, 2, 20),
        ({"DATABASE_URL": HEROKU, "WEB_CONCURRENCY": "4"}, 4, 20),
        ({"DATABASE_URL": HEROKU, "WEB_CONCURRENCY": "1"}, 1, 40),
        ({"DATABASE_URL": HEROKU, "WEB_CONCURRENCY": "1", "WEB_THREADS": "3"}, 1, 3),
    ],
)
def test_processes_and_threads(values, processes, threads):
    settings = production(**values)
    assert (settings.web_concurrency, settings.web_threads) == (processes, threads)


def test_hosts():
    assert production().trusted_hosts == ("app.example.com",)
    assert production(TRUSTED_HOSTS=" a.example, b.example ,").trusted_hosts == ("a.example", "b.example")
    local = ("localhost", "127.0.0.1", "::1")
    assert config.load({"ENVIRONMENT": "testing", **SECRETS}).trusted_hosts == ("localhost", *local)


def test_the_address_outside_production_follows_the_port():
    assert config.load({"ENVIRONMENT": "testing", **SECRETS}).base_url == "http://localhost:8000"
    assert config.load({"ENVIRONMENT": "testing", "PORT": "9000", **SECRETS}).base_url == "http://localhost:9000"
    assert production(BASE_URL="https://app.example.com/").base_url == "https://app.example.com"


def test_resend_is_a_mail_server():
    settings = production(RESEND_API_KEY="re_123", MAIL_SERVER="other")
    found = settings.mail_server, settings.mail_port, settings.mail_username, settings.mail_password
    assert found == ("smtp.resend.com", 465, "resend", "re_123")
    assert (settings.mail_use_ssl, settings.mail_use_tls) == (True, False)
    assert settings.mail_default_sender == "Pitchey <team@app.example.com>"
    assert production(PRODUCT_NAME="Acme").mail_default_sender == "Acme <team@app.example.com>"
    assert production().mail_server is None


def test_the_release_is_what_the_platform_says():
    assert production().release is None
    assert production(HEROKU_BUILD_COMMIT="abc").release == "abc"
    assert production(HEROKU_BUILD_COMMIT="abc", RELEASE="v2").release == "v2"


def test_variables_of_others_change_nothing():
    settings = production(ROOT="/root", VERSION="x", MODEL_CONFIG="x", ENVIRON="x", IS_PRODUCTION="")
    assert settings.root == ROOT
    assert settings.environ["ROOT"] == "/root"
    assert settings.is_production


def test_secrets_are_not_shown():
    shown = repr(
        production(REDIS_URL="redis://:hunter2@host", SENTRY_DSN="https://hunter3@host/1", MAIL_PASSWORD="hunter4")
    )
    for secret in (*SECRETS.values(), "hunter", "password@host"):
        assert secret not in shown


def test_dotenv_is_read_and_the_environment_wins(tmp_path, monkeypatch):
    lines = {"ENVIRONMENT": "testing", "PRODUCT_NAME": "From the file", "PORT": "9001", "RELEASE": "file", **SECRETS}
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))
    monkeypatch.chdir(tmp_path)
    for name in lines:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PORT", "9002")
    monkeypatch.setenv("RELEASE", "")
    settings = config.load()
    assert (settings.product_name, settings.port) == ("From the file", 9002)
    assert settings.release is None, "an empty variable hides the file's"


def test_development_makes_its_secrets_once(tmp_path):
    values = {"ENVIRONMENT": "development", "INSTANCE_PATH": str(tmp_path)}
    first, second = config.load(values), config.load(values)
    assert len(first.secret_key) >= 32
    assert (first.secret_key, first.password_pepper) == (second.secret_key, second.password_pepper)
    assert first.secret_key != first.password_pepper
    for name in ("secret_key", "password_pepper"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["password_pepper", "secret_key"]


def test_a_secret_is_whole_and_the_same_for_all_who_come_at_once(tmp_path):
    """Every process of a first start asks for it at the same moment."""
    program = (
        "import sys, time; from pathlib import Path; from config.settings import made_once\n"
        "folder = Path(sys.argv[1]); (folder / f'ready-{sys.argv[2]}').touch()\n"
        "while not (folder / 'go').exists(): pass\n"
        "print(made_once(folder / 'instance', 'secret_key'))"
    )
    pipe = subprocess.PIPE
    run = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path, str(number)], cwd=ROOT, stdout=pipe, text=True)
        for number in range(4)
    ]
    while len(list(tmp_path.glob("ready-*"))) < len(run):
        assert all(process.poll() is None for process in run)
        time.sleep(0.01)
    (tmp_path / "go").touch()
    secrets = {process.communicate()[0].strip() for process in run}
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64


def test_a_half_written_secret_is_never_seen(tmp_path, monkeypatch):
    """Whoever loses the race reads what the winner linked, not an empty file."""
    link = os.link

    def slow(source: Any, target: Any) -> None:
        assert Path(source).read_text()
        assert not Path(target).exists()
        link(source, target)

    monkeypatch.setattr(os, "link", slow)
    assert made_once(tmp_path, "secret_key") == (tmp_path / "secret_key").read_text()


def test_where_to_listen():
    assert bind_address(8000, production=False) == "127.0.0.1:8000"
    assert bind_address(8000, production=True) in ("[::]:8000", "0.0.0.0:8000")


@pytest.mark.parametrize("values", [{}, {"SECRET_KEY": "x" * 40}, {**PRODUCTION, "BLUEPRINTS": "health,nothing"}])
def test_the_program_ends_with_one_line(values, tmp_path):
    command = [sys.executable, "-c", "import wsgi"]
    environ = {**values, "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "INSTANCE_PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
