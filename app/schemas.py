"""What may come in and what goes out: the base models, and the shared field types."""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Annotated, Any, ClassVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import core_schema
from werkzeug.datastructures import MultiDict

from app.addresses import parse_address
from app.envelope import timestamp
from app.errors import BadRequest
from app.sentences import in_words

MAX_DEPTH = 20
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
# What mail programs make a link of, whatever follows: a scheme, a host that begins with www, an IPv4 address.
LINK = re.compile(r"://|(?<![^\W_])www\.|(?<![\d.])\d{1,3}(\.\d{1,3}){3}(?!\.?\d)", re.IGNORECASE)
# The last part of what may be a host. A full stop with a blank after it, or digits, ends no label.
LAST_LABEL = re.compile(r"(?<=[^\s.])\.([^\W\d_]{2,})(?![^\W_])")
COMMON_LABELS = {"biz", "com", "edu", "gov", "info", "net", "org"}  # hosts in any spelling, `Evil.Com` too
LINES = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"  # the same in OpenAPI


@dataclass(frozen=True)
class Secret:
    """Marks a field whose value is never shown again or prefilled."""


@dataclass(frozen=True)
class Line:
    """One line of text, trimmed, 1 to `most` characters: `Annotated[str, Line(100)]`."""

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.str_schema(strip_whitespace=True, min_length=1, max_length=self.most)


@dataclass(frozen=True)
class Name(Line):
    """A `Line` that names a person or a team: mails carry it, so it holds nothing that would be a link there."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        line = super().__get_pydantic_core_schema__(source, handler)
        return core_schema.no_info_after_validator_function(refuse_links, line)


def refuse_links(value: str) -> str:
    """A text without a web address; `J.R. Smith`, `St.Pauli` and `No.5 Films` are none.

    :raises ValueError: a mail program might make a link of it; the text is for people.
    """
    # Full-width letters and dots are the plain ones to a browser; the ideographic full stop is a dot to IDNA.
    plain = unicodedata.normalize("NFKC", value).replace("\u3002", ".")
    if LINK.search(plain) or any(is_host(plain, found) for found in LAST_LABEL.finditer(plain)):
        raise ValueError("A name cannot hold a web address. Leave a space after a full stop.")
    return value


def is_host(text: str, found: re.Match[str]) -> bool:
    """Whether the last label that was found makes a host of what is before it."""
    label = found[1]
    if label.lower() in COMMON_LABELS or label[0].islower():
        return True
    # In capitals `ST.PAULI` may be a host; the initial of J.SMITH is none.
    return label.isupper() and text[: found.start()][-2:].isalnum() and found.start() > 1


@dataclass(frozen=True)
class Lines:
    """Text of several lines, trimmed, 1 to `most` characters: `Annotated[str, Lines(1000)]`."""

    most: int

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        text = core_schema.str_schema(strip_whitespace=True, min_length=1, max_length=self.most)
        return core_schema.no_info_before_validator_function(unix_lines, text)

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: Any) -> dict[str, Any]:
        return handler(schema) | {"pattern": LINES}


def unix_lines(value: Any) -> Any:
    """The line breaks of a form, `\\r\\n`, as `\\n`; anything but text passes."""
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds: `Annotated[int, Whole(1, 365)]`."""

    at_least: int | None = None
    at_most: int | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        number = core_schema.int_schema(ge=self.at_least, le=self.at_most)
        return core_schema.no_info_before_validator_function(whole, number)


def whole(value: Any) -> Any:
    """Take `5.0`, which JSON does not tell from 5; refuse what lax reading would take: `1_000` and ` 5 `."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ValueError("Enter a whole number.")
    return value


Password = Annotated[
    str, StringConstraints(min_length=1, max_length=1024), Secret(), Field(json_schema_extra={"format": "password"})
]
NewPassword = Annotated[Password, Field(json_schema_extra={"minLength": 8})]  # what an operator cannot set lower
Token = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    AfterValidator(parse_address),
    WithJsonSchema({"type": "string", "format": "email", "minLength": 1, "maxLength": 254}),
]
Timestamp = Annotated[datetime, PlainSerializer(timestamp, return_type=str, when_used="json")]


class In(BaseModel):
    """Base of everything that comes in, from a form or as JSON; field names are camelCase outside."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", allow_inf_nan=False, frozen=True)

    # The sentence instead of the usual one when a required field is missing, null or empty.
    missing_message: ClassVar[str | None] = None

    @field_validator("*", mode="after")
    @classmethod
    def refuse_controls(cls, value: Any, info: Any) -> Any:
        """Refuse NUL, other control characters and lone surrogates in every text."""
        if isinstance(value, str):
            multiline = any(isinstance(mark, Lines) for mark in metadata_of(cls, info.field_name))
            if (CONTROL_BUT_LINES if multiline else CONTROL_CHARACTERS).search(value):
                raise ValueError("This contains characters that are not allowed.")
        return value

    @classmethod
    def field_alias(cls, field: str) -> str:
        """The name that the outside uses for a field."""
        return cls.model_fields[field].alias or field if field in cls.model_fields else to_camel(field)

    @property
    def given(self) -> dict[str, Any]:
        """The fields that were really sent: absent means unchanged, None means cleared."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Out(BaseModel):
    """Base of everything that the outside may see."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True)

    def as_json(self) -> dict[str, Any]:
        return self.model_dump(mode="json", by_alias=True)


