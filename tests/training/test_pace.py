"""How many threads training runs on follows from the time of its steps."""

from __future__ import annotations

from rnncli.training.pace import HOLD, TRIAL, Pace


class Machine:
    """A clock that moves by what a step takes on the threads in use."""

    def __init__(self, *seconds: float) -> None:
        self.now, self.threads, self.seconds = 0.0, 0, list(seconds)

    def run(self, pace: Pace, steps: int) -> None:
        for _ in range(steps):
            self.now += self.seconds[self.threads - 1]
            pace.step_done()


def _pace(machine: Machine, counts: list[int]) -> Pace:
    return Pace(counts, lambda count: setattr(machine, "threads", count), lambda: machine.now)


def test_the_faster_count_is_taken():
    for seconds, best in (((1.0, 0.6), 2), ((1.0, 1.4), 1), ((1.0, 0.95), 1)):
        machine = Machine(*seconds)
        machine.run(_pace(machine, [1, 2]), 2 * TRIAL)
        assert machine.threads == best


def test_every_count_is_tried_and_the_first_step_of_each_does_not_count():
    machine = Machine(1.0, 0.8, 0.2)
    pace = _pace(machine, [1, 2, 3])
    seen = []
    for _ in range(3 * TRIAL):
        seen.append(machine.threads)
        machine.now += machine.seconds[machine.threads - 1] + (50.0 if seen.count(machine.threads) == 1 else 0.0)
        pace.step_done()
    assert seen == [1] * TRIAL + [2] * TRIAL + [3] * TRIAL
    assert machine.threads == 3


def test_it_is_tried_again_when_the_machine_has_other_work():
    machine = Machine(0.1, 0.06)
    pace = _pace(machine, [1, 2])
    machine.run(pace, 2 * TRIAL)
    assert machine.threads == 2
    machine.seconds = [0.1, 3.0]
    machine.run(pace, int(HOLD / 3.0) + 2 * TRIAL + 1)
    assert machine.threads == 1


def test_a_count_that_is_asked_for_is_kept():
    machine = Machine(1.0, 1.0, 0.1)
    pace = _pace(machine, [2])
    machine.run(pace, 5 * TRIAL)
    assert machine.threads == 2
