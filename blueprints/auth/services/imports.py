"""Accounts of an earlier system, brought in with the password hashes they have there.

A batch of rows is a transaction: whoever writes meanwhile waits for one batch at most, and what was written when
an import was cut off is recognised the next time.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from secrets import token_hex
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from pydantic import AfterValidator, BeforeValidator, ConfigDict, ValidationError
from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session

from app import plugins
from app.addresses import address_key, parse_address
from app.database import db, end_read, transaction, utc_now
from app.errors import Conflict, ValidationFailed
from app.schemas import Email, In, Name
from app.sentences import in_words
from blueprints.auth.models import User
from blueprints.auth.schemas import Username, UserType

BATCH = 500
TRIES = 3
# Accounts are made with an id that comes from address and hash of their row. So the same row is recognised after its
# owner has signed in, which hashes the password anew, and after a change of the password or the address.
IDS = UUID("9ab889fd-a785-4285-9680-cc43a86ad462")
# What `checkpw` takes. It raises where the last letter of the salt has bits that count for nothing; with such bits
# in the last letter of all, no password would fit.
PLAIN_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.CGKOSWaeimquy26]")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def plain_bcrypt(value: str) -> str:
    """A hash that the earlier system made, and that a password can fit.

    :raises ValueError: never with the hash in its text.
    """
    found = PLAIN_BCRYPT.fullmatch(value)
    if not found:
        raise ValueError("Use a plain bcrypt hash: $2a$, $2b$ or $2y$, a cost from 04 to 15, 60 characters in all.")
    if int(found[1]) > plugins.kernel_settings().bcrypt_cost:
        # It takes longer to check than what an unknown address is answered with, and would tell that it is there.
        raise ValueError(f"Its cost is {int(found[1])}. Set BCRYPT_COST to that or more first.")
    return value


def moment(value: str) -> datetime:
    """A moment of the past, written with its zone.

    :raises ValueError:
    """
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError("Use a time with its zone, like 2019-03-01T08:00:00Z.")
    if not EARLIEST <= found <= utc_now():
        raise ValueError("Use a time between 1970 and now.")
    return found


class ImportedUser(In):
    """One row of the file, under the rules of sign-up; its columns have the names of these fields."""

    model_config = ConfigDict(alias_generator=None)

    email: Email
    password_hash: Annotated[str, AfterValidator(plain_bcrypt)]
    name: Annotated[str, Name(100)] | None = None
    username: Username | None = None
    user_type: UserType = "creator"
    # Proved unless the file says otherwise: the earlier system has sent mail there.
    email_verified: Annotated[Literal["true", "false"], BeforeValidator(str.lower)] = "true"
    created_at: Annotated[datetime | None, BeforeValidator(moment)] = None


COLUMNS = tuple(ImportedUser.model_fields)
REQUIRED = tuple(name for name, field in ImportedUser.model_fields.items() if field.is_required())


@dataclass(frozen=True)
class Row:
    """A record of the file: the line it begins on, and its cells by column, or why it cannot be read."""

    line: int
    cells: Mapping[str, str]
    fault: str = ""


class Kind(StrEnum):
    """What became of a row."""

    IMPORTED = "imported"
    THERE = "already there"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of a row; `sentence` says why it was refused, or what was left out."""

    line: int
    kind: Kind
    email: str | None = None
    sentence: str = ""


@dataclass(frozen=True)
class Candidate:
    """A valid row, and the id and key that its account has."""

    line: int
    user: ImportedUser
    key: str
    id: UUID


class Overtaken(Conflict):
    """Somebody took an address or a username between our look and our write."""


class Import:
    """One run over a file; a dry run looks at everything and writes nothing."""

    def __init__(self, *, dry_run: bool = False) -> None:
        self.dry_run = dry_run
        self.lines: dict[str, int] = {}  # by the key of an address, the line where it came first
        self.promised: set[str] = set()  # usernames that a dry run would have given away

    def take(self, rows: Iterable[Row]) -> list[Outcome]:
        """Import a batch of rows, `BATCH` at most; what became of each, in their order.

        :raises Conflict: three times somebody was faster.
        """
        checked = [self._check(row) for row in rows]
        candidates = [found for found in checked if isinstance(found, Candidate)]
        planned = iter(self._look(candidates) if self.dry_run else write(candidates))
        return [next(planned) if isinstance(found, Candidate) else found for found in checked]

    def _check(self, row: Row) -> Candidate | Outcome:
        user, sentence = read_row(row)
        if user is None:
            return Outcome(row.line, Kind.REFUSED, find_address(row), sentence)
        key = address_key(user.email)
        first = self.lines.setdefault(key, row.line)
        if first != row.line:
            return Outcome(row.line, Kind.REFUSED, user.email, f"Line {first} has this address, too.")
        return Candidate(row.line, user, key, uuid5(IDS, f"{key} {user.password_hash}"))

    def _look(self, candidates: list[Candidate]) -> list[Outcome]:
        outcomes, accounts = plan(db.session(), candidates, self.promised)
        end_read()
        self.promised.update(account["username"] for account in accounts if account["username"])
        return outcomes


