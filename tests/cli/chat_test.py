"""gossamer chat: line by line through a pipe, and typed on a terminal."""
import json
import re
import stat
import tempfile
import unittest
from pathlib import Path

from gossamer import FIXED, QUESTION, ROOT, WEATHER, Terminal, answer, endless, exchange, run

FRANCE, ITALY = QUESTION, "What is the capital of Italy?"


def chat(*lines: str, options: list[str] | None = None) -> tuple[int, str, str]:
    done = run("chat", *FIXED, *(options or []), stdin="".join(line + "\n" for line in lines))
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Lines(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = str(Path(self.folder.name) / "conversation.json")

    def saved(self) -> list[dict]:
        return json.loads(Path(self.file).read_text(encoding="utf-8"))["messages"]

    def test_turns_are_one_conversation(self):
        code, out, err = chat(FRANCE, ITALY, f"/save {self.file}")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith(answer(FRANCE)), out)
        messages = self.saved()
        self.assertEqual([m["role"] for m in messages if m.get("channel") != "analysis"], ["system", "user", "assistant", "user", "assistant"])

    def test_a_conversation_goes_on_after_load(self):
        _, whole, _ = chat(FRANCE, ITALY)
        _, first, _ = chat(FRANCE, f"/save {self.file}")
        _, second, _ = chat(f"/load {self.file}", ITALY)
        drop = lambda text: "".join(line + "\n" for line in text.splitlines() if self.file not in line)
        self.assertEqual(drop(first) + drop(second), whole)

    def test_a_tool_that_runs_here(self):
        server = f"mcp:test=python3 {ROOT / 'tests/tools/mcp_server.py'}"
        options = ["--tool-choice", "test.fail", "--reasoning-budget", "10", "--max-tokens", "300"]
        _, _, err = chat(FRANCE, f"/save {self.file}", options=["--tools", server, *options])
        self.assertIn("(test.fail: ", err)
        roles = [(m["role"], m.get("recipient")) for m in self.saved()]
        call = roles.index(("assistant", "test.fail"))
        self.assertEqual(roles[call + 1], ("tool", "assistant"))
        code, out, err = chat(f"/load {self.file}", f"/tools {server}", ITALY, options=options)
        self.assertEqual(code, 0)
        self.assertIn("(test.fail: ", err)

    def test_tools_alone_lists_them(self):
        Path(self.folder.name, "tools.json").write_text(json.dumps(WEATHER))
        server = f"mcp:test=python3 {ROOT / 'tests/tools/mcp_server.py'}"
        code, out, err = chat("/tools", f"/tools {self.folder.name}/tools.json", f"/tools {server}", "/tools")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out.splitlines()[0], "The model has no tools.")
        listed = [line.split(maxsplit=1) for line in out.splitlines()[3:]]
        self.assertIn(["test.add", "runs here"], listed)
        self.assertIn(["functions.get_weather", "you give its results"], listed)

    def test_what_was_saved_renders(self):
        chat(FRANCE, f"/save {self.file}", options=["--system", "Be brief."])
        (answer,) = exchange("render", rows=[{"conversation": {"messages": self.saved()}}])
        self.assertIn("# Instructions\n\nBe brief.", answer["text"])

    def test_a_reset_forgets(self):
        chat(FRANCE, "/reset", ITALY, f"/save {self.file}")
        self.assertEqual(sum(m["role"] == "user" for m in self.saved()), 1)

    def test_commands_shape_the_conversation(self):
        Path(self.folder.name, "tools.json").write_text(json.dumps(WEATHER))
        code, out, err = chat("/effort high", "/system Be kind.", f"/tools {self.folder.name}/tools.json", "/show", "/stats", f"/save {self.file}", "/help", "/exit", FRANCE)
        self.assertEqual((code, err), (0, ""))
        system, developer = self.saved()
        self.assertEqual(system["content"][0]["reasoning_effort"], "High")
        self.assertEqual(developer["content"][0]["instructions"], "Be kind.")
        self.assertEqual(developer["content"][0]["tools"]["functions"]["tools"][0]["name"], "get_weather")
        for command in ("/reset", "/effort", "/show", "/system", "/tools", "/save", "/load", "/stats", "/exit"):
            self.assertIn(command, out)
        self.assertNotIn(answer(FRANCE), out)

    def test_a_tool_call_waits_for_its_result(self):
        Path(self.folder.name, "tools.json").write_text(json.dumps(WEATHER))
        _, out, _ = chat("What is the weather in Paris?", '{"temperature": 20}', f"/save {self.file}", options=["--tools", f"{self.folder.name}/tools.json"])
        self.assertEqual(json.loads(out.splitlines()[0])["name"], "get_weather")
        (result,) = [m for m in self.saved() if m["role"] == "tool"]
        self.assertEqual((result["name"], result["recipient"], result["channel"]), ("functions.get_weather", "assistant", "commentary"))

    def test_messages_of_several_lines(self):
        chat("one\\", "two", '"""three', "four", 'five"""', "/reset", "one\\", "two", f"/save {self.file}")
        text = lambda m: m["content"] if isinstance(m["content"], str) else m["content"][0]["text"]
        self.assertEqual([text(m) for m in self.saved() if m["role"] == "user"], ["one\ntwo"])
        chat('"""three', "four", 'five"""', f"/save {self.file}")
        self.assertEqual([text(m) for m in self.saved() if m["role"] == "user"], ["three\nfour\nfive"])

    def test_mistakes_are_told_and_the_chat_goes_on(self):
        Path(self.folder.name, "other.json").write_text('{"messages": [{"role": "developer", "content": "x"}]}')
        code, out, err = chat("/sav", "/effort extreme", "/save", f"/load {self.file}", f"/load {self.folder.name}/other.json", "/save /no/such/folder/x", FRANCE)
        self.assertEqual(code, 0)
        self.assertEqual(err.count("gossamer: "), 6, err)
        self.assertIn("did you mean /save", err)
        self.assertEqual(out, answer(FRANCE))

    def test_verbose_numbers_show_the_cache_at_work(self):
        _, _, err = chat(FRANCE, ITALY, options=["--verbose"])
        cached = [int(line.split("(")[1].split()[0]) for line in err.splitlines() if line.startswith("prompt")]
        self.assertEqual(cached[0], 0)
        self.assertGreater(cached[1], 20)


