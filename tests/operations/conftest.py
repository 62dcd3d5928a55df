"""What the tests of the running service share."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import config
from app import create_app
from config.settings import ROOT
from tests.conftest import migrate


@pytest.fixture
def migrated(new_database: Callable[[], str], tmp_path: Path) -> dict[str, str]:
    """The environment of a service with a database of its own, brought up to date."""
    values = {
        "ENVIRONMENT": "testing",
        "SECRET_KEY": "a secret key of the tests: 0123456789",
        "PASSWORD_PEPPER": "a pepper of the tests: 0123456789",
        "BCRYPT_COST": "4",
        "DATABASE_URL": new_database(),
        "INSTANCE_PATH": str(tmp_path / "instance"),
    }
    migrate(create_app(config.load(values)))
    return values


@pytest.fixture
def copy_of_the_project(tmp_path: Path) -> Path:
    """The project as a clone would have it, uncommitted files included."""
    project = tmp_path / "a copy"
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    # Links to what is installed, and a stamp newer than the requirements: nothing is installed into it.
    (project / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith(".installed"):
            (project / ".venv" / part.name).symlink_to(part)
    (project / ".venv" / ".installed").touch()
    return project
