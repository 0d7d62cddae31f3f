#!/usr/bin/env python3
"""Random lookups of Quoin beside pyoxigraph (PyPI), of the same pairs in the same run, as ratios.

    bench/lookup.py [--build build/release] [--lookups N] DATA

DATA: N-Triples, uncompressed. Quoin runs bench/lookup.c: by ids, as a join asks, and by terms through
its public interface, terms in and terms out. pyoxigraph runs in process from Python: a pattern of
terms in, quads of terms out, in memory and on disk. Both are warm and use one thread; the times are
processor time of that thread. Ratio above 1: Quoin does so many times more lookups a second.
"""
import argparse, os, shutil, subprocess, sys, tempfile, time


def sample(path, pyoxigraph):
    pairs = []
    for quad in pyoxigraph.parse(path=path, format=pyoxigraph.RdfFormat.N_TRIPLES):
        pairs.append((quad.subject, quad.predicate))
    return pairs


def rate(store, pairs, bound, lookups, graph):
    n, start = 0, time.thread_time()
    for i in range(lookups):
        subject, predicate = pairs[i % len(pairs)]
        for _ in store.quads_for_pattern(subject, predicate if bound == 2 else None, None, graph):
            n += 1
    return lookups / (time.thread_time() - start), n / lookups


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--lookups", type=int, default=1000000)
    parser.add_argument("data")
    args = parser.parse_args()
    try:
        import pyoxigraph
    except ImportError:
        sys.exit("error: pip install pyoxigraph first")
    folder = tempfile.mkdtemp(prefix="quoin-lookup-")
    try:
        subprocess.run([os.path.join(args.build, "cli", "quoin"), "load", "--store", folder + "/quoin", args.data],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        out = subprocess.run([os.path.join(args.build, "bench", "quoin-bench-lookup"), "--lookups", str(args.lookups),
                              "--sample", folder + "/sample.nt", folder + "/quoin", folder],
                             check=True, capture_output=True, text=True).stdout
        print(out)
        pairs = sample(folder + "/sample.nt", pyoxigraph)
        graph = pyoxigraph.DefaultGraph()
        theirs = {}
        for place in ("memory", "disk"):
            peer = pyoxigraph.Store() if place == "memory" else pyoxigraph.Store(folder + "/peer")
            peer.bulk_load(path=args.data, format=pyoxigraph.RdfFormat.N_TRIPLES)
            for bound, pattern in ((1, "(s ? ?)"), (2, "(s p ?)")):
                rate(peer, pairs, bound, 2000, graph)
                theirs[pattern, place], rows = rate(peer, pairs, bound, max(1, args.lookups // 50), graph)
                print(f"pyoxigraph {pyoxigraph.__version__}, {place}, {pattern}: "
                      f"{theirs[pattern, place]:,.0f}/s, {rows:.1f} rows", flush=True)
            del peer
        print("\n| lookup | Quoin, M/s | pyoxigraph in memory, M/s | ratio | on disk, M/s | ratio |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for line in out.splitlines():
            cells = line.rsplit(None, 3)
            pattern = next((p for p in ("(s ? ?)", "(s p ?)") if p in line), None)
            if not pattern:
                continue
            name = " ".join(cells[0].split())
            ours = float(cells[2])
            memory, disk = theirs[pattern, "memory"] / 1e6, theirs[pattern, "disk"] / 1e6
            print(f"| {name} | {ours:.2f} | {memory:.3f} | {ours / memory:.1f} | {disk:.3f} | {ours / disk:.1f} |")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
