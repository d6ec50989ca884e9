"""Is an answer right? The checks that the generator attaches to its questions. Standard library only."""
import json
from typing import Any


def words(text: str) -> str:
    """The text with its punctuation as spaces, padded, so that ' 12 ' finds a whole word."""
    return " " + "".join(c if c.isalnum() or c in "-'" else " " for c in text) + " "


def final_is_right(check: dict[str, Any], text: str) -> bool:
    if check["kind"] == "equals":
        return text.strip() == check["text"]
    if check["kind"] == "contains":
        where = words(text) if check.get("pad") else text
        return all(x in where for x in check["all"])
    if check["kind"] == "json":
        try:
            return json.loads(text) == check["value"]
        except ValueError:
            return False
    raise ValueError(f"unknown kind of check {check['kind']}")


def fits_schema(tool: dict, arguments: Any) -> bool:
    """The arguments against the plain JSON schemas that the generator declares."""
    if not isinstance(arguments, dict):
        return False
    schema = tool.get("parameters", {"properties": {}})
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    for key, value in arguments.items():
        wanted = schema["properties"].get(key)
        if wanted is None or not isinstance(value, types[wanted["type"]]):
            return False
        if isinstance(value, bool) != (wanted["type"] == "boolean"):
            return False
        if "enum" in wanted and value not in wanted["enum"]:
            return False
    return all(key in arguments for key in schema.get("required", []))
