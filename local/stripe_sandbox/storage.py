"""Everything the sandbox remembers, in one SQLite file, so that a restart forgets nothing.

Stripe objects are kept whole as JSON; a few members are columns because they are searched by.
Members whose name begins with an underscore are the sandbox's own and never leave it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import Json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  account TEXT NOT NULL, livemode INTEGER NOT NULL, created INTEGER NOT NULL,
  customer TEXT, payment_intent TEXT, charge TEXT, status TEXT, expires_at INTEGER,
  body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_kind ON objects (kind, account, livemode, seq);
CREATE INDEX IF NOT EXISTS by_customer ON objects (kind, customer);
CREATE INDEX IF NOT EXISTS by_intent ON objects (kind, payment_intent);
CREATE INDEX IF NOT EXISTS by_charge ON objects (kind, charge);
CREATE INDEX IF NOT EXISTS by_end ON objects (kind, status, expires_at);
CREATE TABLE IF NOT EXISTS accounts (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS idempotency (
  scope TEXT NOT NULL, key TEXT NOT NULL, created REAL NOT NULL, body TEXT NOT NULL,
  PRIMARY KEY (scope, key));
CREATE TABLE IF NOT EXISTS requests (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL,
  endpoint TEXT NOT NULL, state TEXT NOT NULL, due REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_event ON deliveries (event);
CREATE INDEX IF NOT EXISTS by_state ON deliveries (state, due);
CREATE TABLE IF NOT EXISTS timers (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, due REAL NOT NULL, action TEXT NOT NULL,
  object TEXT NOT NULL);
"""
_TABLES = ("objects", "accounts", "settings", "idempotency", "requests", "deliveries", "timers")
# Of the request log, so that a sandbox that runs for months stays small.
_KEPT_REQUESTS = 20_000
_COLUMNS = ("customer", "payment_intent", "charge", "status", "expires_at")


@dataclass(frozen=True)
class Scope:
    """Whose objects are meant: one account's in one mode; or any account's, to read only."""

    account: str
    livemode: bool
    read_all: bool = False


