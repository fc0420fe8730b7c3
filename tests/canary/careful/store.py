"""What is kept: accounts, sessions, mailed slips, counters and the trail of events, in one SQLite file."""

import contextlib
import datetime
import hashlib
import hmac
import ipaddress
import json
import secrets
import sqlite3
import sys
import threading
import time

SCHEMA = """
CREATE TABLE IF NOT EXISTS person (
    id TEXT PRIMARY KEY, mail TEXT NOT NULL UNIQUE, phrase TEXT NOT NULL, proven INTEGER, barred INTEGER,
    era INTEGER NOT NULL DEFAULT 0, misses INTEGER NOT NULL DEFAULT 0, phrased INTEGER NOT NULL, made INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS visit (
    digest TEXT PRIMARY KEY, label TEXT NOT NULL UNIQUE, person TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    era INTEGER NOT NULL, made INTEGER NOT NULL, entered INTEGER NOT NULL, seen INTEGER NOT NULL, ends INTEGER NOT NULL,
    ip TEXT NOT NULL, agent TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS visit_person ON visit (person);
CREATE TABLE IF NOT EXISTS slip (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, person TEXT NOT NULL REFERENCES person ON DELETE CASCADE,
    mail TEXT NOT NULL, ends INTEGER NOT NULL, used INTEGER, UNIQUE (person, kind));
CREATE TABLE IF NOT EXISTS brake (
    key TEXT PRIMARY KEY, count INTEGER NOT NULL, since INTEGER NOT NULL, shut INTEGER NOT NULL, ends INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS brake_ends ON brake (ends);
CREATE TABLE IF NOT EXISTS trail (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, event TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    person TEXT, subject TEXT, ip TEXT NOT NULL, agent TEXT NOT NULL, request TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS trail_person ON trail (person);
"""
DAY, MISSES_WINDOW, LONGEST_WAIT = 86_400, 300, 3_600
REFUSALS_A_MINUTE = 10


def now():
    return int(time.time())


def stamp():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def log(event, **values):
    """One JSON object a line. ASCII only, so that no text of a client breaks out of its line."""
    line = json.dumps({"time": stamp(), "event": event} | values)
    with printing:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


printing = threading.Lock()


class Store:
    def __init__(self, settings):
        self.settings = settings
        self.key = hmac.digest(settings.key, b"canary counters v1", "sha256")
        self.writing = threading.Lock()
        with contextlib.closing(self.connect()) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(SCHEMA)

    def connect(self):
        db = sqlite3.connect(self.settings.database, timeout=10, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        return db

    @contextlib.contextmanager
    def read(self):
        with contextlib.closing(self.connect()) as db:
            yield db

    @contextlib.contextmanager
    def write(self):
        """A transaction that nobody else writes in: all of it happens, or nothing."""
        with self.writing, contextlib.closing(self.connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def hidden(self, what, whom):
        """A key that tells nobody whose it is."""
        return hmac.new(self.key, f"{what}\0{whom}".encode(), hashlib.sha256).hexdigest()

    def source(self, what, ip):
        """One source is one IPv4 address, or a network of IPv6 as households have it."""
        network = str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))
        return self.hidden(what, network)


def hit(db, key, limit, seconds):
    """Counts one event. Gives how long to wait if there were more than the limit, and whether this was the first."""
    at = now()
    db.execute("DELETE FROM brake WHERE ends <= ?", (at,))
    db.execute(
        "INSERT INTO brake VALUES (?, 1, ?, 0, ?) ON CONFLICT (key) DO UPDATE SET count = count + 1",
        (key, at, at + seconds),
    )
    row = db.execute("SELECT count, ends FROM brake WHERE key = ?", (key,)).fetchone()
    return (0, False) if row["count"] <= limit else (row["ends"] - at, row["count"] == limit + 1)


def unhit(db, key):
    db.execute("UPDATE brake SET count = count - 1 WHERE key = ? AND count > 0", (key,))


def guess(db, key, settings):
    """Counts a guess before it is looked at. From the limit on, each closes the account for twice as long; while it is
    closed nothing is looked at. Gives how long to wait."""
    at = now()
    row = db.execute("SELECT * FROM brake WHERE key = ? AND ends > ?", (key, at)).fetchone()
    if row and row["shut"] > at:
        return row["shut"] - at
    is_new = not row or (row["count"] < settings.misses and row["since"] <= at - MISSES_WINDOW)
    count, since = (1, at) if is_new else (row["count"] + 1, row["since"])
    over = count - settings.misses
    shut = at + min(settings.wait_seconds << min(over, 12), LONGEST_WAIT) if over >= 0 else 0
    db.execute("INSERT OR REPLACE INTO brake VALUES (?, ?, ?, ?, ?)", (key, count, since, shut, at + DAY))
    return 0


