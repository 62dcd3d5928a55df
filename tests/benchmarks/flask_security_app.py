"""What the flood is compared with: Flask-Security's own sign-in, under gunicorn with our settings.

It is set up as its documentation says, with bcrypt at 12 rounds. By default it hashes twice: HMAC-SHA-512
first, then bcrypt once; so a sign-in costs one bcrypt, here as there.
"""

import os

from flask import Flask
from flask_security import RoleMixin, Security, SQLAlchemyUserDatastore, UserMixin, hash_password
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String

from config.gunicorn import *  # noqa: F403

app = Flask(__name__)
app.config.update(
    SECRET_KEY=os.environ["SECRET_KEY"],
    SECURITY_PASSWORD_SALT=os.environ["PASSWORD_PEPPER"],
    SECURITY_PASSWORD_HASH="bcrypt",
    SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={"bcrypt__rounds": 12},
    SQLALCHEMY_DATABASE_URI=os.environ["DATABASE_URL"],
    WTF_CSRF_ENABLED=False,  # the sign-in is sent as JSON
)
db = SQLAlchemy(app)


class Role(db.Model, RoleMixin):
    """What its datastore insists on; there is none."""

    id = Column(Integer, primary_key=True)
    name = Column(String(80), unique=True)


roles_users = db.Table(
    "roles_users", Column("user_id", ForeignKey("user.id")), Column("role_id", ForeignKey("role.id"))
)


class User(db.Model, UserMixin):
    """The columns that its documentation asks for."""

    id = Column(Integer, primary_key=True)
    email = Column(String(255), unique=True)
    password = Column(String(255), nullable=False)
    active = Column(Boolean, nullable=False)
    fs_uniquifier = Column(String(64), unique=True, nullable=False)
    roles = db.relationship("Role", secondary=roles_users)


security = Security(app, SQLAlchemyUserDatastore(db, User, Role))


@app.get("/live")
def live() -> dict[str, str]:
    """A plain route, without any work."""
    return {"status": "healthy"}


def on_starting(server) -> None:
    """Make the tables and the one account, before there are workers."""
    with app.app_context():
        db.create_all()
        password = hash_password(os.environ["BENCH_PASSWORD"])
        security.datastore.create_user(email=os.environ["BENCH_EMAIL"], password=password)
        db.session.commit()
        db.engine.dispose()


def post_worker_init(worker) -> None:
    """Nothing: this has no threads to start."""
