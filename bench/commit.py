#!/usr/bin/env python3
"""Commits of Quoin beside SQLite (of Python's own library) and pyoxigraph (PyPI), in the same run.

    bench/commit.py [--build build/release] [--seconds S] [--dir DIR]

One thread. Quoin runs bench/commit.c; SQLite has one table with an index for each permutation of S, P
and O, and a write-ahead log, synced at each commit or not at all; pyoxigraph adds to a store on disk,
which it does not sync. Ratio above 1: Quoin does so many times more a second.
"""
import argparse, os, shutil, sqlite3, subprocess, sys, tempfile, time

INDEXES = ("s, p, o", "s, o, p", "p, s, o", "p, o, s", "o, s, p", "o, p, s")


def quad(n):
    return (f"http://example.org/thing/0/{n // 10}", f"http://example.org/property/{n % 40}", str(n * 7919 % 100000))


def sqlite_rate(path, synced, quads, seconds):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {'FULL' if synced else 'OFF'}")
    db.execute("CREATE TABLE quad (s TEXT, p TEXT, o TEXT)")
    for i, columns in enumerate(INDEXES):
        db.execute(f"CREATE INDEX i{i} ON quad ({columns})")
    commits, n, start = 0, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        db.execute("BEGIN")
        db.executemany("INSERT INTO quad VALUES (?, ?, ?)", [quad(n + i) for i in range(quads)])
        db.execute("COMMIT")
        n += quads
        commits += 1
    rate = commits / (time.perf_counter() - start)
    db.close()
    return rate


def oxigraph_rate(pyoxigraph, path, quads, seconds):
    store = pyoxigraph.Store(path)
    integer = pyoxigraph.NamedNode("http://www.w3.org/2001/XMLSchema#integer")
    commits, n, start = 0, 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        terms = [quad(n + i) for i in range(quads)]
        store.extend([pyoxigraph.Quad(pyoxigraph.NamedNode(s), pyoxigraph.NamedNode(p),
                                      pyoxigraph.Literal(o, datatype=integer)) for s, p, o in terms])
        n += quads
        commits += 1
    return commits / (time.perf_counter() - start)


def quoin_rate(build, synced, quads, seconds, folder):
    out = subprocess.run([os.path.join(build, "bench", "quoin-bench-commit"), "--seconds", str(seconds), "--dir", folder,
                          "--durability", "full" if synced else "off", "--threads", "1", "--quads", str(quads)],
                         check=True, capture_output=True, text=True).stdout
    return float(out.splitlines()[-1].split()[3])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--dir", default=".")
    args = parser.parse_args()
    try:
        import pyoxigraph
    except ImportError:
        pyoxigraph = None
    folder = tempfile.mkdtemp(prefix="quoin-commit-", dir=args.dir)
    try:
        print("| commits/s, one thread | Quoin | SQLite | ratio | pyoxigraph, never synced | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for synced in (True, False):
            for quads in (1, 10, 1000):
                ours = quoin_rate(args.build, synced, quads, args.seconds, folder)
                other = sqlite_rate(f"{folder}/{synced}-{quads}.db", synced, quads, args.seconds)
                cells = f"| {quads} quads, {'synced' if synced else 'not synced'} | {ours:,.0f} | {other:,.0f} | {ours / other:.1f} |"
                if pyoxigraph and not synced:
                    peer = oxigraph_rate(pyoxigraph, f"{folder}/peer-{quads}", quads, args.seconds)
                    cells += f" {peer:,.0f} | {ours / peer:.1f} |"
                else:
                    cells += " | |"
                print(cells, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
