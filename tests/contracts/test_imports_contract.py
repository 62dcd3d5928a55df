"""Who may import whom: the contracts of pyproject.toml."""

import subprocess

from config.settings import ROOT
from tests.live import PROGRAMS


def test_import_contracts_are_kept():
    command = [PROGRAMS / "lint-imports", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
