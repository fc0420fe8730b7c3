"""What can be asked of accounts. Each handler says who may call it; nothing is open by default."""

import functools
import re
import secrets
import sqlite3

import mail
import passwords
import store
from web import Csrf, Problem, fields_of, set_cookie, throttled

ROUTES = {}
SUSPICIOUS_MISSES = 5


def anybody(visit):
    return ()


def member(visit):
    if not visit.user:
        raise Problem(401, "nobody")
    return (visit.user,)


def fresh(visit):
    """A member who gave the password a short while ago: a session that was left open is not enough."""
    (user,) = member(visit)
    if store.now() - user["entered"] > visit.settings.fresh_seconds:
        store.refusal(visit, "refused", "stale", user["id"])
        raise Problem(403, "again_please")
    return (user,)


def route(method, path, who, *fields):
    def add(handler):
        ROUTES.setdefault(path, {})[method] = (handler, who, fields)
        return handler

    return add


class Visit:
    """One request and what the handlers need for it."""

    def __init__(self, app, request):
        self.app, self.request, self.headers = app, request, []
        self.settings, self.store = app.settings, app.store
        self.session = request.cookie(app.settings.session_cookie)

    @functools.cached_property
    def user(self):
        if not self.session:
            return None
        with self.store.read() as db:
            return store.alive(db, self.session, self.settings.idle_seconds)

    def keep(self, token, seconds):
        self.headers.append(set_cookie(self.settings.session_cookie, token, self.settings, seconds))

    def forget(self):
        self.keep("", 0)
        self.headers.append('Clear-Site-Data: "cache", "cookies", "storage"')

    def limit(self, what, limit):
        """So often a minute and source."""
        with self.store.write() as db:
            wait, first = store.hit(db, self.store.source(what, self.request.ip), limit, 60)
        if first:
            store.refusal(self, "throttled", what)
        if wait:
            raise throttled(wait)

    def subject(self, address):
        """An address without account in the trail: people type passwords into the wrong field."""
        return self.store.hidden("trail", address)[:16]

    def notify(self, to, what):
        """At most one mail an hour of a kind."""
        with self.store.write() as db:
            wait, _ = store.hit(db, self.store.hidden(what, to), 1, 3_600)
        if not wait:
            self.app.mail.later(lambda: mail.notice(to, what, self.request.ip))


class App:
    def __init__(self, settings):
        self.settings, self.store, self.mail = settings, store.Store(settings), mail.Mail(settings)
        self.csrf = Csrf(settings)

    def dispatch(self, request):
        visit = Visit(self, request)
        methods, values = found(request.path)
        handler, who, fields = methods.get("GET" if request.method == "HEAD" else request.method) or (None, None, None)
        if handler is None:
            raise Problem(405, "method")
        if request.method not in ("GET", "HEAD"):
            self.refuse_foreign(visit)
        values = who(visit) + values + tuple(fields_of(request, fields) if fields else ())
        status, body = handler(visit, *values)
        return status, body, visit.headers

    def refuse_foreign(self, visit):
        reason = self.csrf.refusal(visit)
        if reason:
            store.refusal(visit, "foreign", reason)
            raise Problem(403, "foreign")


def found(path):
    if path in ROUTES:
        return ROUTES[path], ()
    match = re.fullmatch(r"/id/visits/([A-Za-z0-9_-]+)/end", path)
    if not match:
        raise Problem(404, "nothing_here")
    return ROUTES["/id/visits/{}/end"], match.groups()


def address(text):
    """The one form of an address: ASCII, lower case, trimmed. Everything else is refused, not folded."""
    text = "".join(c.lower() if c.isascii() else c for c in text.strip(" "))
    atom, label = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    local, _, _ = text.partition("@")
    if len(text) > 254 or len(local) > 64 or not re.fullmatch(rf"{atom}(\.{atom})*@{label}(\.{label})+", text):
        raise Problem(422, "mail")
    return text


def new_phrase(visit, phrase, to):
    """Judges a new password and hashes it."""
    passwords.check(phrase, visit.settings, to)
    if visit.settings.breaches:
        breached = passwords.is_breached(phrase, visit.settings.breaches)
        if breached:
            raise Problem(422, "phrase_breached")
        if breached is None:
            store.refusal(visit, "breaches_unknown", "unavailable")
    return passwords.hashed(phrase)


