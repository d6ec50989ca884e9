"""The reports of bench/gpu: those that are there have their format, and of each card the newest is no more than 10 % worse than the one
before. Made-up reports show that a drop would be noticed."""
import copy
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "bench/gpu"
sys.path.insert(0, str(FOLDER))
import compare  # noqa: E402  pylint: disable=wrong-import-position


def figure(name: str, tokens_per_s: float) -> dict:
    return {"name": name, "kind": "decode", "batch": 1, "context": 128, "tokens": 1, "tokens_per_s": tokens_per_s, "ms": 1e3 / tokens_per_s,
            "least_ms": 900 / tokens_per_s, "runs": 9, "experts": 4.0, "bytes": 3.7e9, "flops": 7e9, "gb_per_s": 3.7 * tokens_per_s,
            "tflop_per_s": 0.007 * tokens_per_s, "of_roof": 0.5, "predicted_ms": None}


def kernel(name: str, us: float) -> dict:
    return {"name": name, "kernel": name, "rows": 1, "us": us, "runs": 50, "bytes": 3e7, "flops": 3e7, "gb_per_s": 1e3, "tflop_per_s": 1.0, "of_roof": None}


def report(device: str = "NVIDIA H100 80GB HBM3", date: str = "2026-12-01T10:00:00Z") -> dict:
    """As the program writes one."""
    return {"gossamer_gpu_report": 1, "program": "gossamer 1.0, GNU", "revision": "abc1234", "date": date,
            "device": {"name": device, "capability": "9.0", "processors": 132, "memory_bytes": 85 * 10**9, "l2_bytes": 52428800, "driver": "13.0",
                       "runtime": "13.0", "clock_mhz": 1980.0},
            "roof": {"read_gb_per_s": 3000.0, "launch_us": 2.0, "buffer_bytes": 1000},
            "selftest": {"checks": 100, "failed": 0},
            "models": {"20b": {"figures": [figure("decode b1 c128", 500.0), figure("decode b8 c128", 2000.0)]}},
            "bench": {"20b": {"figures": [kernel("qkv x1", 10.0)]}}}


class Committed(unittest.TestCase):
    def setUp(self) -> None:
        self.reports = [(path.name, compare.load(path)) for path in sorted(FOLDER.glob("*.json"))]
        if not self.reports:
            self.skipTest("there is no report in bench/gpu yet: nothing was measured on a GPU, so there is nothing to compare")

    def test_each_is_a_report_of_a_real_card(self) -> None:
        for name, content in self.reports:
            with self.subTest(name):
                self.assertEqual(compare.faults_of(content), [])
                self.assertNotEqual(compare.device_of(content), "emulated")

    def test_the_newest_of_a_card_is_not_worse_than_the_one_before(self) -> None:
        for (old_name, old), (new_name, new) in compare.last_two(self.reports):
            with self.subTest(f"{old_name} and {new_name}"):
                self.assertEqual(compare.compare(old, new)[1], [])


