"""Settings of teams: how many invitations may go out."""

from pydantic import BaseModel, Field

from app.limits import Limit


class TeamsSettings(BaseModel):
    """What an operator may set; limits are written like `100/day`."""

    limit_invite_user: Limit = Field("100/day", description="Invitations a user sends.")
    limit_invite_team: Limit = Field("100/day", description="Invitations a team sends.")
    limit_invite_address: Limit = Field("3/day", description="New invitations an address gets, over all teams.")
    limit_invite_resend: Limit = Field("1/10 minutes", description="Mails anew of one invitation.")
    limit_invite_pair: Limit = Field("10/day", description="Invitation mails an address gets from one team.")
