"""The kernel: exact money, ids, clock, refusals, transactions, outbox and batch gate."""

from fairwind.kernel.arrays import bytes_array, int_array, text_array, time_array, uuid_array
from fairwind.kernel.clock import Clock, ShiftedClock, SystemClock
from fairwind.kernel.database import Database, DatabaseError, Query, Row, Transaction, Unavailable, statement
from fairwind.kernel.gate import Gate
from fairwind.kernel.ids import (
    CategoryId,
    EventId,
    LiveSessionId,
    OrderId,
    PaymentId,
    PersonId,
    ProductId,
    RefundId,
    ShopId,
    SkuId,
    TransferId,
    uuid7,
    uuid7s,
)
from fairwind.kernel.money import FEN_MAX, PPM_WHOLE, Fen, Ppm, format_yuan, parse_yuan, portion, split
from fairwind.kernel.outbox import Consumer, Event, Relay, emit, events_written
from fairwind.kernel.platform import Platform, Wiring
from fairwind.kernel.refusals import (
    Busy,
    Forbidden,
    IdReused,
    Invalid,
    NotFound,
    Refused,
    SignInNeeded,
    Stopping,
    accepted,
)
from fairwind.kernel.secrets import secret
from fairwind.kernel.sequences import next_ids
from fairwind.kernel.settings import Settings, SettingsError

__all__ = [
    "FEN_MAX",
    "PPM_WHOLE",
    "Busy",
    "CategoryId",
    "Clock",
    "Consumer",
    "Database",
    "DatabaseError",
    "Event",
    "EventId",
    "Fen",
    "Forbidden",
    "Gate",
    "IdReused",
    "Invalid",
    "LiveSessionId",
    "NotFound",
    "OrderId",
    "PaymentId",
    "PersonId",
    "Platform",
    "Ppm",
    "ProductId",
    "Query",
    "RefundId",
    "Refused",
    "Relay",
    "Row",
    "Settings",
    "SettingsError",
    "ShiftedClock",
    "ShopId",
    "SignInNeeded",
    "SkuId",
    "Stopping",
    "SystemClock",
    "Transaction",
    "TransferId",
    "Unavailable",
    "Wiring",
    "accepted",
    "bytes_array",
    "emit",
    "events_written",
    "format_yuan",
    "int_array",
    "next_ids",
    "parse_yuan",
    "portion",
    "secret",
    "split",
    "statement",
    "text_array",
    "time_array",
    "uuid7",
    "uuid7s",
    "uuid_array",
]
