"""What the sandbox provider remembers, in an SQLite file of its own: every change is on disk before it is answered.

The file survives kill -9 of the process (write-ahead log, synchronous=NORMAL); it need not survive a power cut, since
the money in it is not real.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec

from fairwind.payments.sandbox.messages import Order, OrderStatus, RefundOrder, RefundStatus
from fairwind.payments.sandbox.switches import Switches

_TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS payment (
    reference TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, trade_no TEXT NOT NULL UNIQUE,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), orders TEXT NOT NULL,
    callback_url TEXT NOT NULL, return_url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'succeeded')), attempts INTEGER NOT NULL,
    expires_at REAL NOT NULL, changed_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS payment_open ON payment (expires_at) WHERE state = 'open';
CREATE TABLE IF NOT EXISTS refund (
    id TEXT PRIMARY KEY, reference TEXT NOT NULL REFERENCES payment, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    failed INTEGER NOT NULL, attempts INTEGER NOT NULL, done_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS refund_of_payment ON refund (reference);
CREATE TABLE IF NOT EXISTS payout (
    id TEXT PRIMARY KEY, payee TEXT NOT NULL, amount_fen INTEGER NOT NULL CHECK (amount_fen > 0),
    outcome TEXT NOT NULL CHECK (outcome IN ('succeeded', 'failed', 'cancelled')), tries INTEGER NOT NULL,
    attempt INTEGER NOT NULL, requests INTEGER NOT NULL, done_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS callback (
    id INTEGER PRIMARY KEY, url TEXT NOT NULL, body BLOB NOT NULL, made_at REAL NOT NULL, due_at REAL NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS callback_due ON callback (due_at);
CREATE TABLE IF NOT EXISTS switches (one INTEGER PRIMARY KEY CHECK (one = 1), settings TEXT NOT NULL);
"""

R = TypeVar("R", bound=tuple[Any, ...])

_CALLBACKS_FOR_S = 86_400
_BACK_OFF_MAX_S = 3600
_IN_FLIGHT_S = 15
"""A callback in flight is left alone so long; it is sent again when the process died meanwhile."""


TradeState = Literal["open", "closed", "succeeded"]


class Trade(NamedTuple):
    """A payment at the provider; times in seconds since 1970."""

    reference: str
    token: str
    trade_no: str
    amount_fen: int
    orders: str
    callback_url: str
    return_url: str
    state: TradeState
    attempts: int
    expires_at: float
    changed_at: float


class GivenBack(NamedTuple):
    """A refund at the provider; it takes until done_at."""

    id: str
    reference: str
    amount_fen: int
    failed: int
    attempts: int
    done_at: float


class Callback(NamedTuple):
    """A callback that is yet to be delivered."""

    id: int
    url: str
    body: bytes
    made_at: float
    due_at: float
    attempts: int


class Conflict(Exception):  # noqa: N818  an answer, not an error
    """What is asked contradicts what is in the book."""


