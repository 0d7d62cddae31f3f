#!/usr/bin/env python3
"""Queries by many at once: Quoin (bench/concurrency.c), pyoxigraph (PyPI) and a SPARQL server, in one run.

    bench/concurrency.py --build build/release [--seconds 3] [--counts 1,2,4,8,16] [--fuseki JAR] DATA.nt

pyoxigraph: threads over one store in one interpreter, and processes that each open it for reading; with a
writer in a thread. Fuseki (org.apache.jena:jena-fuseki-server from Maven Central, needs java) holds the data in
memory, listens on 127.0.0.1 alone, and is asked by that many client processes over connections they keep. All ask
the same queries with the same numbers and read every row. Rates of a busy machine say little: see the column
"per CPU s" (of all processes of that peer).
"""
import argparse, http.client, multiprocessing, os, resource, shutil, socket, subprocess, sys, tempfile, threading, time

PREFIXES = """PREFIX v: <http://shop.example/vocabulary/> PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX foaf: <http://xmlns.com/foaf/0.1/> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#> """
MASK = (1 << 64) - 1


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ x >> 27) * 0x94D049BB133111EB) & MASK
    return x ^ x >> 31


def texts(queries, worker, numbers):
    seed, i = mix(worker), worker
    while True:
        yield PREFIXES + queries[i % len(queries)].replace("{N}", str(mix(seed) % numbers))
        seed, i = seed + 1, i + 1


def change(n):
    add = "".join(f"<http://shop.example/offer/{n * 10 + i}> <http://shop.example/vocabulary/note> \"note {n % 100}\" . "
                  for i in range(10))
    if n < 2:
        return f"INSERT DATA {{ {add} }}"
    old = "".join(f"<http://shop.example/offer/{(n - 2) * 10 + i}> <http://shop.example/vocabulary/note> "
                  f"\"note {(n - 2) % 100}\" . " for i in range(10))
    return f"DELETE DATA {{ {old} }} ; INSERT DATA {{ {add} }}"


def write_paced(update, stop, counter, pace=100.0):
    n, due = 0, time.perf_counter()
    while not stop.is_set():
        update(change(n))
        n += 1
        counter.value = n
        due = max(due + 1 / pace, time.perf_counter())
        time.sleep(max(0, due - time.perf_counter()))


def work(ask, queries, worker, numbers, go, stop, out):
    times, source = [], texts(queries, worker, numbers)
    go.wait()
    while not stop.is_set():
        start = time.perf_counter()
        ask(next(source))
        times.append(time.perf_counter() - start)
    out.append(times) if isinstance(out, list) else out.put(times)


def cpu():
    return sum(u.ru_utime + u.ru_stime for u in (resource.getrusage(resource.RUSAGE_SELF),
                                                 resource.getrusage(resource.RUSAGE_CHILDREN)))


def report(what, n, lists, seconds, used, commits):
    times = sorted(t for part in lists for t in part)
    at = lambda share: 1000 * times[min(len(times) - 1, int(share * len(times)))] if times else 0
    print(f"{what:<26} {n:4} {len(times) / seconds:10.0f} {len(times) / max(used, 1e-9):12.0f} {at(.5):9.3f} "
          f"{at(.99):9.3f} {1000 * times[-1] if times else 0:9.1f} {commits / seconds:10.1f}", flush=True)
    return len(times) / seconds


def run_threads(what, n, ask, update, args, queries):
    go, stop, out = threading.Event(), threading.Event(), []
    counter = argparse.Namespace(value=0)
    group = [threading.Thread(target=work, args=(ask, queries, i, args.numbers, go, stop, out)) for i in range(n)]
    if update:
        group.append(threading.Thread(target=write_paced, args=(update, stop, counter)))
    before, start = cpu(), time.perf_counter()
    for t in group:
        t.start()
    go.set()
    time.sleep(args.seconds)
    stop.set()
    for t in group:
        t.join()
    return report(what, n, out, time.perf_counter() - start, cpu() - before, counter.value)


def child(make, queries, i, numbers, go, stop, out, ready):
    ask = make()
    ready.release()
    work(ask, queries, i, numbers, go, stop, out)


def child_writer(make, go, stop, counter, ready):
    update = make()
    ready.release()
    go.wait()
    write_paced(update, stop, counter)


