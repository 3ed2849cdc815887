"""What is believed after a supervisor's death: the processes first, then the last intent."""

from __future__ import annotations

from runit_provision.runtime.core import recovery
from runit_provision.runtime.core.actions import Action, Bound
from runit_provision.runtime.core.backoff import SECOND
from runit_provision.runtime.core.events import Begin, Ended, Event, Letter, ScriptEnded, Started
from runit_provision.runtime.core.part import MAIN, Service
from runit_provision.runtime.core.service import step as move
from runit_provision.runtime.wire import beyond, keeper, records
from runit_provision.runtime.wire.status import DOWN, FINISH, RUN, WANT_DOWN

START = 1_000 * SECOND
STEADY = 7
NONE = records.Process()


def step(service: Service, event: Event, now: int, steady: int = STEADY) -> tuple[Action, ...]:
    return move(service, event, now, steady)


def running(pid: int = 71) -> Service:
    service = Service(now=START)
    step(service, Begin(), START)
    step(service, ScriptEnded(succeeded=False), START)
    step(service, Started(MAIN, pid), START)
    return service


def told(service: Service, *letters: str) -> records.Intent:
    for letter in letters:
        step(service, Letter(MAIN, letter), START)
        while service.script:
            step(service, ScriptEnded(succeeded=False), START)
    return through_bytes(recovery.intent_of(service, started=(5, 0, 0)))


def intent(*letters: str, pid: int = 71, started: int = 5) -> records.Intent:
    service = Service(now=START)
    step(service, Begin(), START)
    service.script = ""
    service.main.state = RUN
    service.main.pid = pid
    for letter in letters:
        step(service, Letter(MAIN, letter), START)
        service.script = ""
    return through_bytes(recovery.intent_of(service, started=(started, 0, 0)))


def through_bytes(intended: records.Intent) -> records.Intent:
    slot = bytearray(records.SIZE)
    packed = records.pack_intent(intended)
    slot[records.INTENT_AT : records.INTENT_AT + len(packed)] = packed
    read = records.unpack_intent(bytes(slot))
    assert read is not None
    return read


def live(pid: int = 71, *, started: int = 5, role: int = keeper.RUN, signals: int = 0) -> records.Process:
    return records.Process(pid=pid, role=role, life=records.LIVE, started=started, signals=signals)


def ended(pid: int = 71, *, started: int = 5, role: int = keeper.RUN, status: int = 9) -> records.Process:
    return records.Process(pid=pid, role=role, life=records.ENDED, started=started, status=status)


def recovered(intended: records.Intent, main: records.Process) -> recovery.Recovery:
    return recovery.recover(intended, (main, NONE, NONE))


def test_a_process_that_lives_goes_on() -> None:
    found = recovered(intent("o"), live())
    assert (found.service.main.pid, found.service.main.state, found.service.main.want, found.ended) == (71, RUN, WANT_DOWN, [])
    assert found.service.main.since == START


def test_a_process_that_ended_without_anybody_acting_on_it_is_still_to_be_told() -> None:
    assert recovered(intent(), ended()).ended == [(MAIN, 9)]


def test_an_end_that_was_acted_upon_is_not_told_again() -> None:
    found = recovered(intent(pid=0), ended())
    assert found.ended == []
    assert found.service.main.pid == 0


def test_a_process_that_was_started_after_the_last_word_is_taken_with_its_own_start() -> None:
    found = recovered(intent(pid=0), live(80, started=START + SECOND))
    assert (found.service.main.pid, found.service.main.since) == (80, START + SECOND)


def test_a_finish_that_was_started_after_the_last_word_is_finish() -> None:
    found = recovered(intent(), live(80, started=6, role=keeper.FINISH))
    assert (found.service.main.state, found.service.main.pid, found.service.main.since) == (FINISH, 80, START)


def test_what_was_ordered_and_never_happened_is_ordered_again() -> None:
    intended = intent(pid=0, started=5)
    assert intended.main.state == RUN
    found = recovered(intended, ended())
    assert (found.service.main.state, found.service.main.owed) == (DOWN, True)


def test_a_control_script_that_runs_is_waited_for() -> None:
    intended = intent()
    intended.script, intended.then, intended.scripted = "h", 3, 7
    running = recovery.recover(through_bytes(intended), (live(), NONE, live(90, started=8)))
    done = recovery.recover(through_bytes(intended), (live(), NONE, ended(90, started=8, status=0)))
    never = recovery.recover(through_bytes(intended), (live(), NONE, ended(90, started=7, status=0)))
    assert (running.service.script, running.script_succeeded) == ("h", None)
    assert done.script_succeeded is True
    assert (never.script_succeeded, never.run_script) == (None, True)


