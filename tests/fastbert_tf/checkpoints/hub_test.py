import http.server
import os
import threading

import pytest
from huggingface_hub import constants

from fastbert_tf import checkpoints

from . import tiny

_COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(http.server.BaseHTTPRequestHandler):
    """Serves `root` as the files of the repository `org/tiny`."""

    root = ""

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, with_body):
        name = self.path.removeprefix("/org/tiny/resolve/main/")
        path = os.path.join(self.root, name)
        if name == self.path or not os.path.exists(path):
            self.send_response(404)
            code = "RepoNotFound" if name == self.path else "EntryNotFound"
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", _COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with open(path, "rb") as file:
            body = file.read()
        self.send_response(200)
        self.send_header("X-Repo-Commit", _COMMIT)
        self.send_header("ETag", f'"{name}"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    root, cache = tmp_path / "served", tmp_path / "cache"
    FakeHub.root = tiny.write_huggingface(root)
    (root / "vocab.txt").write_text("[PAD]\n")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.chdir(tmp_path)
    yield server
    server.shutdown()
    server.server_close()


def test_a_name_is_fetched_and_read(hub):
    checkpoint = checkpoints.read_checkpoint("org/tiny")
    assert checkpoint.config.hidden_size == 12
    assert checkpoint.origin["source"] == "org/tiny"


def test_the_three_files_come_into_one_folder(hub):
    folder = checkpoints.fetch("org/tiny")
    names = {"config.json", "model.safetensors", "vocab.txt"}
    assert set(os.listdir(folder)) == names


def test_a_tokenizer_json_will_do(hub):
    served = os.path.join(FakeHub.root, "vocab.txt")
    os.rename(served, os.path.join(FakeHub.root, "tokenizer.json"))
    names = os.listdir(checkpoints.fetch("org/tiny"))
    assert "tokenizer.json" in names
    assert "vocab.txt" not in names


def test_no_weights_are_fetched_without_a_vocabulary(hub, tmp_path):
    os.remove(os.path.join(FakeHub.root, "vocab.txt"))
    with pytest.raises(FileNotFoundError, match=r"vocab.txt or tokenizer.js"):
        checkpoints.fetch("org/tiny")
    assert not list(tmp_path.glob("cache/**/model.safetensors"))


def test_no_weights_are_fetched_of_another_network(hub, tmp_path):
    with open(os.path.join(FakeHub.root, "config.json"), "w") as file:
        file.write('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="config.json.*gpt2"):
        checkpoints.fetch("org/tiny")
    assert not list(tmp_path.glob("cache/**/model.safetensors"))


def test_what_the_tokenizer_is_told_comes_along(hub):
    served = os.path.join(FakeHub.root, "tokenizer_config.json")
    with open(served, "w", encoding="utf-8") as file:
        file.write('{"do_lower_case": false}')
    folder = checkpoints.fetch("org/tiny")
    assert os.path.exists(os.path.join(folder, "tokenizer_config.json"))


def test_what_was_fetched_once_is_there_offline(hub):
    online = checkpoints.fetch("org/tiny")
    hub.shutdown()
    hub.server_close()
    assert checkpoints.fetch("org/tiny") == online


def test_an_unknown_name_is_refused_with_a_remedy(hub):
    with pytest.raises(FileNotFoundError, match="(?s)'org/other'.*Check the"):
        checkpoints.read_checkpoint("org/other")


def test_a_repository_without_safetensors_is_refused(hub):
    os.remove(os.path.join(FakeHub.root, "model.safetensors"))
    with pytest.raises(FileNotFoundError, match="(?s)model.safetensors of"):
        checkpoints.read_checkpoint("org/tiny")


def test_offline_is_told_in_plain_words(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="(?s)could not be fetched"):
        checkpoints.fetch("org/tiny")


@pytest.mark.slow
def test_a_hub_out_of_reach_is_told_in_plain_words(hub):
    hub.shutdown()
    hub.server_close()
    with pytest.raises(FileNotFoundError, match="(?s)could not be fetched"):
        checkpoints.fetch("org/tiny")


def test_a_local_folder_goes_before_the_hub(hub, tmp_path):
    local = tiny.write_huggingface(tmp_path / "org" / "tiny", num_classes=9)
    assert os.path.samefile(checkpoints.fetch("org/tiny"), local)


@pytest.mark.parametrize(
    "path", ["./missing", "/missing/bert", "a/b/c", "missing/", "../a", "a b"]
)
def test_what_can_only_be_a_path_is_not_looked_up(hub, path):
    with pytest.raises(FileNotFoundError, match="There is nothing at"):
        checkpoints.fetch(path)
