"""OpenAPI 3.1 of the JSON API, read from the views: rules, signatures and refusals."""

from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema
from werkzeug.routing import Rule as UrlRule

from app import errors
from app.errors import AppError
from app.schemas import Nothing
from app.web import View

REF = "#/components/schemas/{model}"
LINE = r"^[^\u0000-\u001f\u007f]*$"
WORDS = r"^[^\u0000-\u001f\u007f]*[^\s\u0000-\u001f\u007f][^\u0000-\u001f\u007f]*$"  # trimmed, something is left
META = {
    "type": "object",
    "required": ["requestId", "timestamp"],
    "properties": {"requestId": {"type": "string"}, "timestamp": {"type": "string", "format": "date-time"}},
}
ERROR = {
    "type": "object",
    "required": ["success", "error", "meta"],
    "properties": {
        "success": {"const": False},
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        },
        "meta": {"$ref": "#/components/schemas/Meta"},
    },
}


class Generator(GenerateJsonSchema):
    """pydantic's generator, which also says what `In` refuses in a text."""

    def str_schema(self, schema: core_schema.StringSchema) -> dict[str, Any]:
        found = super().str_schema(schema)
        if "pattern" not in found and self.mode == "validation":
            found["pattern"] = WORDS if schema.get("strip_whitespace") else LINE
        return found


def document(app: Flask) -> dict[str, Any]:
    """The whole description; built once for an application."""
    if "openapi" not in app.extensions:
        app.extensions["openapi"] = build(app)
    return app.extensions["openapi"]


def build(app: Flask) -> dict[str, Any]:
    """Read the description from the views of an application."""
    served = list(operations(app))
    models: list[tuple[type[BaseModel], Any]] = []
    for _, view, _ in served:
        models += [(view.input, "validation")] if view.input and view.input is not Nothing else []
        models += [(view.output, "serialization")] if view.output else []
        models += [(view.query, "validation")] if view.query else []
    names, schemas = models_json_schema(list(dict.fromkeys(models)), ref_template=REF, schema_generator=Generator)
    paths: dict[str, Any] = {}
    for rule, view, verb in served:
        paths.setdefault(path_of(rule), {})[verb.lower()] = operation(rule, view, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{app.config['PRODUCT_NAME']} API", "version": app.config["RELEASE"]},
        "servers": [{"url": app.config["BASE_URL"]}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Meta": META, "Error": ERROR, **schemas.get("$defs", {})},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": app.config["SESSION_TOKEN_COOKIE"]},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def operations(app: Flask) -> Any:
    """Every rule of the JSON API with its view and verb, the description itself left out."""
    for rule in app.url_map.iter_rules():
        view = app.extensions["views"].get(rule.endpoint.removeprefix("api."))
        if not rule.endpoint.startswith("api.") or view is None or view.kind == "raw":
            continue
        for verb in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, view, verb


def path_of(rule: UrlRule) -> str:
    """`/api/teams/{team_id}` for a rule of Flask."""
    return "".join(f"{{{part}}}" if dynamic else part for dynamic, part in rule._trace).replace("|", "")


def operation(rule: UrlRule, view: View, names: Any) -> dict[str, Any]:
    """One operation: what it takes, what it answers, who may call it."""
    found: dict[str, Any] = {
        "operationId": view.endpoint,
        "summary": (view.function.__doc__ or "").strip().split("\n")[0],
        "tags": [view.blueprint.templates],
        "parameters": parameters(rule, view),
        "responses": responses(rule, view, names),
    }
    if not view.access.public:
        found["security"] = [{"session": []}] if view.access.cookie else [{"session": []}, {"token": []}]
    if view.input is not None and view.input is not Nothing:
        body = {"application/json": {"schema": names[(view.input, "validation")]}}
        found["requestBody"] = {"required": True, "content": body}
    return found


def parameters(rule: UrlRule, view: View) -> list[dict[str, Any]]:
    """What an operation takes in its path and its query string."""
    found = []
    for name in sorted(rule.arguments):
        schema: dict[str, Any] = {"type": "string"}
        if type(rule._converters[name]).__name__ == "UUIDConverter":
            schema["format"] = "uuid"
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if view.query is not None:
        schema = view.query.model_json_schema(schema_generator=Generator)
        for name, part in schema["properties"].items():
            required = name in schema.get("required", ())
            found.append({"name": name, "in": "query", "required": required, "schema": part})
    return found


def responses(rule: UrlRule, view: View, names: Any) -> dict[str, Any]:
    """Success, and every status that this operation can be refused with."""
    envelope: dict[str, Any] = {
        "type": "object",
        "required": ["success", "data", "meta"],
        "properties": {"success": {"const": True}, "data": {}, "meta": {"$ref": "#/components/schemas/Meta"}},
    }
    if view.output is not None:
        envelope["properties"]["data"] = names[(view.output, "serialization")]
    found: dict[str, Any] = {}
    for status in view.statuses:
        found[str(status)] = {"description": "Done", "content": {"application/json": {"schema": envelope}}}
    refused = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for status, codes in sorted(refusals(rule, view).items()):
        found[str(status)] = {"description": ", ".join(sorted(codes)), "content": refused}
    return found


def refusals(rule: UrlRule, view: View) -> dict[int, set[str]]:
    """Codes by status: the view's own, and those of what stands before every view like it."""
    possible: list[type[AppError]] = [errors.ServiceUnavailable, errors.UnsupportedMediaType, *view.refuses]
    if view.kind == "form":
        possible += [errors.BadRequest, errors.ValidationFailed, errors.PayloadTooLarge, errors.CsrfFailed]
        possible += [errors.RateLimited, errors.Conflict]
    if view.query is not None:
        possible += [errors.ValidationFailed]
    if not view.access.public:
        possible += [errors.Unauthorized, errors.Forbidden]
    if view.access.fresh:
        possible += [errors.ReauthenticationRequired]
    if rule.arguments:
        possible += [errors.NotFound]
    found: dict[int, set[str]] = {}
    for error in possible:
        found.setdefault(error.status, set()).add(error.code)
    return found
