#!/usr/bin/env python3
"""Quoin's vectors beside hnswlib, usearch and faiss (PyPI), in one run, over the same vectors.

    bench/vector_peers.py --build build/release DATA [--metric cosine] [--only build,curve,...] [--curves TSV]

DATA: a folder with base*.npy, query*.npy and neighbours100*.npy (bench/vector_data.py makes one). M 16,
efConstruction 200, k 10. Tables, each with the command line that gives it alone:
  build    vectors a second on one thread (processor time) and two (the clock), bytes on disk, time to open
  curve    queries a second at equal recall, one thread, processor time; peers get all queries in one call
  sparql   the same of a store alone: by calls, and as texts of SPARQL queries with vec:nearest
  single   microseconds of single calls at effort 80, p50 and p99, by the clock
  threads  queries a second of two threads at recall 0.95, by the clock
  filter   queries a second at the recall in 50, 10, 1 and 0.1 % of the vectors, random and correlated: of the
           graph, and of a store through SPARQL, where they are a class that ?text is joined with
"Quoin" is the graph in process; "store" a store through the public interface, terms and snapshots included.
Rates by processor time bear others on the machine, those by the clock do not. --kept FOLDER keeps the indexes
of the peers for the next table. Prints Markdown.
"""
import argparse, glob, os, subprocess, sys, tempfile, time
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from vector_data import neighbours

K, M, EFC = 10, 16, 200
EFS = [10, 16, 24, 32, 48, 64, 96, 160, 256]
SINGLE = 80
TARGETS = [0.90, 0.95, 0.99, 0.995]
SHARES = [0.5, 0.1, 0.01, 0.001]
TEXTS = [1, 100]  # queries in one text of SPARQL
CODES = ["f32", "f16", "i8"]  # --codes


def recall(found, truth):
    hits = want = 0
    for a, b in zip(found, truth[:, :K]):
        b = b[b >= 0]
        hits += len(np.intersect1d(a, b))
        want += len(b)
    return hits / max(want, 1)


def timed(call):
    """Best of three, in processor time of all threads of the call (one)."""
    best = None
    for _ in range(3):
        start = time.process_time()
        value = call()
        spent = time.process_time() - start
        best = spent if best is None else min(best, spent)
    return value, best


class Hnswlib:
    name = "hnswlib f32"

    def build(self, base, metric, threads):
        import hnswlib
        self.index = hnswlib.Index(space={"cosine": "cosine", "l2": "l2", "dot": "ip"}[metric], dim=base.shape[1])
        self.index.init_index(max_elements=len(base), M=M, ef_construction=EFC, random_seed=7)
        self.index.add_items(base, num_threads=threads)
        self.index.set_num_threads(1)

    def search(self, query, ef, threads=1):
        self.index.set_ef(ef)
        return self.index.knn_query(query, K, num_threads=threads)[0]

    def filtered(self, query, ef, allowed):
        """One by one: a search that finds fewer than K fails, and has found nothing."""
        self.index.set_ef(ef)
        found = np.full((len(query), K), -1)
        for i, q in enumerate(query):
            try:
                found[i] = self.index.knn_query(q, K, num_threads=1, filter=lambda at: allowed[at])[0][0]
            except RuntimeError:
                pass
        return found

    def save(self, path):
        self.index.save_index(path)

    def load(self, path, metric, dims):
        import hnswlib
        self.index = hnswlib.Index(space={"cosine": "cosine", "l2": "l2", "dot": "ip"}[metric], dim=dims)
        self.index.load_index(path)
        self.index.set_num_threads(1)


