"""What teams refuse; on the page of a mailed link each says what to do next."""

from app.errors import AppError, NotFound, RateLimited, Unauthorized

# The next step on the page of a link that joins nobody: its words, and where it leads.
TEAMS = ("See your teams", "teams.teams")
INVITATIONS = ("See your invitations", "teams.my_invites")


class AlreadyMember(AppError):
    status, code, message = 409, "ALREADY_MEMBER", "This person is in the team already."
    field = "email"


class LastOwner(AppError):
    status, code = 409, "LAST_OWNER"
    message = "A team needs an owner. Make somebody else an owner first, or delete the team."


class AlreadyInvited(AppError):
    status, code = 409, "ALREADY_EXISTS"
    message = "This address has an open invitation with another role."
    field = "email"


class TooManyPending(RateLimited):
    message = "This team has too many open invitations. Wait until some are answered or expire."


class InvalidInvite(AppError):
    status, code = 400, "INVALID_TOKEN"
    message = "There is no invitation behind this link. Check that you opened the whole link from the mail."
    next_step = TEAMS


class TeamGone(NotFound):
    message = "The team that this invitation was for does not exist any more."
    next_step = TEAMS


class InviteSuperseded(AppError):
    status, code = 410, "INVITE_SUPERSEDED"
    message = "A newer invitation was sent. Open the link in the latest mail."
    next_step = TEAMS


class InviteRevoked(AppError):
    status, code = 410, "INVITE_REVOKED"
    message = "This invitation was withdrawn. If that surprises you, ask the team for a new one."
    next_step = TEAMS


class InviteRejected(AppError):
    status, code = 410, "INVITE_REJECTED"
    message = "This invitation was rejected. If you want to join after all, ask for a new one."
    next_step = TEAMS


class InviteExpired(AppError):
    status, code = 410, "INVITE_EXPIRED"
    message = "This invitation has expired. Ask the person who sent it for a new one."
    next_step = TEAMS


class InviteUsed(AppError):
    status, code = 410, "INVITE_USED"
    message = "This invitation has been used already. Whoever wants to join now needs a new one."
    next_step = TEAMS
    to_guests = "This invitation has been used. If you joined with it, sign in to see the team."
    to_members = "You have joined with this invitation. If you want to leave, you can do so on the team's page."


class InviteWrongAccount(AppError):
    status, code = 403, "INVITE_WRONG_ACCOUNT"
    message = "This invitation is for another address. Sign out to answer it."


class AlreadyJoined(AppError):
    status, code, message = 409, "ALREADY_MEMBER", "You are in this team already."
    next_step = TEAMS


class SignInToAnswer(Unauthorized):
    message = "There is an account for this address. Sign in to answer the invitation."


# By the state of an invitation; `accepted` depends on who asks.
BY_STATE: dict[str, type[AppError]] = {
    "superseded": InviteSuperseded,
    "revoked": InviteRevoked,
    "rejected": InviteRejected,
    "expired": InviteExpired,
}
DEAD = (InvalidInvite, TeamGone, InviteUsed, *BY_STATE.values())
ANSWERING = (*DEAD, InviteWrongAccount, AlreadyJoined)


def for_guests(error: AppError) -> AppError:
    """A refusal as somebody signed out meets it: the same next step, which leads through the sign-in page."""
    label, endpoint = error.next_step or TEAMS
    error.next_step = (f"Sign in to {label[0].lower()}{label[1:]}", endpoint)
    return error
