"""Tries each way out of a check and says what became of it: `escapes.py` beside `targets.json`, which says what is outside."""

import ctypes
import json
import os
import socket
import subprocess
import sys
import time

AT = json.load(open("targets.json"))
HOUR = 3600


def attempt(name, way, harmless=()):
    """A way that raises nothing, and gives none of what is harmless, is out."""
    try:
        got = way()
    except Exception as error:
        told = f"blocked: {type(error).__name__} {getattr(error, 'strerror', None) or ''}".strip()
    else:
        told = "blocked: nothing was there" if got in harmless else "OUT"
    print(f"{name:<44} {told}", flush=True)


def read(path):
    return lambda: open(path).read()


def write(path):
    return lambda: open(path, "a").write("x")


def through_link(way, path):
    def follow():
        link = f"link-{time.monotonic_ns()}"
        os.symlink(path, link)
        return way(link)()

    return follow


def found_in_environments():
    """The canary in what other processes were started with."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            if AT["canary"].encode() in open(f"/proc/{number}/environ", "rb").read():
                return number
        except OSError:
            pass
    return None


def found_process():
    """A process of the tool or of the user, by what it was started as."""
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            if AT["victim_mark"].encode() in open(f"/proc/{number}/cmdline", "rb").read():
                return number
        except OSError:
            pass
    return None


def through_root():
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(number) != os.getpid():
                return open(f"/proc/{number}/root{AT['secret']}").read()
        except OSError:
            pass
    return None


def connected(kind, address, family=socket.AF_INET):
    def connect():
        with socket.socket(family, kind) as one:
            one.settimeout(5)
            one.connect(address)
            one.send(b"x")
            if kind == socket.SOCK_DGRAM:
                # Nobody listens where nobody is: the second call tells.
                time.sleep(0.2)
                one.send(b"x")

    return connect


def traced():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, AT["victim"], 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mounted():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", AT["project"].encode(), b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def daemon(environment):
    """Out of the group, without a parent, and with another environment."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(3):
                os.close(number)
            code = f"import time; time.sleep({HOUR})"
            os.execve(sys.executable, [sys.executable, "-c", code, AT["stray_mark"]], environment)
        os._exit(0)


def forks(times):
    for _ in range(times):
        daemon({})


def memory():
    return open("/proc/self/oom_score_adj").read().strip()


attempt("read a secret in the home folder", read(AT["secret"]))
attempt("read it through a link in the copy", through_link(read, AT["secret"]))
attempt("read it through /proc/PID/root", through_root, [None])
attempt("a variable that is no part of a build", lambda: [name for name in os.environ if name in AT["variables"]], [[]])
attempt("tokens in the environment of others", found_in_environments, [None])
attempt("write in the home folder", write(AT["secret"] + ".x"))
attempt("write in the project", write(AT["project"] + "/x"))
attempt("write through a link in the copy", through_link(write, AT["project"] + "/x"))
attempt("change a git hook of the project", write(AT["project"] + "/.git/hooks/pre-commit"))
attempt("write in /tmp", write(f"/tmp/{AT['stray_mark']}"))
attempt("write in /var/tmp", write(f"/var/tmp/{AT['stray_mark']}"))
attempt("write beside the copy", write("../output.log"))
attempt("delete a file of the project", lambda: os.unlink(AT["project"] + "/deleted"))
attempt("move a file of the project into the copy", lambda: os.rename(AT["project"] + "/moved", "moved"))
attempt("change the mode of a file of the project", lambda: os.chmod(AT["project"] + "/kept", 0o777))
attempt("change its times", lambda: os.utime(AT["project"] + "/kept", (1, 1)))
if not AT["free"]:
    attempt("mount over the project", mounted)
attempt("TCP to elsewhere", connected(socket.SOCK_STREAM, ("192.0.2.1", 80)))
attempt("TCP to the machine's loopback", connected(socket.SOCK_STREAM, ("127.0.0.1", AT["tcp"])))
attempt("UDP to elsewhere", connected(socket.SOCK_DGRAM, ("192.0.2.1", 53)))
attempt("UDP to the machine's loopback", connected(socket.SOCK_DGRAM, ("127.0.0.1", AT["udp"])))
attempt("a name to be resolved", lambda: socket.getaddrinfo("example.com", 80))
attempt("a local socket without a path", connected(socket.SOCK_STREAM, "\0" + AT["abstract"], socket.AF_UNIX))
attempt("a local socket with a path", connected(socket.SOCK_STREAM, AT["socket"], socket.AF_UNIX))
attempt("see a process of the user", found_process, [None])
attempt("signal a process of the user", lambda: os.kill(AT["victim"], 0))
attempt("signal the tool", lambda: os.kill(AT["tool"], 0))
attempt("trace a process of the user", traced)
attempt("be somebody else", lambda: os.setuid(0))
attempt("outlive memory that runs out", memory, ["1000"])
# What becomes of these is looked at from outside.
daemon(dict(os.environ))
daemon({})
forks(100)
end = subprocess.DEVNULL
command = [sys.executable, "-c", f"import time; time.sleep({HOUR})", AT["stray_mark"]]
subprocess.Popen(command, stdin=end, stdout=end, stderr=end)
print("all was tried", flush=True)
sys.exit(1)