def run_processes(what, n, make, make_update, args, queries, server=None):
    mp = multiprocessing.get_context("fork")
    go, stop, out, ready, counter = mp.Event(), mp.Event(), mp.Queue(), mp.Semaphore(0), mp.Value("q", 0)
    group = [mp.Process(target=child, args=(make, queries, i, args.numbers, go, stop, out, ready)) for i in range(n)]
    if make_update:
        group.append(mp.Process(target=child_writer, args=(make_update, go, stop, counter, ready)))
    for p in group:
        p.start()
    for _ in group:
        ready.acquire()
    used = server_cpu(server)
    before, start = cpu(), time.perf_counter()
    go.set()
    time.sleep(args.seconds)
    stop.set()
    lists = [out.get() for _ in range(n)]
    seconds = time.perf_counter() - start
    for p in group:
        p.join()
    return report(what, n, lists, seconds, cpu() - before + server_cpu(server) - used, counter.value)


def server_cpu(server):
    if not server:
        return 0.0
    fields = open(f"/proc/{server.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def series(what, counts, one):
    rates = [one(n) for n in counts]
    print(f"  {what}: with {counts[-1]}: {100 * rates[-1] / max(rates):.1f} % of the best", flush=True)


def pyoxigraph_all(args, queries, folder):
    import pyoxigraph
    store = pyoxigraph.Store(folder + "/peer")
    store.bulk_load(path=args.data)
    store.optimize()

    def ask(text):
        for _ in store.query(text):
            pass

    name = f"pyoxigraph {pyoxigraph.__version__}"
    series(name + " threads", args.counts, lambda n: run_threads(name, n, ask, None, args, queries))
    series(name + " threads, a writer", args.counts,
           lambda n: run_threads(name + ", writer", n, ask, store.update, args, queries))
    store.flush()
    del store

    def make():
        mine = pyoxigraph.Store.read_only(folder + "/peer")
        return lambda text: sum(1 for _ in mine.query(text))

    series(name + " processes", args.counts,
           lambda n: run_processes(name + " procs", n, make, None, args, queries))


def http_ask(port, path, kind, accept):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(text):
        connection.request("POST", path, text.encode(), {"Content-Type": kind, "Accept": accept})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise RuntimeError(body[:200])

    return ask


def fuseki_all(args, queries, folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = open(folder + "/fuseki.log", "w")
    server = subprocess.Popen(["java", "-Xmx2g", "-jar", args.fuseki, "--localhost", "--port", str(port), "--update",
                               "--file", args.data, "/shop"], stdout=log, stderr=log, cwd=folder)
    ask = lambda: http_ask(port, "/shop/query", "application/sparql-query", "text/tab-separated-values")
    update = lambda: http_ask(port, "/shop/update", "application/sparql-update", "text/plain")
    try:
        until = time.time() + 120
        while time.time() < until:
            try:
                ask()("ASK { ?s ?p ?o }")
                break
            except (OSError, RuntimeError, http.client.HTTPException):
                if server.poll() is not None:
                    sys.exit("error: the server ended: " + open(folder + "/fuseki.log").read()[-500:])
                time.sleep(0.5)
        for _ in range(4):  # its compiler needs some thousand queries
            run_processes("Fuseki, warming up", 2, ask, None, args, queries, server)
        series("Fuseki", args.counts, lambda n: run_processes("Fuseki", n, ask, None, args, queries, server))
        series("Fuseki, a writer", args.counts,
               lambda n: run_processes("Fuseki, writer", n, ask, update, args, queries, server))
    finally:
        server.terminate()
        server.wait()
        log.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--counts", default="1,2,4,8,16")
    parser.add_argument("--numbers", type=int, default=2000)
    parser.add_argument("--fuseki")
    parser.add_argument("data")
    args = parser.parse_args()
    args.data = os.path.abspath(args.data)
    args.fuseki = args.fuseki and os.path.abspath(args.fuseki)
    counts, args.counts = args.counts, [int(n) for n in args.counts.split(",")]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "queries", "concurrency.tsv")
    queries = [line.rstrip("\n").split("\t")[1] for line in open(path, encoding="utf-8") if "\t" in line]
    folder = tempfile.mkdtemp(prefix="quoin-concurrency-")
    try:
        print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
        subprocess.run([os.path.join(args.build, "cli", "quoin"), "load", "--store", folder + "/quoin", args.data],
                       check=True, stderr=subprocess.DEVNULL)
        subprocess.run([os.path.join(args.build, "bench", "quoin-bench-concurrency"), "--seconds", str(args.seconds),
                        "--numbers", str(args.numbers), "--counts", counts, folder + "/quoin", path], check=True)
        pyoxigraph_all(args, queries, folder)
        if args.fuseki:
            fuseki_all(args, queries, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
