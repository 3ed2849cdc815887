"""Records survive the way through bytes, and a table of another boot is void."""

from __future__ import annotations

import pytest

from runit_provision.runtime.wire import beyond, keeper, pool, records, status

BOOT = b"01234567-89ab-cdef-0123-456789abcdef"
SECRET = bytes(range(16))

LIFE = (BOOT, 4026531836, 7)


def test_a_header_belongs_to_one_boot_and_one_container() -> None:
    header = records.pack_header(*LIFE, SECRET)
    assert records.is_of_life(header, *LIFE)
    assert not records.is_of_life(header, BOOT[::-1], *LIFE[1:])
    assert not records.is_of_life(header, BOOT, 4026531837, 7)
    assert not records.is_of_life(header, BOOT, 4026531836, 8), "the number of the namespace before was free again"
    assert not records.is_of_life(header[:100], *LIFE)
    assert not records.is_of_life(b"\0" * records.SIZE, *LIFE)


def test_a_header_keeps_the_secret() -> None:
    assert records.secret_in(records.pack_header(*LIFE, SECRET)) == SECRET


def test_where_the_start_of_a_container_is_not_told_its_boot_decides() -> None:
    assert records.is_of_life(records.pack_header(*LIFE, SECRET), BOOT, 4026531836, 0)
    assert records.is_of_life(records.pack_header(BOOT, 4026531836, 0, SECRET), *LIFE)
    assert not records.is_of_life(records.pack_header(BOOT, 4026531836, 0, SECRET), BOOT[::-1], 4026531836, 7)


def test_an_identity_keeps_any_name() -> None:
    name = b"a\nb\xff" + b"x" * 251
    slot = records.pack_slot(records.Identity(dev=2**63, ino=2**40, name=name, path=b"/etc/sv/a\nb\xff"))
    read = records.unpack_identity(slot)
    assert read is not None
    assert (read.dev, read.ino, read.name, read.path) == (2**63, 2**40, name, b"/etc/sv/a\nb\xff")
    assert len(slot) == records.SIZE
    assert records.unpack_identity(b"\0" + slot[1:]) is None


def test_a_path_that_is_too_long_is_left_out_and_not_cut() -> None:
    read = records.unpack_identity(records.pack_slot(records.Identity(dev=1, ino=1, name=b"n", path=b"/" + b"p" * 600)))
    assert read is not None
    assert read.path == b""


def test_a_fresh_slot_has_no_intent_and_no_process() -> None:
    slot = records.pack_slot(records.Identity(dev=1, ino=1, name=b"n", path=b"/n"))
    assert records.unpack_intent(slot) is None
    assert records.unpack_process(slot, records.SCRIPT).life == records.NEVER


def test_the_parts_of_a_slot_do_not_overlap() -> None:
    process = records.Process(pid=2**22, role=5, life=records.LIVE, starttime=2**63, started=2**62, status=-1)
    assert len(records.pack_process(process)) == records.PROCESS_SIZE
    assert records.process_offset(3, records.SCRIPT) + records.PROCESS_SIZE <= records.offset(4)
    part = records.PartIntent(
        want=2,
        state=2,
        paused=True,
        got_term=True,
        damped=True,
        owed=True,
        spawning=True,
        since=2**62,
        started=2**62,
        pid=2**30,
        ended=-1,
        signalled=2**32 - 1,
        signals=(64,) * records.SIGNALS_MAX,
    )
    packed = records.pack_intent(
        records.Intent(main=part, log=part, script="x", then=3, scripted=2**62, closing=True, beyond=bytes(beyond.SIZE))
    )
    assert records.INTENT_AT + len(packed) <= records.PROCESSES_AT


def test_a_letter_stands_within_the_intent_which_clears_it() -> None:
    part = records.PartIntent(
        want=1,
        state=1,
        paused=False,
        got_term=False,
        damped=False,
        owed=False,
        spawning=False,
        since=1,
        started=1,
        pid=1,
        ended=0,
        signalled=0,
        signals=(),
    )
    slot = bytearray(records.pack_slot(records.Identity(dev=1, ino=1, name=b"n", path=b"/n")))

    def write(letters: tuple[str, str, str]) -> records.Intent:
        packed = records.pack_intent(
            records.Intent(
                main=part, log=part, script="", then=0, scripted=0, closing=False, beyond=bytes(beyond.SIZE), letters=letters
            )
        )
        slot[records.INTENT_AT : records.INTENT_AT + len(packed)] = packed
        read = records.unpack_intent(bytes(slot))
        assert read is not None
        return read

    assert write(("h", "\xff", "\n")).letters == ("h", "\xff", "\n")
    assert slot[records.LETTERS_AT : records.LETTERS_AT + 3] == b"h\xff\n"
    assert write(("", "", "")).letters == ("", "", "")


def test_keeper_and_pool_records_survive() -> None:
    sent = keeper.Record(
        keeper.SPAWN, slot=7, key=1, role=2, flags=1, value=-1, when=2**62, arguments=("-1", "143"), name=b"\xff" * 255
    )
    read = keeper.unpack(keeper.pack(sent))
    assert keeper.pack(read) == keeper.pack(sent)
    assert read.arguments == ("-1", "143")
    with pytest.raises(ValueError, match="keeper record"):
        keeper.unpack(b"x")
    added = pool.Record(pool.ADD, slot=3, value=-5, name=b"n" * 300)
    assert pool.unpack(pool.pack(added)) == added
    with pytest.raises(ValueError, match="pool record"):
        pool.unpack(b"")