class Faiss:
    def __init__(self, code):
        self.code, self.name = code, "faiss " + code

    def prepare(self, x):
        return x / np.linalg.norm(x, axis=1, keepdims=True) if self.metric == "cosine" else x

    def build(self, base, metric, threads):
        import faiss
        self.faiss, self.metric = faiss, metric
        faiss.omp_set_num_threads(threads)
        base = self.prepare(base)
        kind = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
        if self.code == "f32":
            self.index = faiss.IndexHNSWFlat(base.shape[1], M, kind)
        else:
            coder = {"SQ8": faiss.ScalarQuantizer.QT_8bit, "fp16": faiss.ScalarQuantizer.QT_fp16}[self.code]
            self.index = faiss.IndexHNSWSQ(base.shape[1], coder, M, kind)
            self.index.train(base)
        self.index.hnsw.efConstruction = EFC
        self.index.add(base)
        faiss.omp_set_num_threads(1)

    def search(self, query, ef, threads=1):
        self.index.hnsw.efSearch = ef
        if threads == 1: return self.index.search(self.prepare(query), K)[1]
        self.faiss.omp_set_num_threads(threads)
        found = self.index.search(self.prepare(query), K)[1]
        self.faiss.omp_set_num_threads(1)
        return found

    def filtered(self, query, ef, allowed):
        bits = np.packbits(allowed, bitorder="little")
        sel = self.faiss.IDSelectorBitmap(len(allowed), self.faiss.swig_ptr(bits))
        params = self.faiss.SearchParametersHNSW(sel=sel, efSearch=ef)
        return self.index.search(self.prepare(query), K, params=params)[1]

    def save(self, path):
        self.faiss.write_index(self.index, path)

    def load(self, path, metric, dims):
        import faiss
        self.faiss, self.metric = faiss, metric
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index(path)


class FaissBits:
    """Signs by Hamming distance; the vectors of the `ef` nearest are then compared in full, all queries at once."""
    name = "faiss b1"

    def bits(self, x):
        return np.packbits(x > 0, axis=1)

    def build(self, base, metric, threads):
        import faiss
        self.faiss = faiss
        faiss.omp_set_num_threads(threads)
        self.index = faiss.IndexBinaryHNSW(base.shape[1], M)
        self.index.hnsw.efConstruction = EFC
        self.index.add(self.bits(base))
        faiss.omp_set_num_threads(1)

    def take(self, base):
        self.full = base / np.linalg.norm(base, axis=1, keepdims=True)

    def search(self, query, ef, threads=1):
        self.index.hnsw.efSearch = ef
        self.faiss.omp_set_num_threads(threads)
        some = self.index.search(self.bits(query), ef)[1]
        self.faiss.omp_set_num_threads(1)
        found = np.empty((len(query), K), some.dtype)
        for i, q in enumerate(query):
            found[i] = some[i][np.argpartition(-(self.full[some[i]] @ q), K - 1)[:K]]
        return found

    def save(self, path):
        self.faiss.write_index_binary(self.index, path)

    def load(self, path, metric, dims):
        import faiss
        self.faiss = faiss
        faiss.omp_set_num_threads(1)
        self.index = faiss.read_index_binary(path)


class Usearch:
    def __init__(self, code):
        self.code, self.name = code, "usearch " + code

    def build(self, base, metric, threads):
        from usearch.index import Index
        self.index = Index(ndim=base.shape[1], metric={"cosine": "cos", "l2": "l2sq", "dot": "ip"}[metric], dtype=self.code,
                           connectivity=M, expansion_add=EFC)
        self.index.add(np.arange(len(base)), base, threads=threads)

    def search(self, query, ef, threads=1):
        self.index.expansion_search = ef
        return np.atleast_2d(self.index.search(query, K, threads=threads).keys)  # of one query: flat

    def save(self, path):
        self.index.save(path)

    def load(self, path, metric, dims):
        from usearch.index import Index
        self.index = Index.restore(path, view=True)


def quoin(args, files, code, *commands, store=None):
    """Lines of quoin-bench-vector, or with a folder for it of quoin-bench-vector-store."""
    program = os.path.join(args.build, "bench", "quoin-bench-vector" + ("-store" if store else ""))
    out = subprocess.run([program, *files, args.metric, code, *([store] if store else []), *map(str, commands)],
                         capture_output=True, text=True)
    if out.returncode: sys.exit(f"{program}: {out.stderr.strip()}")
    return [line.split("\t") for line in out.stdout.splitlines()]


LINES = {}  # by code and store


def lines_of(args, files, code, store):
    """One build of the graph, or one store, for all tables that are not of builds: lines by command and effort."""
    if (code, store) in LINES: return LINES[code, store]
    commands = ["curve", *EFS, SINGLE]
    if not store and "threads" in args.only: commands += ["threads", 2, *EFS]
    if store and "sparql" in args.only: commands += ["sparql", *EFS]
    if store and "threads" in args.only: commands += ["batch", 2, *EFS]
    lines = quoin(args, files, code, *([] if store else ["build", 2]), *commands, store=store)
    LINES[code, store] = {(l[0], int(l[1])): l for l in lines if l[0] in ("curve", "threads", "sparql", "batch")}
    return LINES[code, store]


