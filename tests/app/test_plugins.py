"""What BLUEPRINTS may name, and the one clear line for what it may not."""

import sys
from types import ModuleType

import pytest
from pydantic import BaseModel, Field

from app import access
from app.jobs import Job
from app.plugins import Mount, Plugin, PluginError, current
from app.schemas import Message
from app.web import Blueprint
from tests.plugins.sample import Greeting


def blueprint(name: str, *, declared: bool = True, view: str = "one") -> Blueprint:
    """A blueprint with one page."""
    made = Blueprint(name)

    def function() -> Message:
        return Message(message="x")

    function.__name__ = view
    made.page(f"/{view}")(access.public(function) if declared else function)
    return made


class Cap(BaseModel):
    some_cap: int = Field(5, ge=1)


class OtherCap(BaseModel):
    some_cap: int = 7


@pytest.fixture
def module(monkeypatch):
    """Makes a module with a plugin that BLUEPRINTS can name: `module("billing", Plugin(…))`."""

    def make(name: str, plugin: object) -> str:
        made = ModuleType(f"shop.{name}")
        made.plugin, made.__file__ = plugin, None
        monkeypatch.setitem(sys.modules, f"shop.{name}", made)
        return f"shop.{name}"

    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    return make


def refused(make_app, **values: str) -> str:
    with pytest.raises(PluginError) as error:
        make_app(**values)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "names, line",
    [
        ("nothing", "BLUEPRINTS: there is no blueprint 'nothing'; shipped are health, auth, teams, metrics"),
        ("shop.nothing", "BLUEPRINTS: there is no module 'shop.nothing'"),
        ("tests.clients", "BLUEPRINTS: 'tests.clients' has no `plugin`"),
        ("health,health", "BLUEPRINTS: 'health' is named twice"),
        ("health,dev", "BLUEPRINTS: there is no blueprint 'dev'"),
        ("teams", "BLUEPRINTS: 'teams' requires 'auth' before it"),
        ("teams,auth", "BLUEPRINTS: 'teams' requires 'auth' before it"),
    ],
)
def test_a_name_is_refused(make_app, names, line):
    assert refused(make_app, BLUEPRINTS=names).startswith(line)


def test_two_plugins_of_one_name(make_app, module):
    names = f"{module('one', Plugin('twin'))},{module('two', Plugin('twin'))}"
    assert refused(make_app, BLUEPRINTS=names) == "BLUEPRINTS: 'twin' is named twice"


def test_a_plugin_of_the_name_of_the_kernels(make_app, module):
    assert refused(make_app, BLUEPRINTS=module("kernel", Plugin("kernel"))) == "BLUEPRINTS: 'kernel' is named twice"


