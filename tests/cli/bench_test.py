"""gossamer bench model, bench throughput, bench precision and simulate: what they print, and what they make of odd input. And the
scripts that measure llama.cpp beside it, with stand-ins for both programs."""
import contextlib
import importlib.machinery
import importlib.util
import io
import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest
from pathlib import Path
from unittest import mock

from gossamer import DEMO_MODEL, PROGRAM, ROOT, SECONDS, run

SMALL = ["--requests", "6", "--concurrency", "3", "--input-len", "20-60", "--output-len", "8"]


class Throughput(unittest.TestCase):
    def measured(self, *arguments: str) -> dict:
        done = run("bench", "throughput", *SMALL, "--json", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_json_has_what_was_promised(self):
        result = self.measured()
        self.assertEqual((result["requests"], result["output_tokens"]), (6, 48))
        self.assertGreaterEqual(result["input_tokens"], 6 * 20)
        for name in ("wall_s", "req_per_s", "output_tok_per_s", "input_tok_per_s"):
            self.assertGreater(result[name], 0)
        for name in ("ttft_ms", "tpot_ms"):
            self.assertLessEqual(result[name]["p50"], result[name]["p90"])
            self.assertLessEqual(result[name]["p90"], result[name]["p99"])

    def test_every_kind_of_cache(self):
        for dtype in ("f32", "bf16", "int8"):
            self.assertEqual(self.measured("--kv-dtype", dtype)["requests"], 6)

    def test_people_get_a_table(self):
        done = run("bench", "throughput", *SMALL)
        self.assertIn(b"requests/s", done.stdout)
        self.assertIn(b"KV cache", done.stderr)

    def test_a_dataset_of_conversations(self):
        rows = [{"conversations": [{"from": "human", "value": "What is the capital of France?"}, {"from": "gpt", "value": "It is Paris."}]},
                {"conversations": []}, {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello there"}]}]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(rows, file)
            file.flush()
            result = self.measured("--dataset", file.name)
        self.assertEqual(result["requests"], 2)

    def test_settings_of_lmdeploy(self):
        for text in ("engine:\n  backend: turbomind\n  max_batch_size: 2\n  cache_max_entry_count: 0.01\n  quant_policy: 4\ndata:\n  input_len: 30\n  output_len: 3\n",
                     "max_batch_size: 2\nquant_policy: 8\ninput_len: 30\noutput_len: 3\n"):
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file, self.subTest(text):
                file.write(text)
                file.flush()
                done = run("bench", "throughput", "--requests", "3", "--json", "--config", file.name)
                self.assertEqual(done.returncode, 0, done.stderr)
                result = json.loads(done.stdout)
                self.assertEqual((result["input_tokens"], result["output_tokens"], result["batch"]["most"]), (90, 9, 2))
                self.assertEqual(b"int4" in done.stderr, "quant_policy: 4" in text)
                done = run("bench", "throughput", "--requests", "3", "--json", "--input-len", "7", "--config", file.name)
                self.assertEqual(json.loads(done.stdout)["input_tokens"], 21, "the command line comes first")

    def test_what_cannot_be_run_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            broken = Path(folder) / "broken.yaml"
            broken.write_text("engine: [1, 2\n")
            text = Path(folder) / "text.json"
            text.write_text("[]")
            for arguments, expected in [(["--input-len", "many"], "many"), (["--input-len", "9-3"], "9-3"), (["--kv-memory", "lots"], "lots"),
                                        (["--kv-memory", "100"], "too small"), (["--dataset", str(text)], "no conversation"),
                                        (["--dataset", "/no/such"], "/no/such"), (["--config", str(broken)], "broken.yaml"),
                                        (["--requests", "0"], "no requests"), (["--input-len", "4000000000"], "shorten"), (["--kv-memory", "0"], "no memory")]:
                with self.subTest(arguments):
                    done = run("bench", "throughput", *arguments)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(expected, done.stderr.decode())


class Model(unittest.TestCase):
    """Two whole runs serve several tests: each reads and writes gigabytes to measure the machine's memory."""
    LENGTHS = ["--pp", "5,8", "--tg", "2", "--depth", "0,3", "--parallel", "1,2", "--runs", "2", "--ubatch", "4"]
    NAMES = ["pp5", "pp8", "tg2@0", "tg2@3", "tg2x1@0", "tg2x2@0"]

    @classmethod
    def setUpClass(cls) -> None:
        with tempfile.TemporaryDirectory() as folder:
            chart = Path(folder) / "chart.svg"
            done = run("bench", "model", str(DEMO_MODEL) + "/", *cls.LENGTHS, "--json", "--chart", str(chart))
            cls.chart = chart.read_text()
        assert done.returncode == 0, done.stderr.decode()
        cls.result = json.loads(done.stdout)

    def test_figures_are_named_as_the_script_for_llamacpp_names_them(self):
        self.assertEqual([figure["figure"] for figure in self.result["figures"]], self.NAMES)

    def test_figures_are_of_all_runs(self):
        for figure in self.result["figures"]:
            with self.subTest(figure["figure"]):
                self.assertEqual((figure["unit"], figure["runs"]), ("tok/s", 2))
                self.assertAlmostEqual(figure["median"], (figure["min"] + figure["max"]) / 2, delta=1e-6 * figure["max"])
                self.assertGreater(figure["gb_per_s"], 0)

    def test_json_has_what_docs_promise(self):
        self.assertEqual(set(self.result), {"engine", "model", "name", "model_bytes", "threads", "backend", "ubatch", "system_info", "load_s", "rss_anon_mb",
                                            "rss_mb", "limits", "figures"})
        self.assertEqual(set(self.result["limits"]), {"huge_pages_gb_per_s", "mapped_file_gb_per_s", "float32_gflop_per_s", "rounded_gflop_per_s", "cache_bytes"})
        self.assertEqual(set(self.result["figures"][0]), {"figure", "unit", "min", "median", "max", "runs", "gb_per_s", "gflop_per_s", "limit", "of_limit", "stages"})
        self.assertEqual((self.result["model"], self.result["ubatch"]), (DEMO_MODEL.name, 4))
        docs = (ROOT / "docs/cli.md").read_text()
        about = docs[docs.index("`gossamer bench model [MODEL]`"):docs.index("`gossamer bench throughput [MODEL]`")]
        for keys in (self.result, self.result["limits"], self.result["figures"][0], self.result["figures"][0]["stages"][0]):
            for key in keys:
                self.assertIn(f'"{key}"', about)

    def test_weights_that_caches_hold_have_no_limit(self):
        fits = self.result["model_bytes"] <= self.result["limits"]["cache_bytes"]
        for figure in self.result["figures"]:
            self.assertEqual((figure["limit"] is None, figure["of_limit"] is None), (fits, fits))
            if fits:
                self.assertEqual({stage["of_limit"] for stage in figure["stages"]}, {None})

    def test_the_chart_is_drawn(self):
        self.assertIn("<svg", self.chart)
        for name in self.NAMES:
            self.assertIn(f">{name}<", self.chart)
        self.assertEqual("%" in re.sub(r"'100%'", "", self.chart), self.result["figures"][0]["limit"] is not None)

    def test_people_get_a_table(self):
        done = run("bench", "model", "--pp", "4", "--tg", "2", "--runs", "1", "--stages")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = done.stdout.decode()
        for expected in ("gossamer-mini: 0.01 GB", "GB/s in huge pages", "tg2@0 ", "lm_head", "resident:"):
            self.assertIn(expected, text)
        fits = self.result["model_bytes"] <= self.result["limits"]["cache_bytes"]
        self.assertEqual("fit into the processor's caches" in text, fits)
        self.assertEqual(bool(re.search(r"^tg2@0 .* -$", text, re.MULTILINE)), fits)

    def test_what_cannot_be_measured_is_said_before_anything_is(self):
        context = json.loads((DEMO_MODEL / "config.json").read_text())["max_position_embeddings"]
        for arguments, *expected in [(["--pp", f"4,{context + 1}"], f"{context + 1}", f"{context}"),
                                     (["--depth", str(context - 1), "--tg", "2"], f"{context + 1}", f"{context}"),
                                     (["--depth", "4294967295", "--tg", "2"], "4294967297", f"{context}"),
                                     (["--runs", "0"], "--runs is 0"), (["--chunk", "0"], "--chunk is 0"), (["--pp", "few"], "--pp"), (["--parallel", "0"], "--parallel"),
                                     (["--chart", "/no/such/folder/chart.svg"], "cannot write /no/such/folder/chart.svg"), (["no-such-model"], "no-such-model")]:
            with self.subTest(arguments):
                done = run("bench", "model", *arguments)
                self.assertEqual((done.returncode, done.stdout), (1, b""))
                for text in expected:
                    self.assertIn(text, done.stderr.decode())

    def test_a_chart_that_will_not_be_drawn_leaves_no_file(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("bench", "model", "no-such-model", "--chart", f"{folder}/chart.svg")
            self.assertEqual(done.returncode, 1)
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_ctrl_c_ends_it_while_the_machine_is_measured(self):
        with subprocess.Popen([PROGRAM, "bench", "model"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            end = time.monotonic() + SECONDS
            while self.anonymous_bytes(process.pid) < 64 << 20 and process.poll() is None and time.monotonic() < end:
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, -signal.SIGINT)
        self.assertEqual((out, err), (b"", b""), "it would tell what it measured, had it gone on")

    def anonymous_bytes(self, pid: int) -> int:
        """Private memory of a process; the demo model has little, the memory that is measured is large."""
        found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0


class Belonging(unittest.TestCase):
    """An option of one measurement is none of another."""

    def test_foreign_options_are_refused(self):
        for arguments, *expected in [(["model", "--input-len", "7", "--dataset", "nosuch"], "bench model has no option", "bench throughput"),
                                     (["precision", "--pp", "4", "--chart", "x.svg"], "bench precision has no option", "bench model"),
                                     (["precision", "--n-gen", "4"], "bench precision has no option --tg"),
                                     (["precision", "--kv-dtype", "int8"], "bench precision has no option --kv-dtype", "bench model and bench throughput"),
                                     (["throughput", "--text", "x"], "bench throughput has no option --text", "bench precision and bench tokenizer"),
                                     (["tokenizer", "--threads=2"], "bench tokenizer has no option --threads")]:
            with self.subTest(arguments):
                done = run("bench", *arguments)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                for text in (*expected, "gossamer bench --help"):
                    self.assertIn(text, done.stderr.decode())

    def test_every_option_belongs_to_something(self):
        options = re.findall(r"^  (?:-\w,)?(--[\w-]+)\S*( [A-Z]\S*| \S+\|\S+)?", run("bench", "--help").stdout.decode(), re.MULTILINE)
        foreign = [(name, value) for name, value in options if name not in ("--model", "--json", "--text", "--help")]
        self.assertGreater(len(foreign), 20)
        for name, value in foreign:
            word = {"--kv-dtype": "int8", "--precision": "f32", "--dense-dtype": "int8", "--gpu-sums": "auto"}.get(name, "1")
            with self.subTest(name):
                done = run("bench", "tokenizer", name, *([word] if value else []))
                self.assertRegex(done.stderr.decode(), f"bench tokenizer has no option {name}; it belongs to bench [a-z]")


def script(name: str) -> types.ModuleType:
    """A script of bench/ as a module."""
    loader = importlib.machinery.SourceFileLoader(name.removesuffix(".py"), str(ROOT / "bench" / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    with mock.patch.object(sys, "dont_write_bytecode", True):
        loader.exec_module(module)
    return module


def printed_by(main, *arguments: str) -> str:
    """What a script's main() prints on stdout."""
    with mock.patch.object(sys, "argv", ["script", *arguments]), contextlib.redirect_stdout(io.StringIO()) as out:
        main()
    return out.getvalue()


STAND_IN = """#!/usr/bin/env python3
import json, pathlib, sys
log = pathlib.Path(__file__ + ".log")
calls = log.read_text().splitlines() if log.exists() else []
if sys.argv[1:] != ["version"]:
    log.write_text("\\n".join([*calls, json.dumps(sys.argv[1:])]) + "\\n")
    row = json.loads(pathlib.Path(__file__ + ".json").read_text())[len(calls)]
    if row is None:
        sys.exit(1)
    print(json.dumps({"figures": [{"figure": "pp8", "median": row}], "load_s": row, "rss_anon_mb": row, "rss_mb": row}))
"""


class CompareLlamacpp(unittest.TestCase):
    def setUp(self) -> None:
        self.compare = script("compare_llamacpp")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.compare.ROOT = self.compare.HERE = self.folder
        self.compare.peer_python = lambda isa: sys.executable

    def stand_in(self, name: str, rows: list[float | None]) -> None:
        """Instead of a program: prints a row each time; None fails."""
        path = self.folder / name
        path.write_text(STAND_IN)
        path.chmod(0o755)
        Path(f"{path}.json").write_text(json.dumps(rows))

    def compared(self, ours: list[float | None], theirs: list[float | None], *arguments: str) -> str:
        self.stand_in("gossamer", ours)
        self.stand_in("llamacpp_rates.py", theirs)
        with contextlib.redirect_stderr(io.StringIO()):
            return printed_by(self.compare.main, "model.gguf", "--json", str(self.folder / "all.json"), *arguments)

    def test_everything_is_the_median_of_the_rounds(self):
        text = self.compared([6, 30, 9], [1, 3, 20])
        self.assertRegex(text, r"pp8 +9\.00 +\(6\.0 to 30\.0\) +3\.00 +\(1\.0 to 20\.0\) +3\.00\n")
        for label in ("load", "private memory", "resident"):
            self.assertRegex(text, label + r" +9\.0 \w+ +3\.0 \w+\n")
        saved = json.loads((self.folder / "all.json").read_text())
        self.assertEqual(saved["ratios"], {"pp8": 3})
        self.assertEqual([len(saved[name]) for name in ("gossamer", "llama.cpp")], [3, 3])

    def test_both_sides_are_asked_the_same(self):
        self.compared([1], [1], "--rounds", "1", "--depth", "", "--ubatch", "64")
        (ours,), (theirs,) = ([json.loads(line) for line in (self.folder / f"{name}.log").read_text().splitlines()] for name in ("gossamer", "llamacpp_rates.py"))
        self.assertEqual(ours, ["bench", "model", *theirs, "--json"])
        self.assertEqual((theirs[theirs.index("--depth") + 1], theirs[theirs.index("--ubatch") + 1]), ("0", "64"))

    def test_a_failure_keeps_the_rounds_before_it(self):
        out = io.StringIO()
        with self.assertRaises(SystemExit), contextlib.redirect_stdout(out):
            self.stand_in("gossamer", [4, None])
            self.stand_in("llamacpp_rates.py", [2, 2])
            with mock.patch.object(sys, "argv", ["script", "model.gguf", "--json", str(self.folder / "all.json")]), contextlib.redirect_stderr(io.StringIO()):
                self.compare.main()
        saved = json.loads((self.folder / "all.json").read_text())
        self.assertEqual((saved["ratios"], len(saved["llama.cpp"])), ({"pp8": 2}, 2))
        self.assertRegex(out.getvalue(), r"pp8 +4\.00")

    def test_a_file_that_cannot_be_written_is_known_at_once(self):
        with self.assertRaises(OSError):
            printed_by(self.compare.main, "model.gguf", "--json", str(self.folder / "none" / "all.json"))
        self.assertFalse((self.folder / "gossamer.log").exists())


class LlamacppRates(unittest.TestCase):
    def setUp(self) -> None:
        peer = types.ModuleType("llama_cpp")
        peer.__version__ = "0"
        peer.llama_print_system_info = lambda: b"a processor"
        with mock.patch.dict(sys.modules, {"llama_cpp": peer}):
            self.rates = script("llamacpp_rates.py")
        self.rates.Model = lambda *_: types.SimpleNamespace(load_s=1)
        self.rates.prefill = lambda model, tokens, runs: [1.0] * runs
        self.rates.decode = lambda model, steps, depth, sequences, runs: [1.0] * runs

    def measured(self, *arguments: str) -> dict:
        return json.loads(printed_by(self.rates.main, str(DEMO_MODEL / "config.json"), "--threads", "2", *arguments))

    def test_figures_have_the_names_of_gossamer(self):
        result = self.measured("--pp", "5,8", "--tg", "2", "--depth", "0,3", "--parallel", "1,2", "--runs", "2", "--ubatch", "4")
        self.assertEqual([figure["figure"] for figure in result["figures"]], Model.NAMES)
        self.assertEqual((result["model"], result["ubatch"]), ("config.json", 4))

    def test_no_depth_is_depth_0(self):
        for arguments in ([], ["--depth", ""]):
            self.assertEqual([figure["figure"] for figure in self.measured("--tg", "2", *arguments)["figures"]], ["tg2@0"])

    def test_memory_is_in_millions_of_bytes(self):
        status = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
        self.assertAlmostEqual(self.rates.resident_mb("VmRSS") / (int(status[1]) * 1024 / 1e6), 1, delta=0.01)


class Precision(unittest.TestCase):
    """What roundings cost. The bounds hold for any demo model that is worth having, not only for today's."""

    def text(self, folder: str, texts: int) -> str:
        """The first texts of those that come with the model: all of them take too long for a test."""
        path = Path(folder) / "text.txt"
        separator = "<|endoftext|>"
        path.write_text(separator.join((DEMO_MODEL / "held_out.txt").read_text().split(separator)[:texts]))
        return str(path)

    def measured(self, *arguments: str) -> dict:
        with tempfile.TemporaryDirectory() as folder:
            done = run("bench", "precision", "--json", "--text", self.text(folder, 8), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_each_rounding_costs_something_but_little(self):
        result = self.measured()
        self.assertEqual(result["texts"], 8)
        self.assertGreater(result["tokens"], result["positions"])
        self.assertGreater(result["positions"], 100)
        modes = {mode.pop("name"): mode for mode in result["modes"]}
        judge = modes.pop("f32")
        self.assertEqual((judge.pop("precision"), judge.pop("kv_dtype"), judge.pop("dense_dtype")), ("f32", "f32", "as-stored"))
        self.assertEqual((judge.pop("top1_percent"), judge.pop("perplexity") < 1.5), (100, True), "the demo model knows its lessons")
        self.assertEqual(set(judge.values()), {0}, "the judge differs from itself by nothing")
        self.assertEqual((modes["default"]["precision"], modes["default"]["kv_dtype"]), ("default", "bf16"))
        for name, mode in modes.items():
            with self.subTest(name):
                if not name.endswith("activations") or result["backend"] != "ref":
                    for figure in ("logit_mean", "logprob_mean", "kl_mean"):
                        self.assertGreater(mode[figure], 0)
                self.assertLess(mode["logit_mean"], 0.2)
                self.assertLess(mode["kl_mean"], 1e-2)
                self.assertGreaterEqual(mode["logit_max"], mode["logit_mean"])
                self.assertGreater(mode["top1_percent"], 97)
                self.assertLess(abs(mode["perplexity"] - 1), 0.5)
        self.assertLess(modes["15-bit activations"]["logit_mean"], modes["bf16 cache"]["logit_mean"])
        self.assertLessEqual(modes["15-bit activations"]["logit_mean"], modes["8-bit activations"]["logit_mean"])
        self.assertLess(modes["bf16 cache"]["logit_mean"], modes["int8 cache"]["logit_mean"])

    def test_windows_predict_the_same_tokens_from_less(self):
        whole, cut = self.measured(), self.measured("--tokens", "50")
        self.assertEqual(whole["positions"], cut["positions"])
        self.assertGreater(cut["modes"][0]["perplexity"], whole["modes"][0]["perplexity"])

    def test_every_position_where_that_is_wanted(self):
        result = self.measured("--all-positions")
        self.assertEqual(result["positions"], result["tokens"] - result["texts"], "each token but the first of a text")

    def test_people_get_a_table(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("bench", "precision", str(DEMO_MODEL), "--text", self.text(folder, 1))
        self.assertEqual(done.stderr, b"")
        lines = done.stdout.decode().splitlines()
        self.assertIn("positions compared", lines[0])
        self.assertEqual({line.count("|") for line in lines[2:]}, {8})
        self.assertEqual(len(lines), 4 + 9 - ("-mini, ref," in lines[0]), "a row for each mode that the backend has")

    def test_what_a_backend_does_not_round_has_no_row(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("bench", "precision", "--backend", "ref", "--json", "--text", self.text(folder, 1))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual({mode["dense_dtype"] for mode in json.loads(done.stdout)["modes"]}, {"as-stored"})

    def test_what_cannot_be_measured_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            for file in ("config.json", "tokenizer.json", "model.safetensors"):
                (Path(folder) / file).symlink_to(DEMO_MODEL / file)
            word = Path(folder) / "word.txt"
            word.write_text("a")
            for arguments, expected in [([folder], "--text FILE"), (["--text", "/no/such"], "/no/such"), (["--text", str(word)], "two tokens"),
                                        (["--tokens", "0"], "--tokens"), (["no-such-model"], "no-such-model")]:
                with self.subTest(arguments):
                    done = run("bench", "precision", *arguments)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(expected, done.stderr.decode())


class Simulate(unittest.TestCase):
    def test_a_day_is_replayed_the_same_twice(self):
        arguments = ["simulate", "--replicas", "3", "--policy", "prefix-load", "--seconds", "20", "--seed", "3", "--json"]
        results = [json.loads(run(*arguments).stdout) for _ in range(2)]
        for result in results:
            result.pop("wall_s")
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0]["finished"], results[0]["requests"])

    def test_the_chart_is_drawn(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("simulate", "--seconds", "5", "--chart", f"{folder}/day.svg")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("<svg", Path(folder, "day.svg").read_text())

    def test_what_is_no_trace_is_said(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("hello\n")
            file.flush()
            done = run("simulate", "--trace", file.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn("none of the traces", done.stderr.decode())


if __name__ == "__main__":
    unittest.main()
