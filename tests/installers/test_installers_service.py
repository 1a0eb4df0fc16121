"""The Windows service without Windows: what it tells the control manager, and how it gets its identity."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from enrolment.desk import AGENT, REPLY, Desk, desk_of
from hatang_agent import service_windows
from hatang_agent.identity import StateLock, load_credential, save_credential
from hatang_agent.service_handover import (
    GIVE_UP_MS,
    LONGEST_PAUSE_S,
    Outcome,
    Wish,
    await_identity,
    enrolled,
    pause_s,
    wish_of,
)
from hatang_agent.service_windows import LOG_BYTES, LOG_FILE, Service, State, Status, Stopper
from hatang_agent.system import CommandTimeout, LocalSystem
from hatang_collector.broker.certificates import Authority
from hatang_collector.broker.enrol import EnrolRefusal, EnrolRefused
from installers.scm import INTERROGATE, SHUTDOWN, STOP, Manager, Windows
from support.stack import Stack, environment, now_ms
from support.wait import until

TOKEN = "secret-token-of-the-roll-out"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A real enrolment listener."""
    with desk_of(Authority(tmp_path / "keys")) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder."""
    made = tmp_path / "hatang-agent"
    made.mkdir()
    return made


def handed(desk: Desk, **more: str) -> dict[str, str]:
    """What the MSI leaves for this listener."""
    return {"Url": desk.url, "Pin": desk.pin, "Token": TOKEN, "Label": "", "AssetCode": "", **more}


class Impatient(Stopper):
    """Ends the waiting after some pauses, and writes down how long they would have been."""

    def __init__(self, pauses: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._left = pauses

    def wait(self, seconds: float) -> bool:
        """No pause at all."""
        if seconds:
            self.pauses.append(seconds)
            self._left -= 1
        return self._left <= 0


def test_nothing_heavy_is_imported_before_the_answer() -> None:
    """Windows waits 30 s for the answer: neither the agent nor anything slow is loaded by then."""
    script = (
        "import sys, hatang_agent.service_windows\n"
        "own = sorted(name for name in sys.modules if name.startswith('hatang_agent.'))\n"
        "heavy = {'paho', 'psutil', 'sqlite3', 'ssl', 'json', 'socket', 'logging', 'dataclasses'}\n"
        "print(own, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "['hatang_agent.service_windows'] []"


def test_running_is_told_before_the_work_begins() -> None:
    """The work finds the service already RUNNING; its end is the last thing told."""
    manager = Manager()
    seen: list[list[Status]] = []

    def work(_stopper: Stopper) -> int:
        seen.append(list(manager.told))
        return 0

    assert Service(manager, work).run() == 0
    assert seen == [[Status(State.RUNNING)]]
    assert manager.told == [Status(State.RUNNING), Status(State.STOPPED, 0)]


def test_the_work_runs_on_the_thread_of_the_caller() -> None:
    """The agent wants the main thread; the manager gets another one."""
    manager = Manager()
    threads: list[int] = []

    def work(_stopper: Stopper) -> int:
        threads.append(threading.get_ident())
        return 0

    Service(manager, work).run()

    assert threads == [threading.get_ident()]
    assert manager.threads != threads


@pytest.mark.parametrize(("control", "shutdown"), [(STOP, False), (SHUTDOWN, True)])
def test_stop_and_shutdown_reach_the_work(control: int, shutdown: bool) -> None:
    """STOP_PENDING is told at once, the work is asked to end and told whether the machine goes down."""
    manager = Manager()
    asked: list[bool] = []

    def work(stopper: Stopper) -> int:
        stopper.attach(asked.append)
        manager.ask(INTERROGATE, control)
        assert stopper.wait(10)
        return 0

    Service(manager, work).run()

    assert asked == [shutdown]
    assert [one.state for one in manager.told] == [
        State.RUNNING,
        State.RUNNING,
        State.STOP_PENDING,
        State.STOPPED,
    ]
    assert manager.told[2].wait_hint_ms > 0
    assert manager.answers == [0, 0]


def test_a_stop_before_the_agent_is_there_is_remembered() -> None:
    """Stopped while it was still loading: what is attached later is told at once."""
    stopper = Stopper()
    stopper.stop(shutdown=True)
    asked: list[bool] = []

    stopper.attach(asked.append)

    assert asked == [True]
    assert stopper.wait(0)


def test_other_controls_are_declined() -> None:
    """Pause is not offered: ERROR_CALL_NOT_IMPLEMENTED."""
    manager = Manager()

    def work(stopper: Stopper) -> int:
        manager.ask(2, STOP)
        stopper.wait(10)
        return 0

    Service(manager, work).run()

    assert manager.answers == [120, 0]


def test_a_failure_is_told_as_one() -> None:
    """An exit code and an exception both make Windows use the recovery actions; STOPPED is the last word."""
    manager = Manager()
    assert Service(manager, lambda _stopper: 2).run() == 2
    assert manager.told[-1] == Status(State.STOPPED, 2)

    def broken(_stopper: Stopper) -> int:
        raise RuntimeError("out of order")

    manager = Manager()
    with pytest.raises(RuntimeError):
        Service(manager, broken).run()
    assert manager.told[-1] == Status(State.STOPPED, 1)
    assert manager.handler is not None
    assert manager.handler(INTERROGATE) == 0
    assert manager.told[-1].state is State.STOPPED


def test_what_windows_did_not_start_says_so() -> None:
    """Started by a person: the error of the dispatcher, and no work."""
    with pytest.raises(OSError, match="no controller"):
        Service(Manager(refuses=OSError(1063, "no controller")), lambda _stopper: 1 // 0).run()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"Url": "https://h:1", "Token": " t "}, Wish("https://h:1", "t")),
        (
            {"URL": "u", "PIN": "p", "TOKEN": "t", "LABEL": "l", "ASSETCODE": "a", "STAFFGROUP": "s"},
            Wish("u", "t", "p", "l", "a", "s"),
        ),
        ({"Url": "https://h:1", "Token": ""}, None),
        ({"Token": "t"}, None),
        ({}, None),
        ({"Url": "u", "Token": "t", "Other": "x"}, Wish("u", "t")),
    ],
)
def test_the_wish_in_what_was_handed_over(values: Mapping[str, str], expected: Wish | None) -> None:
    """Names in any case, blanks trimmed, unknown names passed over; no token or address is no wish."""
    assert wish_of(values) == expected


def test_pauses_grow_to_an_hour() -> None:
    """A minute at first; the office's line may be cut for days."""
    pauses = [pause_s(attempt) for attempt in range(2000)]

    assert pauses[:3] == [60, 120, 240]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S


