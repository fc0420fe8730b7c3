"""Servers that no probe should have to meet: `hostile.py HOW MARKER [FOLDER]`, listening where LISTEN says."""

import os
import socketserver
import subprocess
import sys
import threading
import time

HOW, MARKER = sys.argv[1:3]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
HOUR = 3600


class Connection(socketserver.BaseRequestHandler):
    def handle(self):
        if HOW in ("mute", "flooding"):
            time.sleep(HOUR)
        self.request.recv(64 << 10)
        if HOW == "endless":
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                self.request.sendall(b"x" * (64 << 10))
        if HOW == "dripping":
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                self.request.sendall(b"x")
                time.sleep(1)
        self.request.sendall({"forbidden": FORBIDDEN, "garbage": b"\x00\xff\x16\x03 what?\r\n\r\n"}.get(HOW, OK))


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


def flood():
    while True:
        sys.stdout.write("all is well\n" * 10_000)


def serve(handler):
    host, port = os.environ["LISTEN"].rsplit(":", 1)
    Server((host, int(port)), handler).serve_forever()


def die_after(requests, folder):
    """The application in that folder, until so many requests have come."""
    sys.path.insert(0, folder)
    import app

    left = threading.Semaphore(requests)
    handle = app.Handler.handle_any

    def counted(self):
        if not left.acquire(blocking=False):
            print("out of memory, said the machine", flush=True)
            os._exit(3)
        handle(self)

    app.Handler.do_GET = app.Handler.do_POST = app.Handler.do_DELETE = counted
    sys.argv[1:] = []
    app.main()


match HOW:
    case "refusing":
        print("there is no database here", flush=True)
        sys.exit(1)
    case "deaf":
        print("thinking about it", flush=True)
        time.sleep(HOUR)
    case "dying":
        die_after(60, sys.argv[3])
    case "straying":
        # Out of the group, with the outputs still open.
        subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({HOUR})", MARKER], start_new_session=True)
    case "flooding":
        threading.Thread(target=flood, daemon=True).start()
serve(Connection)
