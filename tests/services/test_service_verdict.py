"""What answers mean, as pure decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatang_agent.net.answer import Answer, Outcome
from hatang_agent.net.targets import parse
from hatang_agent.probes._service_verdict import DAY_MS, MAX_HOW, Reached, Step, followed, judge, works

PAGE = parse("web http https://web.example.vn:8443/a/b?c=d")
NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("outcome", "detail", "reached", "step"),
    [
        (Outcome.NO_NAME, "the name has no address", Reached.NO, Step.DNS),
        (Outcome.REFUSED, "refused", Reached.NO, Step.TCP),
        (Outcome.UNREACHABLE, "unreachable", Reached.NO, Step.TCP),
        (Outcome.TIMEOUT, "no answer", Reached.NO, Step.TCP),
        (Outcome.BAD_TLS, "TLS: unsupported protocol", Reached.NO, Step.TLS),
        (Outcome.NOT_HTTP, "HTTP: not an HTTP reply", Reached.NO, Step.HTTP),
        (Outcome.NOT_SENT, "Operation not permitted", Reached.NOT_TESTED, None),
    ],
)
def test_steps(outcome: Outcome, detail: str, reached: Reached, step: Step | None) -> None:
    """Each way a question can end has its step; what was not sent proves nothing."""
    found = judge(PAGE, Answer(outcome, detail), NOW)

    assert (found.reached, found.step) == (reached, step)
    assert found.how.startswith("http https://web.example.vn:8443/a/b?c=d: ")
    assert found.time_ms is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("certificate has expired", "certificate has expired"),
        ("Hostname mismatch, certificate is not valid for 'x.vn'.", "certificate is for another name"),
        ("IP address mismatch, certificate is not valid for '10.0.0.1'.", "certificate is for another name"),
        ("self-signed certificate", "certificate is self-signed"),
        ("self signed certificate", "certificate is self-signed"),
        ("self-signed certificate in certificate chain", "certificate is of an unknown authority"),
        ("unable to get local issuer certificate", "certificate is of an unknown authority"),
        ("unable to verify the first certificate", "certificate is of an unknown authority"),
        ("certificate is not yet valid", "certificate is not valid yet"),
        ("CA certificate key too weak", "certificate not believed (ca certificate key too weak)"),
    ],
)
def test_words_for_certificates(said: str, words: str) -> None:
    """The library's sentences, old and new, as short words that name no host."""
    found = judge(PAGE, Answer(Outcome.BAD_TLS, f"certificate: {said}"), NOW)

    assert found.how.partition(": ")[2] == words


@pytest.mark.parametrize(("left_ms", "days"), [(DAY_MS, 1), (DAY_MS - 1, 0), (0, 0), (-1, -1), (-DAY_MS, -1)])
def test_days_left(left_ms: int, days: int) -> None:
    """Whole days; below zero it has ended."""
    found = judge(PAGE, Answer(Outcome.ANSWERED, status=200, expires_ms=NOW + left_ms), NOW)

    assert found.tls_days_left == days


def test_a_name_server_that_knows_no_such_name() -> None:
    """A target of method dns is reached when its name has an address."""
    target = parse("ten dns web.example.vn@192.0.2.53")
    known = judge(target, Answer(Outcome.ANSWERED, addresses=("192.0.2.1",), rtt_ms=3.0), NOW)
    unknown = judge(target, Answer(Outcome.ANSWERED, "no such name", rtt_ms=3.0), NOW)
    silent = judge(target, Answer(Outcome.TIMEOUT, "no answer"), NOW)

    assert (known.reached, known.time_ms) == (Reached.YES, 3.0)
    assert (unknown.reached, unknown.step, silent.step) == (Reached.NO, Step.DNS, Step.DNS)


@pytest.mark.parametrize(
    ("location", "path", "port"),
    [
        ("/login", "/login", 8443),
        ("login", "/a/login", 8443),
        ("https://WEB.example.vn/x", "/x", 443),
        ("http://web.example.vn:8080/", "/", 8080),
        ("?e=f", "/a/b?e=f", 8443),
    ],
)
def test_redirects_on_the_same_host(location: str, path: str, port: int) -> None:
    """Relative or whole, also to another port and to or from encryption."""
    moved = followed(PAGE, location)

    assert moved is not None
    assert (moved.host, moved.path, moved.port, moved.label) == ("web.example.vn", path, port, "web")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://other.example.vn/",
        "//evil.vn",
        "https://an:pw@web.example.vn/",
        "ftp://web.example.vn/",
        "http://web.example.vn:99999/",
        "http://[",
        "/" + "x" * 500,
    ],
)
def test_redirects_that_are_not_followed(location: str) -> None:
    """Elsewhere, with a password in it, or nonsense."""
    assert followed(PAGE, location) is None


@given(st.text(max_size=300))
def test_no_redirect_leads_off_the_host(location: str) -> None:
    """Whatever a server says, another host is never asked."""
    moved = followed(PAGE, location)

    assert moved is None or moved.host == PAGE.host


@given(
    st.sampled_from(list(Outcome)),
    st.text(max_size=400),
    st.none() | st.integers(100, 999),
    st.none() | st.integers(0, 1 << 45),
)
def test_every_answer_has_a_verdict(
    outcome: Outcome, detail: str, status: int | None, expires_ms: int | None
) -> None:
    """A reason within its bound always; a step exactly where it is not reached; yes only for what works."""
    found = judge(PAGE, Answer(outcome, detail, rtt_ms=1.0, status=status, expires_ms=expires_ms), NOW)

    assert 0 < len(found.how) <= MAX_HOW
    assert (found.step is not None) is (found.reached is Reached.NO)
    if found.reached is Reached.YES:
        assert outcome is Outcome.ANSWERED
        assert status is None or works(status)
