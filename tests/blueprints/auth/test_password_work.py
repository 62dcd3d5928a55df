"""What checking a password costs: the same whatever is stored, and whether anything is, so that it tells nothing."""

import json
import secrets

import bcrypt
import pytest

from blueprints.auth.models import User
from blueprints.auth.services import passwords
from blueprints.auth.services.passwords import NO_PASSWORD, hash_password, needs_rehash, verify_password
from tests.blueprints.auth.support import NEW_PASSWORD, change, only
from tests.clients import Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"
COST = 7
SALT = "." * 22
MALFORMED = [
    "x",
    "bcrypt-sha384",
    "bcrypt-sha384$",
    "bcrypt-sha384$01234567",
    "bcrypt-sha384$01234567$$2b$04$",
    "bcrypt-sha384$not an id$$2b$04$" + "." * 53,
    "scrypt$01234567$$2b$04$" + "." * 53,
    "$2b$04$",
    "$2b$04$" + SALT,
    "$2b$04$" + "." * 52,
    "$2b$04$" + "." * 54,
    "$2b$03$" + "." * 53,
    "$2b$32$" + "." * 53,
    "$2b$4$" + "." * 53,
    "$2x$04$" + "." * 53,
    "$2$04$" + "." * 53,
    "$2b$04$" + "." * 21 + "a" + "." * 31,  # more bits than a salt has
    "$2b$04$" + "\u00fc" * 53,
    "$2b$04$" + "." * 53 + "\n",
    "\0",
]


@pytest.fixture
def spent(monkeypatch):
    """The costs at which bcrypt checked."""
    costs, checkpw = [], bcrypt.checkpw

    def note(password, hashed):
        costs.append(int(hashed.split(b"$")[2]))
        return checkpw(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", note)
    return costs


@pytest.fixture
def no_hashing(monkeypatch):
    """Nothing but checking happens, from now on."""

    def forbidden(*_):
        pytest.fail("a hash was made")

    return lambda: monkeypatch.setattr(bcrypt, "hashpw", forbidden)


@pytest.fixture
def costly(make_app):
    """The application at a cost that leaves room below it."""
    app = make_app(BCRYPT_COST=str(COST))
    with app.app_context():
        yield app


def work(costs):
    """What checking at these costs takes."""
    return sum(2**cost for cost in costs)


def plain(cost, version="2b", password=b"from an earlier system"):
    return bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode().replace("$2b$", f"${version}$")


def stored_hashes(make_app):
    """Every kind of stored hash that a password may not fit, by what it is."""
    kinds = {"no account": None, "no password": NO_PASSWORD, "malformed": "x", "current": hash_password(PASSWORD)}
    for cost in range(4, COST + 1):
        kinds |= {f"plain {version} {cost}": plain(cost, version) for version in ("2a", "2b", "2y")}
        with make_app(BCRYPT_COST=str(cost)).app_context():
            kinds[f"ours {cost}"] = hash_password(PASSWORD)
        with make_app(BCRYPT_COST=str(cost), PASSWORD_PEPPER=secrets.token_hex(16)).app_context():
            kinds[f"pepper gone {cost}"] = hash_password(PASSWORD)
    return kinds


def test_every_no_costs_the_same(costly, make_app, spent, no_hashing):
    kinds = stored_hashes(make_app)
    no_hashing()
    found = {}
    for kind, stored in kinds.items():
        spent.clear()
        assert not verify_password("not the password", stored), kind
        found[kind] = work(spent)
    assert len(found) == 24
    assert set(found.values()) == {2**COST}, found


@pytest.mark.parametrize("kind", ["unknown", "disabled", "wrong", "imported", "no password", "pepper gone"])
def test_so_does_every_refused_sign_in(ada, either, make_app, spent, no_hashing, kind):
    app = make_app(BCRYPT_COST=str(COST))
    maker = make_app(PASSWORD_PEPPER=secrets.token_hex(16)) if kind == "pepper gone" else app
    with maker.app_context():
        other = {"imported": plain(4), "no password": NO_PASSWORD}
        change(User, password_hash=other.get(kind, hash_password(PASSWORD)))
    if kind == "disabled":
        change(User, disabled_at=only(User).created_at)
    address = "nobody@example.com" if kind == "unknown" else EMAIL
    client = type(either)(app)
    client.get("/auth/sign-in")
    no_hashing()
    assert client.submit("/auth/sign-in", email=address, password="not the password").status == 401
    assert work(spent) == 2**COST


def test_a_right_password_is_checked_once(costly, spent):
    for stored in (plain(4), plain(COST), hash_password("from an earlier system")):
        spent.clear()
        assert verify_password("from an earlier system", stored)
        assert len(spent) == 1


def test_only_a_higher_cost_than_the_present_one_takes_longer(costly, spent):
    assert not verify_password("not the password", plain(COST + 1))
    assert spent == [COST + 1]


@pytest.mark.parametrize("password", ["", "nobody", "somebody", "\0", PASSWORD])
@pytest.mark.parametrize("stored", [None, NO_PASSWORD])
def test_nothing_fits_where_nothing_is_stored(app, stored, password):
    assert not verify_password(password, stored)


def test_an_account_without_a_password_is_helped_by_a_reset(ada, program, mails):
    change(User, password_hash=NO_PASSWORD)
    assert program.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"
    assert ada.submit("/auth/reauthenticate", password=PASSWORD).code == "UNAUTHORIZED"
    program.submit("/auth/forgot-password", email=EMAIL)
    token = token_in(mails()[-1])
    assert program.submit("/auth/reset-password", token=token, newPassword=NEW_PASSWORD).status == 200
    assert program.submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status == 200
    assert needs_rehash(NO_PASSWORD)


@pytest.mark.parametrize("stored", MALFORMED)
def test_a_malformed_hash_is_a_no_and_a_line_in_the_log(costly, spent, capsys, stored):
    assert not verify_password(PASSWORD, stored)
    assert work(spent) == 2**COST
    line = json.loads(capsys.readouterr().out)
    assert {name: value for name, value in line.items() if name != "ts"} == {
        "level": "warning",
        "event": "password_hash_malformed",
    }


def test_what_passes_as_a_hash_never_makes_bcrypt_raise(app):
    letters = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for _ in range(200):
        salt = "".join(secrets.choice(letters) for _ in range(21)) + secrets.choice(".Oeu")
        rest = "".join(secrets.choice(letters) for _ in range(31))
        for version in ("2a", "2b", "2y"):
            assert passwords.STORED.fullmatch(f"${version}$04${salt}{rest}")
            assert not verify_password(PASSWORD, f"${version}$04${salt}{rest}")


def test_a_pepper_that_is_gone_is_named_once_and_not_shown(app, make_app, capsys):
    pepper = secrets.token_hex(16)
    with make_app(PASSWORD_PEPPER=pepper).app_context():
        stored = hash_password(PASSWORD)
    pepper_id = stored.split("$")[1]
    for _ in range(3):
        assert not verify_password(PASSWORD, stored)
    written = capsys.readouterr().out
    lines = [json.loads(line) for line in written.splitlines()]
    assert [(line["level"], line["event"], line["key_id"]) for line in lines] == [
        ("warning", "pepper_unknown", pepper_id)
    ]
    assert pepper not in written


def test_a_stored_hash_of_a_broken_account_is_no_500(ada, app):
    change(User, password_hash="bcrypt-sha384$")
    assert Program(app).submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status == 401
    assert ada.submit("/auth/reauthenticate", password=PASSWORD).status == 401
