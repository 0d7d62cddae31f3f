"""Engines that answer queries: one process each, which reads datasets and queries from a pipe."""

import os
import select
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


class Slow(Exception):
    """No answer in time; the process was ended and will be started again."""


class Peer:
    def __init__(self, name, command, replies=1, seconds=20):
        self.name, self.command, self.replies, self.seconds = name, command, replies, seconds
        self.process, self.data, self.rest = None, None, b""

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rest = b""
        if self.data is not None:
            self.send("D", self.data)

    def send(self, letter, text):
        body = text.encode()
        self.process.stdin.write(f"{letter} {len(body)}\n".encode() + body)
        self.process.stdin.flush()

    def load(self, trig):
        self.data = trig
        if self.process:
            self.send("D", trig)

    def more(self, deadline):
        fd = self.process.stdout.fileno()
        if not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            self.stop()
            raise Slow(self.name)
        block = os.read(fd, 1 << 16)
        if not block:
            code = self.process.wait()
            self.process = None
            raise RuntimeError(f"{self.name} ended with status {code}")
        self.rest += block

    def reply(self, deadline):
        while b"\n" not in self.rest:
            self.more(deadline)
        head, self.rest = self.rest.split(b"\n", 1)
        length = int(head[2:])
        while len(self.rest) < length:
            self.more(deadline)
        body, self.rest = self.rest[:length], self.rest[length:]
        return head[:1].decode(), body.decode()

    def ask(self, query):
        """[(letter, body)] as differential.c has it, one for each mode."""
        if not self.process:
            self.start()
        self.send("Q", query)
        deadline = time.monotonic() + self.seconds
        return [self.reply(deadline) for _ in range(self.replies)]

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def oxigraph_main():
    """The peer pyoxigraph: the protocol over standard input and output."""
    import pyoxigraph as ox
    source, out = sys.stdin.buffer, sys.stdout.buffer
    store = ox.Store()
    while True:
        head = source.readline()
        if not head:
            return
        body = source.read(int(head[2:]))
        if head[:1] == b"D":
            store = ox.Store()
            store.load(body, format=ox.RdfFormat.TRIG)
            continue
        try:
            result = store.query(body.decode())
            if isinstance(result, ox.QueryTriples):
                letter, answer = "G", result.serialize(format=ox.RdfFormat.N_TRIPLES)
            else:
                letter, answer = "A", result.serialize(format=ox.QueryResultsFormat.JSON)
        except Exception as why:  # what the engine says is the reply
            letter, answer = "E", str(why).encode()
        out.write(f"{letter} {len(answer)}\n".encode() + answer)
        out.flush()


def oxigraph():
    return Peer("oxigraph", [sys.executable, os.path.join(HERE, "peers.py")])


def jena(folder):
    path = os.path.join(folder, "classes") + ":" + os.path.join(folder, "lib", "*")
    return Peer("jena", ["java", "-Xmx1g", "-cp", path, "ArqPeer"], seconds=30)


def quoin(program):
    return Peer("quoin", [program, "serve"], replies=2, seconds=60)


if __name__ == "__main__":
    oxigraph_main()
