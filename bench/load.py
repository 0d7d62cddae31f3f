#!/usr/bin/env python3
"""Bulk load: rate, processor time, peak memory and disk of Quoin, beside pyoxigraph in the same run.

    bench/load.py [--build build/release] [--sizes 1000000,10000000] [--memory 1G] [--threads N]
                  [--no-peer] [--plot OUT.svg] [DATA...]

Each size is generated (bench/generate.c); DATA are files of your own, as Quoin reads them. Prints a
table in Markdown; ratio above 1: Quoin is that many times faster by the clock. `CPU` is user and
system time, which says more than the clock on a busy machine.
"""
import argparse, os, shutil, subprocess, sys, tempfile, time

PEER = """
import sys, time, pyoxigraph
store, data = sys.argv[1:]
formats = {".nq": pyoxigraph.RdfFormat.N_QUADS, ".ttl": pyoxigraph.RdfFormat.TURTLE}
form = formats.get(data[data.rfind("."):], pyoxigraph.RdfFormat.N_TRIPLES)
s = pyoxigraph.Store(store)
s.bulk_load(path=data, format=form)
s.flush()
"""


def run(command):
    """Seconds by the clock, of processor, and peak bytes of a child."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    error = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]}: {error.strip()}")
    return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, error


def disk(path):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, files in os.walk(path) for f in files)


def quads(message):
    return int(message.split(" quads added")[0].split()[-1].replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--sizes", default="1000000,10000000")
    parser.add_argument("--memory")
    parser.add_argument("--threads")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--plot")
    parser.add_argument("data", nargs="*")
    args = parser.parse_args()
    options = ["--memory", args.memory] if args.memory else []
    options += ["--threads", args.threads] if args.threads else []
    sizes = [int(s) for s in args.sizes.split(",") if s]
    rows, work = [], tempfile.mkdtemp(prefix="quoin-bench-")
    print("| input | quads | s | M quads/s | CPU s | peak MB | bytes a quad | pyoxigraph s | ratio |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    try:
        for item in sizes + args.data:
            data = item
            if isinstance(item, int):
                data = os.path.join(work, f"{item}.nt")
                with open(data, "wb") as out:
                    subprocess.run([os.path.join(args.build, "bench", "quoin-generate"), str(item)],
                                   stdout=out, check=True)
            store = os.path.join(work, "quoin")
            wall, cpu, peak, message = run([os.path.join(args.build, "cli", "quoin"), "load", "--store", store,
                                            *options, data])
            n, size = quads(message), disk(store)
            shutil.rmtree(store)
            peer = None
            if not args.no_peer and not data.endswith((".gz", ".zst", ".xz", ".bz2")):
                peer = run([sys.executable, "-c", PEER, os.path.join(work, "peer"), data])[0]
                shutil.rmtree(os.path.join(work, "peer"))
            name = f"generated {item:,}" if isinstance(item, int) else os.path.basename(item)
            beside = f"{peer:.2f} | {peer / wall:.1f}" if peer else "|"
            print(f"| {name} | {n:,} | {wall:.2f} | {n / wall / 1e6:.2f} | {cpu:.2f} | {peak / 1e6:.0f} | "
                  f"{size / n:.0f} | {beside} |", flush=True)
            rows.append((n, n / wall, n / peer if peer else None))
            if isinstance(item, int):
                os.unlink(data)
        if args.plot:
            table = os.path.join(work, "rates.tsv")
            with open(table, "w", encoding="utf-8") as out:
                out.write("quads\tQuoin\tpyoxigraph\n")
                for n, rate, peer in sorted(rows):
                    out.write(f"{n}\t{rate}\t{peer or ''}\n")
            subprocess.run([sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "plot.py"),
                            "--title", "Bulk load", "--y", "quads a second", "--log-x", "--log-y", "-o", args.plot,
                            table], check=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
