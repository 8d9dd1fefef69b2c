from __future__ import annotations

import os
import socket

import pytest
import torch.distributed as dist

from reid_gl.distributed.place import LostRankError, Ranks, launched_ranks, num_restarts
from reid_gl.distributed.ranks import is_first, is_joined, join_ranks, launcher_signal, ranks
from tests.distributed.rank_talk import lose_a_rank
from tests.distributed.run_ranks import free_port, rank_environment, run_ranks


def launch(monkeypatch: pytest.MonkeyPatch, rank: int, world_size: int, port: int) -> None:
    for name, value in rank_environment(rank, world_size, port).items():
        monkeypatch.setenv(name, value)


def test_without_torchrun_a_process_is_alone() -> None:
    assert launched_ranks() is None
    assert num_restarts() == 0
    with join_ranks() as place:
        assert place == ranks() == Ranks(0, 1, 0, 1)
        assert is_first()
        assert not is_joined()
        assert not dist.is_initialized()


def test_a_process_group_of_other_code_does_not_count(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("group") / "store"
    dist.init_process_group("gloo", init_method=f"file://{file}", rank=0, world_size=1)
    try:
        assert not is_joined()
    finally:
        dist.destroy_process_group()


def test_the_group_is_gone_afterwards_also_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, 0, 1, free_port())
    with join_ranks() as place:
        assert place == launched_ranks() == ranks()
        assert is_joined()
    assert not dist.is_initialized()
    launch(monkeypatch, 0, 1, free_port())
    with pytest.raises(ZeroDivisionError), join_ranks():
        _ = 1 / 0
    assert not is_joined()
    assert not dist.is_initialized()


def test_a_torchrun_that_is_gone_asks_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 500)
    for started_by_torchrun, expected in ((True, 15), (False, 0)):  # scripts that start ranks may end
        launch(monkeypatch, 0, 1, free_port())
        if started_by_torchrun:
            monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
        else:
            monkeypatch.delenv("TORCHELASTIC_RUN_ID")
        with join_ranks(), monkeypatch.context() as later:
            assert launcher_signal() == 0
            later.setattr(os, "getppid", lambda: 1)
            assert launcher_signal() == expected
        assert launcher_signal() == 0


def test_a_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        launch(monkeypatch, 0, 2, port)
        with pytest.raises(LostRankError, match=rf"127\.0\.0\.1:{port}.*--standalone"), join_ranks():
            pass


def test_errors_of_the_work_are_not_taken_for_lost_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    launch(monkeypatch, 0, 1, free_port())
    with pytest.raises(RuntimeError, match="out of memory"), join_ranks():
        raise RuntimeError("out of memory")


@pytest.mark.slow
def test_a_rank_that_ends_ends_the_others() -> None:
    first, second = run_ranks(lose_a_rank, 2)
    assert second[0] == 3
    assert first[0] == 1
    assert "rank 0 of 2 lost another rank, whose own message says why" in first[1]


@pytest.mark.slow
def test_hosts_with_and_without_gpus_are_told_apart() -> None:
    for code, errors in run_ranks(_never_called, 2, before=_pretend_cuda_on_rank_1):
        assert code == 1
        assert "some ranks have CUDA and others do not (by rank: gloo; cpu:gloo,cuda:nccl)" in errors


def _never_called() -> None:
    raise AssertionError


def _pretend_cuda_on_rank_1() -> None:
    import os

    import torch

    if os.environ["RANK"] == "1":
        torch.cuda.is_available = lambda: True  # type: ignore[method-assign]
