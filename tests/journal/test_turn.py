"""The turn of the projections: one at a time, in the order they came."""

from __future__ import annotations

import threading

import pytest

from hatang_collector.journal.turn import Turn
from support.wait import until


def test_waiters_are_served_in_the_order_they_came() -> None:
    """Nobody overtakes, and nobody is inside with another."""
    turn = Turn()
    order: list[int] = []
    threads = []

    def take(number: int) -> None:
        with turn:
            order.append(number)

    with turn:
        for number in range(8):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            until(lambda: turn.waiting == len(threads), what="the thread waits")
    for thread in threads:
        thread.join()

    assert order == list(range(8))
    with turn:
        order.append(8)
    assert order[-1] == 8


def test_an_error_gives_the_turn_back() -> None:
    """Who fails inside does not stop the others."""
    turn = Turn()
    with pytest.raises(ZeroDivisionError), turn:
        _ = 1 / 0

    with turn:
        assert turn.waiting == 0
