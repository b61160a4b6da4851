"""Where whole requests wait for their answers.

Quick requests that arrived in the same turn of the event loop are answered together, at its end, by one call of the
application: under load batches grow by themselves, and nobody ever waits for a batch to fill. Slow ones are answered
beside the loop, by a few threads, and those that came while the threads were busy go together as well.

Clients take turns, so that one who asks for much waits for itself and not others for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter

from lithify.deployment.http.exchange import Exchange
from lithify.deployment.http.message import Head, Request, Response, refusal
from lithify.deployment.http.routes import Application, Call
from lithify.deployment.limits import Limits
from lithify.errors import LithifyError, Overloaded, TooManyRequests

TOGETHER = 64
"""Quick requests that are answered in one go; the loop looks after its connections in between."""
BYTES = 16 << 10
"""Bytes of their bodies, after which no more are taken: what is long takes long."""
GROUP = 16
"""Slow requests that one thread takes at a time, all of one client; a few where others have requests too."""
FEW = 4
HEAVY = 256 << 10
"""Bytes of their bodies, after which no more are taken."""
THREADS = 2
_AGAIN = (("Retry-After", "1"),)
_log = logging.getLogger("lithify.serve")


class Desk:
    """Takes whole requests and sees to their answers.

    Parameters
    ----------
    application : Application
    limits : Limits
    loop : asyncio.AbstractEventLoop
        All but the answering of slow requests happens in its thread.
    """

    def __init__(self, application: Application, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.waiting = 0
        self.buffered = 0
        self._application = application
        self._limits = limits
        self._loop = loop
        self._clients: dict[str, int] = {}
        self._quick: list[Exchange] = []
        self._slow: list[Exchange] = []
        self._busy: list[str] = []  # whose requests the threads are at
        self._scheduled = False
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="lithify-slow")

    def open(self, head: Head) -> Call | Response:
        """Where a request goes; what the application raises is our failure, not the client's."""
        try:
            return self._application.open(head)
        except Exception as error:
            return failure(error)

    def take(self, exchange: Exchange) -> None:
        """Queues a whole request for its answer, or answers at once that there are too many."""
        call = exchange.call
        assert call is not None
        counts = self._clients.get(call.client, 0)
        if self.waiting >= self._limits.waiting:
            exchange.response = overloaded("Too many requests wait for an answer.", plain=call.plain)
            return
        if counts >= self._limits.per_client:
            error = TooManyRequests("Too many requests of one client wait for an answer.", hint="Send fewer at a time.")
            exchange.response = refusal(error, plain=call.plain, headers=_AGAIN)
            return
        self.waiting += 1
        self._clients[call.client] = counts + 1
        exchange.counted = True
        (self._slow if call.slow else self._quick).append(exchange)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)

    def leave(self, exchange: Exchange) -> None:
        """A request no longer waits: it was answered, or nobody is there to hear the answer."""
        if not exchange.counted:
            return
        exchange.counted = False
        self.waiting -= 1
        call = exchange.call
        assert call is not None
        left = self._clients[call.client] - 1
        if left:
            self._clients[call.client] = left
        else:
            del self._clients[call.client]

    def give_up(self, exchange: Exchange) -> None:
        """Answers in the place of an application that takes too long."""
        call = exchange.call
        assert call is not None
        exchange.response = overloaded("The answer took too long.", plain=call.plain)
        self.leave(exchange)

    def observe(self, exchange: Exchange, now: float) -> None:
        """Tells the application of a response that was sent."""
        assert exchange.response is not None
        try:
            self._application.observe(exchange.call, exchange.head, exchange.response, now - exchange.began)
        except Exception as error:
            _tell("observing a response", error)

    def close(self) -> None:
        """Lets the threads go; what they still compute is heard by nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _flush(self) -> None:
        share = _share(self._quick, TOGETHER, BYTES)
        if share < len(self._quick):
            self._quick = in_turns(self._quick)
            share = _share(self._quick, TOGETHER, BYTES)
        batch = self._quick[:share]
        del self._quick[:share]
        self._scheduled = bool(self._quick)
        if self._scheduled:
            self._loop.call_soon(self._flush)
        if batch := [exchange for exchange in batch if exchange.counted]:
            self._settle(batch, self._answer(batch))
        if self._slow:
            self._hand_out()

    def _hand_out(self) -> None:
        """Deals waiting slow requests out to the threads that are free, so that none has all of the work.

        Who has the fewest threads comes next; of those who came first.
        """
        self._slow = [exchange for exchange in self._slow if exchange.counted]
        while self._slow and (free := THREADS - len(self._busy)):
            client = min((_client(exchange) for exchange in self._slow), key=self._busy.count)
            waiting = [exchange for exchange in self._slow if _client(exchange) == client]
            most = min(GROUP if len(self._clients) == 1 else FEW, -(-len(waiting) // free))
            group = waiting[: _share(waiting, most, HEAVY)]
            taken = {id(exchange) for exchange in group}
            self._slow = [exchange for exchange in self._slow if id(exchange) not in taken]
            self._busy.append(client)
            self._threads.submit(self._work, group)

    def _work(self, group: list[Exchange]) -> None:
        """In a thread: answers a group and goes back to the loop with it."""
        responses = self._answer(group)
        try:
            self._loop.call_soon_threadsafe(self._done, group, responses)
        except RuntimeError:  # the loop was closed meanwhile
            return

    def _done(self, group: list[Exchange], responses: list[Response]) -> None:
        self._busy.remove(_client(group[0]))
        self._settle(group, responses)
        self._hand_out()

    def _settle(self, batch: list[Exchange], responses: list[Response]) -> None:
        for exchange, response in zip(batch, responses, strict=True):
            if exchange.counted:  # otherwise its time was over
                exchange.response = response
                self.leave(exchange)
        for exchange in batch:
            exchange.connection.send()

    def _answer(self, batch: Sequence[Exchange]) -> list[Response]:
        """The application's answers; where it raises, each request is asked for alone, so that only one fails."""
        asked = [(e.call, Request(e.head, e.body)) for e in batch if e.call is not None and e.head is not None]
        try:
            responses = self._application.answer(asked)
            if len(responses) == len(batch):
                return responses
            raise RuntimeError("an application must answer every request")
        except Exception as error:
            if len(batch) == 1:
                return [failure(error, batch[0].call)]
        return [self._answer([exchange])[0] for exchange in batch]


