"""A running `gossamer serve`, for tests that drive it from outside. Standard library only; $GOSSAMER names the program."""
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("GOSSAMER", str(ROOT / "build/test/bin/gossamer"))
SECONDS = 120  # until a model is loaded; sanitizer builds are slow
FIXED = ["--date", "2025-06-28"]  # the same prompt tomorrow


class Serving:
    """`with Serving("--api-key", "x") as server: ... server.url`. Stops with SIGTERM; the exit code is `code` then."""

    def __init__(self, *arguments: str, wait: bool = True):
        self.process = subprocess.Popen([PROGRAM, "serve", "--port", "0", *FIXED, *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.errors = ""
        self.code: int | None = None
        self.was_told = False
        line = self.process.stdout.readline()
        found = re.search(r"at (\S+) \(loading\)", line)
        if not found:
            raise AssertionError(f"no address in {line!r}: {self.process.communicate()[1]}")
        self.url = found.group(1)
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        if wait:
            self.wait_ready()

    def _read_errors(self) -> None:
        for line in self.process.stderr:
            self.errors += line

    def wait_ready(self) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.url + "/health") as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended: {self.errors}")
            time.sleep(0.02)
        raise AssertionError("the server did not get ready")

    def terminate(self) -> None:
        """Asks the server to end once it has answered what it is answering."""
        self.was_told = True
        self.process.send_signal(signal.SIGTERM)

    def stop(self, seconds: float = 60) -> int:
        """Waits for its end, and asks for it if nobody has: asked twice, it ends at once and with another code."""
        if not self.was_told and self.process.poll() is None:
            self.terminate()
        self.code = self.process.wait(seconds)
        self._reader.join(5)
        return self.code

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._reader.join(5)
        self.process.stderr.close()
