"""The team pages, the mailed invitation link, and the JSON API of teams, one file a topic."""

from blueprints.teams.routes import invites, links, members, teams
from blueprints.teams.routes.teams import bp
from blueprints.teams.routes.teams import links as mailed_links

__all__ = ["bp", "invites", "links", "mailed_links", "members", "teams"]