def test_a_hand_over_becomes_an_identity_and_is_erased(
    desk: Desk, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Address, pin, token, label and group arrive; the token is nowhere afterwards, the log included."""
    windows = Windows(handed(desk, Label="Kế toán 2", StaffGroup="cbcc"), now_ms())
    caplog.set_level(logging.DEBUG)

    assert await_identity(windows, LocalSystem(), folder, Stopper())

    asked = desk.asked[0]
    assert (asked.token, asked.label, asked.staff_group) == (TOKEN, "Kế toán 2", "cbcc")
    credential = load_credential(folder)
    assert credential is not None
    assert credential.agent == AGENT
    assert (windows.handed, windows.erased) == (None, 1)
    assert TOKEN not in caplog.text


def test_a_machine_with_an_identity_keeps_it(desk: Desk, folder: Path) -> None:
    """A roll-out that runs at each start of the computer changes nothing, and leaves no token behind."""
    windows = Windows(handed(desk), now_ms())
    await_identity(windows, LocalSystem(), folder, Stopper())
    before = load_credential(folder)
    windows.handed = handed(desk)

    assert await_identity(windows, LocalSystem(), folder, Stopper())

    assert load_credential(folder) == before
    assert len(desk.asked) == 1
    assert windows.handed is None


def refusing(reason: EnrolRefusal) -> Callable[..., object]:
    """A collector that says no."""

    def answer(*_: object) -> object:
        raise EnrolRefused(reason, "ask the administrator")

    return answer


def test_a_refused_token_is_erased(desk: Desk, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The collector's word is final; the service goes on looking for an identity made by hand."""
    windows = Windows(handed(desk), now_ms())
    desk.answer = refusing(EnrolRefusal.TOKEN_EXPIRED)  # type: ignore[assignment]

    assert not await_identity(windows, LocalSystem(), folder, Impatient(1))

    assert windows.erased == 1
    assert "ask the administrator" in caplog.text
    assert TOKEN not in caplog.text


def test_a_collector_that_is_not_ready_is_asked_again(desk: Desk, folder: Path) -> None:
    """Its broker is down: the token stays, the pauses grow, and the identity comes with the broker."""
    windows = Windows(handed(desk), now_ms())
    desk.answer = refusing(EnrolRefusal.BROKER_UNAVAILABLE)  # type: ignore[assignment]
    impatient = Impatient(3)

    assert not await_identity(windows, LocalSystem(), folder, impatient)
    assert impatient.pauses == [60, 120, 240]
    assert windows.erased == 0

    desk.answer = lambda _request, _now: REPLY
    assert await_identity(windows, LocalSystem(), folder, Stopper())


def test_somebody_in_between_gets_nothing_and_is_waited_out(desk: Desk, folder: Path) -> None:
    """A pin that does not fit is no refusal by the collector: nothing is sent, and it is tried again."""
    windows = Windows(handed(desk, Pin="ab" * 16), now_ms())

    assert not await_identity(windows, LocalSystem(), folder, Impatient(1))

    assert windows.erased == 0
    assert desk.asked == []


@pytest.mark.parametrize(
    "values",
    [
        {"Url": "http://10.0.0.5:8443", "Token": TOKEN},
        {"Url": "https://10.0.0.5:8443", "Token": TOKEN, "Pin": "abc"},
        {"Url": "https://10.0.0.5:8443", "Token": ""},
    ],
)
def test_what_can_never_work_is_erased(folder: Path, values: dict[str, str]) -> None:
    """Plain HTTP to another machine, half a pin, no token: nobody is asked."""
    windows = Windows(values, now_ms())

    assert not await_identity(windows, LocalSystem(), folder, Impatient(1))
    assert windows.erased == 1


def test_a_token_does_not_lie_about_for_ever(folder: Path) -> None:
    """After two weeks without a collector it is erased."""
    values = {"Url": "https://127.0.0.1:9", "Token": TOKEN, "Pin": "ab" * 16}
    young, old = Windows(values, now_ms()), Windows(values, now_ms() - GIVE_UP_MS - 1)

    assert not await_identity(young, LocalSystem(), folder, Impatient(1))
    assert not await_identity(old, LocalSystem(), folder, Impatient(1))

    assert (young.erased, old.erased) == (0, 1)


def test_hardware_that_cannot_be_read_does_not_keep_a_machine_out(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PowerShell forbidden by a policy: enrolled without a fingerprint."""

    def slow(_system: object) -> dict[str, str]:
        raise CommandTimeout(["powershell.exe"], 30)

    monkeypatch.setattr("hatang_agent.enrolment.fingerprint", slow)

    assert enrolled(Wish(desk.url, TOKEN, desk.pin), LocalSystem(), folder) is Outcome.ENROLLED
    assert desk.asked[0].fingerprint == {}


def test_a_folder_in_use_is_waited_for(desk: Desk, folder: Path) -> None:
    """Somebody runs the agent by hand in this folder."""
    with StateLock(folder):
        assert enrolled(Wish(desk.url, TOKEN, desk.pin), LocalSystem(), folder) is Outcome.LATER


def test_a_broken_settings_file_ends_it_with_its_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of the service says file and line; Windows starts it again later."""
    monkeypatch.setattr("hatang_agent.config.default_file", lambda _system: folder / "agent.toml")
    (folder / "agent.toml").write_text("[agent]\nlable = 1\n", encoding="utf-8")
    (folder / "credential.json").write_text("{}", encoding="ascii")
    windows = Windows(may_recover=False)

    assert service_windows.work(windows, LocalSystem(), folder, Stopper()) == 2

    said = (folder / LOG_FILE).read_text(encoding="utf-8")
    assert "agent.toml" in said
    assert "lable" in said
    assert "recovery actions could not be set" in said


def test_the_log_stays_small(folder: Path) -> None:
    """One file of a megabyte and the one before it."""
    handler = service_windows.log_handler(folder)
    for number in range(30):
        handler.handle(logging.makeLogRecord({"msg": f"{number:03} " + "x" * (LOG_BYTES // 10)}))
    handler.close()

    files = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert set(files) == {LOG_FILE, f"{LOG_FILE}.1"}
    assert max(files.values()) < LOG_BYTES * 1.2
    assert "029 " in (folder / LOG_FILE).read_text(encoding="utf-8")


def test_the_whole_service_measures_and_stops(stack: Stack, folder: Path) -> None:
    """A real collector: handed over, enrolled, reports arrive, and a stop ends it cleanly within seconds."""
    stack.start()
    windows = Windows({"Url": stack.url, "Token": stack.token(), "Label": "Máy Windows"}, now_ms())
    manager = Manager()
    ended: list[int] = []

    def serve() -> None:
        service = Service(
            manager, lambda stopper: service_windows.work(windows, LocalSystem(), folder, stopper)
        )
        ended.append(service.run())

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        until(lambda: load_credential(folder), 30, "the identity is there")
        agent = stack.credential(folder).agent
        until(lambda: stack.receipts(agent).reports > 0, 40, "a report arrives", every_s=0.2)
    finally:
        manager.ask(STOP)
        serving.join(20)

    assert ended == [0]
    assert [one.state for one in manager.told] == [State.RUNNING, State.STOP_PENDING, State.STOPPED]
    assert windows.recovered == ["hatang-agent"]
    assert windows.handed is None


def test_an_identity_made_by_hand_is_noticed(desk: Desk, folder: Path) -> None:
    """Installed without a token: the service waits, and starts measuring after hatang-agent enroll."""
    other = folder.with_name("other")
    other.mkdir()
    enrolled(Wish(desk.url, TOKEN, desk.pin), LocalSystem(), other)
    credential = Stack.credential(other)

    class EnrolledMeanwhile(Stopper):
        """Somebody enrols during the first pause."""

        def wait(self, seconds: float) -> bool:
            if seconds:
                save_credential(folder, credential)
            return False

    assert await_identity(Windows(), LocalSystem(), folder, EnrolledMeanwhile())