def measured(args, files, code, what, store=None):
    """Recall and queries a second at each effort."""
    lines = lines_of(args, files, code, store)
    return [(float(lines[what, ef][2]), float(lines[what, ef][3])) for ef in EFS]


def at_recall(curve, target):
    """Queries per second at that recall, interpolated between the points of a curve (recall, qps)."""
    curve = sorted(curve)
    for (r0, q0), (r1, q1) in zip(curve, curve[1:]):
        if r0 <= target <= r1:
            t = (target - r0) / (r1 - r0) if r1 > r0 else 0
            return q0 * (q1 / q0) ** t
    return max((q for r, q in curve if r >= target), default=None)


def number(x):
    return "-" if x is None else f"{x:,.0f}"


def table(title, heads, rows):
    print(f"\n{title}\n\n| " + " | ".join(heads) + " |\n| --- |" + " ---: |" * (len(heads) - 1))
    for row in rows:
        print("| " + " | ".join(str(c) for c in row) + " |")
    sys.stdout.flush()


def find(folder, what):
    return sorted(glob.glob(os.path.join(folder, what + "*.npy")))[0]


def unit(args, x):
    return x / np.linalg.norm(x, axis=1, keepdims=True) if args.metric == "cosine" else x


def ready(args, folder, peers, base, threads):
    """Peers with their indexes, built or taken from the folder; a row of the table of builds for each."""
    rows = []
    for peer in peers:
        path = os.path.join(folder, peer.name.replace(" ", "-"))
        cells = ["-", "-"]
        if not os.path.exists(path) or "build" in args.only:
            if "build" in args.only:
                start = time.perf_counter()
                peer.build(base, args.metric, threads)
                cells[1] = number(len(base) / (time.perf_counter() - start))
            start = time.process_time()
            peer.build(base, args.metric, 1)
            cells[0] = number(len(base) / (time.process_time() - start))
            peer.save(path)
        start = time.perf_counter()
        peer.load(path, args.metric, base.shape[1])
        opened = time.perf_counter() - start
        if hasattr(peer, "take"): peer.take(base)
        rows.append((peer.name, *cells, f"{os.path.getsize(path) / len(base):.0f}", f"{1000 * opened:.1f}"))
    return rows


def builds(args, files, folder, base, rows):
    for code in args.codes:
        lines = quoin(args, files, code, "build", 2, "build", 1, "open", folder, 64)
        two, one = [l for l in lines if l[0] == "build"]
        opened = next(l for l in lines if l[0] == "open")
        rows.append(("Quoin " + code, number(len(base) / float(one[4])), number(float(two[3])),
                     f"{int(opened[3]) / len(base):.0f}", f"{1000 * float(opened[2]):.2f}"))
    table("Build: vectors a second on one thread (processor time) and on two (the clock), bytes a vector on disk, ms to open",
          ["", "1 thread", "2 threads", "bytes", "open"], rows)


def curves_of(args, files, folder, query, truth, peers):
    curves = {}
    for peer in peers:
        curves[peer.name] = []
        for ef in EFS:
            found, seconds = timed(lambda: peer.search(query, ef))
            curves[peer.name].append((recall(found, truth), len(query) / seconds))
    for code in args.codes:
        curves["Quoin " + code] = measured(args, files, code, "curve")
    curves["store " + args.stored] = measured(args, files, args.stored, "curve", folder)
    rows = []
    for target in TARGETS:
        values = {name: at_recall(points, target) for name, points in curves.items()}
        best = max((v for n, v in values.items() if v and n in [p.name for p in peers]), default=None)
        f32 = max((v for n, v in values.items() if v and n in [p.name for p in peers] and "f32" in n), default=None)
        ours = max((v for n, v in values.items() if v and n.startswith("Quoin")), default=None)
        rows.append([target, *(number(v) for v in values.values()),
                     f"{ours / best:.2f}" if ours and best else "-",
                     f"{values['Quoin f32'] / f32:.2f}" if f32 and values.get("Quoin f32") else "-"])
    table("Queries a second at equal recall@10, one thread",
          ["recall", *curves, "best ours / best peer", "f32 / best f32 peer"], rows)
    if args.curves:
        with open(args.curves, "w") as out:
            out.write("recall@10\t" + "\t".join(curves) + "\n")
            for i, points in enumerate(curves.values()):
                for r, q in points:
                    out.write(f"{r:.5f}" + "\t" * (i + 1) + f"{q:.0f}" + "\t" * (len(curves) - 1 - i) + "\n")


