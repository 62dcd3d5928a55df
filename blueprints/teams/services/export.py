"""The list of members as a file for a spreadsheet."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

from app.access import Identity
from app.plain_text import csv_line
from blueprints.teams.schemas import MemberOut
from blueprints.teams.services.teams import get_team

HEADER = ("Name", "Address", "Role", "Joined (UTC)", "Last active (UTC)")
# Excel reads a CSV file in the code page of its country unless this stands in front.
BYTE_ORDER_MARK = "\ufeff"
MOST_LETTERS = 60  # of a team's name in the name of a file, which has 255 bytes on most disks


@dataclass(frozen=True)
class Export:
    """A file to download: its name and its text."""

    name: str
    text: str


def export_members(who: Identity, team_id: UUID) -> Export:
    """The members of a team as CSV, in the order and with the facts of the team's page.

    :raises NotFound: absent, deleted, or not the caller's.
    """
    team = get_team(who, team_id)
    lines = [csv_line(HEADER), *(csv_line(_cells(member)) for member in team.members)]
    return Export(file_name(team.name), BYTE_ORDER_MARK + "".join(lines))


def _cells(member: MemberOut) -> tuple[str, ...]:
    seen = f"{member.last_active:%Y-%m-%d %H:%M}" if member.last_active else ""
    return member.name or "", member.email, member.role, f"{member.joined_date:%Y-%m-%d}", seen


def file_name(team_name: str) -> str:
    """`Members of Night Shoot.csv`: fit for any disk, whatever the team is called."""
    # Normal letters first: a full-width slash is a slash to who turns the name into ASCII.
    normal = unicodedata.normalize("NFKC", team_name)[:MOST_LETTERS]
    safe = "".join("-" if letter in '\\/:*?"<>|%' or not letter.isprintable() else letter for letter in normal)
    return f"Members of {safe.strip()}.csv"
