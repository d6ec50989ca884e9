"""gossamer synth: made-up models, their bytes, and what it refuses."""
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from gossamer import PROGRAM, SECONDS, Terminal, run

TINY = ["--preset", "tiny"]
# Of seed 7: the same on every machine. They change where the generator, a header or the vocabulary does; then benchmarks of
# before and after are of different models.
GGUF_SHA256 = "72364ca2efb93a583530786fd4340d72d80ac2b46096c7cdbe4a9c66da3fc328"
WEIGHTS_SHA256 = "160ab997b37a1979d6a1dbbddf0de7526aac51cfe2b9a4e0ec55e2952b19c268"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def synth(self, out: str, *arguments: str) -> Path:
        done = run("synth", str(self.folder / out), *TINY, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / out

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def check_refused(self, arguments: list[str], *expected: str, code: int = 1) -> None:
        done = run("synth", *arguments)
        with self.subTest(arguments):
            self.assertEqual(done.returncode, code)
            self.assertRegex(done.stderr.decode(), r"\Agossamer: ")
            for text in expected:
                self.assertIn(text, done.stderr.decode())


class Named(InFolder):
    def test_a_gguf_file_is_no_folder(self):
        self.check_refused([str(self.folder / "x.gguf"), *TINY, "--format", "safetensors"], "x.gguf", "folder", code=2)
        self.assertEqual(self.names(), [])


class Written(InFolder):
    def test_a_seed_is_the_same_bytes_always(self):
        self.assertEqual(sha256(self.synth("a.gguf", "--seed", "7")), GGUF_SHA256)
        self.assertEqual(sha256(self.synth("b.gguf", "--seed", "7", "--threads", "1")), GGUF_SHA256)
        self.assertNotEqual(sha256(self.synth("c.gguf", "--seed", "8")), GGUF_SHA256)
        self.assertEqual(sha256(self.synth("d", "--seed", "7") / "model.safetensors"), WEIGHTS_SHA256)

    def test_both_formats_are_shown_and_answer(self):
        for out, arguments in (("m.gguf", []), ("m", []), ("gguf-without-its-ending", ["--format", "gguf"])):
            with self.subTest(out):
                model = str(self.synth(out, *arguments))
                shown = json.loads(run("show", model, "--json").stdout)
                self.assertEqual(shown["layers"]["total"], 2, shown)
                done = run("run", model, "Hi", "--max-tokens", "5", "--json", "--seed", "1")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertGreater(json.loads(done.stdout)["usage"]["completion_tokens"], 0)

    def test_both_formats_are_the_same_model_to_the_bit(self):
        prompt = self.folder / "prompt.jsonl"
        prompt.write_text('{"name": "x", "tokens": [1, 2, 3, 300, 17]}')
        logits = []
        for out in ("m.gguf", "m"):
            done = run("logits", "--model", str(self.synth(out)), "--in", str(prompt), "--out", str(self.folder / "logits"), "--precision", "f32")
            self.assertEqual(done.returncode, 0, done.stderr)
            logits.append((self.folder / "logits").read_bytes())
        self.assertEqual(logits[0], logits[1])

    def test_a_folder_has_the_published_files(self):
        model = self.synth("m/")
        self.assertEqual(sorted(path.name for path in model.iterdir()),
                         ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"])
        for path in model.glob("*.json"):
            json.loads(path.read_text(encoding="utf-8"))

    def test_programs_get_an_object(self):
        done = run("synth", str(self.folder / "m.gguf"), *TINY, "--json", "--seed", "3")
        result = json.loads(done.stdout)
        self.assertGreater(result.pop("seconds"), 0)
        size = (self.folder / "m.gguf").stat().st_size
        self.assertEqual(result, {"path": str(self.folder / "m.gguf"), "format": "gguf", "preset": "tiny", "seed": 3, "files": 1, "size_bytes": size})
        self.assertEqual(done.stderr.decode(), "writing m.gguf\n")  # no terminal: each file on a line


class Refused(InFolder):
    def test_wrong_usage(self):
        self.check_refused([], "where", "--help", code=2)
        self.check_refused(["x.gguf", "--preset", "21b"], "21b", "20b|120b|small|tiny", code=2)
        self.check_refused(["x.gguf", "--format", "onnx"], "gguf|safetensors", code=2)

    def test_what_is_there_stays(self):
        model = self.synth("m.gguf")
        before = sha256(model)
        self.check_refused([str(model), *TINY, "--seed", "1"], "m.gguf is there already", "--force")
        self.assertEqual(sha256(model), before)
        self.assertNotEqual(sha256(self.synth("m.gguf", "--seed", "1", "--force")), before)
        (self.folder / "papers").mkdir()
        (self.folder / "papers/thesis.tex").touch()
        self.check_refused([str(self.folder / "papers"), *TINY, "--force"], "thesis.tex")
        self.check_refused([str(self.folder / "papers"), *TINY, "--force", "--format", "gguf"], "is a folder")
        self.assertEqual(self.names(), ["m.gguf", "papers"])

    def test_places_that_cannot_be_written(self):
        self.check_refused([str(self.folder / "no/m.gguf"), *TINY], "no folder")
        if os.geteuid() != 0:
            self.folder.chmod(0o500)
            self.check_refused([str(self.folder / "m.gguf"), *TINY], "Permission denied")
            self.check_refused([str(self.folder / "m"), *TINY], "Permission denied")
            self.folder.chmod(0o700)
        self.assertEqual(self.names(), [])

    def test_a_small_disk_is_told_before_anything_is_written(self):
        disk = Path("/dev/shm")
        if not disk.is_dir() or not os.access(disk, os.W_OK) or os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize > 60e9:
            self.skipTest("no small disk to test on")
        before = sorted(disk.iterdir())
        self.check_refused([str(disk / "gossamer-test-120b.gguf"), "--preset", "120b"], "needs 63.", "GB are free")
        self.assertEqual(sorted(disk.iterdir()), before)

    def test_a_write_that_fails_leaves_nothing(self):
        for out in ("m.gguf", "m"):
            limited = f'trap "" XFSZ; ulimit -f 300; exec "{PROGRAM}" synth "{self.folder / out}" --preset tiny'
            done = subprocess.run(["bash", "-c", limited], capture_output=True, timeout=SECONDS, check=False)
            with self.subTest(out):
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr.decode().splitlines()[-1], r"\Agossamer: cannot write .*: File too large\Z")
                self.assertEqual(self.names(), [])


class Interrupted(InFolder):
    def test_ctrl_c_leaves_nothing(self):
        if shutil.disk_usage(self.folder).free < 2e9:
            self.skipTest("no room for a model that takes a while")
        out = self.folder / "m.gguf"
        with subprocess.Popen([PROGRAM, "synth", str(out), "--preset", "small"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            end = time.monotonic() + SECONDS
            while not self.names() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn(b"stopped", stderr)
        self.assertEqual(self.names(), [])

    def test_a_terminal_gets_no_lines_that_stay(self):
        with Terminal("synth", str(self.folder / "m.gguf"), *TINY) as terminal:
            self.assertEqual(terminal.exit_code(), 0)
            self.assertNotIn("writing", terminal.text)
            self.assertIn("m.gguf: 541.9 kB in ", terminal.text)


if __name__ == "__main__":
    unittest.main()