class Store:
    """Not for several processes. Callers in one thread get atomicity from `transaction`."""

    def __init__(self, path: Path | None) -> None:
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            str(path) if path else ":memory:", check_same_thread=False, isolation_level=None
        )
        self._lock = threading.RLock()
        self._depth = 0
        self._after: list[Callable[[], None]] = []
        # Called inside the transaction for each new event: the webhook dispatcher is one.
        self.listeners: list[Callable[[Scope, Json], None]] = []
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA busy_timeout=3000;"
        )
        self._db.executescript(_SCHEMA)
        if not self.setting("secret"):
            self.set_setting("secret", secrets.token_hex(16))

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def clear(self, *, keep_endpoints: bool = False) -> None:
        """Forgets everything; with `keep_endpoints`, webhook endpoints and accounts stay."""
        kept = {"accounts"} if keep_endpoints else set()
        with self.transaction():
            for table in _TABLES:
                if table not in kept:
                    condition = (
                        " WHERE kind <> 'webhook_endpoint'"
                        if keep_endpoints and table == "objects"
                        else ""
                    )
                    self._db.execute(f"DELETE FROM {table}{condition}")  # noqa: S608
            self.set_setting("secret", secrets.token_hex(16))

    # -- transactions and time

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; what `after_commit` collected runs once the outermost one is done."""
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException as error:
                self._depth -= 1
                if self._depth == 0:
                    kept = bool(getattr(error, "keep", False))
                    self._db.execute("COMMIT" if kept else "ROLLBACK")
                    self._finish(run=kept)
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")
                self._finish(run=True)

    def _finish(self, *, run: bool) -> None:
        actions, self._after = self._after, []
        for action in actions if run else ():
            action()

    def after_commit(self, action: Callable[[], None]) -> None:
        self._after.append(action)

    def now(self) -> float:
        """The sandbox's clock: the machine's, moved by the control API."""
        return time.time() + float(self.setting("clock_offset") or 0)

    # -- settings and accounts

    def setting(self, name: str) -> Any:
        row = self._row("SELECT value FROM settings WHERE name = ?", name)
        return json.loads(row[0]) if row else None

    def set_setting(self, name: str, value: Any) -> None:
        self._run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, json.dumps(value))

    def account(self, id_: str) -> Json | None:
        row = self._row("SELECT body FROM accounts WHERE id = ?", id_)
        return json.loads(row[0]) if row else None

    def put_account(self, id_: str, body: Json) -> None:
        self._run("INSERT OR REPLACE INTO accounts VALUES (?, ?)", id_, json.dumps(body))

    def accounts(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT id FROM accounts ORDER BY id")]

    # -- objects

    def put(self, scope: Scope, body: Json) -> Json:
        columns = [_column(body.get(name)) for name in _COLUMNS]
        self._run(
            "INSERT INTO objects (id, kind, account, livemode, created, customer, payment_intent,"
            " charge, status, expires_at, body) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
            " ON CONFLICT (id) DO UPDATE SET customer = excluded.customer,"
            " payment_intent = excluded.payment_intent, charge = excluded.charge,"
            " status = excluded.status, expires_at = excluded.expires_at, body = excluded.body",
            body["id"],
            body["object"],
            scope.account,
            int(scope.livemode),
            int(body.get("created") or self.now()),
            *columns,
            json.dumps(body),
        )
        return body

    def get(self, scope: Scope, kind: str, id_: str) -> Json | None:
        row = self._row(
            "SELECT body FROM objects WHERE id = ? AND kind = ? AND livemode = ?"
            " AND (account = ? OR ?)",
            id_,
            kind,
            int(scope.livemode),
            scope.account,
            int(scope.read_all),
        )
        return json.loads(row[0]) if row else None

    def find_any(self, id_: str) -> tuple[Scope, Json] | None:
        """By id alone, whoever owns it: for the checkout page and the control API."""
        row = self._row("SELECT account, livemode, body FROM objects WHERE id = ?", id_)
        return (Scope(row[0], bool(row[1])), json.loads(row[2])) if row else None

    def exists_in_mode(self, account: str, kind: str, id_: str, livemode: bool) -> bool:
        return self.get(Scope(account, livemode), kind, id_) is not None

    def delete(self, id_: str) -> None:
        self._run("DELETE FROM objects WHERE id = ?", id_)

    def select(self, scope: Scope, kind: str, **columns: Any) -> list[Json]:
        """Newest first. `columns` are equalities on the searchable members."""
        conditions = "".join(f" AND {name} = ?" for name in columns)
        return [
            json.loads(row[0])
            for row in self._rows(
                "SELECT body FROM objects WHERE kind = ? AND livemode = ?"  # noqa: S608 - names only
                f" AND (account = ? OR ?){conditions} ORDER BY seq DESC",
                kind,
                int(scope.livemode),
                scope.account,
                int(scope.read_all),
                *columns.values(),
            )
        ]

    def kinds(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT DISTINCT kind FROM objects ORDER BY kind")]

    def due_sessions(self, now: float) -> list[tuple[Scope, Json]]:
        return [
            (Scope(row[0], bool(row[1])), json.loads(row[2]))
            for row in self._rows(
                "SELECT account, livemode, body FROM objects WHERE kind = 'checkout.session'"
                " AND status = 'open' AND expires_at <= ?",
                now,
            )
        ]

    # -- idempotency records

    def idempotency_record(self, scope: str, key: str) -> Json | None:
        row = self._row(
            "SELECT created, body FROM idempotency WHERE scope = ? AND key = ?", scope, key
        )
        return {"created": row[0], **json.loads(row[1])} if row else None

    def put_idempotency(self, scope: str, key: str, created: float, body: Json) -> None:
        self._run(
            "INSERT OR REPLACE INTO idempotency VALUES (?,?,?,?)",
            scope,
            key,
            created,
            json.dumps(body),
        )

    def drop_idempotency(self, scope: str, key: str) -> None:
        self._run("DELETE FROM idempotency WHERE scope = ? AND key = ?", scope, key)

    def recover(self) -> None:
        """After a restart: what was running then is not running any more."""
        self._run("DELETE FROM idempotency WHERE json_extract(body, '$.state') = 'running'")
        for delivery in self.deliveries(state="sending"):
            self.put_delivery({**delivery, "state": "copy" if delivery["copy"] else "held"})

    # -- the request log

    def log_request(self, entry: Json) -> int:
        seq = self._insert(
            "INSERT INTO requests (time, method, path, body) VALUES (?,?,?,?)",
            entry["time"],
            entry["method"],
            entry["path"],
            json.dumps(entry),
        )
        if seq % 1000 == 0:
            self._run("DELETE FROM requests WHERE seq <= ?", seq - _KEPT_REQUESTS)
        return seq

    def update_request(self, seq: int, entry: Json) -> None:
        self._run("UPDATE requests SET body = ? WHERE seq = ?", json.dumps(entry), seq)

    def requests(self, *, path: str, method: str, since: float, limit: int) -> list[Json]:
        """Oldest first, the newest `limit` of them. `path` is a prefix."""
        rows = self._rows(
            "SELECT seq, body FROM requests WHERE substr(path, 1, ?) = ? AND (? = '' OR method = ?)"
            " AND time >= ? ORDER BY seq DESC LIMIT ?",
            len(path),
            path,
            method,
            method,
            since,
            limit,
        )
        return [{"seq": row[0], **json.loads(row[1])} for row in reversed(rows)]

    def clear_requests(self) -> None:
        self._run("DELETE FROM requests")

    # -- webhook deliveries

    def put_delivery(self, delivery: Json) -> None:
        self._run(
            "INSERT INTO deliveries (id, event, endpoint, state, due, body) VALUES (?,?,?,?,?,?)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, due = excluded.due,"
            " body = excluded.body",
            delivery["id"],
            delivery["event"],
            delivery["endpoint"],
            delivery["state"],
            delivery["due"],
            json.dumps(delivery),
        )

    def delivery(self, id_: str) -> Json | None:
        row = self._row("SELECT body FROM deliveries WHERE id = ?", id_)
        return json.loads(row[0]) if row else None

    def deliveries(self, **columns: Any) -> list[Json]:
        conditions = " AND ".join(f"{name} = ?" for name in columns) or "1"
        return [
            json.loads(row[0])
            for row in self._rows(
                f"SELECT body FROM deliveries WHERE {conditions} ORDER BY seq",  # noqa: S608
                *columns.values(),
            )
        ]

    def due_deliveries(self, now: float) -> list[Json]:
        return [
            json.loads(row[0])
            for row in self._rows(
                "SELECT body FROM deliveries WHERE state = 'pending' AND due <= ?"
                " ORDER BY due, seq",
                now,
            )
        ]

    def next_delivery(self) -> float | None:
        row = self._row("SELECT MIN(due) FROM deliveries WHERE state = 'pending'")
        return float(row[0]) if row and row[0] is not None else None

    def undelivered(self, event: str) -> int:
        row = self._row(
            "SELECT COUNT(DISTINCT endpoint) FROM deliveries WHERE event = ?"
            " AND state NOT IN ('succeeded', 'copy')",
            event,
        )
        return int(row[0]) if row else 0

    # -- timers: things that happen later by the sandbox's clock

    def set_timer(self, due: float, action: str, object_id: str) -> None:
        self._run("INSERT INTO timers (due, action, object) VALUES (?,?,?)", due, action, object_id)

    def take_timers(self, now: float, object_id: str | None = None) -> list[tuple[str, str]]:
        """(action, object id) of what is due; of everything for `object_id` if given."""
        where, value = ("object = ?", object_id) if object_id else ("due <= ?", now)
        rows = self._rows(
            f"SELECT seq, action, object FROM timers WHERE {where} ORDER BY due, seq",  # noqa: S608
            value,
        )
        for row in rows:
            self._run("DELETE FROM timers WHERE seq = ?", row[0])
        return [(row[1], row[2]) for row in rows]

    # -- SQL

    def _run(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(sql, values)

    def _insert(self, sql: str, *values: Any) -> int:
        with self._lock:
            return int(self._db.execute(sql, values).lastrowid or 0)

    def _row(self, sql: str, *values: Any) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._db.execute(sql, values).fetchone()
            return row

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()


def _column(value: Any) -> Any:
    return value if isinstance(value, str | int) else None
