"""The kernel: `create_app(settings)` puts the service together; it names no blueprint."""

from typing import Any

from flask import Flask

from app import chrome, cli, csrf, database, errors, jobs, limits, log, mail, plugins, security, sentry, site


class Application(Flask):
    """Flask, without asking at every call whether a function is a coroutine: none of ours is."""

    def ensure_sync(self, func: Any) -> Any:
        """The function as it is."""
        return func


def create_app(settings: Any) -> Flask:
    """Build the application from valid settings; starts no thread and connects to nothing.

    :raises app.plugins.PluginError: BLUEPRINTS cannot be loaded.
    """
    app = Application("app", root_path=str(settings.root / "app"), template_folder=str(settings.root / "templates"))
    app.config.update(settings_for_flask(settings))
    app.json.sort_keys = False  # type: ignore[attr-defined]
    log.init(settings.log_level)
    sentry.init(settings)
    database.init_app(app, settings)
    security.init_app(app, settings)
    csrf.init_app(app, settings)
    errors.init_app(app)
    limits.init_app(app, settings)
    mail.init_app(app, settings)
    chrome.init_app(app)
    plugins.load(app, settings.blueprints, settings.environ, kernel=site.plugins(settings))
    jobs.init_app(app)
    cli.init_app(app)
    plugins.start(app)
    return app


def settings_for_flask(settings: Any) -> dict[str, Any]:
    """The settings that views, templates and commands look up by name."""
    return {
        "SETTINGS": settings,
        "ENVIRONMENT": settings.environment,
        "PRODUCT_NAME": settings.product_name,
        "BASE_URL": settings.base_url,
        "RELEASE": settings.release or settings.version,
        "WORKER": settings.worker,
        "TESTING": settings.environment == "testing",
        "TRAP_HTTP_EXCEPTIONS": False,
    }
