"""A forked child must not use its parent's database connections."""

import os

import pytest
from sqlalchemy import select, text

from app.database import db


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_opens_connections_of_its_own(app):
    db.session.execute(select(1))
    db.session.rollback()
    assert db.engine.pool.checkedin() >= 1
    child = os.fork()
    if child == 0:
        try:
            fresh = db.engine.pool.checkedin() == 0
            with db.engine.connect() as connection:
                fresh = fresh and connection.scalar(text("SELECT 1")) == 1
            os._exit(0 if fresh else 1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert db.session.scalar(select(1)) == 1, "the parent's connections still work"