def test_an_import_error_inside_a_plugin_is_not_hidden(make_app, tmp_path, monkeypatch):
    (tmp_path / "brokenshop.py").write_text("import no_such_library\n")
    (tmp_path / "brokenshop_folder").mkdir()
    (tmp_path / "brokenshop_folder" / "inside.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        make_app(BLUEPRINTS="brokenshop_folder.inside")


def test_a_setting_claimed_twice(make_app, module):
    names = f"{module('one', Plugin('one', settings=Cap))},{module('two', Plugin('two', settings=OtherCap))}"
    assert refused(make_app, BLUEPRINTS=names) == "SOME_CAP is claimed by 'one' and 'two'"


def test_a_bad_setting(make_app, module):
    name = module("one", Plugin("one", settings=Cap))
    line = refused(make_app, BLUEPRINTS=name, SOME_CAP="0")
    assert line == "Configuration error: SOME_CAP: Input should be greater than or equal to 1"


def test_settings_come_from_the_environment(make_app):
    app = make_app(BLUEPRINTS="tests.plugins.sample", SAMPLE_GREETING="Moin")
    with app.app_context():
        assert current(Greeting).sample_greeting == "Moin"
    with make_app(BLUEPRINTS="tests.plugins.sample", SAMPLE_GREETING="").app_context():
        assert current(Greeting).sample_greeting == "Hello"


def test_settings_of_an_absent_plugin_are_not_looked_at(make_app):
    make_app(BLUEPRINTS="health", SAMPLE_GREETING="x" * 100, LIMIT_SIGN_IN_IP="nonsense", METRICS_TOKEN="x")


def test_a_view_without_access(make_app, module):
    name = module("one", Plugin("one", mounts=(Mount(blueprint("one", declared=False)),)))
    assert refused(make_app, BLUEPRINTS=name) == (
        "one.one does not declare who may use it: add @access.… below the route"
    )


def test_two_views_of_one_name(make_app, module):
    twice = blueprint("one")
    twice.page("/other")(twice.views[0].function)
    name = module("one", Plugin("one", mounts=(Mount(twice),)))
    assert refused(make_app, BLUEPRINTS=name) == "Two views are called one.one"


def test_two_blueprints_of_one_name(make_app, module):
    mounts = Mount(blueprint("one")), Mount(blueprint("one", view="two"), at="/elsewhere")
    name = module("one", Plugin("one", mounts=mounts))
    assert refused(make_app, BLUEPRINTS=name) == "Two blueprints are called 'one'"


def test_two_jobs_of_one_name(make_app, module):
    name = module("one", Plugin("one", jobs=(Job("jobs.clean", lambda: None),)))
    assert refused(make_app, BLUEPRINTS=name) == "Two jobs are called jobs.clean"


def test_mounts_say_where(make_app, module):
    pages, data = blueprint("pages"), blueprint("data")
    mounts = Mount(pages, at="/shop", only="pages"), Mount(data, at="/numbers", only="api")
    app = make_app(BLUEPRINTS=module("one", Plugin("one", mounts=mounts)))
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert {"/shop/one", "/api/numbers/one"} <= rules
    assert not {"/numbers/one", "/api/shop/one", "/one/one"} & rules


def test_everything_goes_with_the_name(sample, make_app):
    without = make_app(BLUEPRINTS="health,auth")

    def known(app):
        return (
            any(rule.rule.startswith("/sample") for rule in app.url_map.iter_rules()),
            "sample.mine" in app.extensions["views"],
            "mail.greeting" in app.extensions["jobs"].jobs,
            "request_failed" in app.extensions.get("hooks", {}),
        )

    assert known(sample) == (True, True, True, True)
    assert known(without) == (False, False, False, False)


def test_navigation_is_of_whoever_is_signed_in(sample, people):
    from tests.clients import Browser

    assert "site-nav" not in Browser(sample).get("/sample/things").text
    people.verified("ada@example.com")
    people.admin("root@example.com")
    for email, secrets in (("ada@example.com", False), ("root@example.com", True)):
        browser = Browser(sample)
        browser.submit("/auth/sign-in", email=email, password="correct horse battery")
        text = browser.get("/sample/things").text
        assert 'href="/sample/things"' in text
        assert ('href="/sample/admin"' in text) is secrets


def test_the_start_page(make_app, people):
    from tests.clients import Browser

    people.verified("ada@example.com")
    for names, signed_out, signed_in in (
        ("health,auth,teams,metrics", "/auth/sign-in", "/teams"),
        ("health,auth", "/auth/sign-in", "/auth/account"),
        ("health", "/health", None),
    ):
        browser = Browser(make_app(BLUEPRINTS=names))
        answer = browser.get("/")
        assert (answer.status, answer.location) == (303, signed_out)
        if signed_in:
            browser.submit("/auth/sign-in", email="ada@example.com", password="correct horse battery")
            assert browser.get("/").location == signed_in
    assert Browser(make_app(BLUEPRINTS="metrics")).get("/").status == 404


def test_templates_lie_beside_a_plugin_and_the_shipped_ones_come_first(sample):
    with sample.app_context():
        for name in ("sample/mine.html", "base.html"):
            found = sample.jinja_env.get_template(name).filename
            assert ("tests/plugins" in found) is (name == "sample/mine.html")
