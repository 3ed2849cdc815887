"""The life of a service, as sentences of runsv(8); no process, no clock."""

from __future__ import annotations

import pytest

from runit_provision.runtime.core.actions import Action, Arm, Bound, CloseLog, EndScript, Exit, Publish, Script, Signal, Spawn
from runit_provision.runtime.core.backoff import SECOND
from runit_provision.runtime.core.events import (
    UNKNOWN,
    Begin,
    Due,
    Ended,
    Event,
    Letter,
    LogWaits,
    Notified,
    Overdue,
    ScriptEnded,
    Started,
    StopWaits,
)
from runit_provision.runtime.core.part import LOG, MAIN, Service
from runit_provision.runtime.core.service import expect_notification
from runit_provision.runtime.core.service import step as move
from runit_provision.runtime.wire.beyond import NO_SWEEP, THEN_DOWN, THEN_FINISH
from runit_provision.runtime.wire.status import DOWN, FINISH, RUN, WANT_DOWN, WANT_EXIT, WANT_UP

START = 1_000 * SECOND
STEADY = 7
CONT, KILL, STOP, TERM = 18, 9, 19, 15


def step(service: Service, event: Event, now: int, steady: int = STEADY) -> tuple[Action, ...]:
    return move(service, event, now, steady)


def play(service: Service, *events: object, now: int = START) -> list[Action]:
    """Give all actions; a control script that is asked for is not there."""
    done: list[Action] = []
    queue = list(events)
    while queue:
        actions = step(service, queue.pop(0), now)  # type: ignore[arg-type]
        done += [action for action in actions if not isinstance(action, Script)]
        if actions and isinstance(actions[-1], Script):
            queue.insert(0, ScriptEnded(succeeded=False))
    return done


def running(*, log: bool = False, since: int = START) -> Service:
    service = Service(now=since, log_want=WANT_UP if log else None)
    play(service, Begin(), *([Started(LOG, 70)] if log else []), Started(MAIN, 71), now=since)
    return service


def down() -> Service:
    service = Service(now=START, want=WANT_DOWN)
    play(service, Begin())
    return service


def test_a_service_that_is_wanted_up_is_started_and_its_log_before_it() -> None:
    service = Service(now=START, log_want=WANT_UP)
    assert play(service, Begin()) == [Spawn(LOG, RUN), Spawn(MAIN, RUN)]
    assert play(service, Started(LOG, 70), Started(MAIN, 71)) == [Publish(LOG), Publish(MAIN)]
    assert (service.main.pid, service.main.since) == (71, START)


def test_a_service_with_down_is_not_started() -> None:
    assert play(Service(now=START, want=WANT_DOWN), Begin()) == []