class Nothing(In):
    """Input of a form that is only a button."""


class Message(Out):
    """A sentence, the answer of a write that has no shape of its own."""

    message: str


def metadata_of(schema: type[BaseModel], field: str) -> list[Any]:
    """The marks on a field, those inside `X | None` included."""
    info = schema.model_fields[field]
    found = list(info.metadata)
    stack: list[Any] = [info.annotation]
    while stack:
        annotation = stack.pop()
        if get_origin(annotation) is Annotated:
            found += annotation.__metadata__
            stack.append(annotation.__origin__)
        else:
            stack += get_args(annotation)
    return found


def is_secret(schema: type[BaseModel], field: str) -> bool:
    """Whether the field's value must never be shown again."""
    return any(isinstance(mark, Secret) for mark in metadata_of(schema, field))


def takes(schema: type[BaseModel], field: str, kind: type) -> bool:
    """Whether a field is of the type `kind` or `kind | None`."""
    annotation = schema.model_fields[field].annotation
    return annotation is kind or kind in get_args(annotation)


def read_json(schema: type[In], body: bytes) -> Any:
    """Read a JSON body strictly: `true` is not `"true"` and `1` is not `"1"`.

    :raises BadRequest: not JSON, not an object, broken UTF-8, a lone surrogate, or nested too deep.
    :raises ValidationFailed: with sentences by field.
    """
    body = body or b"{}"
    try:
        parsed = json.loads(body, parse_constant=refuse_constant)
        too_deep = depth(parsed) > MAX_DEPTH
    except (ValueError, RecursionError):
        raise BadRequest("The body is not valid JSON.") from None
    if too_deep:
        raise BadRequest("The body is nested too deep.")
    if not isinstance(parsed, dict):
        raise BadRequest("The body must be a JSON object.")
    try:
        return schema.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise in_words(schema, error) from None


def refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python's parser takes for numbers."""
    raise ValueError(name)


def depth(value: Any) -> int:
    """How deep lists and objects are nested; a plain value is 0."""
    level, layer = 0, [value]
    while layer := [item for item in layer if isinstance(item, (dict, list))]:
        level += 1
        layer = [child for item in layer for child in (item.values() if isinstance(item, dict) else item)]
    return level


def read_form(schema: type[In], form: "MultiDict[str, str]", *, clears: bool = False) -> Any:
    """Read form fields: an absent box is false; an empty optional field is absent, or None if `clears`.

    :raises ValidationFailed: with sentences by field.
    """
    values: dict[str, Any] = {}
    for name, field in schema.model_fields.items():
        alias = field.alias or name
        if takes(schema, name, bool):
            values[alias] = form.get(alias, "").lower() in ("on", "true", "1", "yes")
        elif alias in form:
            value = form[alias]
            if value.strip() or field.is_required() or (value and is_secret(schema, name)):
                values[alias] = value
            elif clears and takes(schema, name, NoneType):
                values[alias] = None
            elif clears and takes(schema, name, str):
                values[alias] = value  # a text that cannot be cleared is refused
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise in_words(schema, error) from None


def read_query(schema: type[In], query: "MultiDict[str, str]") -> Any:
    """Read the query string of a GET.

    :raises ValidationFailed: with sentences by parameter.
    """
    return read_form(schema, query)


def prefill(schema: type[In], query: Mapping[str, str]) -> dict[str, Any]:
    """What a query string may put into a form: everything but secrets."""
    names = {field.alias or name: name for name, field in schema.model_fields.items()}
    return {alias: value for alias, value in query.items() if alias in names and not is_secret(schema, names[alias])}
