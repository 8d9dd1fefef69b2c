from __future__ import annotations

import argparse
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from reid_gl.cli import browse
from reid_gl.gallery.browse.browser import Choice
from reid_gl.gallery.browse.server import BrowseServer
from tests.cli.test_commands import call
from tests.gallery.made_up_galleries import filled
from tests.made_up_people import write_people
from tests.tiny_checkpoint import write_checkpoint


def options_of(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    browse.add_arguments(parser)
    return parser.parse_args(list(map(str, words)))


def test_a_gallery_is_served_until_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "people.db", 3)

    def stop(server: BrowseServer) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BrowseServer, "serve_forever", stop)
    answer = call("browse", "--gallery", tmp_path / "people.db")
    assert (answer.returncode, answer.stdout.count("\n")) == (0, 1)
    assert answer.stdout.startswith("http://127.0.0.1:")
    assert "/?token=" in answer.stdout
    with pytest.raises(urllib.error.URLError):  # the port is free again
        urllib.request.urlopen(answer.stdout.strip(), timeout=5)


def test_with_the_network_that_filled_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_checkpoint(tmp_path / "model.ckpt")
    people = write_people(tmp_path / "people", num_people=2, images=1) / "bounding_box_train"
    words = [people.relative_to(tmp_path), "--into", "people.db", "--weights", "model.ckpt", "--camera", 1]
    assert call("extract", *words).returncode == 0
    monkeypatch.chdir("/")
    words = ["--gallery", tmp_path / "people.db", "--weights", tmp_path / "model.ckpt", "--root", tmp_path]
    with browse.make_server(options_of(*words)) as server:
        browser = server.browser
        assert browser.labels.path == tmp_path / "people.db.labels.jsonl"
        first = sorted(people.iterdir())[0]
        answer = browser.search_image(first.read_bytes(), first.name, Choice(count=2))
        assert answer["matches"][0]["name"] == first.name
        assert answer["matches"][0]["score"] == pytest.approx(1.0, abs=1e-3)
        assert browser.crop(answer["matches"][0]["row"])[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--gallery", "none.db"], "none.db does not exist"),
        (["--gallery", "people.db", "--root", "none"], "the folder none of the images does not exist"),
        (["--gallery", "people.db", "--port", "99999"], "a port is a number from 0 to 65535, got 99999"),
        (["--gallery", "people.db", "--weights", "none.ckpt"], "none.ckpt"),
        (
            ["--gallery", "people.db", "--weights", "model.ckpt"],
            "holds features of 16 numbers, this network makes 512",
        ),
        (["--gallery", "people.db", "--prior", "0.1"], "a prior is for probabilities"),
        (["--gallery", "qdrant://host/people"], "is not a file, so it has no default audit log"),
    ],
)
def test_a_mistake_ends_in_one_sentence(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    filled(Path("people.db"), 3)
    write_checkpoint(Path("model.ckpt"))
    answer = call("browse", *words)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    filled(tmp_path / "people.db", 3)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = call("browse", "--gallery", tmp_path / "people.db", "--port", port)
    assert answer.returncode == 1
    assert f"cannot listen on port {port}" in answer.stderr