def in_turns(waiting: Sequence[Exchange]) -> list[Exchange]:
    """The first request of every client, then the second of each, and so on.

    Before them all those without a body, such as whether the server lives: they take next to nothing.
    """
    counts: dict[str, int] = {}
    turns = []
    for exchange in waiting:
        client = _client(exchange)
        counts[client] = turn = counts.get(client, 0) + 1
        turns.append(turn if exchange.body else 0)
    return [exchange for _, exchange in sorted(zip(turns, waiting, strict=True), key=itemgetter(0))]


def _share(waiting: Sequence[Exchange], most: int, size: int) -> int:
    """How many of the first are taken together: at most so many, and none after so many bytes."""
    held = 0
    for count, exchange in enumerate(waiting[:most]):
        held += len(exchange.body)
        if held > size and count:
            return count
    return min(most, len(waiting))


def _client(exchange: Exchange) -> str:
    assert exchange.call is not None
    return exchange.call.client


def overloaded(message: str, *, plain: bool = False) -> Response:
    """503, and when to come back."""
    return refusal(Overloaded(message, hint="Try again later."), plain=plain, headers=_AGAIN)


def failure(error: BaseException, call: Call | None = None, doing: str = "answering a request") -> Response:
    """A plain 500 for a mistake of ours; what it was stands in the log."""
    _tell(doing, error)
    hint = "The server's log has the kind of failure."
    return refusal(LithifyError("The server failed.", hint=hint), plain=call is not None and call.plain)


def _tell(doing: str, error: BaseException) -> None:
    """By kind and place only: the text of an exception may quote a message."""
    frame, place, line = error.__traceback__, "nowhere", 0
    while frame is not None:
        place, line, frame = frame.tb_frame.f_code.co_name, frame.tb_lineno, frame.tb_next
    _log.error("A failure while %s: %s in %s, line %d", doing, type(error).__name__, place, line)
