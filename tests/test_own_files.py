"""No command writes over, or deletes, what somebody else made."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from reid_gl.cli.main import main
from reid_gl.data.preparing.write_dataset import write_market_layout
from reid_gl.inference.exporting.export_network import export_weights
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.own_files import check_replaceable
from reid_gl.records import ReidDataset, Sample
from tests.made_up_people import write_people
from tests.tiny_checkpoint import write_checkpoint

WORK = "years of work"


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    path = tmp_path / "thesis.png"
    path.write_text(WORK)
    return path


def test_ours_and_others(thesis: Path, tmp_path: Path) -> None:
    check_replaceable(tmp_path / "new")
    with pytest.raises(
        FileExistsError, match=r"thesis.png exists and this command did not write it: .*--force"
    ):
        check_replaceable(thesis)
    check_replaceable(thesis, force=True)
    with pytest.raises(IsADirectoryError, match="is a folder: name a file"):
        check_replaceable(tmp_path, force=True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        check_replaceable(tmp_path / "link")


def test_a_contact_sheet_replaces_a_contact_sheet_only(tmp_path: Path) -> None:
    people = write_people(tmp_path / "market1501", num_people=2)
    page = tmp_path / "thesis.html"
    page.write_text(WORK)
    words = ["check-dataset", "market1501", str(people), "--html", str(page)]
    assert main(words) == 1
    assert page.read_text() == WORK
    main([*words, "--force"])
    first = page.read_text()
    assert first.startswith("<!DOCTYPE html>")
    page.write_text(first + "<!-- seen -->")
    main(words)
    assert page.read_text() == first


def test_a_figure_replaces_a_figure_only(thesis: Path) -> None:
    words = ["pair-weights", "--losses", "multi_similarity", "--output", str(thesis)]
    assert main(words) == 1
    assert thesis.read_text() == WORK
    assert main([*words, "--force"]) == 0
    assert thesis.read_bytes().startswith(b"\x89PNG")
    assert main(words) == 0


@pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
def test_an_export_replaces_an_export_only(tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt")
    settings = ExportSettings("torchscript")
    out = tmp_path / "net.torchscript"
    out.write_text(WORK)
    with pytest.raises(FileExistsError, match="did not write it"):
        export_weights(weights, settings)
    assert out.read_text() == WORK
    export_weights(weights, settings, force=True)
    export_weights(weights, settings)
    sidecar = tmp_path / "other.torchscript.json"
    sidecar.write_text(WORK)
    with pytest.raises(FileExistsError, match=r"other.torchscript.json exists"):
        export_weights(weights, settings, out=tmp_path / "other.torchscript")
    assert sidecar.read_text() == WORK


def test_a_folder_of_parts_that_is_somebody_else_s(tmp_path: Path) -> None:
    weights = write_checkpoint(tmp_path / "net.ckpt")
    people = write_people(tmp_path / "people", num_people=2, images=1) / "query"
    parts = tmp_path / "out.npz.parts"
    parts.mkdir()
    (parts / "thesis.tex").write_text(WORK)
    words = ["extract", str(people), str(tmp_path / "out.npz"), "--weights", str(weights), "--device", "cpu"]
    assert main(words) == 1
    assert (parts / "thesis.tex").read_text() == WORK
    (parts / "thesis.tex").unlink()
    assert main(words) == 0
    assert len(np.load(tmp_path / "out.npz")["features"]) == 2
    assert not parts.exists()


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_regular_file_is_no_image(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    people = write_people(tmp_path / "people", num_people=2)
    good = tuple(Sample(str(path), 1, 0) for path in sorted((people / "query").iterdir()))
    dataset = ReidDataset((*good, Sample("odd.jpg", 2, 0)), good, good, "odd")
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "pipe":
            os.mkfifo("odd.jpg")
        else:
            server.bind("odd.jpg")
        with pytest.raises(ValueError, match=r"odd.jpg is a pipe, socket, device or folder"):
            write_market_layout(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()
