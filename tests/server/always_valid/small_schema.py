"""Why a value does not fit a JSON schema, for the keywords that asked.py uses; jsonschema judges too where it is installed."""
import re
from typing import Any

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
KNOWN = {"type", "enum", "const", "anyOf", "$ref", "properties", "required", "additionalProperties", "items", "minItems",
         "maxItems", "minLength", "maxLength", "pattern", "minimum", "maximum", "description"}


def same(a: Any, b: Any) -> bool:
    """As JSON has it: true is not 1."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def has_type(value: Any, name: str) -> bool:
    if name in ("integer", "number"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and (name == "number" or float(value).is_integer())
    return isinstance(value, TYPES[name])


def fault(value: Any, schema: dict, root: dict | None = None) -> str:
    """"" where it fits."""
    root = schema if root is None else root
    unknown = schema.keys() - KNOWN
    assert not unknown, f"this validator does not know {unknown}"
    if "$ref" in schema:
        assert schema["$ref"] == "#", "this validator knows references to the root only"
        return fault(value, root, root)
    if "anyOf" in schema and all(fault(value, one, root) for one in schema["anyOf"]):
        return f"{value!r} fits none of anyOf"
    if "type" in schema and not has_type(value, schema["type"]):
        return f"{value!r} is no {schema['type']}"
    if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
        return f"{value!r} is not in enum"
    if "const" in schema and not same(value, schema["const"]):
        return f"{value!r} is not {schema['const']!r}"
    if isinstance(value, dict):
        return fault_of_object(value, schema, root)
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            return f"{len(value)} items"
        return next(filter(None, (fault(item, schema.get("items", {}), root) for item in value)), "")
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            return f"{value!r} has {len(value)} characters"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            return f"{value!r} does not match {schema['pattern']}"
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            return f"{value!r} is out of range"
    return ""


def fault_of_object(value: dict, schema: dict, root: dict) -> str:
    properties = schema.get("properties", {})
    missing = [name for name in schema.get("required", []) if name not in value]
    if missing:
        return f"{missing} missing"
    if schema.get("additionalProperties") is False and value.keys() - properties.keys():
        return f"{value.keys() - properties.keys()} too many"
    return next(filter(None, (fault(value[name], properties[name], root) for name in value if name in properties)), "")