class Book:
    """The provider's book. path: its file; pages: where its pages are. Every method is one transaction.

    now: seconds since 1970.
    """

    def __init__(self, path: Path, pages: str) -> None:
        self._pages = pages
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.executescript(_TABLES)
        row = self._sql.execute("SELECT settings FROM switches").fetchone()
        self.switches = msgspec.json.decode(row[0], type=Switches) if row else Switches()

    def close(self) -> None:
        self._sql.close()

    def set_switches(self, switches: Switches) -> None:
        self._sql.execute(
            "INSERT OR REPLACE INTO switches (one, settings) VALUES (1, ?)", (msgspec.json.encode(switches),)
        )
        self.switches = switches

    def open_trade(self, order: Order, now: float) -> Trade:
        """The trade for order's reference, made when there is none; Conflict when that one is for other content."""
        with self.transaction():
            trade = self.trade(order.reference)
            if trade is None:
                trade = _new_trade(order, now)
                self.save("payment", trade)
        if (trade.amount_fen, trade.orders) != (order.amount_fen, " ".join(order.orders)):
            raise Conflict(f"{order.reference} was used for another payment")
        return trade

    def trade(self, reference: str) -> Trade | None:
        return self.one(Trade, "SELECT * FROM payment WHERE reference = ?", reference)

    def trade_of_page(self, token: str) -> Trade | None:
        return self.one(Trade, "SELECT * FROM payment WHERE token = ?", token)

    def try_to_pay(self, trade: Trade, *, works: bool, now: float) -> Trade:
        """The trade after an attempt to pay it. A buyer who cancelled may still pay until it expires."""
        with self.transaction():
            trade = self.trade(trade.reference) or trade
            if trade.state == "succeeded" or trade.expires_at <= now:
                return trade
            works = works and not self.switches.declines(trade.reference, trade.attempts)
            tried = trade._replace(attempts=trade.attempts + 1)
            return self._changed(tried, "succeeded" if works else trade.state, now)

    def cancel(self, trade: Trade, now: float) -> Trade:
        """The trade after its buyer cancelled."""
        with self.transaction():
            trade = self.trade(trade.reference) or trade
            return self._changed(trade, "closed", now) if trade.state == "open" else trade

    def close_expired(self, now: float, limit: int) -> int:
        """Close trades that nobody paid in time; answers how many. Callbacks nobody took are given up after a day."""
        with self.transaction():
            rows = self._sql.execute(
                "SELECT * FROM payment WHERE state = 'open' AND expires_at <= ? ORDER BY expires_at LIMIT ?",
                (now, limit),
            ).fetchall()
            for row in rows:
                self._changed(Trade(*row), "closed", now)
            self._sql.execute("DELETE FROM callback WHERE made_at <= ?", (now - _CALLBACKS_FOR_S,))
        return len(rows)

    def _changed(self, trade: Trade, state: TradeState, now: float) -> Trade:
        """Save the trade's new state; a new state is called back."""
        after = trade._replace(state=state, changed_at=now)
        self._sql.execute(
            "UPDATE payment SET state = ?, attempts = ?, changed_at = ? WHERE reference = ?",
            (after.state, after.attempts, after.changed_at, after.reference),
        )
        if after.state != trade.state:
            body = msgspec.json.encode(self.status(after))
            self.call_back(after.callback_url, body, self.switches.deliveries(after.reference, after.state), now)
        return after

    def call_back(self, url: str, body: bytes, waits_s: Iterable[float], now: float) -> None:
        """Have body delivered to url once for each wait; inside a transaction."""
        self._sql.executemany(
            "INSERT INTO callback (url, body, made_at, due_at, attempts) VALUES (?, ?, ?, ?, 0)",
            [(url, body, now, now + wait_s) for wait_s in waits_s],
        )

    def status(self, trade: Trade) -> OrderStatus:
        """What the provider says of trade."""
        at = datetime.fromtimestamp(trade.changed_at, UTC)
        return OrderStatus(
            trade.reference, trade.trade_no, trade.state, trade.amount_fen, at, f"{self._pages}/pay/{trade.token}"
        )

    def give_back(self, order: RefundOrder, now: float) -> GivenBack:
        """The refund that order asks for: made, or tried again when it failed. Conflict when it cannot be."""
        with self.transaction():
            refund = self.refund(order.id)
            if refund is None:
                self._check(order)
            elif (refund.reference, refund.amount_fen) != (order.reference, order.amount_fen):
                raise Conflict(f"{order.id} was used for another refund")
            elif refund_state(refund, now) != "failed":
                return refund
            attempts = refund.attempts if refund else 0
            failed = self.switches.fails(order.id, attempts)
            refund = GivenBack(
                order.id, order.reference, order.amount_fen, failed, attempts + 1, now + self.switches.delay_s
            )
            self.save("refund", refund)
        return refund

    def _check(self, order: RefundOrder) -> None:
        trade = self.trade(order.reference)
        if trade is None or trade.state != "succeeded":
            raise Conflict(f"{order.reference} was not paid")
        if self._given_back_fen(order.reference) + order.amount_fen > trade.amount_fen:
            raise Conflict(f"more would go back than was paid for {order.reference}")

    def refund(self, refund_id: str) -> GivenBack | None:
        return self.one(GivenBack, "SELECT * FROM refund WHERE id = ?", refund_id)

    def _given_back_fen(self, reference: str) -> int:
        row = self._sql.execute("SELECT coalesce(sum(amount_fen), 0) FROM refund WHERE reference = ?", (reference,))
        return int(row.fetchone()[0])

    def callbacks_due(self, now: float, limit: int) -> list[Callback]:
        """Callbacks to be sent now; none of them is answered again while it is in flight."""
        with self.transaction():
            rows = self._sql.execute("SELECT * FROM callback WHERE due_at <= ? ORDER BY due_at LIMIT ?", (now, limit))
            callbacks = [Callback(*row) for row in rows.fetchall()]
            self._put_off((now + _IN_FLIGHT_S, callback) for callback in callbacks)
        return callbacks

    def delivered(self, callback: Callback) -> None:
        self._sql.execute("DELETE FROM callback WHERE id = ?", (callback.id,))

    def undelivered(self, callback: Callback, now: float) -> None:
        """Send it again, after twice the pause of the last time."""
        self._put_off([(now + min(2.0**callback.attempts, _BACK_OFF_MAX_S), callback)])

    def _put_off(self, until: Iterable[tuple[float, Callback]]) -> None:
        self._sql.executemany(
            "UPDATE callback SET due_at = ?, attempts = ? WHERE id = ?",
            [(due_at, callback.attempts + 1, callback.id) for due_at, callback in until],
        )

    def next_due_at(self) -> float | None:
        """When the next callback is to be sent."""
        due_at: float | None = self._sql.execute("SELECT min(due_at) FROM callback").fetchone()[0]
        return due_at

    def counts(self) -> dict[str, int]:
        """How many payments there are in each state, refunds, payouts, and callbacks that wait; what was paid out."""
        rows = self._sql.execute(
            "SELECT state, count(*) FROM payment GROUP BY state "
            "UNION ALL SELECT 'refunds', count(*) FROM refund UNION ALL SELECT 'callbacks', count(*) FROM callback "
            "UNION ALL SELECT 'payouts', count(*) FROM payout UNION ALL "
            "SELECT 'paid_out_fen', coalesce(sum(amount_fen), 0) FROM payout WHERE outcome = 'succeeded'"
        )
        return {"open": 0, "closed": 0, "succeeded": 0, **dict(rows)}

    def save(self, table: str, row: tuple[Any, ...]) -> None:
        """Write the row, over the one with its key."""
        self._sql.execute(f"INSERT OR REPLACE INTO {table} VALUES ({_marks(row)})", row)  # noqa: S608

    def one(self, shape: type[R], sql: str, key: str) -> R | None:
        row = self._sql.execute(sql, (key,)).fetchone()
        return None if row is None else shape(*row)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")


def refund_state(refund: GivenBack, now: float) -> Literal["processing", "succeeded", "failed"]:
    if refund.done_at > now:
        return "processing"
    return "failed" if refund.failed else "succeeded"


def refund_status(refund: GivenBack, now: float) -> RefundStatus:
    """What the provider says of refund."""
    state = refund_state(refund, now)
    return RefundStatus(refund.id, state, "the buyer's bank refused it" if state == "failed" else None)


def _new_trade(order: Order, now: float) -> Trade:
    return Trade(
        reference=order.reference,
        token=secrets.token_urlsafe(18),
        trade_no=f"SBX{secrets.token_hex(10)}".upper(),
        amount_fen=order.amount_fen,
        orders=" ".join(order.orders),
        callback_url=order.callback_url,
        return_url=order.return_url,
        state="open",
        attempts=0,
        expires_at=now + order.expires_in_s,
        changed_at=now,
    )


def _marks(row: tuple[Any, ...]) -> str:
    return ", ".join("?" * len(row))
