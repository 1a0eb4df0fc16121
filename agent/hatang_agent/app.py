"""The running agent: probes, outbox, sending rules and connections wired together.

Two threads of our own matter. The sampling thread takes runs and commits them. The main thread
owns the sending rules: it seals, publishes, beats and listens, woken by events and by the clock.
Connections have threads of their own, which only post events.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import logging
import queue
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from hatang_agent import __version__, remoteconfig
from hatang_agent import config as settings
from hatang_agent.config import AgentConfig
from hatang_agent.identity import Credential, RunIds, new_epoch
from hatang_agent.outbox import Limits, Order, Origin, Outbox, Sealed
from hatang_agent.probes.agent import Own, with_own
from hatang_agent.publish import Publisher
from hatang_agent.publish_events import (
    Account,
    Answered,
    Connected,
    Disconnected,
    Event,
    Kind,
    Receipt,
    Received,
)
from hatang_agent.registry import Probe
from hatang_agent.runner import Runner, clock, facts_digest
from hatang_agent.sampling import News, Sampler
from hatang_agent.sending import Flow, Policy, Sender
from hatang_agent.strictconfig import ConfigError
from hatang_agent.system import CommandMissing, CommandTimeout, System
from hatang_agent.wire import codec
from hatang_agent.wire.messages import Ack, CollectorHello, Farewell
from hatang_agent.wire.report import Run
from hatang_agent.wire.secrets import broker_password, config_key

log = logging.getLogger(__name__)

T = TypeVar("T")

REPORT_BYTES: Final = {settings.ROLE_PC: 64 * 1024, settings.ROLE_PROBE: 16 * 1024}
OWN_PROBE: Final = "agent"

_FIRST_REPORT_MS: Final = 1_500
_GATHER_MS: Final = 200
_FRESH_AT_LEAST_MS: Final = 120_000
_LONGEST_WAIT_S: Final = 15.0
_LOOK_AHEAD: Final = 32
_PACK_ABOVE: Final = 256 * 1024
_LAST_ACKS_MS: Final = 1_500
_SAMPLING_END_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sampled:
    """A run was committed."""

    probe: str
    news: News


@dataclass(frozen=True, slots=True)
class Stop:
    """The agent is to end."""

    reason: Farewell


class App:
    """One agent on one state folder. :meth:`run` returns after :meth:`stop`."""

    def __init__(
        self,
        system: System,
        folder: Path,
        credential: Credential,
        config: AgentConfig,
        probes: Mapping[str, Probe],
        policy: Policy | None = None,
    ) -> None:
        self._system = system
        self._credential = credential
        self._file_config = config
        self._probes = probes
        self._events: queue.SimpleQueue[Event | Sampled | Stop] = queue.SimpleQueue()
        epoch = new_epoch(system)
        role = credential.role
        rhythm = settings.rhythm(config, role)
        origin = Origin(credential.agent, epoch, role, __version__)
        limits = Limits(rhythm.outbox_bytes, REPORT_BYTES.get(role, REPORT_BYTES[settings.ROLE_PC]))
        self._outbox = Outbox(folder, origin, limits, system.wall_ms)
        self._remote = remoteconfig.KeptConfig(folder, credential.agent, config_key(credential.secret))
        self._remote_state: tuple[int, str, str] | None = None
        runner = Runner(system, RunIds(epoch))
        self._sampler = Sampler(system, probes, runner, self._outbox, self._finish_run, self._tell_sampled)
        self._config = self._apply_remote()
        self._rhythm = settings.rhythm(self._config, role)
        self._sampler.plan(self._plans(), self._config.schedule.first_spread_s)
        account = Account(
            credential.agent, epoch, broker_password(credential.secret), role, __version__, credential.ca_pem
        )
        self._publisher = Publisher(
            credential.brokers, account, self._rhythm.keepalive_s, system, self._events.put
        )
        fresh_for_ms = max(int(2 * self._rhythm.report_s * 1000), _FRESH_AT_LEAST_MS)
        self._sender = Sender(system.random, policy or Policy(fresh_for_ms=fresh_for_ms))
        self._ahead: deque[Sealed] = deque()
        self._looked_up_to = 0
        self._reporting: str | None = None
        self._flow = Flow.FLOWING
        self._unheard = {name for name, plan in self._plans().items() if plan.enabled}
        now = system.boot_ms()
        self._report_due_ms = now + _FIRST_REPORT_MS
        self._beat_due_ms = now
        self._broken = False

    def stop(self, reason: Farewell) -> None:
        """Ask the agent to end; may be called from a signal handler or another thread."""
        self._events.put(Stop(reason))

    def run(self) -> int:
        """Work until stopped; 0 when the end was clean."""
        self._publisher.start()
        self._sampler.start()
        log.info("agent %s (%s) runs", self._credential.agent, __version__)
        reason = None
        while reason is None:
            try:
                self._step(self._system.boot_ms())
                reason = self._handle_events(self._pause_s())
                self._broken = False
            except Exception:  # the agent outlives a fault of its own
                if not self._broken:
                    log.exception("sending failed; going on")
                self._broken = True
                self._system.wait(1.0)
        self._end(reason)
        return 0

    # The sending loop.

    def _step(self, now_ms: int) -> None:
        if now_ms >= self._beat_due_ms:
            self._beat_due_ms = now_ms + int(self._rhythm.beat_s * 1000)
            self._publisher.beat()
        if now_ms >= self._report_due_ms:
            if self._sender.wants_fresh(now_ms):
                self._report_due_ms = now_ms + int(self._rhythm.report_s * 1000)
                self._seal_fresh(now_ms)
            elif self._outbox.waiting() > _PACK_ABOVE:
                # Nothing can be sent: packed into reports the runs need a tenth of the room.
                self._outbox.seal(clock(self._system), Order.OLDEST, since_boot_ms=self._fresh_since(now_ms))
        self._publish_chosen(now_ms)
        while self._sender.wants_backlog(now_ms):
            sealed = self._next_backlog(now_ms)
            if sealed is None:
                break
            self._sender.offer(sealed.digest, sealed.number, sealed.size, now_ms, fresh=False)
            self._publish_chosen(now_ms)
        self._log_flow()

    def _fresh_since(self, now_ms: int) -> int:
        return now_ms - max(int(2 * self._rhythm.report_s * 1000), _FRESH_AT_LEAST_MS)

    def _seal_fresh(self, now_ms: int) -> None:
        since = self._fresh_since(now_ms)
        sealed = self._outbox.seal(clock(self._system), Order.NEWEST, since_boot_ms=since)
        if sealed is not None:
            self._sender.offer(sealed.digest, sealed.number, sealed.size, now_ms, fresh=True)

    def _next_backlog(self, now_ms: int) -> Sealed | None:
        """The next report of the backlog: sealed before, else sealed now from old runs."""
        if not self._ahead:
            self._ahead.extend(self._outbox.sealed(self._looked_up_to, _LOOK_AHEAD))
        if self._ahead:
            sealed = self._ahead.popleft()
            self._looked_up_to = sealed.number
            return sealed
        since = self._fresh_since(now_ms)
        return self._outbox.seal(clock(self._system), Order.OLDEST, since_boot_ms=since)

    def _publish_chosen(self, now_ms: int) -> None:
        for digest in self._sender.choose(now_ms):
            wire = self._outbox.wire(digest)
            if wire is None:
                self._sender.gone([digest])
            else:
                self._publisher.publish_report(digest, wire)

    def _log_flow(self) -> None:
        if self._sender.flow is self._flow:
            return
        self._flow = self._sender.flow
        if self._flow is Flow.HELD:
            log.warning("no collector listens; measurements are kept until one does")
        elif self._flow is Flow.STALLED:
            log.warning("the collector does not answer; measurements are kept until it does")
        else:
            log.info("the collector answers; measurements are sent again")

    def _pause_s(self) -> float:
        now = self._system.boot_ms()
        times = [self._beat_due_ms]
        if self._sender.wants_fresh(now):
            times.append(self._report_due_ms)
        wake = self._sender.next_ms(now)
        if wake is not None:
            times.append(wake)
        return min(max(min(times) - now, 0) / 1000, _LONGEST_WAIT_S)

    # Events.

    def _handle_events(self, pause_s: float) -> Farewell | None:
        """Wait for an event, then take all that are there; the reason to end, if there is one."""
        try:
            event = self._events.get(timeout=pause_s)
            while True:
                if isinstance(event, Stop):
                    return event.reason
                self._handle(event, self._system.boot_ms())
                event = self._events.get_nowait()
        except queue.Empty:
            return None

    def _handle(self, event: Event | Sampled, now_ms: int) -> None:
        if isinstance(event, Sampled):
            self._handle_sampled(event, now_ms)
        elif isinstance(event, (Connected, Disconnected)):
            self._handle_path(event, now_ms)
        elif isinstance(event, Answered):
            digest = self._publisher.digest_of(event)
            if digest is not None and event.receipt is not Receipt.TAKEN:
                if event.receipt is Receipt.REFUSED and self._flow is Flow.FLOWING:
                    log.error("the broker refuses our reports: %s", event.detail)
                self._sender.refused(digest, now_ms)
        elif event.kind is Kind.ACK:
            self._handle_ack(event, now_ms)
        elif event.kind is Kind.HELLO:
            hello = _decoded(CollectorHello, event)
            if hello is not None:
                self._outbox.speak_to(hello.collector)
                self._sender.hello(hello.epoch, now_ms)
        else:
            self._handle_config(event.payload)

    def _handle_sampled(self, event: Sampled, now_ms: int) -> None:
        self._unheard.discard(event.probe)
        first_round_done = event.news is News.FIRST and not self._unheard
        if event.news is News.CHANGED or first_round_done:
            self._report_due_ms = min(self._report_due_ms, now_ms + _GATHER_MS)

    def _handle_path(self, event: Connected | Disconnected, now_ms: int) -> None:
        if isinstance(event, Disconnected):
            self._publisher.lost(event)
            if event.path == self._reporting:
                self._reporting = None
                self._sender.disconnected()
        else:
            self._publisher.beat()
        best = self._publisher.reporting_path
        if best is not None and best != self._reporting:
            self._sender.disconnected()
            self._sender.connected(now_ms)
            self._reporting = best
            self._ahead.clear()
            self._looked_up_to = 0

    def _handle_ack(self, event: Received, now_ms: int) -> None:
        ack = _decoded(Ack, event)
        if ack is None:
            return
        answered = self._outbox.forget(ack.journaled)
        answered += [no.digest for no in ack.rejected if self._outbox.reject(no.digest, no.reason[:200])]
        if answered:  # the acknowledgements of a clone reach us too and say nothing about us
            self._sender.acknowledged(answered, now_ms)

    # Configuration.

    def _apply_remote(self) -> AgentConfig:
        current = self._remote.current
        if current is None:
            return self._file_config
        try:
            applied = settings.with_remote(self._file_config, current.content, self._probes)
        except ConfigError as error:
            log.warning("the kept configuration %d cannot be used: %s", current.number, error)
            self._remote_state = (current.number, str(remoteconfig.State.REFUSED), str(error)[:500])
            return self._file_config
        self._remote_state = (current.number, str(remoteconfig.State.ACCEPTED), "")
        return applied

    def _handle_config(self, payload: bytes) -> None:
        verdict = self._remote.judge(payload)
        if verdict.state is remoteconfig.State.UNCHANGED:
            return
        if verdict.content is not None:
            try:
                settings.with_remote(self._file_config, verdict.content, self._probes)
            except ConfigError as error:
                verdict = remoteconfig.Verdict(remoteconfig.State.REFUSED, verdict.number, str(error)[:500])
        if verdict.content is not None:
            self._remote.keep(payload)
            self._config = self._apply_remote()
            self._rhythm = settings.rhythm(self._config, self._credential.role)
            self._publisher.set_keepalive(self._rhythm.keepalive_s)
            self._sampler.plan(self._plans(), self._config.schedule.first_spread_s)
            log.info("configuration %d is in force", verdict.number)
        else:
            state = (verdict.number, str(verdict.state), verdict.reason)
            if state == self._remote_state:
                return
            self._remote_state = state
            log.warning("configuration %d was refused: %s", verdict.number, verdict.reason)
        self._report_due_ms = min(
            self._report_due_ms, self._system.boot_ms() + int(self._rhythm.report_s * 1000)
        )
        self._beat_due_ms = min(self._beat_due_ms, self._system.boot_ms() + int(self._rhythm.beat_s * 1000))
        self._sampler.run_now(OWN_PROBE)

    def _plans(self) -> dict[str, settings.ProbePlan]:
        """Plans of the probes of this role, and of those that a configuration switched off by name."""
        key = hmac.new(bytes.fromhex(self._credential.secret), b"hatang host name", hashlib.sha256).digest()
        role = self._credential.role
        plans = {
            name: settings.plan(self._config, probe, role, host_name_key=key)
            for name, probe in self._probes.items()
        }
        return {
            name: plan for name, plan in plans.items() if plan.enabled or role in self._probes[name].roles
        }

    # On the sampling thread.

    def _finish_run(self, run: Run) -> Run:
        if run.probe != OWN_PROBE:
            return run
        counts = self._outbox.counts()
        if counts is None:
            return run
        dropped = sum(gap.runs for gap in counts.gaps)
        own = Own(counts.used_bytes, counts.runs, counts.reports, dropped, self._remote_state)
        run = with_own(run, own)
        return dataclasses.replace(run, facts_digest=facts_digest(run.facts))

    def _tell_sampled(self, run: Run, news: News) -> None:
        if news is not News.SAME:
            self._events.put(Sampled(run.probe, news))

    # The end.

    def _end(self, reason: Farewell) -> None:
        """Send what is at hand, say goodbye, let go. What was not sent stays in the outbox."""
        self._sampler.stop(_SAMPLING_END_S)
        now = self._system.boot_ms()
        try:
            if self._sender.wants_fresh(now):
                self._seal_fresh(now)
                self._publish_chosen(now)
            until = now + _LAST_ACKS_MS
            while self._sender.in_flight and (left := until - self._system.boot_ms()) > 0:
                self._handle_events(left / 1000)
                self._publish_chosen(self._system.boot_ms())
        except Exception:  # the goodbye matters more
            log.exception("the last report could not be sent; it stays in the outbox")
        self._publisher.close(self._farewell(reason))
        self._outbox.close()
        log.info("agent %s ended", self._credential.agent)

    def _farewell(self, reason: Farewell) -> Farewell:
        """``shutdown`` instead of ``stop`` when the whole system is going down."""
        if reason is not Farewell.STOP or self._system.platform != "linux":
            return reason
        try:
            state = self._system.run(["systemctl", "is-system-running"], 0.5).stdout.strip()
        except (CommandMissing, CommandTimeout):
            return reason
        return Farewell.SHUTDOWN if state == "stopping" else reason


def _decoded(kind: type[T], event: Received) -> T | None:
    try:
        return codec.decode_small(kind, event.payload)
    except codec.WireError as error:
        log.warning("a message of kind %s cannot be read: %s", event.kind, error)
        return None