@route("GET", "/id/door", anybody)
def door(visit):
    """The anti-forgery token. Without a session it is bound to a cookie that marks the browser."""
    if visit.session:
        return 200, {"door": visit.app.csrf.token("visit", visit.session)}
    visitor = visit.request.cookie(visit.settings.visitor_cookie)
    if not visitor or not re.fullmatch("[A-Za-z0-9_-]{43}", visitor):
        visitor = secrets.token_urlsafe(32)
        visit.headers.append(set_cookie(visit.settings.visitor_cookie, visitor, visit.settings, 86_400))
    return 200, {"door": visit.app.csrf.token("visitor", visitor)}


@route("POST", "/id/join", anybody, "mail", "phrase")
def join(visit, to, phrase):
    """Who is known already is told by mail; the answer is the same."""
    visit.limit("join", visit.settings.source_joins)
    to, phrase = address(to), passwords.normal(phrase)
    phrase, person, at = new_phrase(visit, phrase, to), secrets.token_urlsafe(16), store.now()
    visit.app.mail.room()
    with visit.store.write() as db:
        made = db.execute(
            "INSERT INTO person (id, mail, phrase, phrased, made) VALUES (?, ?, ?, ?, ?) ON CONFLICT (mail) DO NOTHING",
            (person, to, phrase, at, at),
        ).rowcount
        letter = mail.known(to)
        if made:
            token = store.issue(db, "prove", person, to, visit.settings.prove_seconds)
            letter = mail.proof(visit.settings, to, token)
        store.record(db, "joined", visit, person=person if made else None, subject=visit.subject(to))
        wait, _ = store.hit(db, visit.store.hidden("mail", to), visit.settings.address_mails, 60)
    if not wait:
        visit.app.mail.later(lambda: letter)
    return 200, {"state": "mailed"}


def usable(visit, kind, token):
    """The slip's row, if it could be used now."""
    visit.limit("slip", visit.settings.source_slips)
    with visit.store.read() as db:
        row = store.peek(db, kind, token)
    if not row:
        store.refusal(visit, "slip_refused", kind)
        raise Problem(400, "slip")
    return row


def consume(db, kind, token):
    row = store.consume(db, kind, token)
    if not row:
        raise Problem(400, "slip")
    return row


@route("GET", "/id/prove", anybody)
def show_prove(visit):
    usable(visit, "prove", visit.request.slip())
    return 200, {"state": "ready"}


@route("POST", "/id/prove", anybody, "slip", "phrase")
def prove(visit, token, phrase):
    """The slip proves the mailbox, the password that it is the owner who signed up, not a stranger. Signs nobody in."""
    row = usable(visit, "prove", token)
    right(visit, row["mail"], phrase)
    with visit.store.write() as db:
        row = consume(db, "prove", token)
        db.execute("UPDATE person SET proven = coalesce(proven, ?) WHERE id = ?", (store.now(), row["person"]))
        db.execute("DELETE FROM slip WHERE person = ?", (row["person"],))
        store.record(db, "proven", visit, person=row["person"])
    return 200, {"state": "proven"}


@route("POST", "/id/prove/again", anybody, "mail")
def prove_again(visit, to):
    visit.limit("mail", visit.settings.source_mails)
    visit.app.mail.room()
    to = address(to)
    with visit.store.write() as db:
        store.record(db, "proof_asked", visit, subject=visit.subject(to))
        wait, _ = store.hit(db, visit.store.hidden("again", to), 1, visit.settings.again_seconds)
    if not wait:
        visit.app.mail.later(lambda: slip_letter(visit, "prove", to))
    return 200, {"state": "mailed"}


def slip_letter(visit, kind, to):
    """Off the request path, so that the answer takes as long for every address. Goes to the address in the row."""
    letter, seconds = {
        "prove": (mail.proof, visit.settings.prove_seconds),
        "renew": (mail.renewal, visit.settings.renew_seconds),
    }[kind]
    with visit.store.write() as db:
        row = db.execute("SELECT * FROM person WHERE mail = ? AND barred IS NULL", (to,)).fetchone()
        if not row or (kind == "prove" and row["proven"]):
            return None
        token = store.issue(db, kind, row["id"], row["mail"], seconds)
    return letter(visit.settings, row["mail"], token)


