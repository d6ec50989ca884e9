"""Conversations in openai-harmony's JSON form, and their rendering as harmony text.

Standard library only: the exam uses it without PyTorch. test_harmony.py holds it against the real library.
"""
import json
from typing import Any, Iterator

Message = dict[str, Any]
IDENTITY = "You are ChatGPT, a large language model trained by OpenAI."


def _message(role: str, content: Any, **fields: Any) -> Message:
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else [content]
    return {"role": role, **({"name": fields.pop("name")} if "name" in fields else {}), "content": parts, **fields}


def system(effort: str | None = "medium", identity: str | None = IDENTITY, date: str | None = None,
           cutoff: str | None = "2024-06", channels: bool = True) -> Message:
    fields = {"model_identity": identity, "reasoning_effort": effort and effort.capitalize(), "conversation_start_date": date,
              "knowledge_cutoff": cutoff,
              "channel_config": {"valid_channels": ["analysis", "commentary", "final"], "channel_required": True} if channels else None}
    return _message("system", {"type": "system_content", **{k: v for k, v in fields.items() if v is not None}})


def developer(instructions: str | None = None, tools: list[dict] | None = None) -> Message:
    content: dict[str, Any] = {"type": "developer_content"}
    if instructions is not None:
        content["instructions"] = instructions
    if tools:
        content["tools"] = {"functions": {"name": "functions", "tools": tools}}
    return _message("developer", content)


def user(text: str) -> Message:
    return _message("user", text)


def think(text: str) -> Message:
    return _message("assistant", text, channel="analysis")


def final(text: str) -> Message:
    return _message("assistant", text, channel="final")


def call(function: str, arguments: str) -> Message:
    return _message("assistant", arguments, channel="commentary", recipient=f"functions.{function}", content_type="<|constrain|>json")


def result(function: str, text: str) -> Message:
    return _message("tool", text, name=f"functions.{function}", channel="commentary", recipient="assistant")


def _kind(schema: dict) -> str:
    """The TypeScript type of a parameter, for the plain types the generator declares."""
    if "enum" in schema:
        return " | ".join(json.dumps(v, ensure_ascii=False) for v in schema["enum"])
    if schema.get("type") == "array":
        return _kind(schema["items"]) + "[]"
    return {"integer": "number"}.get(schema["type"], schema["type"])


def _default(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def function_text(tool: dict) -> str:
    """A declared function as the model sees it."""
    lines = [f"// {line}" for line in tool["description"].split("\n")]
    parameters = tool.get("parameters")
    if parameters is None:
        return "\n".join(lines + [f"type {tool['name']} = () => any;"])
    lines.append(f"type {tool['name']} = (_: {{")
    for name, schema in parameters["properties"].items():
        if "description" in schema:
            lines.append(f"// {schema['description']}")
        mark = "" if name in parameters.get("required", []) else "?"
        tail = f" // default: {_default(schema['default'])}" if "default" in schema else ""
        lines.append(f"{name}{mark}: {_kind(schema)},{tail}")
    return "\n".join(lines + ["}) => any;"])


def _system_text(content: dict, has_tools: bool) -> str:
    parts = []
    head = []
    if "model_identity" in content:
        head.append(content["model_identity"])
    if "knowledge_cutoff" in content:
        head.append(f"Knowledge cutoff: {content['knowledge_cutoff']}")
    if "conversation_start_date" in content:
        head.append(f"Current date: {content['conversation_start_date']}")
    if head:
        parts.append("\n".join(head))
    if "reasoning_effort" in content:
        parts.append(f"Reasoning: {content['reasoning_effort'].lower()}")
    if "channel_config" in content:
        text = "# Valid channels: " + ", ".join(content["channel_config"]["valid_channels"]) + ". Channel must be included for every message."
        if has_tools:
            text += "\nCalls to these tools must go to the commentary channel: 'functions'."
        parts.append(text)
    return "\n\n".join(parts)


def _developer_text(content: dict) -> str:
    parts = []
    if "instructions" in content:
        parts += ["# Instructions", content["instructions"]]
    if "tools" in content:
        parts += ["# Tools", "## functions", "namespace functions {"]
        parts += [function_text(t) for t in content["tools"]["functions"]["tools"]]
        parts.append("} // namespace functions")
    return "\n\n".join(parts)


def _tools_of(message: Message) -> list[dict]:
    return message["content"][0].get("tools", {}).get("functions", {}).get("tools", []) if message["role"] == "developer" else []


def _body(message: Message, has_tools: bool) -> str:
    content = message["content"][0]
    if content["type"] == "system_content":
        return _system_text(content, has_tools)
    if content["type"] == "developer_content":
        return _developer_text(content)
    return content["text"]


def _header(message: Message) -> str:
    text = message.get("name", message["role"]) if message["role"] == "tool" else message["role"]
    if "recipient" in message:
        text += f" to={message['recipient']}"
    if "channel" in message:
        text += f"<|channel|>{message['channel']}"
    if "content_type" in message:
        text += f" {message['content_type']}"
    return text


def _is_final(message: Message) -> bool:
    return message["role"] == "assistant" and message.get("channel") == "final"


def visible(messages: list[Message]) -> list[Message]:
    """What the library renders of a history: once the last assistant message is a final one, the analysis
    before the first final message is dropped (analysis between two finals stays, as in openai-harmony 0.0.8)."""
    spoken = [m for m in messages if m["role"] == "assistant"]
    if not spoken or not _is_final(spoken[-1]):
        return messages
    first = next(i for i, m in enumerate(messages) if _is_final(m))
    return [m for i, m in enumerate(messages) if i >= first or m.get("channel") != "analysis"]


def render(messages: list[Message], trained_from: int | None = None) -> Iterator[tuple[str, bool]]:
    """Pieces (text, trained) of the rendered conversation, special tokens spelled out.

    Messages from index `trained_from` on are a completion: no analysis is dropped, what the assistant
    writes is marked as trained (everything after `<|start|>assistant`), and a final message ends with
    <|return|>. Without it, the history is rendered and `<|start|>assistant` opens the answer.
    """
    has_tools = any(_tools_of(m) for m in messages)
    history = messages if trained_from is None else messages[:trained_from]
    for m in visible(history):
        end = "<|call|>" if m["role"] == "assistant" and "recipient" in m else "<|end|>"
        yield f"<|start|>{_header(m)}<|message|>{_body(m, has_tools)}{end}", False
    if trained_from is None:
        yield "<|start|>assistant", False
        return
    continues = False
    for m in messages[trained_from:]:
        header, body = _header(m), _body(m, has_tools)
        if m["role"] != "assistant":
            yield f"<|start|>{header}<|message|>{body}<|end|>", False
            continues = False
            continue
        yield "<|start|>assistant", continues
        end = "<|call|>" if "recipient" in m else "<|return|>" if m["channel"] == "final" else "<|end|>"
        yield f"{header.removeprefix('assistant')}<|message|>{body}{end}", True
        continues = True