def read_row(row: Row) -> tuple[ImportedUser | None, str]:
    """What a row says, or None and why it is refused."""
    if row.fault:
        return None, row.fault
    given = {column: cell.strip() for column, cell in row.cells.items() if column in COLUMNS and cell.strip()}
    try:
        return ImportedUser.model_validate(given), ""
    except ValidationError as error:
        refusal = in_words(ImportedUser, error)
        fields = refusal.fields if isinstance(refusal, ValidationFailed) else {}
        return None, " ".join(f"{column}: {sentence}" for column, found in fields.items() for sentence in found)


def find_address(row: Row) -> str | None:
    """The address of a refused row, if it is one; nothing else of the row is ever shown."""
    try:
        return parse_address(row.cells.get("email", ""))
    except ValueError:
        return None


def write(candidates: list[Candidate]) -> list[Outcome]:
    """Make the accounts that a batch asks for, in one transaction.

    :raises Conflict: three times somebody was faster.
    """
    refusals = dict.fromkeys(("pk_users", "idx_users_email", "idx_users_username"), Overtaken)
    for _ in range(TRIES):
        try:
            with transaction(**refusals) as session:
                outcomes, accounts = plan(session, candidates)
                if accounts:
                    session.execute(insert(User), accounts)
            return outcomes
        except Overtaken:
            continue
    raise Conflict


def plan(
    session: Session, candidates: list[Candidate], promised: Iterable[str] = ()
) -> tuple[list[Outcome], list[dict[str, Any]]]:
    """What becomes of each candidate as things stand, and the accounts to be made."""
    ids, hashes = accounts_in_the_way(session, candidates)
    taken = usernames_taken(session, candidates) | set(promised)
    outcomes, accounts = [], []
    for candidate in candidates:
        user = candidate.user
        if candidate.id in ids or hashes.get(candidate.key) == user.password_hash:
            outcomes.append(Outcome(candidate.line, Kind.THERE, user.email))
        elif candidate.key in hashes:
            sentence = "There is an account with this address already."
            outcomes.append(Outcome(candidate.line, Kind.REFUSED, user.email, sentence))
        else:
            dropped = user.username in taken
            sentence = f"The username {user.username} is taken; the account has none." if dropped else ""
            outcomes.append(Outcome(candidate.line, Kind.IMPORTED, user.email, sentence))
            accounts.append(account(candidate, None if dropped else user.username))
            taken |= {user.username} - {None}
    return outcomes, accounts


def accounts_in_the_way(session: Session, candidates: list[Candidate]) -> tuple[set[UUID], dict[str, str]]:
    """The ids of the candidates' accounts that exist, and the hash by each of their addresses that is taken."""
    keys, ids = [candidate.key for candidate in candidates], [candidate.id for candidate in candidates]
    query = select(User.id, User.email_key, User.password_hash)
    rows = session.execute(query.where(or_(User.email_key.in_(keys), User.id.in_(ids)))).all()
    return {row.id for row in rows}, {row.email_key: row.password_hash for row in rows}


def usernames_taken(session: Session, candidates: list[Candidate]) -> set[str | None]:
    """Which of the candidates' usernames somebody has."""
    wanted = [candidate.user.username for candidate in candidates if candidate.user.username]
    return set(session.scalars(select(User.username).where(User.username.in_(wanted)))) if wanted else set()


def account(candidate: Candidate, username: str | None) -> dict[str, Any]:
    """The columns of a new account."""
    user, now = candidate.user, utc_now()
    return {
        "id": candidate.id,
        "email": user.email,
        "email_key": candidate.key,
        "name": user.name,
        "username": username,
        "user_type": user.user_type,
        "password_hash": user.password_hash,
        "sign_up_id": token_hex(16),
        "email_verified_at": now if user.email_verified == "true" else None,
        "created_at": user.created_at or now,
    }
