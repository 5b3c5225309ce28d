"""What pydantic finds wrong in a request, as sentences of ours: by the type of the error, with its values."""

from __future__ import annotations

import re

from ansible_collections.suanwang.brain.plugins.module_utils.said import say
from ansible_collections.suanwang.brain.plugins.module_utils.said import words

#: Type of the error → what is asked for instead; the values are those of pydantic's ``ctx``.
SENTENCES = {
    "missing": words("is needed."),
    "extra_forbidden": words("is not known here."),
    "string_type": words("has to be text."),
    "string_too_short": words("needs {min_length} characters or more."),
    "string_too_long": words("takes {max_length} characters at most."),
    "string_pattern_mismatch": words("does not have the form {pattern}."),
    "string_unicode": words("is no text in UTF-8."),
    "int_type": words("has to be a whole number."),
    "int_parsing": words("has to be a whole number."),
    "int_parsing_size": words("is too large a number."),
    "int_from_float": words("has to be a whole number."),
    "float_type": words("has to be a number."),
    "float_parsing": words("has to be a number."),
    "finite_number": words("has to be a number."),
    "bool_type": words("has to be true or false."),
    "bool_parsing": words("has to be true or false."),
    "greater_than": words("has to be more than {gt}."),
    "greater_than_equal": words("has to be {ge} or more."),
    "less_than": words("has to be less than {lt}."),
    "less_than_equal": words("has to be {le} or less."),
    "literal_error": words("has to be {expected}."),
    "enum": words("has to be {expected}."),
    "list_type": words("has to be a list."),
    "dict_type": words("has to be a mapping."),
    "model_type": words("has to be a mapping."),
    "model_attributes_type": words("has to be a mapping."),
    "too_short": words("needs {min_length} entries or more."),
    "too_long": words("takes {max_length} entries at most."),
    "value_error": words("is not right: {error}."),
    "assertion_error": words("is not right: {error}."),
}
OTHER = words("is not right: {error}.")
_FIELD = re.compile(r"\{(\w+)\}")


def first(error):
    """Return (field, sentence) of the first thing that a ValidationError names; of the whole, the field is ""."""
    one = error.errors(include_url=False)[0]
    template = SENTENCES.get(one["type"], OTHER)
    values = {"error": one["msg"], **one.get("ctx", {})}
    wanted = {name: str(values[name]).rstrip(".") for name in _FIELD.findall(template)}
    return ".".join(map(str, one["loc"])), say(template, **wanted)