def right(visit, to, phrase):
    """Tries a password: the one place where a guess is looked at, with every limit around it. Gives the account's row.
    All failures look and cost the same."""
    phrase = passwords.normal(phrase)
    admit(visit, to)
    with visit.store.read() as db:
        row = db.execute("SELECT * FROM person WHERE mail = ?", (to,)).fetchone()
    matches = passwords.matches(phrase, row["phrase"] if row else None)
    if not matches or row["barred"] or row["misses"] >= visit.settings.misses_at_most:
        missed(visit, row, to)
        raise Problem(401, "wrong")
    stored = passwords.hashed(phrase) if passwords.is_outdated(row["phrase"]) else row["phrase"]
    with visit.store.write() as db:
        db.execute(
            "UPDATE person SET misses = 0, phrase = ? WHERE id = ? AND phrase = ?", (stored, row["id"], row["phrase"])
        )
        store.unhit(db, visit.store.source("miss", visit.request.ip))
        store.clear(db, visit.store.hidden("guess", to))
        store.record(db, "phrase_right", visit, person=row["id"])
    if row["misses"] >= SUSPICIOUS_MISSES:
        visit.notify(row["mail"], "Somebody signed in to your account after several wrong passwords.")
    return row


def admit(visit, to):
    source, settings = visit.store.source("miss", visit.request.ip), visit.settings
    with visit.store.write() as db:
        wait, first = store.hit(db, source, settings.source_misses, 60)
        shut = 0 if wait else store.guess(db, visit.store.hidden("guess", to), settings)
        if shut:
            store.unhit(db, source)
    if first:
        store.refusal(visit, "throttled", "miss")
    if shut:
        store.refusal(visit, "throttled", "account")
    if wait or shut:
        raise throttled(wait or shut)


def missed(visit, row, to):
    with visit.store.write() as db:
        person = row["id"] if row else None
        db.execute("UPDATE person SET misses = misses + 1 WHERE id = ?", (person,))
        misses = db.execute("SELECT misses FROM person WHERE id = ?", (person,)).fetchone()
        store.record(db, "entered", visit, "failure", "wrong", person, visit.subject(to))
    if misses and misses["misses"] == visit.settings.misses_at_most:
        visit.notify(to, "After too many wrong passwords, the password of your account was disabled.")


def start(visit, row, entered=None, ends=None, goes_on=False):
    """A session for the account as it was when its password was looked at; none if it changed meanwhile."""
    at = store.now()
    ends = ends or at + visit.settings.life_seconds
    with visit.store.write() as db:
        if goes_on and not store.hand_over(db, visit):
            raise Problem(401, "nobody")
        same = db.execute(
            "SELECT 1 FROM person WHERE id = ? AND era = ? AND barred IS NULL", (row["id"], row["era"])
        ).fetchone()
        if not same:
            raise Problem(401, "wrong")
        token = store.begin(db, visit, row["id"], entered or at, ends)
    visit.keep(token, ends - at)


@route("POST", "/id/enter", anybody, "mail", "phrase")
def enter(visit, to, phrase):
    visit.limit("enter", visit.settings.source_entries)
    row = right(visit, address(to), phrase)
    if not row["proven"]:
        store.refusal(visit, "refused", "unproven", row["id"])
        raise Problem(403, "unproven")
    start(visit, row)
    return 200, {"me": row["id"]}


@route("POST", "/id/leave", anybody)
def leave(visit):
    user = visit.user
    if visit.session:
        with visit.store.write() as db:
            if store.hand_over(db, visit) and user:
                store.record(db, "left", visit, person=user["id"])
    visit.forget()
    return 204, None


@route("GET", "/id/self", member)
def self(visit, user):
    me = {"key": user["id"], "mail": user["mail"], "proven": True, "by": ["pwd"], "since": user["entered"]}
    return 200, {"me": me}


@route("GET", "/notes", member)
def notes(visit, user):
    return 200, {"owner": user["id"], "notes": []}