def clear(db, key):
    db.execute("DELETE FROM brake WHERE key = ?", (key,))


def record(db, event, visit, outcome="success", reason="", person=None, subject=None):
    """A row and a line of the log. In the caller's transaction, so that what happened and its trace belong together."""
    ip, agent, request = str(visit.request.ip), visit.request.agent, visit.request.id
    values = (stamp(), event, outcome, reason, person, subject, ip, agent, request)
    db.execute(
        "INSERT INTO trail (time, event, outcome, reason, person, subject, ip, agent, request) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    log(event, outcome=outcome, reason=reason, person=person, subject=subject, ip=ip, agent=agent, request=request)


def refusal(visit, event, reason, person=None):
    """A protection that said no: in the trail at most so often a minute, source and kind."""
    with visit.store.write() as db:
        key = visit.store.source("refusal:" + event + reason, visit.request.ip)
        if not hit(db, key, REFUSALS_A_MINUTE, 60)[0]:
            record(db, event, visit, "failure", reason, person)


def begin(db, visit, person, entered, ends):
    """A new session in place of the one that the request came with. Gives its token."""
    settings, at, token = visit.store.settings, now(), secrets.token_urlsafe(32)
    if visit.session:
        db.execute("DELETE FROM visit WHERE digest = ?", (digest(visit.session),))
    db.execute(
        "INSERT INTO visit VALUES (?, ?, ?, (SELECT era FROM person WHERE id = ?), ?, ?, ?, ?, ?, ?)",
        (digest(token), secrets.token_urlsafe(12), person, person, at, entered, at, ends, str(visit.request.ip),
         visit.request.agent),
    )  # fmt: skip
    record(db, "visit_begun", visit, person=person)
    surplus = db.execute(
        "SELECT digest FROM visit WHERE person = ? ORDER BY made DESC, rowid DESC LIMIT -1 OFFSET ?",
        (person, settings.visits),
    ).fetchall()
    for row in surplus:
        db.execute("DELETE FROM visit WHERE digest = ?", (row["digest"],))
        record(db, "visit_crowded_out", visit, person=person)
    return token


def hand_over(db, visit):
    """Ends the session that is to go on as another. Whether there was one: it may have been left at this moment."""
    return db.execute("DELETE FROM visit WHERE digest = ?", (digest(visit.session),)).rowcount == 1


def end_all(db, person):
    """Ends every session and link of a person, and every login that is under way."""
    db.execute("UPDATE person SET era = era + 1 WHERE id = ?", (person,))
    db.execute("DELETE FROM visit WHERE person = ?", (person,))
    db.execute("DELETE FROM slip WHERE person = ?", (person,))


def alive(db, token, idle):
    """The person of a session that still counts, with the session's own columns; marks it as seen."""
    at = now()
    row = db.execute(
        "SELECT person.id, person.mail, person.era, visit.label, visit.entered, visit.seen, visit.ends "
        "FROM visit JOIN person ON person.id = visit.person WHERE visit.digest = ? AND visit.era = person.era "
        "AND person.barred IS NULL AND person.proven IS NOT NULL AND visit.ends > ? AND visit.seen >= ?",
        (digest(token), at, at - idle),
    ).fetchone()
    if row and row["seen"] < at:
        db.execute("UPDATE visit SET seen = ? WHERE digest = ?", (at, digest(token)))
    return row


def issue(db, kind, person, mail, seconds):
    """A slip for a mail. There is one a person and kind: a newer one replaces it."""
    token = secrets.token_urlsafe(32)
    db.execute(
        "INSERT OR REPLACE INTO slip VALUES (?, ?, ?, ?, ?, NULL)", (digest(token), kind, person, mail, now() + seconds)
    )
    return token


def peek(db, kind, token):
    return db.execute(
        "SELECT slip.person, slip.mail, person.mail AS current FROM slip JOIN person ON person.id = slip.person "
        "WHERE slip.digest = ? AND slip.kind = ? AND slip.ends > ? AND slip.used IS NULL AND person.barred IS NULL",
        (digest(token), kind, now()),
    ).fetchone()


def consume(db, kind, token):
    """Uses the slip up. Within a write transaction, so only one of several requests finds it."""
    row = peek(db, kind, token)
    if row:
        db.execute("UPDATE slip SET used = ? WHERE digest = ?", (now(), digest(token)))
    return row
