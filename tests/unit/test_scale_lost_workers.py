"""Worker processes that are lost, closed executors, and Ctrl-C."""

import gc
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from scale_tools import problem, trained

from ramify.errors import ClusterError, InputError, RamifyWarning
from ramify.scale import Cluster, ProcessExecutor, cluster, executors
from ramify.scale.executors import WorkerLostError
from ramify.scale.running import Job, JobRunner


def end_worker():
    os.kill(os.getpid(), signal.SIGKILL)


def number(value):
    time.sleep(0.05)
    return {"number": np.array([value]), "peak_mb": np.zeros(1)}


def killed(value):
    time.sleep(0.05)
    end_worker()


def job(function, value, cost=1.0):
    return Job(f"task {value}", cost, 5e6, function, lambda: (value,), lambda _: str(value))


def test_only_the_task_of_the_lost_worker_is_begun_again():
    """The longest tasks begin first: a task that kills its worker runs beside others while more wait."""
    jobs = [job(number, value, 100.0 - value) for value in range(12)]
    jobs[1] = job(killed, 1, 99.0)
    with warnings.catch_warnings(record=True) as shown, Cluster(ProcessExecutor(2)) as workers:
        warnings.simplefilter("always")
        with pytest.raises(ClusterError) as caught:
            JobRunner(workers.executor, None, 3).run(jobs)
    notes = [str(one.message) for one in shown if issubclass(one.category, RamifyWarning)]
    assert len(notes) == 2 and all(note.startswith("task 1 lost its worker (") for note in notes)
    assert str(caught.value).startswith("task 1 lost its worker (the process has ended, for example because memory was")
    assert "3 times: the task needs about 5 MB beside the program and the features, so use fewer" in str(caught.value)


def test_a_lost_worker_does_not_end_the_tasks_of_others():
    executor = ProcessExecutor(2)
    tasks = [executor.submit(number, value) for value in range(3)]
    lost = executor.submit(end_worker)
    tasks += [executor.submit(number, value) for value in range(3, 6)]
    with pytest.raises(WorkerLostError):
        lost.result()
    assert [task.result()["number"][0] for task in tasks] == list(range(6))
    executor.close()


@pytest.mark.filterwarnings("ignore::ramify.errors.RamifyWarning")
def test_a_task_that_always_loses_its_worker_ends_the_training_with_its_part_and_memory(monkeypatch, tmp_path):
    def always(X, weights, part, settings):
        end_worker()

    monkeypatch.setattr(cluster, "train_part", always)
    executor = ProcessExecutor(1)
    with Cluster(executor, checkpoint=tmp_path, attempts=2) as workers, pytest.raises(ClusterError) as caught:
        trained(*problem(), workers)
    words = str(caught.value)
    assert words.startswith("the training below the nodes ") and " of level " in words
    assert " 2 times: the task needs about " in words and " MB beside" in words and "failures.log" in words


def test_an_executor_that_is_not_closed_leaves_no_folder(tmp_path):
    executor = ProcessExecutor(1, folder=tmp_path)
    executor.put(np.zeros(10))
    assert list(tmp_path.iterdir())
    del executor
    gc.collect()
    assert not list(tmp_path.iterdir())
    program = (
        f"from ramify.scale import ProcessExecutor\nkept = ProcessExecutor(1, folder={str(tmp_path)!r})\nkept.put(1)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert not list(tmp_path.iterdir())


def test_a_closed_executor_is_named():
    executor = ProcessExecutor(1)
    waiting = [executor.submit(time.sleep, 60) for _ in range(3)]
    executor.close()
    executor.close()
    assert all(task.future.done() for task in waiting)
    for use in (lambda: executor.submit(int), lambda: executor.put(1)):
        with pytest.raises(InputError, match="the executor is closed, so it runs no task: make a new one"):
            use()


def test_closing_while_tasks_begin_shows_no_error(capfd):
    for _ in range(5):
        executor = ProcessExecutor(2)
        for _ in range(20):
            executor.submit(int)
        executor.close()
    assert capfd.readouterr().err == ""


DRIVER = """
import sys, time
from ramify.scale import ProcessExecutor
with ProcessExecutorContext() as executor:
    tasks = [executor.submit(time.sleep, 60) for _ in range(4)]
    print("begun", flush=True)
    list(executor.as_completed(tasks))
"""
CONTEXT = """
from contextlib import closing
ProcessExecutorContext = lambda: closing(__import__("ramify").scale.ProcessExecutor(2, folder=sys.argv[1]))
"""


@pytest.mark.parametrize("seconds", [0.0, 0.3, 1.5])
def test_ctrl_c_in_a_terminal_shows_no_traceback_of_workers(tmp_path, seconds):
    """Ctrl-C sends SIGINT to all processes of the terminal, also while workers start."""
    program = DRIVER.replace("with", f"import ramify.scale\n{CONTEXT}with", 1)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)  # returns when no worker has the pipe any more
    assert process.returncode == -signal.SIGINT
    assert err.count("Traceback") == 1 and err.rstrip().endswith("KeyboardInterrupt") and "Loky" not in err, err
    assert not list(Path(tmp_path).iterdir())


def test_an_error_while_a_worker_starts_fails_the_tasks_and_the_next_ones_run(monkeypatch):
    """Python raises RuntimeError where no thread can be started."""
    executor = ProcessExecutor(1)
    begin = executors._Worker.begin
    failing = [True]

    def begun(worker, task):
        if failing[0]:
            raise RuntimeError("can't start new thread")
        return begin(worker, task)

    first = executor.submit(os._exit, 1)
    second = executor.submit(abs, -2)
    monkeypatch.setattr(executors._Worker, "begin", begun)
    with pytest.raises(WorkerLostError):
        first.future.result(60)
    with pytest.raises(RuntimeError, match="new thread"):
        second.future.result(60)
    failing[0] = False
    assert executor.submit(abs, -3).future.result(60) == 3
    executor.close()