def test_started_is_believed_once() -> None:
    service = Service(now=START)
    step(service, Begin(), START)
    assert step(service, Started(MAIN, 3), START) == ()


def test_a_letter_that_was_read_and_not_acted_upon_is_still_to_be_told() -> None:
    intended = intent()
    intended.letters = ("h", "", "\n")
    assert recovered(through_bytes(intended), live()).letters == [(MAIN, "h"), (2, "\n")]


def test_of_the_signals_that_were_to_be_sent_those_are_sent_that_the_process_has_not_counted() -> None:
    intended = told(running(), "h", "d")
    assert intended.main.signals == (1, 15, 18)
    sent = {count: recovered(intended, live(signals=count)).signal for count in (0, 1, 2, 3)}
    assert sent == {0: [(MAIN, 1), (MAIN, 15), (MAIN, 18)], 1: [(MAIN, 15), (MAIN, 18)], 2: [(MAIN, 18)], 3: []}


def test_signals_that_were_confirmed_count_no_more() -> None:
    service = running()
    told(service, "h", "a")
    service.main.confirm(1)
    intended = told(service, "1")
    assert (intended.main.signalled, intended.main.signals) == (1, (14, 10))
    assert recovered(intended, live(signals=2)).signal == [(MAIN, 10)]


def test_a_signal_is_never_sent_to_the_process_that_came_after() -> None:
    intended = told(running(), "h")
    assert recovered(intended, live(72, started=6)).signal == []
    assert recovered(intended, ended()).signal == []


def test_a_process_that_was_asked_for_and_did_not_come_is_asked_for_again_without_its_control_script() -> None:
    service = Service(now=START)
    step(service, Begin(), START)
    step(service, ScriptEnded(succeeded=False), START)
    intended = told(service, "t")
    assert (intended.main.spawning, intended.main.signals) == (True, (15,))
    again = recovered(intended, NONE)
    assert (again.spawn, again.signal, again.service.main.owed) == ([MAIN], [(MAIN, 15)], False)
    came = recovered(intended, live(72, started=6))
    assert (came.spawn, came.signal, came.service.main.pid, came.service.main.got_term) == ([], [(MAIN, 15)], 72, True)


def test_the_time_of_who_is_to_end_goes_on() -> None:
    stopping, asking = told(running(), "d"), running()
    step(asking, Letter(MAIN, "d"), START)
    for intended in (stopping, through_bytes(recovery.intent_of(asking, started=(5, 0, 0)))):
        again = step(recovered(intended, live()).service, Begin(), START, 10**9)
        assert [action for action in again if isinstance(action, Bound)] == [Bound(MAIN, RUN, 71, STEADY)]


def test_the_time_of_who_was_to_end_is_not_of_the_process_that_came_after() -> None:
    after = recovered(told(running(), "d"), live(72, started=6)).service
    assert (after.main.pid, after.beyond.ending_since) == (72, 0)


def test_who_got_term_from_another_s_supervisor_has_all_its_time() -> None:
    intended = told(running(), "d")
    intended.beyond = beyond.pack(beyond.Beyond())
    again = step(recovered(intended, live()).service, Begin(), START, 9)
    assert [action for action in again if isinstance(action, Bound)] == [Bound(MAIN, RUN, 71, 9)]


def test_a_run_that_nobody_was_told_of_counts_from_its_start() -> None:
    asked = Service(now=START)
    step(asked, Begin(), START)
    step(asked, ScriptEnded(succeeded=False), START)
    intended = through_bytes(recovery.intent_of(asked, started=(0, 0, 0)))
    found = recovered(intended, live(started=START + SECOND))
    assert (found.service.main.pid, found.service.main.since) == (71, START + SECOND)


def test_a_process_whose_end_was_acted_upon_ends_once_though_it_is_still_to_be_seen() -> None:
    service = running()
    step(service, Ended(MAIN, 9), START + SECOND)
    step(service, ScriptEnded(succeeded=False), START + SECOND)
    found = recovered(through_bytes(recovery.intent_of(service, started=(5, 0, 0))), live())
    assert (found.service.main.pid, found.spawn, found.ended) == (0, [MAIN], [])
