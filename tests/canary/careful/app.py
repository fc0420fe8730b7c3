"""A small application with accounts, done with care: the probe must find nothing wrong with it.

python app.py                               serves, with the settings of the environment
python app.py operate bar|unbar|end USER    acts on one account, at once
python app.py operate end --all             ends everybody's sessions
python app.py operate trail USER            prints what happened to an account
"""

import json
import os
import signal
import sys

import store
from settings import Settings, Wrong


def main(arguments):
    try:
        settings = Settings(os.environ)
    except Wrong as wrong:
        print(f"cannot start: {wrong}", file=sys.stderr)
        return 1
    os.umask(0o077)
    if arguments:
        return operate(store.Store(settings), arguments)
    return serve(settings)


def serve(settings):
    from accounts import App
    from web import Server

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(settings, App(settings).dispatch, store.log) as server:
        store.log("listening", mode="development" if settings.development else "production")
        server.serve_forever()
    return 0


def operate(kept, arguments):
    match arguments:
        case ["operate", "end", "--all"]:
            return change(kept, "end", None)
        case ["operate", "bar" | "unbar" | "end" as what, user]:
            return change(kept, what, user)
        case ["operate", "trail", user]:
            return trail(kept, user)
    print(__doc__, file=sys.stderr)
    return 2


def people(db, user):
    """Everybody, or the one with this id or address."""
    if user is None:
        return db.execute("SELECT id FROM person").fetchall()
    return db.execute("SELECT id FROM person WHERE id = ? OR mail = ?", (user, user.strip().lower())).fetchall()


def change(kept, what, user):
    with kept.write() as db:
        found = people(db, user)
        for row in found:
            if what != "unbar":
                store.end_all(db, row["id"])
            if what != "end":
                barred = store.now() if what == "bar" else None
                db.execute("UPDATE person SET barred = ? WHERE id = ?", (barred, row["id"]))
            note(db, what, row["id"])
    if user and not found:
        print("nobody has that id or address", file=sys.stderr)
        return 1
    return 0


def note(db, what, person):
    event = {"bar": "barred", "unbar": "unbarred", "end": "visits_ended"}[what]
    db.execute(
        "INSERT INTO trail (time, event, outcome, reason, person, ip, agent, request) "
        "VALUES (?, ?, 'success', '', ?, '', 'operator', '')",
        (store.stamp(), event, person),
    )
    store.log(event, outcome="success", person=person, by="operator")


def trail(kept, user):
    with kept.read() as db:
        for person in people(db, user):
            for row in db.execute("SELECT * FROM trail WHERE person = ? ORDER BY id", (person["id"],)):
                print(json.dumps(dict(row)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
