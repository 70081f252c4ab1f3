"""Who sends the calls of one run: the HTTP engine, and threads with boto3 for what only boto3 can send.

The caller's thread hands jobs over one by one (`send`), lets them go together (`ship`), and takes those that ended.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from lmfunction._batch import Batch
from lmfunction._cmdlets import Call
from lmfunction._crew import Crew, Job
from lmfunction._dask_cluster import Cluster
from lmfunction._dask_engine import DaskEngine, task_of
from lmfunction._dispatch import scribe_of
from lmfunction._door import Door
from lmfunction._engine import Engine
from lmfunction._http_engine import HttpEngine
from lmfunction._item import Item
from lmfunction._journaling import KeptCall
from lmfunction._kept_run import KeptRun
from lmfunction._open_files import connections_at_a_time
from lmfunction._receipts import CommonReceipt, Receipt
from lmfunction._sending import Address, Sending
from lmfunction._signing import Signer, SigningKey
from lmfunction._traffic import NO_SUCCESS, Memory, Traffic
from lmfunction._ways import Way, Ways
from lmfunction.errors import LMError, ParameterError

_RENEWALS: Final = 3  # in a row without a success
_MEMORY: Final = Memory(time.monotonic)


@dataclass(frozen=True)
class Delivery:
    """How a run's calls are delivered: whether what may have run is sent again, where it is written down, who sends."""

    at_least_once: bool = False
    kept: KeptRun | None = None
    cluster: Cluster | None = None  # whose workers send
    share_credential: bool = False  # with the workers


