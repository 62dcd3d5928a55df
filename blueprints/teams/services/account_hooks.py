"""What teams say when somebody is about to delete their account."""

from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import aliased

from app.database import db, in_transaction
from app.web import page_url
from blueprints.auth import Blocker, BlockerAction
from blueprints.teams.models import Team, TeamMember
from blueprints.teams.roles import OWNER


def account_blockers(user_id: UUID) -> list[Blocker]:
    """The teams of which somebody is the only owner, by name; they need another owner, or an end, first.

    Each comes with the pages where that is done; with nobody else in it, a team can only be deleted.
    Inside a transaction it stays so until that ends: whoever changes the owners of these teams waits.
    """
    if in_transaction():  # elsewhere somebody only looks, and nobody waits for that
        _lock_teams(user_id)
    mine, other = aliased(TeamMember), aliased(TeamMember)
    owned = mine.team_id == Team.id, mine.user_id == user_id, mine.role == OWNER
    shared = other.team_id == Team.id, other.user_id != user_id, other.role == OWNER
    others = exists().where(other.team_id == Team.id, other.user_id != user_id).label("has_others")
    query = select(Team.id, Team.name, others).where(Team.deleted_at.is_(None), exists().where(*owned))
    rows = db.session.execute(query.where(~exists().where(*shared))).all()
    found = sorted(rows, key=lambda row: (row.name.casefold(), row.id))
    return [_blocker(row.id, row.name, has_others=row.has_others) for row in found]


def _blocker(team_id: UUID, name: str, *, has_others: bool) -> Blocker:
    """A team that needs its owner, and what the owner can do about that."""
    ways = [("Transfer ownership", "teams.offer_ownership")] if has_others else []
    ways.append(("Delete team", "teams.delete_team"))
    actions = [BlockerAction(label=label, url=page_url(page, team_id=team_id)) for label, page in ways]
    return Blocker(label=name, url=page_url("teams.team", team_id=team_id), actions=actions)


def _lock_teams(user_id: UUID) -> None:
    """Lock every team that somebody is in: in one they do not own yet, they could become the last owner now.

    A statement of its own, so that owners are counted as they are once the lock is there. Teams come before
    invitations and users, here as everywhere, and in the order of their ids: else two could wait for each other.
    """
    joined = select(TeamMember.team_id).where(TeamMember.user_id == user_id)
    teams = select(Team.id).where(Team.id.in_(joined), Team.deleted_at.is_(None))
    db.session.execute(teams.order_by(Team.id).with_for_update())
