"""The process that looks at this machine's GPUs while Ray starts."""

import signal

import torch

from grad_ext.sweeps.run.gpus import Looking, free_memory


def test_a_process_looks_and_is_done():
    looking = Looking()
    found = looking.result()
    assert len(found) == torch.cuda.device_count() == len(free_memory())
    assert all(memory > 0 for memory in found)
    # However often it is asked, and ended when its work is done.
    assert looking.result() == found
    looking.stop()
    looking.stop()
    assert looking.result() == found
    assert looking._process.returncode == 0


def test_one_that_is_not_needed_any_more_is_ended():
    looking = Looking()
    # Held, so that it is not done before.
    looking._process.send_signal(signal.SIGSTOP)
    looking.stop()
    assert looking._process.returncode not in (None, 0)
    assert looking.result() == ()