class OnATerminal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.env = {"XDG_STATE_HOME": self.folder.name}

    def terminal(self, *options: str) -> Terminal:
        return Terminal("chat", *FIXED, *options, env=self.env)

    def test_a_question_a_command_and_the_end(self):
        with self.terminal() as terminal:
            at = terminal.wait_for(">>> ")
            terminal.type(FRANCE + "\n")
            at = terminal.wait_for(re.escape(answer(FRANCE).strip()), at)
            at = terminal.wait_for(">>> ", at)
            terminal.type("/effort low\n")
            at = terminal.wait_for("low effort", at)
            terminal.wait_for(">>> ", at)
            terminal.type("\x04")
            self.assertEqual(terminal.exit_code(), 0)

    def test_history_is_kept_private_and_comes_back(self):
        with self.terminal() as terminal:
            terminal.wait_for(">>> ")
            terminal.type("/effort medium\n")
            terminal.wait_for("medium effort")
            terminal.type("/exit\n")
            self.assertEqual(terminal.exit_code(), 0)
        file = Path(self.folder.name, "gossamer/history")
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual(file.read_text().splitlines(), ["/effort medium", "/exit"])
        with self.terminal() as terminal:
            at = terminal.wait_for(">>> ")
            terminal.type("\x1b[A\x1b[A\n")
            terminal.wait_for("medium effort", at)

    def test_letters_beyond_ascii_can_be_edited(self):
        file = Path(self.folder.name, "saved.json")
        with self.terminal() as terminal:
            at = terminal.wait_for(">>> ")
            terminal.type("/system Grüße ✓ 🌊x\x7f\n")
            at = terminal.wait_for("instructions hold", at)
            terminal.type(f"/save {file}\n")
            terminal.wait_for("conversation is in", at)
        developer = json.loads(file.read_text(encoding="utf-8"))["messages"][1]
        self.assertEqual(developer["content"][0]["instructions"], "Grüße ✓ 🌊")

    def test_ctrl_c_stops_the_answer_and_not_the_program(self):
        with self.terminal(*endless()) as terminal:
            at = terminal.wait_for(">>> ")
            terminal.type("Hi\n")
            at = terminal.wait_for("the ?the", at)
            terminal.ctrl_c()
            at = terminal.wait_for(">>> ", at)
            terminal.type("/effort high\n")
            at = terminal.wait_for("high effort", at)
            terminal.wait_for(">>> ", at)
            terminal.type("/exit\n")
            self.assertEqual(terminal.exit_code(), 0)

    def test_ctrl_c_twice_at_the_prompt_leaves(self):
        with self.terminal() as terminal:
            at = terminal.wait_for(">>> ")
            terminal.type("half a question")
            terminal.ctrl_c()
            at = terminal.wait_for(">>> ", terminal.wait_for("again", at))
            terminal.type("/effort low\n")
            at = terminal.wait_for(">>> ", terminal.wait_for("low effort", at))
            terminal.ctrl_c()
            terminal.wait_for(">>> ", terminal.wait_for("again", at))
            terminal.ctrl_c()
            self.assertEqual(terminal.exit_code(), 130)


if __name__ == "__main__":
    unittest.main()
