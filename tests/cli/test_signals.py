from __future__ import annotations

import os
import signal

import pytest

from reid_gl.cli.signals import TerminatedError, noted_signals, termination_raises

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_is_noted_and_said_and_interrupts_nothing(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    before = [signal.getsignal(each) for each in NUMBERS]
    with noted_signals() as stop_signal:
        assert stop_signal() == 0
        os.kill(os.getpid(), number)
        assert stop_signal() == number
    assert [signal.getsignal(each) for each in NUMBERS] == before
    assert caplog.messages == [
        f"signal {int(number)}: finishing the step and saving; send it again to stop immediately"
    ]


def test_a_second_signal_acts_as_usual() -> None:
    with noted_signals() as stop_signal:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop_signal() == signal.SIGTERM


def test_an_error_inside_gives_the_handlers_back() -> None:
    before = [signal.getsignal(each) for each in NUMBERS]
    with pytest.raises(ValueError, match="inside"), noted_signals():
        raise ValueError("inside")
    assert [signal.getsignal(each) for each in NUMBERS] == before


def test_termination_ends_the_block_like_ctrl_c() -> None:
    before = signal.getsignal(signal.SIGTERM)
    cleaned = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            cleaned.append(True)

    with pytest.raises(TerminatedError), termination_raises():
        work()
    assert cleaned == [True]
    assert issubclass(TerminatedError, KeyboardInterrupt)  # code that handles errors lets both pass
    assert signal.getsignal(signal.SIGTERM) == before