def sparql(args, files, folder, query, truth, peers):
    curves = {"store i8, calls": measured(args, files, "i8", "curve", folder),
              "store i8, SPARQL": measured(args, files, "i8", "sparql", folder)}
    for peer in peers:
        curves[peer.name] = []
        for ef in EFS:
            found, seconds = timed(lambda: peer.search(query, ef))
            curves[peer.name].append((recall(found, truth), len(query) / seconds))
    rows = []
    for target in TARGETS:
        values = {name: at_recall(points, target) for name, points in curves.items()}
        best = max((values[p.name] for p in peers if values[p.name]), default=None)
        ours = values["store i8, SPARQL"]
        rows.append([target, *map(number, values.values()), f"{ours / best:.2f}" if ours and best else "-"])
    table("vec:nearest as the text of a SPARQL query, queries a second at equal recall@10, one thread, processor time",
          ["recall", *curves, "SPARQL / best peer"], rows)


def singles(args, files, folder, query, truth, peers):
    def cells(r, p50, p99):
        return f"{r:.4f}", f"{p50:.0f}", f"{p99:.0f}"
    rows = []
    for peer in peers:
        times, found = [], []
        for q in query:
            start = time.perf_counter()
            found.append(peer.search(q[None], SINGLE)[0])
            times.append(1e6 * (time.perf_counter() - start))
        rows.append((peer.name, *cells(recall(found, truth), *np.percentile(times, [50, 99]))))
    for code in args.codes:
        line = lines_of(args, files, code, None)["curve", SINGLE]
        rows.append(("Quoin " + code, *cells(*map(float, (line[2], line[5], line[6])))))
    line = lines_of(args, files, args.stored, folder)["curve", SINGLE]
    rows.append(("store " + args.stored, *cells(*map(float, (line[2], line[4], line[5])))))
    table("Single calls at effort 80, microseconds (peers: with the call from Python, a few microseconds)",
          ["", "recall", "p50", "p99"], rows)


def threads_of(args, files, folder, query, truth, peers):
    def row(name, curve):
        rows.append((name, number(at_recall(curve, 0.95))))
    rows, many = [], np.tile(query, (10, 1))
    for peer in peers:
        points = []
        for ef in EFS:
            best = 0
            for _ in range(3):
                start = time.perf_counter()
                found = peer.search(many, ef, threads=2)
                best = max(best, len(many) / (time.perf_counter() - start))
            points.append((recall(found[:len(query)], truth), best))
        row(peer.name, points)
    for code in args.codes:
        row("Quoin " + code, measured(args, files, code, "threads"))
    row("store " + args.stored, measured(args, files, args.stored, "batch", folder))
    table("Queries a second of two threads at recall 0.95", ["", "queries/s"], rows)


