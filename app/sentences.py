"""What was wrong with what came in, as sentences for people, by the field's outside name."""

from typing import Any

from pydantic import BaseModel, ValidationError

from app.errors import BadRequest, ValidationFailed


def in_words(schema: type[BaseModel], error: ValidationError) -> Exception:
    """The refusal for what pydantic found: sentences, by the field's outside name."""
    fields: dict[str, list[str]] = {}
    missing = False
    for found in error.errors(include_url=False, include_input=True):
        if found["type"] == "json_invalid":
            return BadRequest("The body is not valid JSON.")
        alias = str(found["loc"][0]) if found["loc"] else "body"
        empty = is_missing(found)
        missing = missing or (empty and is_required(schema, alias))
        sentence = "This field is required." if empty else sentence_of(found)
        if sentence not in fields.setdefault(alias, []):
            fields[alias].append(sentence)
    return ValidationFailed(fields, getattr(schema, "missing_message", None) if missing else None)


def is_required(schema: type[BaseModel], alias: str) -> bool:
    """Whether the field of an outside name must be given."""
    return any((field.alias or name) == alias and field.is_required() for name, field in schema.model_fields.items())


def is_missing(found: Any) -> bool:
    """Whether pydantic's error means that nothing was given."""
    if found["type"] == "missing" or found["input"] is None:
        return True
    return found["type"] == "string_too_short" and not str(found["input"]).strip()


def sentence_of(found: Any) -> str:
    """One of pydantic's errors as a sentence for people."""
    context = found.get("ctx", {})
    match found["type"]:
        case "string_type" | "string_unicode":
            return "Enter text."
        case "string_too_long":
            return f"Use at most {context['max_length']} characters."
        case "string_too_short":
            return f"Use at least {context['min_length']} characters."
        case "bool_type" | "bool_parsing":
            return "Use true or false."
        case "int_type" | "int_parsing" | "int_from_float":
            return "Enter a whole number."
        case "greater_than_equal":
            return f"Use {context['ge']} or more."
        case "less_than_equal":
            return f"Use {context['le']} or less."
        case "uuid_parsing" | "uuid_type":
            return "This is not a valid id."
        case "literal_error" | "enum":
            return f"Choose one of: {context['expected']}."
        case "string_pattern_mismatch":
            return "This has characters that are not allowed here."
        case "value_error":
            return str(context.get("error", found["msg"]))
    return "This is not valid."
