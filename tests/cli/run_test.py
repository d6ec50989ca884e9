"""gossamer run, as a user calls it: in pipes, and on a terminal."""
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from gossamer import FIXED, PROGRAM, QUESTION, ROOT, WEATHER, Terminal, answer, endless, run


class Answer(unittest.TestCase):
    def test_the_demo_model_knows_it(self):
        self.assertIn("Paris", answer(QUESTION))

    def test_stdout_has_the_answer_and_nothing_else(self):
        done = run("run", *FIXED, QUESTION)
        self.assertEqual(done.stderr, b"")
        self.assertTrue(done.stdout.endswith(b"\n"))
        self.assertNotIn(b"<|", done.stdout)

    def test_the_prompt_comes_from_anywhere(self):
        expected = answer(QUESTION)
        self.assertEqual(answer(stdin=QUESTION + "\n"), expected)
        self.assertEqual(answer("gossamer-mini", QUESTION), expected)
        self.assertEqual(answer("--model", "gossamer-mini", QUESTION), expected)
        self.assertEqual(answer("gossamer-mini", stdin=QUESTION), expected)
        self.assertEqual(answer("What is the capital", stdin="of France?"), answer("What is the capital\n\nof France?"))
        self.assertEqual(answer("--", QUESTION), expected)

    def test_the_demo_model_can_lie_elsewhere(self):
        done = run("run", QUESTION, env={"GOSSAMER_DEMO_MODEL": "/no/such/folder"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("/no/such/folder", done.stderr.decode())

    def test_reasoning_is_shown_where_it_is_wanted(self):
        plain = run("run", *FIXED, QUESTION)
        for option in (["--show-reasoning"], ["--think"]):
            shown = run("run", *FIXED, *option, QUESTION)
            self.assertEqual(shown.stdout, plain.stdout)
            self.assertTrue(shown.stderr.startswith(b"thinking: "), shown.stderr)

    def test_effort_reaches_the_model(self):
        lengths = {effort: len(json.loads(answer("--json", "--reasoning", effort, QUESTION))["reasoning"]) for effort in ("low", "high")}
        self.assertLess(lengths["low"], lengths["high"])
        self.assertEqual(answer("--think=high", QUESTION), answer("--reasoning", "high", QUESTION))

    def test_json_has_everything(self):
        result = json.loads(answer("--json", "--seed", "5", QUESTION))
        self.assertEqual(result["answer"] + "\n", answer(QUESTION))
        self.assertEqual((result["model"], result["finish_reason"], result["seed"], result["tool_calls"]), ("gossamer-mini", "stop", 5, []))
        self.assertGreater(result["usage"]["prompt_tokens"], 0)
        self.assertGreater(result["usage"]["completion_tokens"], 0)
        self.assertGreater(result["timings"]["first_token_seconds"], 0)

    def test_verbose_says_how_fast_and_which_seed(self):
        done = run("run", "--verbose", "--tpot-goal", "50", QUESTION)
        self.assertRegex(done.stderr.decode(), r"tok/s")
        seed = done.stderr.decode().split("seed")[1].split()[0]
        self.assertEqual(run("run", "--seed", seed, QUESTION).stdout, done.stdout)

    def test_weights_answer_the_same_where_they_lie(self):
        drawn = ["run", "--temperature", "1", "--seed", "3", "--show-reasoning", QUESTION]
        copied, in_file = run(*drawn), run(*drawn, "--no-repack")
        self.assertEqual((copied.stdout, copied.stderr), (in_file.stdout, in_file.stderr))

    def test_a_copy_that_is_not_made_cannot_be_kept(self):
        done = run("run", "--no-repack", "--keep-packed", QUESTION)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr, rb"--keep-packed .* --no-repack")

    def test_a_device_that_is_not_there_is_an_error_and_any_device_is_none(self):
        done = run("run", "--device", "cuda:99", QUESTION)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr, rb"(without kernels for GPUs|no NVIDIA|no GPU)")
        # What a GPU would compute otherwise is said before one is looked for.
        self.assertRegex(run("run", "--device", "cuda", "--precision", "f32", QUESTION).stderr, rb"leave out --precision f32")
        self.assertRegex(run("run", "--device", "cuda", "--dense-dtype", "int8", QUESTION).stderr, rb"leave out --dense-dtype")
        self.assertRegex(run("run", "--device", "tpu", QUESTION).stderr, rb'"tpu"; it can be auto, cpu, cuda, or cuda:N')
        self.assertEqual(run("run", *FIXED, "--device", "auto", "--backend", "ref", QUESTION).stderr, b"")

    def test_dense_matrices_in_8_bits(self):
        with tempfile.TemporaryDirectory() as folder:
            prompts, out = Path(folder) / "prompts.jsonl", Path(folder) / "logits.safetensors"
            prompts.write_text('{"name": "a", "tokens": [300, 1428, 17]}\n')

            def logits(*options: str) -> bytes:
                done = run("logits", "--precision", "default", "--in", str(prompts), "--out", str(out), *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                return out.read_bytes()

            self.assertEqual(logits(), logits("--dense-dtype", "bf16"))
            self.assertNotEqual(logits(), logits("--dense-dtype", "int8"))
        self.assertEqual(answer("--dense-dtype", "int8", QUESTION), answer(QUESTION))

    def test_float32_goes_all_the_way(self):
        done = run("run", *FIXED, "--precision", "f32", "--verbose", QUESTION)
        self.assertEqual(done.stdout, run("run", *FIXED, QUESTION).stdout)
        self.assertRegex(done.stderr.decode(), r"KV cache: [\d.]+ GB of f32")

    def test_a_short_answer_says_so(self):
        done = run("run", "--max-tokens", "3", QUESTION)
        self.assertEqual(done.returncode, 0)
        self.assertIn("3 tokens", done.stderr.decode())

    def test_the_first_token_costs_little(self):
        if os.environ.get("GOSSAMER_SLOW_BUILD"):
            self.skipTest("not a build to time")
        process = subprocess.Popen([PROGRAM, "run", *FIXED, "--max-tokens", "1", QUESTION], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertLess(usage.ru_utime + usage.ru_stime, 0.3)  # of the processor: time on the clock depends on who else is here


class Tools(unittest.TestCase):
    def test_a_call_is_printed_as_json(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(WEATHER, file)
            file.flush()
            text = answer("--tools", file.name, "What is the weather in Paris?")
            result = json.loads(answer("--json", "--tools", file.name, "What is the weather in Paris?"))
        self.assertEqual(json.loads(text)["name"], "get_weather")
        self.assertEqual(result["tool_calls"], [json.loads(text)])
        self.assertEqual(result["finish_reason"], "tool_calls")
        self.assertIn("Paris", json.dumps(result["tool_calls"]))

    def test_a_tool_that_runs_here(self):
        server = f"mcp:test=python3 {ROOT / 'tests/tools/mcp_server.py'}"
        options = ["--tools", server, "--tool-choice", "test.fail", "--reasoning-budget", "10", "--max-tokens", "300"]
        result = json.loads(answer("--json", *options, QUESTION))
        self.assertEqual([one["name"] for one in result["tools_run"]], ["test.fail"])
        self.assertNotEqual(result["tools_run"][0]["result"], "")
        self.assertEqual(result["tool_calls"], [])
        self.assertIn(result["finish_reason"], ("stop", "length"))
        done = run("run", *FIXED, *options, QUESTION)
        self.assertRegex(done.stderr.decode(), r"\(test\.fail: .*\)\n\(gives: .+\)\n")
        self.assertNotIn("test.fail", done.stdout.decode())

    def test_a_tool_that_cannot_run(self):
        done = run("run", "--tools", "mcp:/no/such/program", "Hi")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/no/such/program", done.stderr.decode())

    def test_files_that_hold_no_tools(self):
        for text, expected in [("{", "JSON"), ("{}", "list"), ("[{}]", "name"), ('[{"name": "f", "parameters": 3}]', "parameters")]:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file, self.subTest(text):
                file.write(text)
                file.flush()
                done = run("run", "--tools", file.name, "Hi")
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr.decode())
                self.assertIn(file.name, done.stderr.decode())


class Endings(unittest.TestCase):
    def test_ctrl_c_stops_and_says_130(self):
        with Terminal("run", *endless(), "Hi") as terminal:
            terminal.wait_for("the ?the")
            terminal.ctrl_c()
            self.assertEqual(terminal.exit_code(), 130)

    def test_ctrl_c_while_another_program_listens(self):
        with subprocess.Popen([PROGRAM, "run", *endless(), "Hi"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.read(20)
            process.send_signal(signal.SIGINT)
            process.communicate()
            self.assertEqual(process.returncode, 130)

    def test_json_ends_well_too(self):
        with subprocess.Popen([PROGRAM, "run", "--json", *endless(), "Hi"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate()
            self.assertEqual(process.returncode, 130)
            self.assertEqual(json.loads(out)["finish_reason"], "cancelled")

    def test_a_reader_that_has_enough_ends_it(self):
        with subprocess.Popen([PROGRAM, "run", *endless(), "Hi"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.read(20)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(timeout=60), 1)


class OnATerminal(unittest.TestCase):
    def test_an_answer_on_a_terminal(self):
        with Terminal("run", *FIXED, QUESTION) as terminal:
            self.assertEqual(terminal.exit_code(), 0)
            self.assertTrue(terminal.text.replace("\r\n", "\n").endswith(answer(QUESTION)))  # a progress line may have been there

    def test_control_characters_do_not_reach_it(self):
        for arguments, code in [(["show", "\x1b]0;title\x07model"], 1), (["run", "--backend", "\x1b[31m", "Hi"], 1), (["\x1b[2J"], 2)]:
            with self.subTest(arguments), Terminal(*arguments) as terminal:
                self.assertEqual(terminal.exit_code(), code)
                self.assertNotRegex(terminal.text, "[\x00-\x08\x0b\x0c\x0e-\x1f]")

    def test_a_model_without_a_prompt_is_a_chat(self):
        with Terminal("run", "gossamer-mini") as terminal:
            terminal.wait_for(">>> ")
            terminal.type("/exit\n")
            self.assertEqual(terminal.exit_code(), 0)


class Held(unittest.TestCase):
    """Answers that are held to something, from a model that is drawn from at random."""
    HOT = ["--temperature", "3", "--date", "none", "--json", "--max-tokens", "2000"]

    def needs_grammars(self) -> None:
        if b"built without grammars" in run("run", "--format", "json", QUESTION).stderr:
            self.skipTest("this gossamer was built without grammars")

    def hot(self, *arguments: str) -> dict:
        done = run("run", *self.HOT, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def tools_file(self, folder: str) -> str:
        path = os.path.join(folder, "tools.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(WEATHER, file)
        return path

    def test_a_tool_is_called_where_it_must_be_and_no_other(self):
        with tempfile.TemporaryDirectory() as folder:
            tools = self.tools_file(folder)
            for seed in "12345":
                called = self.hot("--tools", tools, "--tool-choice", "required", "--reasoning-budget", "10", "--seed", seed, QUESTION)
                if called["finish_reason"] != "length":
                    self.assertEqual([call["name"] for call in called["tool_calls"]], ["get_weather"])
                left = self.hot("--tools", tools, "--tool-choice", "none", "--reasoning-budget", "10", "--seed", seed, QUESTION)
                self.assertEqual(left["tool_calls"], [])
            done = run("run", "--tools", tools, "--tool-choice", "launch", QUESTION)
            self.assertEqual(done.returncode, 1)
            self.assertIn("functions.launch", done.stderr.decode())

    def test_arguments_fit_where_they_must(self):
        self.needs_grammars()
        with tempfile.TemporaryDirectory() as folder:
            for seed in "1234":
                called = self.hot("--tools", self.tools_file(folder), "--strict-tools", "--tool-choice", "get_weather", "--reasoning-budget", "10", "--seed", seed, QUESTION)
                if called["finish_reason"] != "length":
                    arguments = called["tool_calls"][0]["arguments"]  # text where a number in it is beyond every double
                    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
                    self.assertIsInstance(arguments["city"], str)
            bad = os.path.join(folder, "bad.json")
            with open(bad, "w", encoding="utf-8") as file:
                json.dump([{"name": "f", "parameters": {"properties": {"a": {"not": {}}}}}], file)
            done = run("run", "--tools", bad, "--strict-tools", QUESTION)
            self.assertEqual(done.returncode, 1)
            self.assertIn('functions.f: the schema\'s keyword "not" at /properties/a/not', done.stderr.decode())

    def test_a_budget_ends_the_reasoning_and_the_answer_follows(self):
        self.assertEqual(self.hot("--reasoning-budget", "0", "--seed", "1", QUESTION)["reasoning"], "")
        short = json.loads(answer("--json", "--reasoning-budget", "3", QUESTION))
        self.assertLess(len(short["reasoning"].split()), 5)
        self.assertEqual(short["finish_reason"], "stop")

    def test_a_schema_holds_at_any_temperature(self):
        self.needs_grammars()
        schema = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}, "sure": {"type": "boolean"}}, "required": ["city", "sure"],
                  "additionalProperties": False}
        for seed in "123":
            result = self.hot("--json-schema", json.dumps(schema), "--reasoning-budget", "20", "--seed", seed, QUESTION)
            self.assertEqual(result["finish_reason"], "stop")
            said = json.loads(result["answer"])
            self.assertIn(said["city"], ["Paris", "Rome"])
            self.assertIsInstance(said["sure"], bool)
        self.assertRegex(self.hot("--regex", "[A-Z][a-z]{2,8}!", "--reasoning-budget", "20", "--seed", "4", QUESTION)["answer"], r"^[A-Z][a-z]{2,8}!$")

    def test_schemas_that_cannot_be_used_are_refused_by_keyword(self):
        self.needs_grammars()
        for arguments, says in [(["--json-schema", '{"properties": {"a": {"not": {}}}}'], '"not" at /properties/a/not'), (["--json-schema", "/no/such/file"], "/no/such/file"),
                                (["--json-schema", "{"], "the schema"), (["--regex", "(?=a)b"], "cannot be used"), (["--regex", "a", "--format", "json"], "one form")]:
            done = run("run", *arguments, QUESTION)
            self.assertEqual((done.returncode, done.stdout), (1, b""), arguments)
            self.assertIn(says, done.stderr.decode())

    def test_the_bare_model_can_be_had(self):
        self.assertIn("Paris", answer("--unconstrained", QUESTION))


if __name__ == "__main__":
    unittest.main()
