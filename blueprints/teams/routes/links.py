"""The mailed invitation link, as a page and by its token."""

from typing import Any

from flask import redirect

from app import access, hooks
from app.access import client, find_me
from app.schemas import Nothing
from app.web import Done, find_page_url, page_url
from blueprints.teams import schemas
from blueprints.teams.routes.invites import joined, rejected
from blueprints.teams.routes.teams import bp, links
from blueprints.teams.services import acceptance, refusals


@bp.page("/invites/preview", only="api", refuses=(*refusals.DEAD, refusals.AlreadyJoined))
@access.public
def preview_invite(query: schemas.PreviewInvite) -> schemas.Preview:
    """What a mailed link is about, for anyone who holds its token."""
    return acceptance.preview_invite(find_me(), query.token).preview


@bp.form("/invites/accept", only="api", refuses=(*refusals.ANSWERING, refusals.SignInToAnswer), starts_session=True)
@access.public
def accept_invite(form: schemas.AcceptInvite) -> Done[schemas.Joined]:
    """Join a team by a mailed token; with a password open an account on the way."""
    return joined(acceptance.accept_invite(find_me(), form.token, form, client()))


@bp.form("/invites/reject", only="api", refuses=(*refusals.ANSWERING, refusals.SignInToAnswer))
@access.public
def reject_invite(form: schemas.RejectInvite) -> Done[schemas.OneInvitation]:
    """Turn an invitation down by its mailed token."""
    return rejected(acceptance.reject_invite(find_me(), form.token))


@links.page("/invite/<token>")
@access.public
def invitation(token: str) -> schemas.InvitationPage:
    """The mailed link: who invites whom to what, and what the visitor can do about it."""
    look = acceptance.preview_invite(find_me(), token)
    return schemas.InvitationPage(
        **dict(look.preview),
        is_mine=look.is_mine,
        address=look.address,
        sign_out_url=find_page_url(hooks.ask("sign_out_page")),
    )


@links.form("/invite/<token>/accept", on=invitation)
@access.public
def accept_invitation(token: str, form: schemas.AcceptInvitation) -> Any:
    """Join the team; who has an account signs in first and comes back."""
    try:
        return joined(acceptance.accept_invite(find_me(), token, form, client()))
    except refusals.SignInToAnswer:
        return to_sign_in(token)


@links.form("/invite/<token>/reject", on=invitation)
@access.public
def reject_invitation(token: str, form: Nothing) -> Any:
    """Turn the invitation down; who has an account signs in first and comes back."""
    try:
        return rejected(acceptance.reject_invite(find_me(), token))
    except refusals.SignInToAnswer:
        return to_sign_in(token)


def to_sign_in(token: str) -> Any:
    """The sign-in page, which leads back to the link."""
    here = page_url("team_links.invitation", token=token)
    return redirect(find_page_url(hooks.ask("sign_in_page"), next=here) or here, 303)