class MadeUp(unittest.TestCase):
    """What the test above would say of reports that are not there."""

    def test_a_drop_is_noticed_in_each_kind_of_figure(self) -> None:
        old = report()
        for change, line in [(lambda new: new["models"]["20b"]["figures"][1].update(tokens_per_s=1780.0), "20b: decode b8 c128: -11.0 %"),
                             (lambda new: new["bench"]["20b"]["figures"][0].update(us=12.5), "kernels of 20b: qkv x1: -20.0 %"),
                             (lambda new: new["roof"].update(read_gb_per_s=2400.0), "roof: read_gb_per_s: -20.0 %"),
                             (lambda new: new["roof"].update(launch_us=4.0), "roof: launch_us: -50.0 %")]:
            new = copy.deepcopy(old)
            change(new)
            with self.subTest(line):
                self.assertEqual(compare.compare(old, new), ([line], [line]))

    def test_a_selftest_that_did_not_end_and_a_roof_that_failed_are_faults(self) -> None:
        broken = report()
        broken["selftest"]["unfinished"] = "router"
        broken["roof"]["errors"] = ["the GPU cannot record a graph"]
        self.assertEqual(compare.faults_of(broken), ["selftest: it did not end; the last check that did is 'router'", "roof: the GPU cannot record a graph"])

    def test_less_than_that_is_said_and_a_gain_too(self) -> None:
        old, new = report(), report()
        new["models"]["20b"]["figures"][0]["tokens_per_s"] = 455.0
        new["models"]["20b"]["figures"][1]["tokens_per_s"] = 4000.0
        self.assertEqual(compare.compare(old, new), (["20b: decode b1 c128: -9.0 %", "20b: decode b8 c128: +100.0 %"], []))
        self.assertEqual(compare.compare(old, old), ([], []))

    def test_a_missing_figure_is_named_and_a_new_one(self) -> None:
        old, new = report(), report()
        new["models"]["20b"]["figures"][0]["name"] = "decode b2 c128"
        self.assertEqual(compare.compare(old, new), (["20b: decode b1 c128: missing in the newer report", "20b: decode b2 c128: new"], []))

    def test_of_each_card_the_last_two_are_compared(self) -> None:
        reports = [("c", report(date="2026-12-03T10:00:00Z")), ("a", report(date="2026-12-01T10:00:00Z")), ("b", report(date="2026-12-02T10:00:00Z")),
                   ("other", report("NVIDIA H200", "2026-12-04T10:00:00Z"))]
        self.assertEqual([(old[0], new[0]) for old, new in compare.last_two(reports)], [("b", "c")])

    def test_what_is_no_report_is_named(self) -> None:
        self.assertEqual(compare.faults_of(report()), [])
        for change, text in [(lambda r: r.update(gossamer_gpu_report=2), "format 1"), (lambda r: r.pop("device"), "which device"),
                             (lambda r: r["device"].pop("driver"), "device.driver"), (lambda r: r["device"].update(processors="many"), "device.processors"),
                             (lambda r: r.update(revision=7), "revision"), (lambda r: r["selftest"].update(failed=2), "2 checks failed"),
                             (lambda r: r["models"]["20b"].pop("figures"), "20b has no figures"),
                             (lambda r: r["models"]["20b"].update(error="out of memory"), "out of memory"),
                             (lambda r: r["models"]["20b"]["figures"][0].update(ms=float("nan")), "decode b1 c128: ms"),
                             (lambda r: r["models"]["20b"]["figures"][0].update(ms=4.0), "in 4 ms are 250"),
                             (lambda r: r["models"]["20b"]["figures"][0].update(of_roof=1.2), "1.20 of what the card can do"),
                             (lambda r: r["bench"]["20b"]["figures"][0].pop("us"), "qkv x1: us"),
                             (lambda r: r["bench"]["20b"]["figures"][0].update(us=0), "took no time"),
                             (lambda r: [r.pop(part) for part in ("models", "bench", "roof")], "no figure")]:
            broken = report()
            change(broken)
            with self.subTest(text):
                self.assertIn(text, "\n".join(compare.faults_of(broken)))

    def test_the_script_says_it_with_its_exit_code(self) -> None:
        worse, other = report(date="2026-12-02T10:00:00Z"), report("NVIDIA H200")
        worse["models"]["20b"]["figures"][0].update(tokens_per_s=250.0, ms=4.0)
        with tempfile.TemporaryDirectory() as folder:
            paths = {}
            for name, content in [("old", report()), ("worse", worse), ("other", other), ("none", {"a": 1})]:
                paths[name] = str(Path(folder) / name)
                Path(paths[name]).write_text(compare.json.dumps(content), encoding="utf-8")

            def run(*names: str) -> subprocess.CompletedProcess:
                return subprocess.run([sys.executable, str(FOLDER / "compare.py"), *(paths[name] for name in names)], capture_output=True, text=True, check=False)

            done = run("old", "worse")
            self.assertEqual((done.returncode, done.stdout), (1, "20b: decode b1 c128: -50.0 %\n"))
            self.assertIn("1 of 5 figures are more than 10 % worse", done.stderr)
            self.assertEqual(run("old", "old").returncode, 0)
            self.assertEqual(run("old").stdout, "NVIDIA H100 80GB HBM3: 5 figures\n")
            self.assertIn("not compared", run("old", "other").stderr)
            self.assertEqual(run("old", "other").returncode, 2)
            self.assertEqual(run("none").returncode, 1)
            self.assertEqual(run().returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)  # what is skipped says why