@route("POST", "/id/again", member, "phrase")
def again(visit, user, phrase):
    visit.limit("enter", visit.settings.source_entries)
    right(visit, user["mail"], phrase)
    # As the account was when this session was looked at: one that was ended since begets no other.
    start(visit, user, goes_on=True)
    return 200, {"state": "fresh"}


def replace_phrase(db, visit, person, era, phrase):
    """Sets the password and ends what the old one opened. Nothing if the account changed meanwhile."""
    changed = db.execute(
        "UPDATE person SET phrase = ?, phrased = ?, misses = 0 "
        "WHERE id = ? AND era = coalesce(?, era) AND barred IS NULL",
        (phrase, store.now(), person, era),
    ).rowcount
    if not changed:
        raise Problem(401, "nobody")
    store.end_all(db, person)


@route("POST", "/id/phrase", member, "old", "new")
def phrase(visit, user, old, new):
    visit.limit("enter", visit.settings.source_entries)
    right(visit, user["mail"], old)
    new = new_phrase(visit, passwords.normal(new), user["mail"])
    with visit.store.write() as db:
        if not store.hand_over(db, visit):
            raise Problem(401, "nobody")
        replace_phrase(db, visit, user["id"], user["era"], new)
        token = store.begin(db, visit, user["id"], store.now(), user["ends"])
        store.record(db, "phrase_changed", visit, person=user["id"])
    visit.keep(token, user["ends"] - store.now())
    visit.notify(user["mail"], "The password of your account was changed.")
    return 200, {"state": "changed"}


@route("POST", "/id/lost", anybody, "mail")
def lost(visit, to):
    visit.limit("mail", visit.settings.source_mails)
    visit.app.mail.room()
    to = address(to)
    with visit.store.write() as db:
        store.record(db, "renewal_asked", visit, subject=visit.subject(to))
        wait, _ = store.hit(db, visit.store.hidden("mail", to), visit.settings.address_mails, 60)
    if not wait:
        visit.app.mail.later(lambda: slip_letter(visit, "renew", to))
    return 200, {"state": "mailed"}


@route("GET", "/id/renew", anybody)
def show_renew(visit):
    usable(visit, "renew", visit.request.slip())
    return 200, {"state": "ready"}


@route("POST", "/id/renew", anybody, "slip", "phrase")
def renew(visit, token, phrase):
    """Proves the mailbox as well: what a stranger set up under the address is gone. A password that is refused does not
    use the slip up. Signs nobody in."""
    row = usable(visit, "renew", token)
    phrase = new_phrase(visit, passwords.normal(phrase), row["mail"])
    with visit.store.write() as db:
        row = consume(db, "renew", token)
        replace_phrase(db, visit, row["person"], None, phrase)
        db.execute("UPDATE person SET proven = coalesce(proven, ?) WHERE id = ?", (store.now(), row["person"]))
        store.clear(db, visit.store.hidden("guess", row["current"]))
        store.record(db, "phrase_renewed", visit, person=row["person"])
    visit.notify(row["current"], "The password of your account was replaced by way of a mailed link.")
    return 200, {"state": "changed"}


@route("POST", "/id/move", fresh, "mail")
def move(visit, user, to):
    """A link to the new address, a notice to the old one, which stays in use until then."""
    visit.limit("mail", visit.settings.source_mails)
    visit.app.mail.room()
    to = address(to)
    if to == user["mail"]:
        raise Problem(422, "mail")
    with visit.store.write() as db:
        store.record(db, "move_asked", visit, person=user["id"], subject=visit.subject(to))
        # A counter of its own: those that strangers can fill must not keep the owner from knowing.
        silent, _ = store.hit(db, visit.store.hidden("move", user["id"]), visit.settings.address_mails, 60)
        wait, _ = store.hit(db, visit.store.hidden("mail", to), visit.settings.address_mails, 60)
    what = "Somebody asked to give your account another address. Nothing changes until that one is proven."
    if not silent:
        visit.app.mail.later(lambda: mail.notice(user["mail"], what, visit.request.ip))
    if not wait:
        visit.app.mail.later(lambda: move_letter(visit, user, to))
    return 200, {"state": "mailed"}


