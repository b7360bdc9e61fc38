"""Ctrl-C while libraries are imported."""

import os
import signal
import time

import pytest

from grad_ext.cli.studies import interruptible


class Interrupting:
    """Causes an interrupt in a destructor, in which Python ignores exceptions."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)


def lose_one(lost):
    with interruptible():
        Interrupting()
        lost.append(True)
        time.sleep(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_was_lost_is_repeated():
    lost, before = [], signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        lose_one(lost)
    assert lost == [True]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGINT) is before
