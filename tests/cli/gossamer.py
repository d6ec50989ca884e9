"""The program under test, as a user's shell sees it. Standard library only; $GOSSAMER names the program."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("GOSSAMER", str(ROOT / "build/test/bin/gossamer"))
DEMO_MODEL = ROOT / "models/gossamer-mini"
DATA = ROOT / "tests/data"
ORACLE = ROOT.parent / "shared/oracle"
QUESTION = "What is the capital of France?"
FIXED = ["--temperature", "0", "--date", "2025-06-28"]  # the same answer always
WEATHER = [{"type": "function", "function": {"name": "get_weather", "description": "Gets the weather of a city.", "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}]
SECONDS = 120  # for one command; sanitizer builds are slow


def run(*arguments: str, stdin: str | bytes = b"", env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run([PROGRAM, *arguments], input=data, capture_output=True, timeout=SECONDS, check=False, env={**os.environ, **(env or {})})


def exchange(*arguments: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in, rows out, and success."""
    done = run(*arguments, stdin="".join(json.dumps(row) + "\n" for row in rows))
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr.decode()}"
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(rows), f"{len(answers)} answers to {len(rows)} rows"
    return answers


def answer(*arguments: str, stdin: str = "") -> str:
    """What `gossamer run` prints, always the same."""
    done = run("run", *FIXED, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def endless(token: str = "the") -> list[str]:
    """Options that make the demo model say `token` for a long time."""
    (ids,) = exchange("tokenize", "--model", str(DEMO_MODEL), rows=[{"text": token}])
    return ["--unconstrained", "--logit-bias", f"{ids['ids'][0]}:1000", "--max-tokens", "100000"]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def has_terminals() -> bool:
    try:
        ours, theirs = os.openpty()
    except OSError:
        return False
    os.close(ours)
    os.close(theirs)
    return True


class Terminal:
    """The program on a terminal of its own; `text` is all that it has printed there, stdout and stderr alike.
    A machine that has none to give (a bare chroot without /dev/pts) skips the test."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None):
        self.text = ""
        if not has_terminals():
            raise unittest.SkipTest("no terminal to test on: this machine has no /dev/pts")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execve(PROGRAM, [PROGRAM, *arguments], {**os.environ, "TERM": "xterm", **(env or {})})
            finally:
                os._exit(127)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self.fd)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def ctrl_c(self) -> None:
        self.type("\x03")

    def wait_for(self, pattern: str, after: int = 0) -> int:
        """Waits until `pattern` (a regular expression) stands in the text after that offset; the offset behind it."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = re.compile(pattern).search(self.text, after)
            if found:
                return found.end()
            if not self._read(end - time.monotonic()):
                break
        raise AssertionError(f"{pattern!r} did not appear in {self.text[after:]!r}")

    def exit_code(self) -> int:
        while self._read(SECONDS):
            pass
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError(f"the program did not end; it had printed {self.text[-500:]!r}")

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self.fd], [], [], max(seconds, 0))
        try:
            data = os.read(self.fd, 65536) if ready else b""
        except OSError:  # the other side is closed
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)