def move_letter(visit, user, to):
    with visit.store.write() as db:
        if db.execute("SELECT 1 FROM person WHERE mail = ?", (to,)).fetchone():
            return mail.known(to)
        token = store.issue(db, "move", user["id"], to, visit.settings.move_seconds)
    return mail.move(visit.settings, to, token)


def usable_move(visit, user, token):
    row = usable(visit, "move", token)
    if row["person"] != user["id"]:
        raise Problem(400, "slip")
    return row


@route("GET", "/id/move", member)
def show_move(visit, user):
    usable_move(visit, user, visit.request.slip())
    return 200, {"state": "ready"}


@route("POST", "/id/moved", member, "slip")
def moved(visit, user, token):
    usable_move(visit, user, token)
    with visit.store.write() as db:
        if not store.hand_over(db, visit):
            raise Problem(401, "nobody")
        row = consume(db, "move", token)
        try:
            changed = db.execute(
                "UPDATE person SET mail = ?, proven = ? WHERE id = ? AND era = ? AND barred IS NULL",
                (row["mail"], store.now(), user["id"], user["era"]),
            ).rowcount
        except sqlite3.IntegrityError as error:
            # Somebody else has the address by now; any other refusal of the database is a fault.
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise
            changed = 0
        if not changed or row["person"] != user["id"]:
            raise Problem(400, "slip")
        store.end_all(db, user["id"])
        session = store.begin(db, visit, user["id"], user["entered"], user["ends"])
        store.record(db, "moved", visit, person=user["id"])
    visit.keep(session, user["ends"] - store.now())
    visit.notify(user["mail"], "Your account has another address now. This one no longer signs in.")
    return 200, {"state": "changed"}


def visits_of(db, visit, user):
    rows = db.execute(
        "SELECT label, made, seen, ends, ip, agent FROM visit "
        "WHERE person = ? AND ends > ? AND seen >= ? ORDER BY seen DESC",
        (user["id"], store.now(), store.now() - visit.settings.idle_seconds),
    )
    return [dict(row) | {"here": row["label"] == user["label"]} for row in rows]


@route("GET", "/id/visits", member)
def visits(visit, user):
    with visit.store.read() as db:
        return 200, {"visits": visits_of(db, visit, user)}


@route("POST", "/id/visits/{}/end", fresh)
def end_visit(visit, user, label):
    with visit.store.write() as db:
        if not db.execute("DELETE FROM visit WHERE person = ? AND label = ?", (user["id"], label)).rowcount:
            raise Problem(404, "nothing_here")
        store.record(db, "visit_ended", visit, person=user["id"])
    return 204, None


@route("POST", "/id/visits/end", fresh)
def end_visits(visit, user):
    """All but this one, and logins that are under way."""
    with visit.store.write() as db:
        db.execute("DELETE FROM visit WHERE person = ? AND label <> ?", (user["id"], user["label"]))
        db.execute("UPDATE person SET era = era + 1 WHERE id = ?", (user["id"],))
        db.execute("UPDATE visit SET era = era + 1 WHERE person = ?", (user["id"],))
        store.record(db, "visits_ended", visit, person=user["id"])
    return 200, {"state": "ended"}


@route("GET", "/id/copy", fresh)
def copy(visit, user):
    visit.limit("copy", visit.settings.source_slips)
    with visit.store.write() as db:
        store.record(db, "copied", visit, person=user["id"])
        person = db.execute("SELECT id, mail, proven, phrased, made FROM person WHERE id = ?", (user["id"],)).fetchone()
        events = db.execute(
            "SELECT time, event, outcome, reason, ip, agent FROM trail WHERE person = ? ORDER BY id DESC LIMIT 10000",
            (user["id"],),
        ).fetchall()
        sessions = visits_of(db, visit, user)
    return 200, {"person": dict(person), "visits": sessions, "events": [dict(row) for row in events]}


@route("POST", "/id/close", fresh)
def close(visit, user):
    with visit.store.write() as db:
        gone = db.execute("DELETE FROM person WHERE id = ? AND era = ?", (user["id"], user["era"])).rowcount
        if not gone:
            raise Problem(401, "nobody")
        store.record(db, "closed", visit, person=user["id"])
    visit.notify(user["mail"], "Your account was deleted.")
    visit.forget()
    return 204, None
