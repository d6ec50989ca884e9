"""gossamer bench serve against `gossamer serve` with a script instead of a model, and against servers that fail."""
import csv
import http.server
import json
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

from gossamer import PROGRAM, SECONDS, Terminal, run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))
from serving import Serving  # noqa: E402

WORDS = 40


def scripted(folder: str, *arguments: str) -> Serving:
    script = Path(folder) / "script.txt"
    script.write_text("<|channel|>final<|message|>" + " word" * WORDS + "<|return|>")
    return Serving("--scripted", str(script), "--log", "off", *arguments)


class FaultyServer:
    """Lists a model; each chat is answered by `answer(handler)`."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply(200, b'{"data": [{"id": "faulty"}]}')

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                answer(self)

            def reply(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def measured(url: str, *arguments: str, code: int = 0) -> dict:
    done = run("bench", "serve", url, "--json", *arguments)
    assert done.returncode == code, f"exit status {done.returncode}: {done.stderr.decode()}"
    return json.loads(done.stdout)


class BenchServe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = scripted(cls.folder.name)
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.server.__exit__)
        cls.url = cls.server.url

    def test_closed_loop(self):
        result = measured(self.url, "-c", "8", "-n", "50")
        self.assertEqual((result["model"], result["requests"], result["failed"]), ("scripted", 50, 0))
        self.assertEqual(result["events"], 50 * WORDS, "one event a word")
        self.assertEqual(result["output_tokens"], 50 * (WORDS + 4), "words and frame, as the server's usage has them")
        for name in ("latency_ms", "ttft_ms", "tpot_ms", "itl_ms", "added_ms"):
            self.assertLessEqual(result[name]["p50"], result[name]["p90"])
            self.assertLessEqual(result[name]["p90"], result[name]["p99"])
        self.assertLessEqual(result["ttft_ms"]["p50"], result["latency_ms"]["p50"])
        self.assertAlmostEqual(result["req_per_s"], 50 / result["wall_s"], places=3)

    def test_the_server_counts_the_same(self):
        with scripted(self.folder.name) as server:
            result = measured(server.url + "/v1", "-n", "20", "--warmup", "0")
            with urllib.request.urlopen(server.url + "/metrics") as answer:
                metrics = answer.read().decode()
        self.assertIn(f"\ngossamer_generated_tokens_total {result['output_tokens']}\n", metrics)
        self.assertIn(f"\ngossamer_prompt_tokens_total {result['input_tokens']}\n", metrics)

    def test_max_tokens_and_other_fields_arrive(self):
        self.assertEqual(measured(self.url, "-n", "3", "--max-tokens", "10", "--temperature", "0.5", "--seed", "3")["output_tokens"], 30)

    def test_open_loop(self):
        result = measured(self.url, "--rate", "200", "-n", "100", "--seed", "1")
        self.assertEqual(result["requests"], 100)
        self.assertGreater(result["wall_s"], 0.2)
        self.assertEqual((result["plan"]["rate"], result["plan"]["concurrency"]), (200, None))

    def test_for_some_time(self):
        result = measured(self.url, "--duration", "1", "-c", "2")
        self.assertGreater(result["requests"], 5)
        self.assertGreaterEqual(result["wall_s"], 0.9)

    def test_spellings_of_other_tools(self):
        result = json.loads(run(
            "bench", "serve", "--json", "--base-url", self.url, "--endpoint", "/v1/completions", "--num-prompts", "7", "--request-rate", "inf",
            "--max-concurrency", "3", "--random-input-len", "30", "--random-output-len", "5").stdout)
        self.assertEqual((result["requests"], result["plan"]["endpoint"], result["plan"]["concurrency"]), (7, "completions", 3))
        self.assertEqual(result["output_tokens"], 35)
        self.assertAlmostEqual(result["input_tokens"] / 7, 30, delta=2)

    def test_whole_answers(self):
        result = measured(self.url, "-n", "5", "--no-stream")
        self.assertEqual((result["requests"], result["output_tokens"]), (5, 5 * (WORDS + 4)))
        self.assertIsNone(result["ttft_ms"])

    def test_people_get_a_table(self):
        done = run("bench", "serve", self.url, "-n", "10")
        text = done.stdout.decode()
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        for part in ("RESULTS", "10 answered, 0 failed", "requests", "tokens out", "p50", "p90", "p99", "first token (TTFT)", "between tokens"):
            self.assertIn(part, text)

    def test_prompts_from_files(self):
        for name, text in (("p.txt", "Hello\nWorld\n"), ("p.jsonl", '{"prompt": "Hello"}\n{"messages": [{"role": "user", "content": "World"}]}\n')):
            file = Path(self.folder.name) / name
            file.write_text(text)
            with self.subTest(name):
                self.assertEqual(measured(self.url, "-n", "4", "--prompts", str(file))["requests"], 4)
        share = Path(self.folder.name) / "share.json"
        share.write_text(json.dumps([{"conversations": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}]}]))
        self.assertEqual(measured(self.url, "-n", "2", "--dataset", str(share))["requests"], 2)

    def test_reports(self):
        page, table = Path(self.folder.name) / "report.html", Path(self.folder.name) / "report.csv"
        measured(self.url, "-n", "30", "-c", "4", "--html", str(page), "--csv", str(table))
        with open(table, encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 30)
        self.assertEqual({row["outcome"] for row in rows}, {"answered"})
        self.assertEqual(sum(int(row["events"]) for row in rows), 30 * WORDS)
        html = page.read_text()
        self.assertIn("30 answered", html)
        self.assertNotIn("<script", html)
        charts = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
        self.assertEqual(len(charts), 4)
        for chart in charts:
            ElementTree.fromstring(chart)

    def test_two_servers_by_turns(self):
        with scripted(self.folder.name, "--scripted-rate", "200") as slow:
            result = measured(self.url, "--compare", slow.url, "-n", "12", "-c", "3", "--rounds", "2")
            fast, other = result["servers"]
            self.assertEqual((fast["requests"], other["requests"]), (12, 12))
            self.assertEqual(fast["events"], other["events"])
            self.assertGreater(result["ratio"]["req_per_s"], 1)
            self.assertAlmostEqual(result["ratio"]["req_per_s"], fast["req_per_s"] / other["req_per_s"], places=6)
            done = run("bench", "serve", self.url, "--compare", slow.url, "-n", "4", "--rounds", "2")
            self.assertRegex(done.stdout.decode(), r"requests/s +[\d.]+ +[\d.]+ +[\d.]+\n")

    def test_json_takes_no_file(self):
        for arguments in (["--json", "out.json"], [self.url, "--json", "out.json"], ["--json=out.json", self.url]):
            with self.subTest(arguments):
                done = run("bench", "serve", *arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn("--json takes no file: it prints to standard output; write --json > out.json", done.stderr.decode())

    def test_a_paced_script_takes_its_time(self):
        with scripted(self.folder.name, "--scripted-rate", "100") as server:
            result = measured(server.url, "-n", "2", "-c", "2")
        self.assertGreater(result["itl_ms"]["p50"], 9)
        self.assertGreater(result["latency_ms"]["p50"], 9 * WORDS)

    def test_keys(self):
        with scripted(self.folder.name, "--api-key", "sesame") as server:
            self.assertEqual(measured(server.url, "-n", "2", "--api-key", "sesame")["requests"], 2)
            done = run("bench", "serve", server.url, "-n", "2", env={"OPENAI_API_KEY": "sesame"})
            self.assertEqual(done.returncode, 0, done.stderr)
            done = run("bench", "serve", server.url, "-n", "2", env={"OPENAI_API_KEY": "wrong"})
            self.assertEqual(done.returncode, 1)
            self.assertIn("401", done.stderr.decode())

    def test_ctrl_c_prints_what_there_is(self):
        with scripted(self.folder.name, "--scripted-rate", "50") as server:
            process = subprocess.Popen([PROGRAM, "bench", "serve", server.url, "-n", "1000", "-c", "2", "--json"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            time.sleep(4)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 130)
        result = json.loads(out)
        self.assertTrue(result["stopped"])
        self.assertLess(result["requests"], 1000)
        self.assertEqual((result["failed"], result["unfinished"]), (0, 2))

    def test_a_bar_on_a_terminal(self):
        with scripted(self.folder.name, "--scripted-rate", "20") as server:
            with Terminal("bench", "serve", server.url, "-n", "12", "-c", "4", "--warmup", "0", env={"TERM": "xterm"}) as terminal:
                terminal.wait_for(r"\[[#.]{24}\] (\d|1[01])/12  .* running")
                terminal.wait_for(r"RESULTS")
                self.assertEqual(terminal.exit_code(), 0)


class Failures(unittest.TestCase):
    def test_a_server_that_is_not_there(self):
        done = run("bench", "serve", "http://127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), r"\Agossamer: 127\.0\.0\.1:1 connect: .*refused")
        result = measured("http://127.0.0.1:1", "--model", "m", "--warmup", "0", "-n", "3", code=1)
        self.assertEqual(result["errors"]["no connection"]["count"], 3)

    def test_a_model_that_is_not_there(self):
        with tempfile.TemporaryDirectory() as folder, scripted(folder) as server:
            done = run("bench", "serve", server.url, "--model", "other")
            self.assertEqual(done.returncode, 1)
            self.assertIn("HTTP 404", done.stderr.decode())
            self.assertIn("scripted", done.stderr.decode(), "the server's own sentence tells what is there")
            result = measured(server.url, "--model", "other", "--warmup", "0", "-n", "3", code=1)
            self.assertEqual((result["failed"], result["errors"]["HTTP 404"]["count"]), (3, 3))

    def test_a_line_that_is_full(self):
        with tempfile.TemporaryDirectory() as folder, scripted(folder, "--scripted-rate", "100", "--max-running", "1", "--max-queue", "1") as server:
            result = measured(server.url, "-n", "20", "-c", "10")
        self.assertGreater(result["requests"], 0)
        self.assertEqual(result["requests"] + result["errors"]["HTTP 429"]["count"], 20)

    def test_a_stream_cut_in_the_middle(self):
        def cut(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "10000")
            handler.end_headers()
            handler.wfile.write(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n')
            handler.close_connection = True

        with FaultyServer(cut) as server:
            result = measured(server.url, "--warmup", "0", "-n", "3", code=1)
            self.assertEqual(result["errors"]["broken stream"]["count"], 3)
            self.assertIn("broken stream", run("bench", "serve", server.url).stderr.decode(), "the warm-up says so at once")

    def test_answers_that_do_not_come(self):
        with FaultyServer(lambda handler: time.sleep(2)) as server:
            result = measured(server.url, "--warmup", "0", "-n", "2", "--timeout", "0.3", code=1)
            self.assertEqual(result["errors"]["timeout"]["count"], 2)

    def test_some_fail_and_some_do_not(self):
        count = iter(range(1000))

        def every_other(handler):
            if next(count) % 2:
                return handler.reply(500, b'{"error": {"message": "\\u001b[31mno\\u009b2J"}}')
            body = b'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
            handler.reply(200, body)

        with FaultyServer(every_other) as server:
            done = run("bench", "serve", server.url, "--warmup", "0", "-n", "10", "-c", "1")
            self.assertEqual(done.returncode, 0)
            self.assertIn("5 answered, 5 failed", done.stdout.decode())
            self.assertRegex(done.stdout.decode(), r"HTTP 500 +5 ")
            self.assertIn("31mno", done.stdout.decode())
            for control in ("\x1b", "\x9b"):
                self.assertNotIn(control, done.stdout.decode())

    def test_what_makes_no_sense_is_said(self):
        for arguments, expected in ((["--rate", "-1"], "--rate"), (["--duration", "0"], "--duration"), (["--timeout", "0"], "--timeout"),
                                    (["--rate", "inf", "--duration", "3"], "--requests"), (["--prompts", "/no/such"], "/no/such"),
                                    (["--dataset", "/no/such"], "/no/such"), (["ftp://here"], "neither http nor https"),
                                    (["--base-url", "http://no.such.host.invalid"], "no.such.host.invalid")):
            with self.subTest(arguments):
                done = run("bench", "serve", *(["http://127.0.0.1:1"] if not any("//" in a for a in arguments) else []), *arguments)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(expected, done.stderr.decode())
        self.assertEqual(run("bench", "serve", "--endpoint", "embeddings").returncode, 2)
        self.assertEqual(run("bench", "serve", "one", "two").returncode, 2)

    def test_reports_that_cannot_be_written(self):
        with tempfile.TemporaryDirectory() as folder, scripted(folder) as server:
            done = run("bench", "serve", server.url, "-n", "2", "--html", f"{folder}/no/such/report.html")
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot write", done.stderr.decode())
            self.assertIn("RESULTS", done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