def test_a_run_counts_from_its_start_and_not_from_when_it_was_asked_for() -> None:
    service = Service(now=START)
    play(service, Begin(), Started(MAIN, 71, START + 10 * SECOND), now=START)
    assert service.main.since == START  # the clock was set back: its parent speaks of a time to come
    service = Service(now=START)
    play(service, Begin(), now=START)
    step(service, Started(MAIN, 71, START + 10 * SECOND), START + 11 * SECOND)
    assert service.main.since == START + 10 * SECOND
    assert play(service, Ended(MAIN, 0), now=START + 10 * SECOND + SECOND // 5)[-1] == Arm(MAIN, SECOND)


def test_control_u_runs_before_every_start() -> None:
    service = Service(now=START)
    assert step(service, Begin(), START) == (Script("u"),)
    assert step(service, ScriptEnded(succeeded=True), START) == (Spawn(MAIN, RUN),)


def test_after_a_run_shorter_than_a_second_one_second_passes_before_the_next() -> None:
    service = running()
    soon = START + SECOND // 2
    assert play(service, Ended(MAIN, 0), now=soon) == [Publish(MAIN), Arm(MAIN, SECOND)]
    assert play(service, Due(MAIN), now=soon + SECOND) == [Spawn(MAIN, RUN)]
    assert service.main.since == soon + SECOND


def test_after_a_longer_run_the_next_follows_at_once() -> None:
    service = running()
    assert play(service, Ended(MAIN, 0), now=START + SECOND) == [Publish(MAIN), Spawn(MAIN, RUN)]


def test_run_ends_and_finish_gets_exit_code_and_status() -> None:
    for status, arguments in ((3 << 8, ("3", "0")), (9, ("-1", "9")), (11 | 128, ("-1", "139")), (UNKNOWN, ("-1", "0"))):
        service = running()
        assert play(service, Ended(MAIN, status, finish=True)) == [Publish(MAIN), Spawn(MAIN, FINISH, arguments)]


def test_finish_ends_and_run_follows_after_the_pause_that_run_had_earned() -> None:
    service = running()
    play(service, Ended(MAIN, 0, finish=True), Started(MAIN, 72))
    assert service.main.since == START
    assert play(service, Ended(MAIN, 0), now=START + SECOND // 2) == [Publish(MAIN), Arm(MAIN, SECOND)]


def test_finish_is_not_followed_by_another_finish() -> None:
    service = running()
    play(service, Ended(MAIN, 0, finish=True), Started(MAIN, 72))
    assert play(service, Ended(MAIN, 0, finish=True), now=START + SECOND) == [Publish(MAIN), Spawn(MAIN, RUN)]


def test_down_sends_term_and_cont_and_does_not_start_again() -> None:
    service = running()
    ends = [Publish(MAIN), Bound(MAIN, RUN, 71, STEADY)]
    assert play(service, Letter(MAIN, "d")) == [*ends, Signal(MAIN, TERM), Publish(MAIN), Signal(MAIN, CONT)]
    assert service.main.got_term
    assert play(service, Ended(MAIN, 15), now=START + SECOND) == [Publish(MAIN)]
    assert (service.main.state, service.main.want, service.main.got_term) == (DOWN, WANT_DOWN, False)


def test_term_restarts() -> None:
    service = running()
    assert play(service, Letter(MAIN, "t")) == [Bound(MAIN, RUN, 71, STEADY), Signal(MAIN, TERM), Publish(MAIN)]
    assert play(service, Ended(MAIN, 15), now=START + SECOND) == [Publish(MAIN), Spawn(MAIN, RUN)]


@pytest.mark.parametrize(("letter", "number"), [("h", 1), ("a", 14), ("i", 2), ("q", 3), ("1", 10), ("2", 12), ("k", 9)])
def test_a_letter_sends_its_signal_to_a_running_service_only(letter: str, number: int) -> None:
    assert play(running(), Letter(MAIN, letter)) == [Signal(MAIN, number)]
    assert play(down(), Letter(MAIN, letter)) == []


def test_a_control_script_that_exits_0_keeps_the_signal_back() -> None:
    service = running()
    assert step(service, Letter(MAIN, "h"), START) == (Script("h"),)
    assert step(service, ScriptEnded(succeeded=True), START) == ()
    assert step(service, Letter(MAIN, "h"), START) == (Script("h"),)
    assert step(service, ScriptEnded(succeeded=False), START) == (Signal(MAIN, 1),)


def test_down_asks_control_t_then_continues_then_runs_control_d() -> None:
    service = running()
    assert step(service, Letter(MAIN, "d"), START) == (Publish(MAIN), Bound(MAIN, RUN, 71, STEADY), Script("t"))
    assert step(service, ScriptEnded(succeeded=True), START) == (Signal(MAIN, CONT), Script("d"))
    assert step(service, ScriptEnded(succeeded=False), START) == ()


def test_what_happens_while_a_control_script_runs_waits_for_it_and_the_log_goes_on() -> None:
    service = running(log=True)
    assert step(service, Letter(MAIN, "t"), START) == (Bound(MAIN, RUN, 71, STEADY), Script("t"))
    assert step(service, Ended(MAIN, 0), START + SECOND) == ()
    assert step(service, Ended(LOG, 0), START + SECOND) == (Publish(LOG), Spawn(LOG, RUN))
    after = step(service, ScriptEnded(succeeded=True), START + 2 * SECOND)
    assert after == (Publish(MAIN), Publish(MAIN), Script("u"))


def test_k_with_a_control_script_starts_no_second_copy() -> None:
    service = running()
    step(service, Letter(MAIN, "k"), START)
    step(service, ScriptEnded(succeeded=True), START)
    assert play(service, Letter(MAIN, "u")) == [Publish(MAIN)]
    assert service.main.state == RUN


def test_pause_and_continue_change_the_paused_byte_also_when_nothing_runs() -> None:
    service = running()
    assert play(service, Letter(MAIN, "p")) == [Signal(MAIN, STOP), Publish(MAIN)]
    assert service.main.paused
    assert play(service, Letter(MAIN, "c")) == [Signal(MAIN, CONT), Publish(MAIN)]
    stopped = down()
    assert play(stopped, Letter(MAIN, "p")) == [Publish(MAIN)]
    assert stopped.main.paused


def test_once_starts_and_does_not_start_again() -> None:
    service = down()
    assert play(service, Letter(MAIN, "o")) == [Publish(MAIN), Spawn(MAIN, RUN)]
    assert play(service, Started(MAIN, 9)) == [Publish(MAIN)]
    assert play(service, Ended(MAIN, 0), now=START + SECOND) == [Publish(MAIN)]
    assert service.main.state == DOWN


def test_once_during_the_pause_is_not_forgotten() -> None:
    service = running()
    play(service, Ended(MAIN, 0), Letter(MAIN, "o"))
    assert play(service, Due(MAIN)) == [Spawn(MAIN, RUN)]


def test_up_during_the_pause_waits_for_its_end() -> None:
    service = running()
    play(service, Ended(MAIN, 0))
    assert play(service, Letter(MAIN, "u")) == [Publish(MAIN)]
    assert play(service, Due(MAIN)) == [Spawn(MAIN, RUN)]


def test_exit_of_a_service_without_log() -> None:
    service = running()
    play(service, Letter(MAIN, "x"))
    assert service.main.want == WANT_EXIT
    assert play(service, Ended(MAIN, 15)) == [Publish(MAIN), Arm(MAIN, SECOND), Exit()]


def test_exit_waits_for_finish_and_then_for_the_log_to_read_to_its_end() -> None:
    service = running(log=True)
    play(service, Letter(MAIN, "x"))
    assert play(service, Ended(MAIN, 15, finish=True), Started(MAIN, 72))[-1] == Bound(MAIN, FINISH, 72, STEADY)
    assert play(service, Ended(MAIN, 0), now=START + SECOND) == [Publish(MAIN), Publish(LOG), CloseLog()]
    assert play(service, Letter(MAIN, "u")) == []
    assert play(service, Ended(LOG, 0), now=START + SECOND) == [Publish(LOG), Exit()]


def test_a_log_that_died_with_its_pool_comes_again_before_its_service_leaves() -> None:
    service = running(log=True)
    assert play(service, Ended(LOG, 9, unread=True))[-1] == Arm(LOG, SECOND)
    play(service, Letter(MAIN, "x"))
    assert play(service, Ended(MAIN, 15), now=START + SECOND) == [Publish(MAIN)]
    assert play(service, Due(LOG)) == [Spawn(LOG, RUN)]
    assert play(service, Started(LOG, 73)) == [Publish(LOG), Publish(LOG), CloseLog()]
    assert play(service, Ended(LOG, 0), now=START + 3 * SECOND)[-1] == Exit()


def test_a_log_that_died_with_its_pool_and_is_to_be_down_keeps_nobody() -> None:
    service = running(log=True)
    play(service, Ended(LOG, 9, unread=True), Letter(LOG, "d"), Letter(MAIN, "x"))
    assert play(service, Ended(MAIN, 15), now=START + SECOND)[-1] == Exit()


def test_exit_is_ignored_by_the_log() -> None:
    assert play(running(log=True), Letter(LOG, "x")) == []


def test_the_log_has_no_control_scripts_and_no_finish() -> None:
    service = running(log=True)
    assert step(service, Letter(LOG, "d"), START) == (Publish(LOG), Signal(LOG, TERM), Publish(LOG), Signal(LOG, CONT))
    assert step(service, Ended(LOG, 15, finish=True), START + SECOND) == (Publish(LOG),)


@pytest.mark.parametrize("letter", ["z", "\n", "\xff", "0", ""])
def test_other_letters_mean_nothing(letter: str) -> None:
    assert play(running(), Letter(MAIN, letter)) == []


def test_an_end_that_was_told_twice_counts_once() -> None:
    service = running()
    play(service, Ended(MAIN, 0))
    assert play(service, Ended(MAIN, 0)) == []


def test_an_event_that_is_none_raises() -> None:
    with pytest.raises(ValueError, match="no event"):
        step(running(), object(), START)  # type: ignore[arg-type]


def test_a_log_that_is_not_there_has_no_letters() -> None:
    with pytest.raises(ValueError, match="no part 1"):
        step(running(), Letter(LOG, "d"), START)


def test_who_was_told_to_end_is_killed_when_it_is_overdue_and_nobody_else() -> None:
    service = running()
    assert play(service, Overdue(MAIN, STEADY)) == []
    play(service, Letter(MAIN, "t"))
    assert play(service, Overdue(MAIN, STEADY - 1)) == []
    assert play(service, Overdue(MAIN, STEADY)) == [Signal(MAIN, KILL)]
    play(service, Ended(MAIN, 9), now=START + SECOND)
    assert play(service, Started(MAIN, 72), Overdue(MAIN, STEADY)) == [Publish(MAIN)]


def test_a_finish_is_killed_when_it_is_overdue() -> None:
    service = running()
    play(service, Letter(MAIN, "d"))
    step(service, Ended(MAIN, 15, finish=True), START)
    assert step(service, Started(MAIN, 72), START, 9)[-1] == Bound(MAIN, FINISH, 72, 9)
    assert play(service, Overdue(MAIN, STEADY)) == []
    assert play(service, Overdue(MAIN, 9)) == [Signal(MAIN, KILL)]


def test_the_time_begins_with_the_letter_and_goes_on_whoever_tells_it_again() -> None:
    service = running()
    step(service, Letter(MAIN, "d"), START, 11)
    play(service, ScriptEnded(succeeded=False))
    for event in (Letter(MAIN, "t"), Letter(MAIN, "d"), Begin()):
        again = play(service, event)
        assert [action for action in again if isinstance(action, Bound)] == [Bound(MAIN, RUN, 71, 11)]


def test_who_is_told_to_end_before_there_is_a_process_has_its_time_from_its_start() -> None:
    service = down()
    play(service, Letter(MAIN, "o"), Letter(MAIN, "d"))
    assert step(service, Started(MAIN, 71), START, 12) == (Publish(MAIN), Bound(MAIN, RUN, 71, 12))


def test_a_control_t_that_is_overdue_ends_with_its_service_and_no_other_script_follows() -> None:
    service = running()
    step(service, Letter(MAIN, "d"), START)
    assert step(service, Overdue(MAIN, STEADY), START) == (Signal(MAIN, KILL), EndScript())
    assert step(service, Ended(MAIN, 9), START + SECOND) == ()
    assert step(service, ScriptEnded(succeeded=False), START + SECOND) == (Publish(MAIN),)
    assert (service.main.state, service.main.want, service.beyond.overdue) == (DOWN, WANT_DOWN, False)


def test_a_control_d_that_is_overdue_ends_alone_where_its_service_has_ended() -> None:
    service = running()
    step(service, Letter(MAIN, "d"), START)
    assert step(service, ScriptEnded(succeeded=False), START)[-1] == Script("d")
    step(service, Ended(MAIN, 15), START + SECOND)
    assert step(service, Overdue(MAIN, STEADY), START + SECOND) == (EndScript(),)
    assert step(service, ScriptEnded(succeeded=False), START + SECOND) == (Publish(MAIN),)


def test_a_stop_has_its_time_from_when_it_waits_for_a_control_script_and_anew_from_when_it_is_acted_upon() -> None:
    service = running()
    step(service, Letter(MAIN, "h"), START)
    assert step(service, StopWaits(waits=True), START, 11) == (Bound(MAIN, RUN, 0, 11),)
    assert step(service, StopWaits(waits=True), START, 12) == ()
    assert step(service, Begin(), START, 12) == (Bound(MAIN, RUN, 0, 11),)
    assert step(service, Overdue(MAIN, 10), START) == ()
    assert step(service, Overdue(MAIN, 11), START) == (EndScript(),)
    assert step(service, ScriptEnded(succeeded=False), START) == (Signal(MAIN, 1),)
    assert step(service, Letter(MAIN, "a"), START) == (Signal(MAIN, 14),)
    assert step(service, Letter(MAIN, "d"), START, 13) == (Publish(MAIN), Bound(MAIN, RUN, 71, 13), Script("t"))
    assert step(service, Overdue(MAIN, 11), START) == ()
    assert step(service, Overdue(MAIN, 13), START) == (Signal(MAIN, KILL), EndScript())


def test_who_is_told_to_exit_while_a_control_script_runs_waits_no_longer_than_a_stop() -> None:
    service = running()
    step(service, Letter(MAIN, "h"), START)
    assert step(service, Letter(MAIN, "a"), START) == ()
    assert step(service, Letter(MAIN, "x"), START) == (Bound(MAIN, RUN, 0, STEADY),)
    assert step(service, Overdue(MAIN, STEADY), START) == (EndScript(),)
    after = (Signal(MAIN, 1), Signal(MAIN, 14), Publish(MAIN), Bound(MAIN, RUN, 71, STEADY), Script("t"))
    assert step(service, ScriptEnded(succeeded=False), START) == after


def test_a_stop_that_waits_for_a_script_that_ends_in_time_changes_nothing() -> None:
    service = running()
    step(service, Letter(MAIN, "h"), START)
    step(service, StopWaits(waits=True), START, 11)
    step(service, ScriptEnded(succeeded=True), START)
    step(service, Letter(MAIN, "t"), START)
    assert step(service, Overdue(MAIN, 11), START) == ()
    assert step(service, StopWaits(waits=True), START) == ()
    assert service.script == "t"


@pytest.mark.parametrize(("letter", "follows"), [("d", Publish(MAIN)), ("t", Script("u")), ("k", Script("u")), ("x", Exit())])
def test_a_start_whose_script_is_killed_for_a_stop_does_not_happen(letter: str, follows: Action) -> None:
    service = Service(now=START)
    step(service, Begin(), START)
    step(service, StopWaits(waits=True), START)
    assert step(service, Overdue(MAIN, STEADY), START) == (EndScript(),)
    assert step(service, ScriptEnded(succeeded=False), START) == ()
    assert step(service, Letter(MAIN, "u"), START) == (Publish(MAIN),)
    assert step(service, Letter(MAIN, letter), START)[-1] == follows


def test_a_stop_that_somebody_else_has_read_keeps_nothing_from_its_start() -> None:
    service = Service(now=START)
    step(service, Begin(), START)
    step(service, StopWaits(waits=True), START)
    step(service, Overdue(MAIN, STEADY), START)
    step(service, ScriptEnded(succeeded=False), START)
    assert step(service, StopWaits(waits=False), START) == (Script("u"),)


def test_what_is_overdue_is_no_death() -> None:
    service = running()
    step(service, Letter(MAIN, "t"), START)
    step(service, Overdue(MAIN, STEADY), START)
    step(service, Ended(MAIN, 9, most=10 * SECOND), START + SECOND)
    step(service, ScriptEnded(succeeded=False), START + SECOND)
    assert service.beyond.deaths == 0


def test_a_control_t_that_sees_to_a_restart_leaves_nobody_to_be_killed_and_one_that_sees_to_an_end_does() -> None:
    service = running()
    step(service, Letter(MAIN, "t"), START)
    assert step(service, ScriptEnded(succeeded=True), START) == (Publish(MAIN),)
    assert play(service, Overdue(MAIN, STEADY)) == []
    step(service, Letter(MAIN, "d"), START)
    step(service, ScriptEnded(succeeded=True), START)
    step(service, ScriptEnded(succeeded=True), START)
    assert play(service, Overdue(MAIN, STEADY)) == [Signal(MAIN, KILL)]


def test_ready_is_who_said_so_and_was_asked_and_only_in_this_run() -> None:
    service = running()
    assert play(service, Notified()) == []
    expect_notification(service)
    assert play(service, Notified(), now=START + 5) == [Publish(MAIN)]
    assert play(service, Notified(), now=START + 6) == []
    assert service.beyond.ready == START + 5
    play(service, Ended(MAIN, 0), now=START + SECOND)
    assert (service.beyond.notifies, service.beyond.ready) == (False, 0)


def test_a_log_that_waits_is_told_until_it_goes_on_or_its_logger_ends() -> None:
    service = running(log=True)
    assert play(service, LogWaits(START, 28)) == [Publish(MAIN)]
    assert (service.beyond.log_waits, service.beyond.log_reason) == (START, 28)
    assert play(service, LogWaits(0, 0)) == [Publish(MAIN)]
    assert service.beyond.log_waits == 0
    play(service, LogWaits(START, 0))
    assert play(service, Ended(LOG, 9), now=START + SECOND) == [Publish(MAIN), Publish(LOG), Spawn(LOG, RUN)]
    assert service.beyond.log_waits == 0


def test_ready_can_be_said_before_the_start_is_told() -> None:
    service = Service(now=START)
    play(service, Begin())
    expect_notification(service)
    assert play(service, Notified()) == [Publish(MAIN)]
    assert play(service, Started(MAIN, 71)) == [Publish(MAIN)]
    assert service.beyond.ready == START


def die(service: Service, *, after: int, most: int, now: int, status: int = 256) -> tuple[list[Action], int]:
    """Let the main part's process end; give what is done, and the time."""
    now += after
    return play(service, Ended(MAIN, status, most=most), now=now), now


def test_who_keeps_dying_rests_longer_each_time_up_to_its_max_delay() -> None:
    service, now, rests = running(), START, []
    for _ in range(6):
        done, now = die(service, after=2 * SECOND, most=10 * SECOND, now=now)
        rests += [action.delay // SECOND if isinstance(action, Arm) else 0 for action in done if isinstance(action, (Arm, Spawn))]
        now += service.beyond.rest
        play(service, Due(MAIN), Started(MAIN, 71), now=now)
    assert rests == [0, 2, 4, 8, 10, 10]
    assert (service.beyond.deaths, service.beyond.dying_since) == (6, START)


def test_a_run_as_long_as_max_delay_begins_the_count_anew() -> None:
    service, now = running(), START
    _done, now = die(service, after=SECOND, most=10 * SECOND, now=now)
    play(service, Started(MAIN, 71), now=now)
    done, now = die(service, after=10 * SECOND, most=10 * SECOND, now=now)
    assert done == [Publish(MAIN), Spawn(MAIN, RUN)]
    assert service.beyond.deaths == 1


def test_the_deaths_of_a_log_count_until_one_run_lasts_a_second_or_somebody_asks() -> None:
    service, now = running(log=True), START
    for _ in range(3):
        play(service, Ended(LOG, 256), now=now)
        now += SECOND
        play(service, Due(LOG), Started(LOG, 72), now=now)
    assert (service.beyond.log_deaths, service.beyond.log_dying_since, service.beyond.deaths) == (3, START, 0)
    play(service, Ended(LOG, 256), now=now + SECOND)
    assert (service.beyond.log_deaths, service.beyond.log_dying_since) == (1, now)
    play(service, Started(LOG, 72), Ended(LOG, 9), now=now + SECOND)
    assert play(service, Letter(LOG, "t"), now=now + SECOND) == [Publish(LOG)]
    assert service.beyond.log_deaths == 0


def test_the_end_of_a_log_that_was_asked_for_is_no_death() -> None:
    service = running(log=True)
    play(service, Letter(LOG, "t"), Ended(LOG, 15), now=START)
    assert service.beyond.log_deaths == 0


def test_without_max_delay_runsv_s_second_is_all() -> None:
    service = running()
    for _ in range(5):
        assert play(service, Ended(MAIN, 256), now=START) == [Publish(MAIN), Arm(MAIN, SECOND)]
        play(service, Due(MAIN), Started(MAIN, 71))


def test_what_was_asked_for_is_no_death() -> None:
    service = running()
    play(service, Letter(MAIN, "t"))
    die(service, after=SECOND, most=10 * SECOND, now=START, status=15)
    assert service.beyond.deaths == 0


@pytest.mark.parametrize("letter", ["u", "o", "t"])
def test_who_is_told_to_start_rests_no_longer_than_in_runsv(letter: str) -> None:
    service = running()
    for _ in range(4):
        play(service, Ended(MAIN, 256, most=60 * SECOND), Due(MAIN), Started(MAIN, 71))
    play(service, Ended(MAIN, 256, most=60 * SECOND))
    assert service.beyond.rest == 16 * SECOND
    assert play(service, Letter(MAIN, letter), now=START + SECOND // 4)[-2:] == [Arm(MAIN, SECOND * 3 // 4), Publish(MAIN)]
    assert play(service, Due(MAIN), now=START + SECOND) == [Spawn(MAIN, RUN)]


def test_a_rest_that_is_over_by_runsv_s_rules_ends_with_the_letter() -> None:
    service = running()
    for _ in range(4):
        play(service, Ended(MAIN, 256, most=60 * SECOND), Due(MAIN), Started(MAIN, 71))
    play(service, Ended(MAIN, 256, most=60 * SECOND))
    assert play(service, Letter(MAIN, "u"), now=START + 2 * SECOND)[-1] == Spawn(MAIN, RUN)


def test_a_clock_that_is_set_back_or_forward_makes_no_rest_longer() -> None:
    for jump in (-(10**6) * SECOND, 10**6 * SECOND):
        service = running()
        for _ in range(3):
            play(service, Ended(MAIN, 256, most=60 * SECOND), Due(MAIN), Started(MAIN, 71))
        play(service, Ended(MAIN, 256, most=60 * SECOND))
        again = play(service, Begin(), now=START + jump)
        assert [action.delay <= 8 * SECOND for action in again if isinstance(action, Arm)] == [True]


def test_what_is_left_is_swept_before_finish_and_after_it() -> None:
    service = running()
    assert play(service, Ended(MAIN, 3 << 8, finish=True, sweep=True)) == [Publish(MAIN), Spawn(MAIN, FINISH, ("3", "0"))]
    assert (service.main.state, service.beyond.sweep) == (FINISH, THEN_FINISH)
    assert play(service, Started(MAIN, 72), Letter(MAIN, "d")) == [Publish(MAIN), Publish(MAIN)]
    assert play(service, Ended(MAIN, 0, sweep=True)) == [Publish(MAIN), Spawn(MAIN, FINISH, ("3", "0"))]
    assert (service.main.state, service.beyond.sweep) == (FINISH, NO_SWEEP)
    assert play(service, Started(MAIN, 73), Ended(MAIN, 0, sweep=True))[-1] == Spawn(MAIN, FINISH, ("3", "0"))
    assert (service.main.state, service.beyond.sweep) == (FINISH, THEN_DOWN)
    assert play(service, Started(MAIN, 74), Ended(MAIN, 0, sweep=True), now=START + SECOND) == [Publish(MAIN), Publish(MAIN)]
    assert (service.main.state, service.main.want) == (DOWN, WANT_DOWN)


def test_without_finish_what_is_left_is_swept_once() -> None:
    service = running()
    play(service, Letter(MAIN, "d"))
    assert play(service, Ended(MAIN, 15, sweep=True), now=START + SECOND)[0] == Publish(MAIN)
    assert service.beyond.sweep == THEN_DOWN
    assert play(service, Started(MAIN, 72), Ended(MAIN, 0, sweep=True), now=START + SECOND) == [Publish(MAIN), Publish(MAIN)]
    assert service.main.state == DOWN


def test_a_sweep_that_was_killed_or_failed_is_done_once_more_before_anything_else() -> None:
    service = running()
    play(service, Ended(MAIN, 3 << 8, sweep=True), Started(MAIN, 72))
    assert play(service, Ended(MAIN, KILL, sweep=True)) == [Spawn(MAIN, FINISH, ("3", "0"))]
    assert play(service, Started(MAIN, 73), Ended(MAIN, 111 << 8, sweep=True)) == [Publish(MAIN), Arm(MAIN, SECOND)]
    assert play(service, Due(MAIN), now=START + SECOND) == [Spawn(MAIN, FINISH, ("3", "0"))]
    ended = play(service, Started(MAIN, 74), Ended(MAIN, 0, sweep=True), now=START + SECOND)
    assert ended == [Publish(MAIN), Publish(MAIN), Spawn(MAIN, RUN)]


def test_of_a_sweep_nobody_knows_how_it_ended_it_is_believed_to_be_done() -> None:
    service = running()
    play(service, Letter(MAIN, "d"), Ended(MAIN, 15, sweep=True), Started(MAIN, 72))
    play(service, Ended(MAIN, UNKNOWN, sweep=True))
    assert (service.main.state, service.beyond.sweep) == (DOWN, NO_SWEEP)
