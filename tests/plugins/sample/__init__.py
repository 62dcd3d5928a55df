"""A blueprint of one's own, as `BLUEPRINTS=tests.plugins.sample` names it: one view of every kind."""

from typing import Annotated, Literal
from uuid import UUID, uuid4

from flask import Response, abort
from pydantic import BaseModel, Field

from app import access, database
from app.errors import AppError, BadRequest, Conflict, Forbidden, NotFound, RateLimited, ServiceUnavailable
from app.mail import mail_job
from app.plugins import Mount, NavItem, Plugin, current
from app.schemas import In, Line, Lines, Message, Nothing, Out, Password, Token, Whole
from app.web import Blueprint, Done, absolute_url, done

bp = Blueprint("sample")
things: dict[UUID, "Thing"] = {}
failures: list[Exception] = []  # what `request_failed` was told


class Greeting(BaseModel):
    """The one setting."""

    sample_greeting: str = Field("Hello", max_length=20)


class NameTaken(AppError):
    status, code, message = 409, "ALREADY_EXISTS", "This name is taken."
    field = "thing_name"


class WrongPassword(AppError):
    status, code, message = 401, "UNAUTHORIZED", "This is not the password."
    field = "password"


class DeadLink(AppError):
    status, code, message = 410, "INVITE_EXPIRED", "This link has expired."
    next_step = ("See everything", "sample.list_things")


class NewThing(In):
    thing_name: Annotated[str, Line(20)]
    note: Annotated[str, Lines(200)] | None = None
    kind: Literal["big", "small"] = "big"
    is_public: bool = False
    weight: Annotated[int, Whole()] | None = None


class EditThing(In):
    thing_name: Annotated[str, Line(20)] | None = None
    note: Annotated[str, Lines(200)] | None = None
    kind: Literal["big", "small"] = "big"


class Enter(In):
    name: Annotated[str, Line(20)]
    password: Password
    token: Token | None = None


class Search(In):
    limit: Annotated[int, Whole()] = 50


class Thing(Out):
    """One thing."""

    id: UUID
    thing_name: str
    note: str | None
    kind: str
    is_public: bool
    weight: int | None


class OneThing(Out):
    thing: Thing


class Things(Out):
    things: list[Thing]


@bp.page("/things")
@access.public
def list_things() -> Things:
    """Everything there is."""
    return Things(things=list(things.values()))


@bp.form("/things", form="/things/new", statuses=(201,), refuses=(NameTaken,))
@access.public
def create_thing(form: NewThing) -> Done[OneThing]:
    """Make a thing."""
    if any(thing.thing_name == form.thing_name for thing in things.values()):
        raise NameTaken
    thing = Thing(id=uuid4(), **form.model_dump())
    things[thing.id] = thing
    location = f"/api/sample/things/{thing.id}"
    return done(OneThing(thing=thing), to="sample.show_thing", say="It is made.", location=location, thing_id=thing.id)


@bp.page("/things/<uuid:thing_id>")
@access.public
def show_thing(thing_id: UUID) -> OneThing:
    """One thing."""
    if thing_id not in things:
        raise NotFound
    return OneThing(thing=things[thing_id])


@bp.form("/things/<uuid:thing_id>", verb="PUT", on=show_thing, refuses=(NameTaken,))
@access.public
def edit_thing(thing_id: UUID, form: EditThing) -> Done[OneThing]:
    """Change what was given of a thing."""
    if form.thing_name == "taken":
        raise NameTaken
    things[thing_id] = show_thing(thing_id).thing.model_copy(update=form.given)
    return done(OneThing(thing=things[thing_id]), to="sample.show_thing", say="It is changed.", thing_id=thing_id)


@bp.form("/things/<uuid:thing_id>", verb="DELETE", on=show_thing)
@access.public
def delete_thing(thing_id: UUID, form: Nothing) -> Done[Message]:
    """Delete a thing."""
    show_thing(thing_id)
    del things[thing_id]
    return done(Message(message="It is gone."), to="sample.list_things", say="It is gone.")


@bp.form("/enter", refuses=(WrongPassword,), starts_session=True)
@access.public
def enter(form: Enter) -> Done[Message]:
    """Refuse in many ways, by the name."""
    refusals = {"limited": RateLimited(7), "forbidden": Forbidden(), "conflict": Conflict(), "dead": DeadLink()}
    if form.name in refusals:
        raise refusals[form.name]
    if form.password != "open sesame":
        raise WrongPassword
    return done(Message(message="Come in."), to="sample.list_things", say="Come in.", follow_next=True)


@bp.form("/code", statuses=(201,))
@access.public
def make_code(form: Nothing) -> Done[Message]:
    """Show something once."""
    return done(Message(message="code 4711"))


@bp.page("/search")
@access.public
def search(query: Search) -> Message:
    """Read the query string."""
    return Message(message=f"{query.limit} at most")


@bp.page("/only-page", only="page")
@access.public
def only_page() -> Message:
    """A page without JSON."""
    return Message(message="paper")


@bp.page("/only-api", only="api")
@access.public
def only_api() -> Message:
    """JSON without a page."""
    return Message(message=current(Greeting).sample_greeting)


@bp.raw("/operators", only="page", json_errors=True)
@access.admin_or_token(lambda: "an operator's token")
def operators() -> Response:
    """For operators; its errors come in the envelope."""
    return Response("plain", content_type="text/plain")


@bp.page("/mine")
@access.signed_in
def mine() -> Message:
    """For whoever is signed in."""
    return Message(message=access.me().email)


@bp.form("/fresh")
@access.fresh_session
def fresh(form: Nothing) -> Done[Message]:
    """For whoever proved the password lately."""
    return done(Message(message="Fresh."), to="sample.list_things")


@bp.page("/admin")
@access.admin
def admin() -> Message:
    """For administrators."""
    return Message(message="root")


@bp.form("/open-form", on=admin)
@access.public
def open_form(form: Nothing) -> Done[Message]:
    """A form for anyone on a page for administrators."""
    return done(Message(message="Open."), to="sample.list_things")


@bp.page("/fails/<kind>")
@access.public
def fails(kind: str) -> Message:
    """Fail in many ways."""
    known = {"bad": BadRequest(), "limited": RateLimited(7), "busy": ServiceUnavailable(), "gone": DeadLink()}
    if kind in known:
        raise known[kind]
    if kind.isdigit():
        abort(int(kind))
    raise ZeroDivisionError("ada@example.com divided by zero")


@bp.form("/write")
@access.public
def write(form: Nothing) -> Done[Message]:
    """Open a transaction."""
    with database.transaction():
        return done(Message(message="Written."), to="sample.list_things")


def _greeting(name: str) -> dict[str, str] | None:
    if name == "nobody":
        return None
    return {"name": name, "link": absolute_url("sample.enter", token=f"secret-of-{name}")}


greeting = mail_job("greeting", _greeting)

plugin = Plugin(
    "sample",
    mounts=(Mount(bp),),
    settings=Greeting,
    jobs=(greeting,),
    nav=(NavItem("Things", "sample.list_things"), NavItem("Secrets", "sample.admin", admin=True)),
    hooks={"request_failed": lambda error, who: failures.append(error)},
)
