"""Plan and ledger together: whatever is answered, lost, truncated or killed, in any order."""

import itertools
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from aiodiscovery._collecting.book import Book, Start
from aiodiscovery._collecting.ledger import Ledger
from aiodiscovery._collecting.plan import (
    HOUR,
    LONGEST,
    Contents,
    Kind,
    Range,
    State,
    Verdict,
    assess,
    covered_ranges,
    open_ranges,
    subtract,
    target_range,
)
from aiodiscovery._collecting.records import Agent, Record

IN_MEMORY = Path("/dev/shm")
FIRST = 1_700_000_000


class Started(NamedTuple):
    """An export that the service has started."""

    agent_id: str | None
    range: Range


class CollectionMachine(RuleBasedStateMachine):
    """A collection without real time: the actions of the service are drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.ledger = Ledger.open(self.directory)
        self.service: dict[str, Started] = {}
        self.failed: Counter[Started] = Counter()
        self.lives: dict[str, tuple[int, int]] = {}
        self.clock = 0.0

    def teardown(self) -> None:
        try:
            if self.lives:
                self.bring_to_an_end()
        finally:
            self.ledger.close()
            shutil.rmtree(self.directory)

    # Collections

    @initialize(lengths=st.lists(st.integers(1, 9 * 24 * HOUR), min_size=1, max_size=3))
    def begin(self, lengths: list[int]) -> None:
        self.lives = {f"o-{at}": (FIRST, FIRST + length) for at, length in enumerate(lengths)}
        self.begin_collection()

    def begin_collection(self) -> None:
        self.clock += 100.0
        self.ledger.begin_run({}, self.clock)
        known = self.ledger.agents()
        agents = [
            Agent(agent_id, first=first, last=last, target=target_range(first, last))
            for agent_id, (first, last) in self.lives.items()
        ]
        self.ledger.save_agents(agents)
        assert known.keys() <= self.ledger.agents().keys()
        self.book = Book(self.ledger.agents(), self.ledger.records(), [Kind.SUMMARY])

    @rule()
    def kill(self) -> None:
        self.ledger.close()
        self.ledger = Ledger.open(self.directory)
        self.begin_collection()

    @rule(agent=st.integers(0, 2), seconds=st.integers(1, 100 * HOUR))
    def live_on(self, agent: int, seconds: int) -> None:
        agent_id = f"o-{agent % len(self.lives)}"
        first, last = self.lives[agent_id]
        self.lives[agent_id] = first, last + seconds
        self.kill()

    # Starting

    @rule(fate=st.sampled_from(["answered", "answered", "answered", "lost", "dropped", "refused"]))
    def start(self, fate: str) -> None:
        if len(self.book.running()) >= 5:
            return
        start = self.book.next_start(0.0, self.clock)
        if start is None:
            return
        self.send(start, fate)

    def send(self, start: Start, fate: str) -> None:
        known = [
            export_id for export_id, started in self.service.items() if started.agent_id is None
        ]
        record = self.ledger.intend(
            start.kind,
            start.agent_id,
            start.range,
            self.clock,
            again=start.again,
            known=known if start.agent_id is None else (),
            targets=self.book.targets() if start.agent_id is None else None,
        )
        self.book.put(record)
        if fate in ("answered", "lost"):
            export_id = f"export-{len(self.service)}"
            self.service[export_id] = Started(start.agent_id, start.range)
            if fate == "answered":
                self.book.put(self.ledger.note_started(record, export_id))
        elif fate == "refused":
            self.book.put(self.ledger.note_not_started(record, "Not now."))

    def in_state(self, state: State) -> list[Record]:
        return [record for record in self.book if record.state is state]

    @precondition(lambda self: self.lives and self.in_state(State.INTENDED))
    @rule(data=st.data())
    def find(self, data: st.DataObject) -> None:
        self.find_one(data.draw(st.sampled_from(self.in_state(State.INTENDED))))

    def find_one(self, record: Record) -> None:
        known = self.ledger.known_exports()
        if record.agent_id is None:
            known |= self.ledger.known_summaries(record)
        found = [
            export_id
            for export_id, started in self.service.items()
            if export_id not in known
            and started.agent_id == record.agent_id
            and started.range == record.window.range
        ]
        assert len(found) <= 1
        if found:
            self.book.put(self.ledger.note_started(record, found[0], is_adopted=True))
        else:
            self.book.put(self.ledger.note_not_started(record))

    # Ending

    @precondition(lambda self: self.lives and self.in_state(State.RUNNING))
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        record = data.draw(st.sampled_from(self.in_state(State.RUNNING)))
        if data.draw(st.integers(0, 4)) == 0:
            assert record.export_id is not None
            self.failed[self.service[record.export_id]] += 1
            self.book.put(self.ledger.note_failed(record, "It failed."))
            return
        window = record.window.range
        if record.agent_id is None:
            self.settle(record, Verdict(State.DONE, None))
            return
        end = data.draw(st.one_of(st.just(window.end), st.integers(window.start, window.end)))
        contents = Contents(
            data.draw(st.integers(0, 2)) == 0,
            data.draw(st.integers(0, 4)) > 0,
            data.draw(st.sampled_from([None, Range(window.start, end), Range(window.start, end)])),
        )
        self.settle(record, assess(window, contents))

    def settle(self, record: Record, verdict: Verdict) -> None:
        self.book.put(self.ledger.settle(record, verdict))

    # What holds

    @invariant()
    def nothing_was_started_twice_unless_it_failed(self) -> None:
        counts = Counter(self.service.values())
        for started, count in counts.items():
            if started.agent_id is not None:
                assert count <= 1 + min(self.failed[started], 2)

    @invariant()
    def windows_do_not_overlap(self) -> None:
        for agent_id in self.lives:
            held = sorted(
                held
                for record in self.ledger.records()
                if record.agent_id == agent_id and (held := record.window.held) is not None
            )
            assert all(one.end <= other.start for one, other in itertools.pairwise(held))
            assert all(0 < record.length <= LONGEST for record in held)

    @invariant()
    def an_export_belongs_to_one_window_of_its_agent(self) -> None:
        found = [record for record in self.ledger.records() if record.export_id is not None]
        ids = [record.export_id for record in found]
        assert len(set(ids)) == len(ids)
        for record in found:
            started = self.service[str(record.export_id)]
            assert (record.agent_id, record.window.range) == started

    @invariant()
    def the_book_knows_what_the_ledger_has(self) -> None:
        if self.lives:
            assert sorted(self.book, key=lambda record: record.id) == self.ledger.records()

    def bring_to_an_end(self) -> None:
        """From here on nothing fails. Then nothing is missing except what was given up."""
        for _ in range(1000):
            for record in self.in_state(State.INTENDED):
                self.find_one(record)
            for record in self.in_state(State.RUNNING):
                covered = None if record.agent_id is None else record.window.range
                self.settle(record, Verdict(State.DONE, covered))
            start = self.book.next_start(0.0, self.clock)
            if start is not None:
                self.send(start, "answered")
            elif self.book.is_finished():
                break
        else:
            raise AssertionError("it does not end")
        self.nothing_was_started_twice_unless_it_failed()
        self.windows_do_not_overlap()
        for agent_id, (first, last) in self.lives.items():
            target = target_range(first, last)
            windows = [record.window for record in self.book if record.agent_id == agent_id]
            given_up = [w.range for w in windows if w.state in (State.FAILED, State.TRUNCATED)]
            missing = subtract(target, covered_ranges(target, windows))
            assert open_ranges(target, windows) == []
            assert missing == subtract(target, subtract(target, given_up))
        totals = self.book.totals()
        assert totals.agents_done == totals.agents
        assert totals.seconds == totals.seconds_covered + totals.seconds_missing


TestCollection = CollectionMachine.TestCase
TestCollection.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
