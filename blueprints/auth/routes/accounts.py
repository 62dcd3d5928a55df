"""The account page, the profile, and the end of an account."""

from app import access
from app.access import client, me
from app.schemas import Message
from app.web import Done, done
from blueprints.auth import schemas
from blueprints.auth.routes.browser import bp, forget_browser, user_of
from blueprints.auth.services import access_tokens, accounts, current_password, sessions


@bp.page("/account", only="page")
@access.session_only
def account() -> schemas.AccountPage:
    """Everything about the caller's account."""
    who = me()
    return schemas.AccountPage(
        user=user_of(who),
        sessions=sessions.list_sessions(who),
        ended=sessions.list_ended(who),
        tokens=access_tokens.list_tokens(who),
        blockers=accounts.find_blockers(who),
    )


@bp.page("/account", only="api")
@access.signed_in
def get_account() -> schemas.Account:
    """The caller's account."""
    return schemas.Account(user=user_of(me()))


@bp.form("/account", verb="PATCH", refuses=(accounts.UsernameTaken,))
@access.signed_in
def edit_account(form: schemas.EditAccount) -> Done[schemas.Account]:
    """Change name and username."""
    user = user_of(accounts.edit_account(me(), form))
    return done(schemas.Account(user=user), to="auth.account", say="Your profile is saved.")


@bp.page("/account/delete", only="page")
@access.session_only
def account_deletion() -> schemas.AccountDeletion:
    """What deleting the caller's account means, and what stands in its way."""
    return schemas.AccountDeletion(blockers=accounts.find_blockers(me()))


DELETING = (current_password.PasswordIncorrect, accounts.AccountNeeded)


@bp.form("/account", verb="DELETE", on=account_deletion, refuses=DELETING)
@access.session_only
def delete_account(form: schemas.DeleteAccount) -> Done[Message]:
    """Delete the caller's account for good."""
    accounts.delete_account(me(), form, client())
    forget_browser()
    return done(Message(message="Your account is deleted."), to="site.home", say="Your account is deleted.")