def part(**changes: int) -> records.PartIntent:
    values = {"want": 0, "state": status.RUN, "spawning": 0, "since": 10**18 + 1, "started": 9, "pid": 77, "ended": 3} | changes
    flags = {name: bool(values.pop(name, 0)) for name in ("paused", "got_term", "damped", "owed", "spawning")}
    return records.PartIntent(**values, **flags, signalled=8, signals=(1, 2, 3))  # type: ignore[arg-type]


def table(
    *,
    main: records.PartIntent,
    log: records.PartIntent | None = None,
    mark: bytes = records.TAKEN,
    log_waits: bool = False,
    ends: bool = False,
) -> bytes:
    known = beyond.Beyond()
    known.log_waits, known.ending_since = int(log_waits), int(ends)
    slot = bytearray(records.pack_slot(records.Identity(dev=5, ino=7, name=b"it", path=b"/x/it")))
    intent = records.pack_intent(
        records.Intent(main=main, log=log, script="u", then=1, scripted=4, closing=True, beyond=beyond.pack(known))
    )
    slot[records.INTENT_AT : records.INTENT_AT + len(intent)] = intent
    slot[:1] = mark
    return records.pack_header(*LIFE, SECRET) + bytes(slot)


def statuses(table: bytes) -> dict[tuple[int, int], records.Row]:
    rows: dict[tuple[int, int], records.Row] = {}
    records.add_statuses(rows, table[records.SIZE :])
    return rows


def test_a_table_tells_what_the_status_files_tell() -> None:
    main, log = part(paused=1, want=status.WANT_EXIT), part(state=status.DOWN, pid=0, want=status.WANT_DOWN)
    slots = bytearray(table(main=main, log=log))
    noted = records.pack_no_down(10**18 + 2, has_plain_log=True)
    slots[records.SIZE + records.NO_DOWN_AT : records.SIZE + records.WRITER_AT] = noted
    assert statuses(bytes(slots))[7, 5][3:12] == (
        *(10**18 + 2, True, True),
        *(bytes((status.WANT_EXIT, status.RUN, 1, 0, 0, 0, 0)), 10**18 + 1, 77),
        *(bytes((status.WANT_DOWN, status.DOWN, 0, 0, 0, 0, 0)), 10**18 + 1, 0),
    )
    assert statuses(table(main=main))[7, 5][3:6] == (0, False, False)


def test_the_longest_path_leaves_what_follows_alone() -> None:
    slot = records.pack_slot(records.Identity(dev=1, ino=1, name=b"n" * 255, path=b"p" * records.PATH_MAX))
    assert slot[records.NO_DOWN_AT - 1 :] == b"p" + bytes(records.SIZE - records.NO_DOWN_AT)


def test_a_table_does_not_tell_of_what_is_not_published() -> None:
    assert statuses(table(main=part(), mark=records.HELD)) == {}
    assert statuses(table(main=part(), mark=b"\0")) == {}
    assert statuses(table(main=part(), log=part(), log_waits=True)) == {}
    assert statuses(table(main=part(), ends=True)) == {}
    assert statuses(table(main=part(spawning=1))) == {}
    assert statuses(table(main=part(since=0))) == {}
    assert statuses(table(main=part(), log=part(spawning=1))) == {}
    assert statuses(table(main=part())[:-1]) == {}


@pytest.mark.parametrize("more", [{"got_term": 1}, {"state": status.FINISH}, {"state": status.DOWN, "pid": 0}])
def test_a_table_does_not_tell_of_what_may_have_more_to_tell(more: dict[str, int]) -> None:
    assert statuses(table(main=part(**more))) == {}


def test_a_table_does_not_tell_of_a_log_that_may_keep_dying() -> None:
    assert statuses(table(main=part(), log=part(state=status.DOWN, pid=0))) == {}
    assert statuses(table(main=part(), log=part()))


def test_what_is_beyond_runit_survives_within_the_intent() -> None:
    service = beyond.Beyond()
    service.notifies, service.ready, service.deaths, service.sweep = True, 2**62, beyond.DEATHS_MAX, beyond.THEN_FINISH
    service.dying_since, service.rest, service.ending_since, service.overdue = 2**61, 2**60, 2**59, True
    service.log_deaths, service.log_dying_since = beyond.DEATHS_MAX, 1_700_000_000_500_000_000
    intent = records.Intent(main=part(), log=None, script="", then=0, scripted=0, closing=False, beyond=beyond.pack(service))
    slot = bytearray(records.SIZE)
    packed = records.pack_intent(intent)
    slot[records.INTENT_AT : records.INTENT_AT + len(packed)] = packed
    read = records.unpack_intent(bytes(slot))
    assert read is not None
    assert beyond.pack(beyond.unpack(read.beyond)) == beyond.pack(service)
    assert beyond.unpack(read.beyond).log_dying_since == 1_700_000_000_000_000_000
    assert len(packed) <= records.PROCESSES_AT - records.INTENT_AT
