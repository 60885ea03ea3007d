"""Which node gets which order, and what becomes of the orders of lost nodes."""

from fractions import Fraction
from pathlib import Path

import pytest
from index_tools import INFO

from fastface.indexing.ray.leases import LeaseBook, Order
from fastface.pipeline.attempts import KILL_BLAME, QUARANTINE_BLAME
from fastface.types import Sampling, Unit
from fastface.video.discover import VideoFile


def probe(name: str) -> Order:
    return Order(VideoFile(Path("/videos") / name, name))


def unit(name: str, index: int) -> Order:
    stretch = Unit(name, index, Fraction(index * 60), Fraction(index * 60 + 60), Sampling(Fraction(1, 5)))
    return Order(VideoFile(Path("/videos") / name, name), INFO, stretch)


def book_of(*orders: Order) -> LeaseBook:
    book = LeaseBook()
    for order in orders:
        book.add(order)
    return book


def lease_all(book: LeaseBook, node: str) -> list[Order]:
    found = []
    while (order := book.lease(node)) is not None:
        found.append(order)
    return found


def test_units_come_before_probes() -> None:
    book = book_of(probe("a"), probe("b"), unit("c", 0), unit("c", 1))
    assert lease_all(book, "n") == [unit("c", 0), unit("c", 1), probe("a"), probe("b")]


def test_the_book_is_empty_when_every_order_has_its_result() -> None:
    book = book_of(probe("a"), unit("c", 0))
    first, second = book.lease("n"), book.lease("m")
    assert first is not None
    assert second is not None
    assert (book.num_leased("n"), book.num_leased("m"), book.num_leased("other")) == (1, 1, 0)
    assert book.settle("n", ("c", "000000")) == first
    assert not book.is_empty
    assert book.settle("m", ("a", "")) == second
    assert book.is_empty


def test_a_result_is_taken_once() -> None:
    book = book_of(probe("a"))
    book.lease("n")
    book.settle("n", ("a", ""))
    with pytest.raises(KeyError):
        book.settle("n", ("a", ""))


def test_orders_of_a_lost_node_come_first_and_in_order() -> None:
    book = book_of(*(unit("c", index) for index in range(5)))
    for _ in range(3):
        book.lease("lost")
    assert book.release("lost") == []
    assert [order.key for order in lease_all(book, "other")] == [("c", f"00000{index}") for index in range(5)]


def test_work_that_twelve_lost_nodes_had_is_given_up() -> None:
    """A killed process is weak evidence against its work: twelve kills weigh as much as three crashes."""
    book, losses = book_of(unit("c", 0), unit("c", 1)), 0
    given_up: list[Order] = []
    while not given_up:
        order = book.lease("n")
        assert order is not None
        losses += 1
        given_up = book.release("n", KILL_BLAME)
    assert losses == 12
    assert [order.key for order in given_up] == [("c", "000000")]
    assert [order.key for order in lease_all(book, "n")] == [("c", "000001")]


def test_a_suspect_is_leased_alone() -> None:
    """With half of the blame for quarantine an order has no company that would share the blame of another death."""
    book = book_of(unit("c", 0), unit("c", 1))
    for _ in range(QUARANTINE_BLAME // 2):
        assert book.lease("n") is not None
        book.release("n", KILL_BLAME)
    suspect = book.lease("n")
    assert suspect is not None
    assert suspect.key == ("c", "000000")
    assert book.lease("n") is None
    other = book.lease("m")
    assert other is not None
    assert other.key == ("c", "000001")


def test_a_suspect_waits_for_a_node_without_work() -> None:
    book = book_of(unit("c", 0), probe("a"))
    for _ in range(QUARANTINE_BLAME // 2):
        book.lease("n")
        book.release("n", KILL_BLAME)
    book.add(unit("c", 1))
    suspect = book.lease("m")
    assert suspect is not None
    book.settle("m", suspect.key)
    book.put_back([suspect])
    book.lease("n")
    assert book.num_leased("n") == 1
    assert book.lease("n") is None


def test_dropped_orders_are_no_work() -> None:
    book = book_of(probe("a"), unit("c", 0), unit("c", 1))
    book.lease("n")
    book.drop_waiting()
    assert not book.is_empty
    book.settle("n", ("c", "000000"))
    assert book.is_empty
