"""A small MCP server for tests, over stdin and stdout. The first argument says how it misbehaves."""
import json
import os
import sys
import threading
import time

HOW = sys.argv[1] if len(sys.argv) > 1 else ""

one_line = threading.Lock()
news = threading.Condition()
answers, cancelled, kept = {}, [], {}
three_meet = threading.Barrier(3, timeout=20)


def say(message):
    with one_line:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def result(request, value):
    say({"jsonrpc": "2.0", "id": request["id"], "result": value})


def text(request, words):
    result(request, {"content": [{"type": "text", "text": str(words)}]})


TOOLS = [
    {"name": "add", "description": "Adds.", "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}}},
    {"name": "bad name!", "inputSchema": {}},
] + [{"name": name} for name in ("long", "fail", "die", "sleep", "chatty")]  # call() has more, which no model is told


def call(message):
    name, arguments = message["params"]["name"], message["params"]["arguments"]
    if name == "add":
        result(message, {"content": [{"type": "text", "text": str(arguments["a"] + arguments["b"])}, {"type": "image", "data": ""}]})
    elif name == "long":
        text(message, "ä" * 1000000)
    elif name == "fail":
        result(message, {"isError": True, "content": [{"type": "text", "text": "it failed"}]})
    elif name == "die":
        os._exit(1)
    elif name == "sleep":
        time.sleep(arguments.get("seconds", 60))
        text(message, "slept")
    elif name == "meet":  # answers when three calls are there at once
        three_meet.wait()
        text(message, arguments["name"])
    elif name == "keep":
        kept.update(arguments)
        text(message, "kept")
    elif name == "kept":
        text(message, kept.get("word", "nothing"))
    elif name == "cancelled":  # how many of its calls were, at least one
        with news:
            news.wait_for(lambda: cancelled, 20)
            text(message, len(cancelled))
    elif name == "late":  # answers although nobody waits any more
        with news:
            news.wait_for(lambda: message["id"] in cancelled, 20)
        text(message, "too late")
    elif name == "chatty":
        say({"jsonrpc": "2.0", "method": "notifications/message", "params": {}})
        say({"jsonrpc": "2.0", "id": 77, "method": "ping"})
        with news:
            news.wait_for(lambda: 77 in answers, 20)
        say({"jsonrpc": "2.0", "id": 12345, "result": "for somebody else"})
        text(message, "pong" if answers.get(77) == {"jsonrpc": "2.0", "id": 77, "result": {}} else "no")
    else:
        say({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32602, "message": "unknown tool"}})


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
        version = "1999-01-01" if HOW == "old" else "2025-06-18"
        result(message, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "test", "version": "1"}})
    elif method == "ping":
        result(message, {})
    elif method == "tools/list":
        cursor = message["params"].get("cursor")
        result(message, {"tools": TOOLS[1:]} if cursor else {"tools": TOOLS[:1], "nextCursor": "more"})
    elif method == "tools/call" and HOW == "one at a time":
        call(message)
    elif method == "tools/call":
        threading.Thread(target=call, args=(message,), daemon=True).start()
    elif method is None or method == "notifications/cancelled":
        with news:
            if method:
                cancelled.append(message["params"]["requestId"])
            else:
                answers[message["id"]] = message
            news.notify_all()
