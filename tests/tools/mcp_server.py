"""A small MCP server for tests, over stdin and stdout. The first argument says how it misbehaves."""
import json
import sys
import time

HOW = sys.argv[1] if len(sys.argv) > 1 else ""


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def result(request, value):
    say({"jsonrpc": "2.0", "id": request["id"], "result": value})


TOOLS = [
    {"name": "add", "description": "Adds.", "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}},
    {"name": "bad name!", "inputSchema": {}},
    {"name": "long"},
    {"name": "fail"},
    {"name": "die"},
    {"name": "sleep"},
    {"name": "chatty"},
]

if HOW == "silent":
    time.sleep(60)
if HOW == "ends":
    sys.exit(0)

for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if HOW == "garbage":
        sys.stdout.write("this is no JSON\n[1, 2]\n{}\n")
        sys.stdout.flush()
        continue
    if method == "initialize":
        result(message, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "test", "version": "1"}})
    elif method == "tools/list":
        cursor = message["params"].get("cursor")
        result(message, {"tools": TOOLS[1:]} if cursor else {"tools": TOOLS[:1], "nextCursor": "more"})
    elif method == "tools/call":
        name, arguments = message["params"]["name"], message["params"]["arguments"]
        if name == "add":
            result(message, {"content": [{"type": "text", "text": str(arguments["a"] + arguments["b"])}, {"type": "image", "data": ""}]})
        elif name == "long":
            result(message, {"content": [{"type": "text", "text": "ä" * 1000000}]})
        elif name == "fail":
            result(message, {"isError": True, "content": [{"type": "text", "text": "it failed"}]})
        elif name == "die":
            sys.exit(1)
        elif name == "sleep":
            time.sleep(60)
        elif name == "chatty":
            say({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
            say({"jsonrpc": "2.0", "id": 77, "method": "ping"})
            answer = json.loads(sys.stdin.readline())
            say({"jsonrpc": "2.0", "id": 12345, "result": "for somebody else"})
            result(message, {"content": [{"type": "text", "text": "pong" if answer == {"jsonrpc": "2.0", "id": 77, "result": {}} else "no"}]})
        else:
            say({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "unknown tool"}})
