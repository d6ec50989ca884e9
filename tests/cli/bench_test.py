"""gossamer bench throughput, bench precision and simulate: what they print, and what they make of odd input."""
import json
import tempfile
import unittest
from pathlib import Path

from gossamer import DEMO_MODEL, run

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
        self.assertEqual(len(lines), 4 + 9, "a row for each mode")

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
