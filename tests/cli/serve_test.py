"""`gossamer serve` as a user and a process manager meet it. What it answers is tested in tests/server."""
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from gossamer import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "server"))
from serving import PROGRAM, Serving  # noqa: E402

CHAT = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "temperature": 0}
ENDLESS = {"prompt": "a", "max_tokens": 60_000, "ignore_eos": True, "stream": True}


def post(url: str, body: dict, path: str = "/v1/chat/completions", headers: dict | None = None):
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers or {})
    return urllib.request.urlopen(request, timeout=60)


class Serve(unittest.TestCase):
    def test_it_answers_and_ends(self):
        with Serving() as server:
            with post(server.url, CHAT) as answer:  # with the Content-Type of a form, as curl -d sends it
                self.assertIn("Paris", json.load(answer)["choices"][0]["message"]["content"])
                self.assertTrue(answer.headers["x-request-id"])
            self.assertEqual(server.stop(), 0)
            self.assertIn("ready in", server.errors)
            log = [json.loads(line) for line in server.errors.splitlines() if line.startswith("{")]
            self.assertEqual([entry["status"] for entry in log if entry["path"] == "/v1/chat/completions"], [200])

    def test_it_listens_before_the_model_is_there(self):
        with Serving(wait=False) as server:
            with urllib.request.urlopen(server.url + "/livez") as answer:
                self.assertEqual(answer.status, 200)
            server.wait_ready()

    def test_answers_under_way_end_before_it_does(self):
        with Serving() as server:
            stream = post(server.url, {**ENDLESS, "max_tokens": 300}, "/v1/completions")
            stream.readline()
            server.terminate()
            self.assertTrue(stream.read().endswith(b"data: [DONE]\n\n"))
            self.assertEqual(server.stop(), 0)

    def test_answers_that_take_too_long_are_cut_short_in_form(self):
        with Serving("--drain-seconds", "1") as server:
            stream = post(server.url, ENDLESS, "/v1/completions")
            stream.readline()
            server.terminate()
            text = stream.read()
            self.assertIn(b'"finish_reason":"length"', text)
            self.assertTrue(text.endswith(b"data: [DONE]\n\n"))
            self.assertEqual(server.stop(), 0)

    def test_an_answer_in_the_background_ends_before_it_does(self):
        with tempfile.TemporaryDirectory() as folder:
            store = os.path.join(folder, "responses")
            with Serving("--response-store", store) as server:
                body = {"input": "What is the capital of France?", "background": True, "min_tokens": 200}
                with post(server.url, body, "/v1/responses") as answer:
                    response = json.load(answer)
                self.assertEqual(response["status"], "queued")
                self.assertEqual(server.stop(), 0)
            with Serving("--response-store", store) as server:
                with urllib.request.urlopen(server.url + "/v1/responses/" + response["id"]) as answer:
                    response = json.load(answer)
                self.assertEqual(response["status"], "completed", response)
                self.assertGreaterEqual(response["usage"]["output_tokens"], 200)

    def test_clients_that_say_nothing_do_not_hold_it_up(self):
        with Serving("--drain-seconds", "1") as server:
            host, port = server.url.removeprefix("http://").split(":")
            silent = [socket.create_connection((host, int(port))) for _ in range(3)]
            silent[1].sendall(b"POST /v1/completions HT")
            silent[2].sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            time.sleep(0.1)
            begin = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - begin, 10)
            for client in silent:
                client.close()

    def test_a_log_that_nobody_reads_holds_nothing_up(self):
        with tempfile.NamedTemporaryFile("w") as script:
            script.write("<|channel|>final<|message|>Yes.<|return|>")
            script.flush()
            process = subprocess.Popen([PROGRAM, "serve", "--port", "0", "--scripted", script.name], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            try:
                host = process.stdout.readline().split("http://")[1].split()[0]
                connection = http.client.HTTPConnection(host, timeout=30)
                for _ in range(1500):  # each a line of some 150 bytes: a pipe holds 64 KiB
                    connection.request("GET", "/livez")
                    self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
                connection.close()
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(30), 0)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
                process.stderr.close()

    def test_while_it_drains_it_is_not_ready_and_takes_no_work(self):
        with Serving("--drain-seconds", "3") as server:
            stream = post(server.url, ENDLESS, "/v1/completions")
            stream.readline()
            server.terminate()
            time.sleep(0.2)
            for path, body in (("/readyz", None), ("/v1/chat/completions", json.dumps(CHAT).encode())):
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(urllib.request.Request(server.url + path, body))
                self.assertEqual(caught.exception.code, 503)
            server.terminate()  # the second one is immediate
            self.assertEqual(server.process.wait(2), 130)

    def test_a_client_that_goes_frees_its_pages(self):
        with Serving() as server:
            connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
            connection.request("POST", "/v1/completions", json.dumps(ENDLESS))
            answer = connection.getresponse()
            answer.read(100)
            connection.sock.close() if connection.sock else None
            answer.close()
            connection.close()
            end = time.monotonic() + 20
            while time.monotonic() < end and b"gossamer_requests_running 0\n" not in self.metrics(server):
                time.sleep(0.05)
            self.assertIn(b"gossamer_requests_running 0\n", self.metrics(server))

    @staticmethod
    def metrics(server: Serving) -> bytes:
        with urllib.request.urlopen(server.url + "/metrics") as answer:
            return answer.read()

    def test_metrics_agree_with_usage(self):
        with Serving() as server:
            prompt = completion = 0
            for n in (1, 2, 3):
                with post(server.url, {**CHAT, "n": n}) as answer:
                    usage = json.load(answer)["usage"]
                prompt += usage["prompt_tokens"]
                completion += usage["completion_tokens"]
            text = self.metrics(server).decode()
            self.assertIn(f"\ngossamer_prompt_tokens_total {prompt}\n", text)
            self.assertIn(f"\ngossamer_generated_tokens_total {completion}\n", text)

    def test_a_unix_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "s")
            with Serving("--unix-socket", path, wait=False) as server:
                client = socket.socket(socket.AF_UNIX)
                client.connect(path)
                client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
                self.assertIn(b" 200 ", client.recv(100))
                client.close()
                self.assertEqual(server.stop(), 0)

    def test_keys_from_a_file_that_changes(self):
        import hashlib
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(hashlib.sha256(b"one").hexdigest() + " first\n")
            file.flush()
            with Serving("--api-key-file", file.name) as server:
                with post(server.url, CHAT, headers={"Authorization": "Bearer one"}) as answer:
                    self.assertEqual(answer.status, 200)
                file.seek(0)
                file.truncate()
                file.write(hashlib.sha256(b"two").hexdigest() + "\n")
                file.flush()
                server.process.send_signal(signal.SIGHUP)
                end = time.monotonic() + 10
                while time.monotonic() < end and "read again" not in server.errors:
                    time.sleep(0.02)
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    post(server.url, CHAT, headers={"Authorization": "Bearer one"})
                self.assertEqual(caught.exception.code, 401)

    def test_what_cannot_be(self):
        with Serving() as server:
            port = server.url.rsplit(":", 1)[1]
            for arguments, code in ((["--port", port], 1), (["--tls-cert", "x"], 1), (["--port", "99999"], 1), (["nobody/knows-this"], 1),
                                    (["--quantization", "awq"], 2), (["--frobnicate"], 2)):
                with self.subTest(arguments):
                    done = run("serve", *([] if "--port" in arguments else ["--port", "0"]), *arguments)
                    self.assertEqual(done.returncode, code, done.stderr)
                    self.assertTrue(done.stderr)

    def test_what_cannot_be_served_is_told_before_it_says_that_it_serves(self):
        for arguments, words in ((["/nonexistent"], "/nonexistent"), (["--scripted", "/nonexist"], "/nonexist"), (["--max-running", "0"], "--max-running is 0"),
                                 (["--max-queue", "0"], "--max-queue is 0"), (["--backend", "abacus"], "abacus"), (["--kv-memory", "much"], "much"),
                                 (["--date", "someday"], "someday"), (["--cors", "foo"], "--cors foo"), (["nobody/knows-this"], "nobody/knows-this")):
            with self.subTest(arguments):
                done = run("serve", "--port", "0", *arguments)
                self.assertEqual((done.returncode, done.stdout), (1, b""), done.stderr)
                self.assertIn(words, done.stderr.decode())

    def test_a_script_instead_of_a_model(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("<|channel|>final<|message|>Yes.<|return|>")
            file.flush()
            with Serving("--scripted", file.name) as server:
                answers = []
                def ask():
                    with post(server.url, CHAT) as answer:
                        answers.append(json.load(answer)["choices"][0]["message"]["content"])
                threads = [threading.Thread(target=ask) for _ in range(20)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.assertEqual(answers, ["Yes."] * 20)


if __name__ == "__main__":
    unittest.main()
