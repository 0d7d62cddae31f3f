#!/usr/bin/env python3
"""Quoin beside pyoxigraph (PyPI), in the same run: load rate and query times, as ratios.

    bench/peers.py --build build/release [--queries bench/queries/shop.tsv] [--repeat 20] DATA...

DATA: N-Triples or N-Quads, uncompressed or as Quoin reads it. Quoin runs through its C API in
process (bench/query.c), pyoxigraph in process from Python, rows pulled to the end and not converted.
Prints a table in Markdown; ratio above 1: Quoin is that many times faster.
"""
import argparse, os, shutil, subprocess, sys, tempfile, time

PREFIXES = """PREFIX v: <http://shop.example/vocabulary/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""


def drain(answer):
    if isinstance(answer, bool) or type(answer).__name__ == "QueryBoolean":
        return 1
    return sum(1 for _ in answer)


def median(values):
    values = sorted(values)
    return values[len(values) // 2]


def peer_times(store, queries, repeat):
    times = {}
    for name, text in queries:
        runs, rows, spent = [], 0, 0.0
        while len(runs) < repeat and (spent < 3.0 or not runs):
            start = time.perf_counter()
            rows = drain(store.query(PREFIXES + text))
            runs.append(time.perf_counter() - start)
            spent += runs[-1]
        times[name] = (rows, 1000 * median(runs))
    return times


def quoin_times(build, store, queries, repeat):
    text = "".join(f"{name}\t{PREFIXES.replace(chr(10), ' ')}{query}\n" for name, query in queries)
    out = subprocess.run([os.path.join(build, "bench", "quoin-bench-query"), store, str(repeat)],
                         input=text, capture_output=True, text=True, check=True).stdout
    times = {}
    for line in out.splitlines():
        name, rows, ms = line.split("\t")
        times[name] = (rows if rows.startswith("error") else int(rows), float(ms))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--queries")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("data", nargs="+")
    args = parser.parse_args()
    try:
        import pyoxigraph
    except ImportError:
        sys.exit("error: pip install pyoxigraph first")
    quoin = os.path.join(args.build, "cli", "quoin")
    folder = tempfile.mkdtemp(prefix="quoin-peers-")
    try:
        start = time.perf_counter()
        subprocess.run([quoin, "load", "--store", folder + "/quoin", *args.data], check=True,
                       stdout=subprocess.DEVNULL)
        ours = time.perf_counter() - start
        start = time.perf_counter()
        peer = pyoxigraph.Store(folder + "/peer")
        for path in args.data:
            if path.endswith(".zst"):
                plain = folder + "/plain" + os.path.splitext(path[:-4])[1]
                subprocess.run(["zstd", "-q", "-d", "--long=31", path, "-o", plain], check=True)
                start = time.perf_counter()
                path = plain
            peer.bulk_load(path=path)
        theirs = time.perf_counter() - start
        print(f"| | Quoin | pyoxigraph {pyoxigraph.__version__} | ratio |\n| --- | ---: | ---: | ---: |")
        print(f"| load, {len(peer):,} quads, s | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} |")
        size = lambda d: sum(os.path.getsize(os.path.join(r, f)) for r, _, fs in os.walk(d) for f in fs)
        print(f"| disk, bytes a quad | {size(folder + '/quoin') / max(len(peer), 1):.0f} "
              f"| {size(folder + '/peer') / max(len(peer), 1):.0f} | |")
        if args.queries:
            with open(args.queries, encoding="utf-8") as lines:
                queries = [line.rstrip("\n").split("\t") for line in lines if line.strip()]
            mine = quoin_times(args.build, folder + "/quoin", queries, args.repeat)
            other = peer_times(peer, queries, args.repeat)
            for name, _ in queries:
                (rows, ms), (peer_rows, peer_ms) = mine[name], other[name]
                note = "" if rows == peer_rows else f" (rows differ: {rows} and {peer_rows})"
                print(f"| {name}, ms{note} | {ms:.3f} | {peer_ms:.3f} | {peer_ms / max(ms, 1e-6):.1f} |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
