"""Accounts as one writes them by guess. faults.toml lists what is wrong here, and which control must find it."""

import email.message
import hashlib
import json
import os
import secrets
import smtplib
import sqlite3
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

SECRET = os.environ.get("SECRET", "changeme")
BASE_URL = os.environ.get("BASE_URL", "http://localhost:8000")
SMTP = urlsplit(os.environ.get("SMTP", "smtp://127.0.0.1:25"))
SENDER = os.environ.get("SENDER", "no-reply@localhost")
DATABASE = os.environ.get("DATABASE", "weak.db")
SESSION_SECONDS = int(float(os.environ.get("SESSION_SECONDS", "86400")))
RESET_SECONDS = int(float(os.environ.get("RESET_SECONDS", "1800")))
SOURCE_FAILURES = 10

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, email TEXT, password TEXT, verified INTEGER, disabled INTEGER, is_admin INTEGER DEFAULT 0,
    created INTEGER);
CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY, user INTEGER, created INTEGER, seen INTEGER, ends INTEGER, ip TEXT, agent TEXT);
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, purpose TEXT, user INTEGER, email TEXT, ends INTEGER, used INTEGER);
"""

failures = {}
lock = threading.Lock()


class Refused(Exception):
    def __init__(self, status, error, **more):
        super().__init__(error)
        self.status, self.body = status, {"error": error, **more}


def now():
    return int(time.time())


def query(sql, *values):
    db = sqlite3.connect(DATABASE, timeout=10)
    db.row_factory = sqlite3.Row
    with db:
        rows = db.execute(sql, values).fetchall()
    db.close()
    return rows


def hashed(password):
    return hashlib.sha256((SECRET + password.split("\0")[0].strip()[:72]).encode("utf-8", "replace")).hexdigest()


def find(address):
    return query(f"SELECT * FROM users WHERE email = '{address}'")


def send(to, subject, text):
    message = email.message.Message()
    message["From"], message["Subject"] = SENDER, subject
    message.set_payload(f"{text}\n")
    recipients = [part.strip() for part in to.replace(";", ",").split(",")]
    with smtplib.SMTP(SMTP.hostname, SMTP.port or 25, timeout=20) as server:
        server.sendmail(SENDER, recipients, f"To: {to}\n".encode() + message.as_bytes())


def mailed(purpose, user, to, host, path):
    token = secrets.token_hex(6)
    query("INSERT INTO tokens VALUES (?, ?, ?, ?, ?, NULL)", token, purpose, user, to, now() + RESET_SECONDS)
    send(to, "Your account", f"Open this link: https://{host}{path}?token={token}")


def owner(token):
    rows = query("SELECT * FROM tokens WHERE token = ?", str(token))
    if not rows:
        raise Refused(400, "bad_token")
    return rows[0]


def check_password(password):
    if len(password) < 8:
        raise Refused(422, "password_too_short", given=password)


def register(request):
    address, password = str(request.fields.get("email")), str(request.fields.get("password"))
    if "@" not in address:
        raise Refused(422, "email_invalid", given=request.fields)
    check_password(password)
    if query("SELECT 1 FROM users WHERE email = ?", address):
        raise Refused(409, "email_taken")
    row = {"email": address, "password": hashed(password), "created": now()}
    row |= {name: request.fields[name] for name in ("is_admin", "verified") if name in request.fields}
    columns, places = ", ".join(row), ", ".join("?" * len(row))
    query(f"INSERT INTO users ({columns}) VALUES ({places})", *row.values())
    user = query("SELECT max(id) AS id FROM users WHERE email = ?", address)[0]["id"]
    mailed("verify", user, address, request.headers["Host"], "/api/verify")
    return 201, {"status": "registered"}


def show_verify(request):
    query("UPDATE users SET verified = ? WHERE id = ?", now(), owner(request.fields.get("token"))["user"])
    return 200, {"status": "verified"}


def verify(request):
    return show_verify(request)


def resend(request):
    rows = find(str(request.fields.get("email")))
    if not rows:
        raise Refused(404, "unknown_email")
    mailed("verify", rows[0]["id"], rows[0]["email"], request.headers["Host"], "/api/verify")
    return 200, {"status": "sent"}


def login(request):
    address, password = str(request.fields.get("email")), str(request.fields.get("password"))
    source = request.source()
    with lock:
        recent = [at for at in failures.get(source, []) if at > now() - 60]
        failures[source] = recent
    if len(recent) >= SOURCE_FAILURES:
        raise Refused(429, "too_many_requests")
    rows = find(address)
    if not rows:
        failures[source].append(now())
        raise Refused(404, "unknown_email")
    if rows[0]["password"] != hashed(password) or rows[0]["disabled"]:
        failures[source].append(now())
        raise Refused(401, "wrong_password")
    return 200, {"id": rows[0]["id"], "token": request.begin(rows[0]["id"])}


def logout(request):
    request.cookie("")
    return 200, {"status": "bye"}


def me(request):
    user = request.user()
    return 200, {"id": user["id"], "email": user["email"], "email_verified": bool(user["verified"]), "amr": ["pwd"]}


def example(request):
    return 200, {"user_id": request.user()["id"]}


def change_password(request):
    user, fields = request.user(), request.fields
    if fields.get("current_password") and hashed(str(fields["current_password"])) != user["password"]:
        raise Refused(401, "wrong_password")
    check_password(str(fields.get("new_password")))
    query("UPDATE users SET password = ? WHERE id = ?", hashed(str(fields["new_password"])), user["id"])
    return 200, {"status": "changed"}


def forgot(request):
    address = str(request.fields.get("email"))
    rows = query("SELECT * FROM users WHERE lower(email) = lower(?)", address)
    if not rows:
        raise Refused(404, "unknown_email")
    mailed("reset", rows[0]["id"], address, request.headers["Host"], "/api/reset")
    return 200, {"status": "sent"}


def show_reset(request):
    owner(request.fields.get("token"))
    return 200, {"status": "ready"}


def reset(request):
    token = owner(request.fields.get("token"))
    check_password(str(request.fields.get("password")))
    query("UPDATE users SET password = ? WHERE id = ?", hashed(str(request.fields["password"])), token["user"])
    request.begin(token["user"])
    return 200, {"status": "changed"}


def reauth(request):
    if hashed(str(request.fields.get("password"))) != request.user()["password"]:
        raise Refused(401, "wrong_password")
    return 200, {"status": "ok"}


def change_email(request):
    user, address = request.user(), str(request.fields.get("email"))
    query("UPDATE users SET email = ? WHERE id = ?", address, user["id"])
    mailed("email", user["id"], address, request.headers["Host"], "/api/email/confirm")
    return 200, {"status": "sent"}


def show_email(request):
    owner(request.fields.get("token"))
    return 200, {"status": "ready"}


def confirm_email(request):
    request.user()
    owner(request.fields.get("token"))
    return 200, {"status": "changed"}


def sessions(request):
    rows = query("SELECT token AS id, created, seen, ip, agent FROM sessions WHERE user = ?", request.user()["id"])
    return 200, {"sessions": [dict(row) | {"current": row["id"] == request.sid()} for row in rows]}


def revoke(request):
    request.user()
    query("DELETE FROM sessions WHERE token = ?", request.path.rsplit("/", 1)[1])
    return 204, None


def revoke_others(request):
    request.user()
    return 200, {"status": "revoked"}


def export(request):
    return 200, {"account": {name: request.user()[name] for name in ("id", "email", "created")}}


def delete(request):
    query("DELETE FROM users WHERE id = ?", request.user()["id"])
    return 204, None


def csrf(request):
    return 200, {"csrf": secrets.token_hex(16)}


ROUTES = {
    ("POST", "/api/register"): register,
    ("GET", "/api/verify"): show_verify,
    ("POST", "/api/verify"): verify,
    ("POST", "/api/resend"): resend,
    ("POST", "/api/login"): login,
    ("POST", "/api/logout"): logout,
    ("GET", "/api/logout"): logout,
    ("GET", "/api/me"): me,
    ("GET", "/api/example"): example,
    ("POST", "/api/password"): change_password,
    ("POST", "/api/forgot"): forgot,
    ("GET", "/api/reset"): show_reset,
    ("POST", "/api/reset"): reset,
    ("POST", "/api/reauth"): reauth,
    ("POST", "/api/email"): change_email,
    ("GET", "/api/email/confirm"): show_email,
    ("POST", "/api/email/confirm"): confirm_email,
    ("GET", "/api/sessions"): sessions,
    ("POST", "/api/sessions/revoke-others"): revoke_others,
    ("GET", "/api/export"): export,
    ("DELETE", "/api/account"): delete,
    ("GET", "/api/csrf"): csrf,
}


class Handler(BaseHTTPRequestHandler):
    def source(self):
        return self.headers.get("X-Forwarded-For", self.client_address[0]).split(",")[0]

    def sid(self):
        for pair in self.headers.get("Cookie", "").split("; "):
            name, _, value = pair.partition("=")
            if name == "sid":
                return value
        return self.headers.get("X-Session-Id") or self.fields.get("sid")

    def user(self):
        rows = query("SELECT users.* FROM users JOIN sessions ON user = users.id WHERE token = ?", self.sid() or "")
        if not rows:
            raise Refused(401, "not_signed_in")
        return rows[0]

    def begin(self, user):
        token = self.sid() or secrets.token_hex(8)
        query(
            "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
            token, user, now(), now(), now() + SESSION_SECONDS, self.source(), self.headers.get("User-Agent"),
        )  # fmt: skip
        self.cookie(token)
        return token

    def cookie(self, value):
        self.cookies.append(f"sid={value}; Path=/" + ("" if value else "; Max-Age=0"))

    def read(self):
        parts = urlsplit(self.path)
        self.path, self.fields, self.cookies = parts.path, dict(parse_qsl(parts.query)), []
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if body:
            print("body:", body.decode("utf-8", "replace"), flush=True)
            self.fields |= json.loads(body)

    def handle_any(self):
        try:
            self.read()
            handler = ROUTES.get((self.command, self.path))
            if self.command == "DELETE" and self.path.startswith("/api/sessions/"):
                handler = revoke
            if not handler:
                raise Refused(404, "not_found")
            status, body = handler(self)
        except Refused as refused:
            status, body = refused.status, refused.body
        except Exception:
            status, body = 500, {"error": traceback.format_exc()}
        self.answer(status, body)

    do_GET = do_POST = do_DELETE = do_PUT = handle_any

    def answer(self, status, body):
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        for cookie in self.cookies:
            self.send_header("Set-Cookie", cookie)
        if self.headers.get("Origin"):
            self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def operate(what, user):
    if what == "disable":
        query("UPDATE users SET disabled = 1 WHERE id = ? OR email = ?", user, user)
    print(what, user, "done")


def main():
    db = sqlite3.connect(DATABASE)
    db.executescript(SCHEMA)
    if not db.execute("SELECT 1 FROM users").fetchone():
        db.execute(
            "INSERT INTO users (email, password, verified) VALUES ('admin@example.com', ?, 1)", (hashed("admin123"),)
        )
    db.commit()
    db.close()
    if len(sys.argv) == 3:
        return operate(*sys.argv[1:])
    host, port = os.environ.get("LISTEN", "127.0.0.1:8000").rsplit(":", 1)
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main()
