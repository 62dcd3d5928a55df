"""docs/operating.md and .env.example say what the code says."""

import re

import click
import pytest
from dotenv import dotenv_values

import config
from config.settings import ROOT
from tests.docs import markdown

PAGE = markdown.read("operating.md")


@pytest.fixture
def printed(app):
    """What `flask settings …` prints."""

    def invoke(*words: str) -> str:
        result = app.test_cli_runner().invoke(args=["settings", *words])
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_the_tables_of_settings_are_what_the_command_prints(printed):
    chapter = markdown.chapter(PAGE, "Every setting")
    assert chapter[chapter.index("###") :].strip() == printed().strip()


def test_the_example_file_is_what_the_command_prints(printed):
    assert (ROOT / ".env.example").read_text() == printed("--env")


def test_every_setting_is_explained(printed):
    for name, _, description in markdown.table(printed(), "Setting"):
        assert description, name
        assert description.endswith("."), name


def test_the_defaults_of_the_example_file_change_nothing(tmp_path):
    uncommented = re.sub(r"^#(?=[A-Z_0-9]+=)", "", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(uncommented)
    given = {name: value for name, value in dotenv_values(tmp_path / ".env").items() if value}
    assert len(given) > 20
    surroundings = {
        "ENVIRONMENT": "testing",
        "INSTANCE_PATH": str(tmp_path),
        "SECRET_KEY": "a secret key for the tests, 32+ characters",
    }
    assert told(config.load(given | surroundings)) == told(config.load(surroundings))


def told(settings: config.Settings) -> dict:
    return settings.model_dump(exclude={"environ"})


def test_every_command_of_the_page_exists(app):
    words = set(re.findall(r"\bflask ([a-z][a-z-]+)(?: ([a-z][a-z-]+))?", PAGE))
    assert len(words) > 5
    for first, second in words:
        if first == "db":  # Flask-Migrate's, loaded by the entry point
            continue
        command = app.cli.commands[first]
        if second and isinstance(command, click.Group):
            assert second in command.commands, f"{first} {second}"


def test_the_five_lines_are_those_of_the_readme():
    def lines(page: str) -> str:
        return markdown.blocks(markdown.chapter(page, "Deploying on Heroku in five lines"))[0].text

    assert lines(PAGE) == lines((ROOT / "README.md").read_text())
    assert lines(PAGE).count("\n") == 5
