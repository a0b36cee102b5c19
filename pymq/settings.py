# Tests: tests/test_settings.py
"""Settings: declared once as a frozen class, read from Java properties, printed as Apache prints them.

A settings class is an attrs class whose fields are made by `setting`. A field `auto_create_topic_enable` is the key
`autoCreateTopicEnable` of broker.conf. The field's annotation (`bool`, `int`, `float` or `str`) says how text is read; the bounds
and choices of the declaration are checked on creation, so an impossible configuration never exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import javaproperties

from pymq.errors import ConfigError

C = TypeVar("C")

_WORD_START = re.compile(r"_(.)")
_NEAR_MATCH_RATIO = 0.75
_INT32_MAX = 2**31 - 1


def setting(
    default: Any,
    meaning: str,
    *,
    choices: Sequence[object] = (),
    least: float | None = None,
    most: float | None = None,
    key: str | None = None,
    also: Sequence[str] = (),
    important: bool = False,
    live: bool = False,
    secret: bool = False,
) -> Any:
    """Declare one setting: its default and what it is for.

    `choices` or `least` and `most` say what is allowed. `key` is the name in the file where camelCase of the field is not it,
    `also` other spellings that are read. `important` ones are shown by `-m`; `live` ones may change while the broker runs,
    `secret` ones are not in the text of the settings.
    """
    metadata = {
        "meaning": meaning,
        "choices": tuple(choices),
        "least": least,
        "most": most,
        "key": key,
        "also": tuple(also),
        "important": important,
        "live": live,
    }
    return attrs.field(default=default, metadata=metadata, validator=_check, repr=not secret)


def _check(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """Refuse a value outside the declared bounds. Raises ConfigError."""
    meta = attribute.metadata
    key = key_of(attribute)
    if meta["choices"] and value not in meta["choices"]:
        raise ConfigError(key, value, "allowed: " + ", ".join(map(text_of, meta["choices"])))
    least, most = meta["least"], meta["most"]
    if (least is not None and value < least) or (most is not None and value > most):
        raise ConfigError(key, value, _bounds_text(least, most))


def _bounds_text(least: float | None, most: float | None) -> str:
    if least is None:
        return f"a number of at most {most:g} is allowed"
    if most is None:
        return f"a number of at least {least:g} is allowed"
    return f"a number from {least:g} to {most:g} is allowed"


def key_of(attribute: attrs.Attribute[Any]) -> str:
    """The setting's name in a file."""
    return attribute.metadata.get("key") or _WORD_START.sub(lambda match: match.group(1).upper(), attribute.name)


def _spellings(cls: type) -> dict[str, attrs.Attribute[Any]]:
    return {name: field for field in attrs.fields(cls) for name in (key_of(field), *field.metadata["also"])}


def parse_value(attribute: attrs.Attribute[Any], text: str) -> Any:
    """The value that `text` gives a setting. Raises ConfigError."""
    kind, key, text = str(attribute.type), key_of(attribute), text.strip()
    if "bool" in kind:
        if text.lower() not in ("true", "false"):
            raise ConfigError(key, text, "true or false is allowed")
        return text.lower() == "true"
    if "int" in kind:
        if not re.fullmatch(r"[-+]?\d+", text):
            raise ConfigError(key, text, "a whole number is allowed")
        return int(text)
    if "float" in kind:
        try:
            return float(text)
        except ValueError:
            raise ConfigError(key, text, "a number is allowed") from None
    return text


def read_settings(cls: type[C], properties: Mapping[str, str], base: C | None = None) -> C:
    """A `cls` from the keys in `properties` that are its own, over `base` or the defaults. Raises ConfigError."""
    names = _spellings(cls)
    given = {names[key].name: parse_value(names[key], text) for key, text in properties.items() if key in names}
    return cls(**given) if base is None else attrs.evolve(base, **given)  # type: ignore[misc]


def unknown_keys(classes: Iterable[type], properties: Mapping[str, str], ignored: Iterable[str] = ()) -> list[str]:
    """A sentence for each key that no class knows, with the nearest key that exists; such keys never stop a start."""
    known = {key for cls in classes for key in _spellings(cls)} | set(ignored)
    sentences = []
    for key in properties:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=_NEAR_MATCH_RATIO)
            sentences.append(f"the setting {key} is not known and has no effect" + (f"; did you mean {near[0]}?" if near else ""))
    return sentences


def parse_properties(text: str) -> dict[str, str]:
    """Java properties (`key=value`, comments, escapes, continued lines) as a dict of text. Raises ConfigError."""
    try:
        return dict(javaproperties.loads(text))
    except javaproperties.InvalidUEscapeError as error:
        raise ConfigError("properties", text[:40], str(error)) from error


def parse_words(words: Iterable[str]) -> dict[str, str]:
    """The `key=value` words of a command line. Raises ConfigError."""
    properties = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise ConfigError("argument", word, "words of the form key=value are allowed here")
        properties[key.strip()] = value
    return properties


def text_of(value: Any) -> str:
    """A value as Apache prints it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def lines_of(*configs: Any, important_only: bool = False) -> str:
    """All settings as `key=value` lines, in the order of their declaration."""
    return "".join(
        f"{key_of(field)}={text_of(getattr(config, field.name))}\n"
        for config in configs
        for field in attrs.fields(type(config))
        if field.metadata["important"] or not important_only
    )


def live_keys(*classes: type) -> frozenset[str]:
    """The keys that may change while the broker runs."""
    return frozenset(key for cls in classes for key, field in _spellings(cls).items() if field.metadata["live"])


def describe_settings(cls: type) -> str:
    """A page for `--help`: each key, its default and its meaning."""
    rows = [(f"{key_of(field)}={text_of(field.default)}", field.metadata["meaning"]) for field in attrs.fields(cls)]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in rows)