class Senders:
    """The senders of one run. At most `limit` calls are under way, in whatever way they go."""

    def __init__(self, engine: Engine, door: Door, limit: int, delivery: Delivery) -> None:
        self.engine = engine
        self.door = door
        self.limit = limit if delivery.cluster is not None else self._allowed(limit, door)
        self.delivery = delivery
        self._target: tuple[str, ...] = ()  # what the window is remembered for
        self.crew = Crew(engine, self.limit, at_least_once=delivery.at_least_once)
        self.wired: HttpEngine | DaskEngine | None = None
        self.common: CommonReceipt | None = None
        self.refused: LMError | None = None  # why nothing more can be sent: credentials that expired, a fault of ours
        self._ways = Ways(engine.connections, self._tell_why)
        self._batch: list[Sending] = []
        self._ended: list[Job] = []
        self._looked = time.monotonic()
        self._renewals = 0
        self._said = engine.policy.clock()

    @property
    def open(self) -> int:
        """How many calls are under way."""
        return len(self.crew.open) + (self.wired.in_flight if self.wired is not None else 0)

    @property
    def samples(self) -> list[tuple[float, int, int]]:
        """Seconds since the begin, calls in flight and 429s so far: at most 512 moments of the run."""
        return self.wired.course.samples if self.wired is not None else []

    @property
    def throttled(self) -> int:
        """How often Lambda answered 429."""
        return self.wired.traffic.throttled_count if self.wired is not None else 0

    @property
    def possible_duplicates(self) -> int:
        """How many calls were sent again that may have run."""
        return self.crew.possible_duplicates + (self.wired.possible_duplicates if self.wired is not None else 0)

    @property
    def room(self) -> int:
        """How many more calls may be handed over."""
        others = len(self.crew.open)
        if self.wired is None:
            return self.limit - others
        return min(self.wired.wants, self.limit - others) - len(self._batch)

    def take_common(self, call: Call, batch: Batch) -> None:
        """Learns of the first call of many that differ in their payload alone, where they can go so."""
        if self.engine.hooks is not None or call.plan.once_key is not None or call.notices.talkative:
            return
        if call.plan.request.payload_slots or call.plan.request.context_slots:
            return
        try:
            way = self._ways.to(call.plan.place)
            if self.delivery.cluster is not None:
                self._check_for_workers(call, way)
        except LMError:
            return  # told of the call itself
        if way.line is not None:
            address = way.address(call.plan.request)
            self.common = CommonReceipt(call, self.engine, batch, way.transport, address)

    def send_like_the_first(self, item: Item, *, stops: bool) -> bool:
        """Takes a job that differs from the first in its payload alone; False when it does not. Raises LMError."""
        assert self.common is not None
        sending = self.common.sending(item, stops=stops)
        if sending is None:
            return False
        self._batch.append(sending)
        return True

    def send(self, item: Item, call: Call, *, stops: bool) -> None:
        """Takes a call."""
        plan = call.plan
        clustered = self.delivery.cluster is not None
        if (self.engine.hooks is not None or plan.once_key is not None) and not clustered:
            self._send_by_crew(item, call)
            return
        try:
            way = self._ways.to(plan.place)
            if clustered:
                self._check_for_workers(call, way)
            if way.line is None:
                self._send_by_crew(item, call)
                return
            call.verify(self.engine)
            request, known = self.engine.connections.secrets.filled(plan.request, plan.place)
            begun = scribe_of(plan, self.engine, call.notices.door).begin()
        except LMError as error:
            self._refuse(item, error)
            self._ended.append(Job(item, call))
            return
        receipt = Receipt(call, self.engine, way.transport, known, begun)
        self._batch.append(Sending(item, receipt, way.address(request), request.payload, stops=stops))

    def ship(self) -> None:
        """Lets what was taken go."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        if self.common is not None:
            alike = [sending for sending in batch if sending.call is self.common]
            try:
                self.common.begin(alike)
            except LMError as error:
                for sending in alike:
                    self._refuse(sending.item, error)
                    self._ended.append(Job(sending.item, self.common.call))
                batch = [sending for sending in batch if sending.call is not self.common]
        if self.wired is None:
            self.wired = self._engine_of(batch[0])
        self.wired.submit(batch)

    def take(self) -> list[Job]:
        """The jobs that ended since the last time, each with its result or error in its item."""
        ended, self._ended = self._ended, []
        ended += self.crew.take()
        if self.wired is None:
            return ended
        for sending in self.wired.take():
            item, receipt = sending.item, sending.call
            if sending.reply is not None:
                item.result = receipt.answered(sending)
                self._renewals = 0
            else:
                item.error = sending.error
                receipt.failed(sending.error, sending)
            ended.append(Job(item, receipt.call, not self.wired.was_lost(item.index)))
        self.refused = self.refused or self.wired.failure
        if self.common is not None:
            self.common.write_down()
        self._look_after_credentials()
        self._say_when_nothing_succeeds()
        return ended

    def wait(self, seconds: float) -> None:
        """Waits until there is something to take or to hand over, at most so long."""
        if self.wired is not None and self.wired.in_flight:
            self.wired.wait(min(seconds, 0.02) if self.crew.open else seconds)
        elif not self._ended:
            self.crew.wait(seconds)

    def stop_sending(self) -> None:
        """Lets nothing more be sent, not even again."""
        self.crew.stopped.set()
        if self.wired is not None:
            self.wired.stop_sending()

    def abandon(self) -> list[Item]:
        """Ends at once; gives the items whose calls are under way."""
        under_way = self.crew.abandon()
        if self.wired is not None:
            under_way += [sending.item for sending in self.wired.abandon()]
        self.crew.stopped.set()
        return under_way

    def dismiss(self) -> None:
        """Lets everybody go; what is under way is heard of no more."""
        self.crew.dismiss()
        if self.wired is None and self.delivery.cluster is not None:
            self.delivery.cluster.close()
        if self.wired is not None:
            self.wired.abandon()
            _MEMORY.keep(self._target, self.wired.traffic)
        if self.common is not None:
            self.common.close()

    @staticmethod
    def _allowed(limit: int, door: Door) -> int:
        """How many connections there can be at a time; people are told when that is fewer than they want."""
        found = connections_at_a_time(limit)
        if found < limit:
            door.tell(
                "warning",
                f"ThrottleLimit {limit:,} is more than the operating system lets this process have open (`ulimit -n`): "
                f"{found:,} calls go at a time.",
            )
        return found

    def _engine_of(self, first: Sending) -> HttpEngine | DaskEngine:
        policy, delivery = self.engine.policy, self.delivery
        self._target = self._target_of(first.address)
        traffic = Traffic(self.limit, policy.random, policy.clock(), _MEMORY.recall(self._target))
        ledger = None if delivery.kept is None else delivery.kept.journal
        if delivery.cluster is None:
            return HttpEngine(traffic, policy, ledger=ledger, at_least_once=delivery.at_least_once)
        assert ledger is not None
        (way,) = self._ways.all
        plan = first.call.call.plan
        shared = delivery.share_credential or way.place.embedded
        task = task_of(way.transport, plan.known_account, way.key.credential if shared and way.key else None)
        return DaskEngine(delivery.cluster, task, traffic, ledger, self.door, at_least_once=delivery.at_least_once)

    def _target_of(self, address: Address) -> tuple[str, ...]:
        """What a limit of Lambda's is for, as far as is known here: a function, in a place, called by somebody."""
        key = next(way.key for way in self._ways.all if way.line is address.line)
        whose = "" if key is None else key.credential.access_key
        return address.line.url, address.line.region, address.signer.path, whose

    def _check_for_workers(self, call: Call, way: Way) -> None:
        """Raises ParameterError for a call that the workers of a cluster cannot make as it would be made here."""
        cluster, place = self.delivery.cluster, way.place
        assert cluster is not None
        if self.engine.hooks is not None:
            raise ParameterError("Engine: hooks run in this process alone; leave them out.", parameter="Engine")
        if len(self._ways.all) > 1:
            raise ParameterError("Engine: all items of a run on a cluster go to one place.", parameter="Engine")
        if call.plan.request.context_slots or call.plan.request.payload_slots:
            raise ParameterError("Engine: secrets that are looked up here are not sent to workers.", parameter="Engine")
        if way.line is None:
            raise ParameterError(f"Engine: {way.reason}, so that only boto3 can send.", parameter="Engine")
        if place.connection.credential is not None and not (self.delivery.share_credential or place.embedded):
            raise ParameterError(
                "Engine: workers sign with their own credentials. Those of this line would have to be sent to them, "
                "which -ShareCredential allows.",
                parameter="Engine",
            )
        if self.delivery.share_credential and not cluster.is_private:
            raise ParameterError(
                "ShareCredential: the connection to the cluster is not encrypted; use a scheduler with tls://.",
                parameter="ShareCredential",
            )

    def _send_by_crew(self, item: Item, call: Call) -> None:
        kept = self.delivery.kept
        self.crew.send(Job(item, call if kept is None else KeptCall(call, item, kept)))

    def _refuse(self, item: Item, error: LMError) -> None:
        item.error = error
        if self.delivery.kept is not None:
            self.delivery.kept.refuse(item.index, error)

    def _tell_why(self, reason: str) -> None:
        if reason not in self.engine.told:
            self.engine.told.add(reason)
            self.door.tell("warning", f"Calls are sent by boto3 in threads, which is slower: {reason}.")

    def _say_when_nothing_succeeds(self) -> None:
        assert self.wired is not None
        now, traffic = self.engine.policy.clock(), self.wired.traffic
        since = max(traffic.last_success, self._said)
        if traffic.throttled_count and self.wired.in_flight and now - since > NO_SUCCESS:
            self._said = now
            self.door.tell(
                "warning",
                f"No call has succeeded for {(now - traffic.last_success) / 60:.0f} min: Lambda refuses each for now, "
                "and one is tried every 20 s.",
            )

    def _look_after_credentials(self) -> None:
        """Renews what the requests are signed with: before it ends, or because it is no longer taken."""
        assert self.wired is not None
        now = time.monotonic()
        expired = self.wired.expired
        if expired is None and now - self._looked < 1.0:
            return
        self._looked = now
        changed: list[tuple[Signer, SigningKey]] = []
        try:
            changed.extend(self._ways.changed_keys(anew=expired is not None))  # those before one that fails stay
        except LMError as error:
            if expired is not None:
                expired.__cause__ = error
        if changed and self._renewals < _RENEWALS:
            self._renewals += expired is not None
            self.wired.sign_with(changed)
        elif expired is not None:
            self.refused = expired
            self.wired.stop_sending()