def filters(args, files, folder, base, query, peers):
    rows, cases, commands, texts = [], [], ["build", 1], []
    rng = np.random.default_rng(3)
    axis = base @ (base[0] / np.linalg.norm(base[0]))
    for kind in ("random", "correlated"):
        for share in SHARES:
            allowed = rng.random(len(base)) < share if kind == "random" else axis >= np.quantile(axis, 1 - share)
            right = neighbours(base, query, K, args.metric, allowed)
            bits, right_file = (os.path.join(folder, f"{what}-{len(cases)}.npy") for what in ("bits", "right"))
            np.save(bits, allowed.astype(np.uint8))
            np.save(right_file, right)
            commands += ["filter", bits, right_file, 0]
            texts += ["filter", bits, right_file, *TEXTS]
            cases.append((kind, share, allowed, right))
    lines = [x for x in quoin(args, files, "i8", *commands) if x[0] == "filter"]
    asked = iter([x for x in quoin(args, files, "i8", *texts, store=folder) if x[0] == "filter"])
    for (kind, share, allowed, right), l in zip(cases, lines):
        cells = [kind, f"{share:.1%}", f"{float(l[3]):,.0f} at {float(l[2]):.4f} ({l[7]})"]
        for _, line in zip(TEXTS, asked):
            cells.append(f"{float(line[3]):,.0f} at {float(line[2]):.4f}")
        for peer, efs in ((p, (64, 200)) for p in peers):
            best = None
            for ef in efs:
                some = query[:200]
                start = time.process_time()
                found = peer.filtered(some, ef, allowed)
                qps = len(some) / (time.process_time() - start)
                r = recall(found, right[:200])
                if best is None or best[1] < float(l[2]) - 0.005: best = (qps, r)
            cells.append(f"{best[0]:,.0f} at {best[1]:.4f}")
        ids, points, some = np.flatnonzero(allowed), unit(args, base), unit(args, query)[:200]
        cells.append(f"{scans(args, lambda: points[ids], some):,.0f} at 1")
        points = points[ids]
        cells.append(f"{scans(args, lambda: points, some):,.0f} at 1")
        rows.append(cells)
    table("Filtered, queries per second at recall (our way in brackets, at the default effort)",
          ["", "allowed", "Quoin i8", *(f"store i8, SPARQL, {n} ?q" for n in TEXTS), *(f"{p.name}, filter in Python" if p.name.startswith("hnswlib") else p.name for p in peers),
           "numpy, exact over the allowed",
           "and those copied beside each other before"], rows)


def scans(args, rows, query):
    """Exact searches a second of processor time over what rows() gives for each query."""
    start = time.process_time()
    for q in query:
        points = rows()
        d = -((points - q) ** 2).sum(1) if args.metric == "l2" else points @ q
        np.argpartition(-d, min(K, len(d) - 1))[:K]
    return len(query) / (time.process_time() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--metric", default="cosine", choices=["cosine", "l2", "dot"])
    parser.add_argument("--only", default="build,curve,sparql,single,threads,filter")
    parser.add_argument("--peers", help="names, or '' for none; hnswlib f32, faiss f32 and SQ8, usearch i8 (l2 and dot: f16, its i8 are those of [-1, 1]); faiss b1")
    parser.add_argument("--codes", default=",".join(CODES), help="of Quoin, as f32,f16,i8,b1; the store has i8 where that is named, else the first")
    parser.add_argument("--curves", help="write the curves there, for bench/plot.py")
    parser.add_argument("--kept", help="keep the peers' indexes there, or take those that are there")
    parser.add_argument("data")
    args = parser.parse_args()
    args.codes = args.codes.split(",")
    args.stored = "i8" if "i8" in args.codes else args.codes[0]
    files = find(args.data, "base"), find(args.data, "query"), find(args.data, "neighbours100")
    base, query, truth = (np.load(f) for f in files)
    base, query = base.astype(np.float32), query.astype(np.float32)
    every = [Hnswlib(), FaissBits(), *map(Faiss, ("f32", "fp16", "SQ8")), *map(Usearch, ("f32", "f16", "i8"))]
    usual = "hnswlib f32,faiss f32,faiss SQ8,usearch " + ("i8" if args.metric == "cosine" else "f16")
    peers = [p for p in every if p.name in (usual if args.peers is None else args.peers).split(",")]
    with tempfile.TemporaryDirectory(prefix="quoin-vectors-") as folder:
        if args.kept: os.makedirs(args.kept, exist_ok=True)
        rows = ready(args, args.kept or folder, peers, base, 2)
        if "build" in args.only: builds(args, files, folder, base, rows)
        if "curve" in args.only: curves_of(args, files, folder, query, truth, peers)
        if "sparql" in args.only: sparql(args, files, folder, query, truth, peers)
        if "single" in args.only: singles(args, files, folder, query, truth, peers)
        if "threads" in args.only: threads_of(args, files, folder, query, truth, peers)
        if "filter" in args.only:
            filters(args, files, folder, base, query, [p for p in peers if hasattr(p, "filtered")])


if __name__ == "__main__":
    main()
