"""Runs the scripts of node/ against a server; $GOSSAMER_NODE names the folder where its packages are installed."""
import os
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from serving import ROOT, Serving  # noqa: E402

INSTALLED = Path(os.environ.get("GOSSAMER_NODE", ROOT / "build/clients/node"))


class Node(unittest.TestCase):
    def test_clients(self):
        scripts = []
        for written in sorted(HERE.glob("node/*_test.mjs")):
            script = INSTALLED / written.name  # packages are found from where the script lies
            script.write_bytes(written.read_bytes())
            scripts.append(str(script))
        with Serving() as server:
            done = subprocess.run(["node", "--test", *scripts], env={**os.environ, "GOSSAMER_URL": server.url}, capture_output=True,
                                  text=True, timeout=180, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(server.stop(), 0, server.errors)


if __name__ == "__main__":
    unittest.main()
