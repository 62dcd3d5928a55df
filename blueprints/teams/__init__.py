"""Teams: people who work together, their roles, and the invitations that bring them in."""

from app.plugins import Mount, NavItem, Plugin
from blueprints.teams import emails
from blueprints.teams.routes import bp, mailed_links
from blueprints.teams.services import account_hooks
from blueprints.teams.settings import TeamsSettings

__all__ = ["plugin"]

plugin = Plugin(
    "teams",
    mounts=(Mount(bp), Mount(mailed_links, at="/team", only="pages")),
    requires=("auth",),
    settings=TeamsSettings,
    jobs=emails.jobs,
    nav=(NavItem("Teams", "teams.teams"),),
    home=("teams.teams", 20),
    hooks={"account_blockers": account_hooks.account_blockers},
)
