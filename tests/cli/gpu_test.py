"""`gossamer gpu`: its words and errors; and the command itself on the emulated device ($EMULATED_GPU), where its figures mean nothing and
everything else is as on a card."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from gossamer import ROOT, SECONDS, run

FOLDER = ROOT / "bench/gpu"
sys.path.insert(0, str(FOLDER))
import compare  # noqa: E402  pylint: disable=wrong-import-position

EMULATED = os.environ.get("EMULATED_GPU", "")
SMALL_MODEL = ["--batch", "1,3", "--context", "8,200000", "--prefill", "5", "--seconds", "600"]


class Words(unittest.TestCase):
    def test_help_shows_each_verb(self) -> None:
        help_text = run("gpu", "--help").stdout.decode()
        for verb in ("gossamer gpu ", "gossamer gpu selftest", "gossamer gpu roof", "gossamer gpu model --synthetic", "gossamer gpu bench"):
            self.assertIn(verb, help_text)

    def test_wrong_usage_is_named(self) -> None:
        for arguments, text in [(["modle"], "there is no 'modle'"), (["selftest", "--batch", "1"], "gpu selftest has no option --batch; it belongs to gpu model"),
                                (["roof", "--synthetic", "20b"], "it belongs to gpu model and gpu bench"), (["model", "--synthetic", "7b"], "7b"),
                                (["model", "bench"], "'bench'"),
                                (["selftest", "20b"], "gpu selftest takes no '20b'"), (["bensh"], "gossamer gpu bench")]:
            done = run("gpu", *arguments)
            with self.subTest(arguments):
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(text, done.stderr.decode())

    def test_lists_are_checked_before_a_gpu_is_looked_for(self) -> None:
        for arguments, text in [(["--batch", "1,x"], '--batch "1,x" is no list of numbers from 1 on'), (["--prefill", "0"], "--prefill"), (["--chunk", "0"], "--chunk is 0"), (["--device", "x"], '--device is "x"')]:
            done = run("gpu", "model", *arguments)
            with self.subTest(arguments):
                self.assertEqual(done.returncode, 1)
                self.assertIn(text, done.stderr.decode())

    def test_without_kernels_driver_or_gpu_a_sentence_says_so(self) -> None:
        for arguments in ([], ["info"], ["selftest"], ["roof"], ["model"], ["bench"]):
            done = run("gpu", *arguments)
            with self.subTest(arguments):
                if done.returncode == 0 and arguments in ([], ["info"]):
                    self.skipTest("there is a GPU here")
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                self.assertRegex(done.stderr.decode(), r"\Agossamer: (this program was built without kernels for GPUs; .*|there is no NVIDIA (driver|GPU).*|no GPU here .*)\n\Z")


@unittest.skipUnless(EMULATED, "$EMULATED_GPU names no program: where this one is built for GPUs, it is what is tested on one")
class Emulated(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.report = Path(self.folder.name) / "report.json"
        self.write_roof()

    def write_roof(self, device: str = "emulated") -> None:
        """A report as `gossamer gpu roof` begins one: what the card can do is not measured again."""
        self.report.write_text(json.dumps({"gossamer_gpu_report": 1, "revision": "abc", "device": {"name": device},
                                           "roof": {"read_gb_per_s": 1.0, "bf16_mma_tflop_per_s": 1.0, "launch_us": 1.0}}), encoding="utf-8")

    def gpu(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([EMULATED, "gpu", *arguments], capture_output=True, text=True, timeout=4 * SECONDS, check=False)

    def verb(self, *arguments: str) -> subprocess.CompletedProcess:
        done = self.gpu(*arguments, "--json", str(self.report), "--revision", "abc")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def test_cards_are_listed_with_what_fits(self) -> None:
        for arguments in ([], ["info"]):
            done = self.gpu(*arguments)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"\A0: emulated, capability 8\.0, .*; 20b fits in part \(13\.8 GB of weights; experts stay in the host's memory\); 120b fits in part \(65\.4 GB .*\)\n\Z")
        done = self.gpu("info", "--json", "-")
        self.assertEqual(json.loads(done.stdout)["devices"][0]["name"], "emulated")
        self.assertIn("0: emulated", done.stderr)
        done = self.gpu("info", "--json", str(self.report))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("--json -", done.stderr)
        self.assertEqual(self.gpu("info", "--device", "3").returncode, 1)
        self.assertEqual(self.gpu("--device", "cuda:0").returncode, 0)

    def test_a_report_that_cannot_be_written_is_said_first(self) -> None:
        done = self.gpu("selftest", "--json", "/proc/nowhere/report.json")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/proc/nowhere", done.stderr)

    def test_a_model_that_does_not_fit_and_a_card_that_is_not_there(self) -> None:
        for arguments, text in [(["model", "20b"], "a 20b takes 13.8 GB, and the GPU has 8.6 GB free"), (["model", "--device", "3"], "there is no GPU 3")]:
            done = self.gpu(*arguments, "--json", str(self.report), "--revision", "abc")
            self.assertEqual(done.returncode, 1)
            self.assertIn(text, done.stderr)

    def test_every_verb_adds_to_one_report(self) -> None:
        done = self.verb("model", "--synthetic", "tiny", *SMALL_MODEL)
        self.assertIn("decode b3 c200000    left out: the model's context is 131072", done.stdout)
        self.verb("model", "--synthetic", "tiny", "--router", "zipf", "--dense", "q8_0", "--kv-dtype", "int8", "--batch", "2", "--context", "40", "--prefill", "")
        done = self.verb("bench", "--synthetic", "tiny", "--rows", "1,40", "--depth", "300")
        table = done.stdout.split("\n\n")[-1].splitlines()
        self.assertLess(len(table), 50)
        self.assertRegex(done.stdout, r"\n\nemulated, revision abc, .*\n(.*\n)*tiny, tokens/s +behind 8\n +1 at once +[\d.]+ \(")
        self.assertRegex(done.stdout, r"\ntiny, us +1 rows +40 rows\n")
        report = compare.load(self.report)
        self.assertEqual(compare.faults_of(report), [])
        self.assertEqual(list(report["models"]), ["tiny", "tiny zipf q8_0 int8"])
        self.assertEqual([figure["name"] for figure in report["models"]["tiny"]["figures"]], ["decode b1 c8", "decode b3 c8", "prefill 5"])
        self.assertEqual(report["models"]["tiny"]["left_out"][0]["name"], "decode b1 c200000")
        kernels = [figure["kernel"] for figure in report["bench"]["tiny"]["figures"] if figure["rows"] == 40]
        self.assertEqual(kernels, ["embed", "norm", "qkv", "rope, store", "attention, full", "attention, window", "o", "router, plan", "gate and up", "down",
                                   "combine", "head", "choose", "draw, greedy", "draw, temperature", "draw, top_p", "prompt attention, full", "prompt attention, window",
                                   *(f"{product}, {sums}" for sums in ("hopper", "one-run") for product in ("qkv", "o", "gate and up", "down", "head"))])
        self.assertEqual([report["models"]["tiny"]["sums"], report["models"]["tiny zipf q8_0 int8"]["sums"]], ["hopper", "hopper"])  # the emulated card's bits are the same
        for figure in report["models"]["tiny"]["figures"]:
            self.assertGreater(figure["of_roof"], 0)
            self.assertGreater(figure["predicted_ms"], 0)
        self.assertEqual(compare.compare(report, report), ([], []))

    def test_one_kernel_alone(self) -> None:
        self.verb("bench", "--synthetic", "tiny", "--rows", "2", "--only", "attention", "--depth", "20")
        self.assertEqual([figure["name"] for figure in compare.load(self.report)["bench"]["tiny"]["figures"]], ["attention, full x2", "attention, window x2", "prompt attention, full x2", "prompt attention, window x2"])

    def test_a_report_of_another_card_or_revision_is_not_mixed_with_this_one(self) -> None:
        bench = ["bench", "--synthetic", "tiny", "--rows", "1", "--only", "norm", "--json", str(self.report)]
        done = self.gpu(*bench, "--revision", "def")
        self.assertIn("is a report of emulated (revision abc), and this is emulated (revision def); name another file", done.stderr)
        self.write_roof("NVIDIA H100")
        self.assertIn("is a report of NVIDIA H100", self.gpu(*bench, "--revision", "abc").stderr)
        self.report.write_text("{}", encoding="utf-8")
        done = self.gpu(*bench)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no report of this program", done.stderr)
        self.assertEqual(self.report.read_text(encoding="utf-8"), "{}")

    def test_a_slot_runs_its_steps_and_goes_on_with_a_report(self) -> None:
        out = Path(self.folder.name) / "out"
        environment = {**os.environ, "SLOT_REVISION": "abc", "SLOT_MODEL_FLAGS": " ".join(["--batch", "1", "--context", "8", "--prefill", "4"]),
                       "SLOT_BENCH_FLAGS": "--rows 1 --only norm"}

        def slot(*arguments: str) -> subprocess.CompletedProcess:
            return subprocess.run([str(FOLDER / "slot"), "--program", EMULATED, "--out", str(out), *arguments], capture_output=True, text=True, timeout=4 * SECONDS,
                                  check=False, env=environment)

        done = slot("--from", str(self.report), "model:tiny", "bench:tiny", "model:7b", "model:tiny:one-run")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("not done: model:7b\n", done.stdout)
        self.assertIn("emulated: 9 figures", done.stdout)  # three of the roof, a step and a prompt twice, two kernels with a norm
        self.assertIn("== model:tiny: exit code 0", (out / "slot.log").read_text(encoding="utf-8"))
        report = compare.load(out / "report.json")
        self.assertEqual((list(report["models"]), list(report["bench"])), (["tiny", "tiny one-run"], ["tiny"]))
        failing = Path(self.folder.name) / "failing"
        failing.write_text(f'#!/bin/sh\necho "asked: $*"\n[ "$2" != selftest ] && exec {EMULATED} "$@"\nexit 1\n', encoding="utf-8")
        failing.chmod(0o755)
        self.report.write_text(json.dumps(compare.load(out / "report.json") | {"selftest": {"checks": 20, "failed": 1}}), encoding="utf-8")
        self.assertIn("asked: gpu model --synthetic tiny --gpu-sums portable", slot("--program", str(failing), "--from", str(self.report), "model:tiny").stdout)
        self.report.write_text(json.dumps(compare.load(out / "report.json") | {"selftest": {"checks": 20, "failed": 0}}), encoding="utf-8")
        done = slot("--program", str(failing), "--minutes", "1", "--from", str(self.report), "selftest", "model:tiny", "model:tiny:one-run")
        self.assertRegex(done.stdout, r"asked: gpu model --synthetic tiny --gpu-sums portable --batch 1 .* --seconds [23]\d ")
        self.assertRegex(done.stdout, r"asked: gpu model --synthetic tiny --gpu-sums one-run .* --seconds [23]\d ")
        self.assertEqual(compare.load(out / "report.json")["models"]["tiny portable"]["sums"], "portable")
        done = slot("--minutes", "0", "bench:tiny")
        self.assertIn("bench:tiny: left out", done.stdout)
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
