#!/usr/bin/env python3
"""Vectors to measure with: a base, queries and their exact neighbours, as .npy files.

    bench/vector_data.py OUT [--rows 200000] [--queries 1000] [--dims 128] [--latent 24] [--seed 1]
    bench/vector_data.py OUT --of DATA --lengths S [--seed 1]

Clustered: points of a mixture of Gaussians in `latent` dimensions, turned into `dims` by a random
matrix, plus noise. Writes base.npy, query.npy (float32) and neighbours100.npy (int32, by L2).
Or the vectors of another folder with lengths of exp(S N(0,1)), and their neighbours by inner product.
"""
import argparse, glob, os
import numpy as np


def neighbours(base, query, k, metric="l2", allowed=None):
    """Exact: candidates by float32 products, ranked again in double."""
    out = np.full((len(query), k), -1, np.int32)
    ids = np.arange(len(base)) if allowed is None else np.flatnonzero(allowed)
    points = base[ids]
    norms = (points.astype(np.float64) ** 2).sum(1)
    for start in range(0, len(query), 100):
        q = query[start:start + 100]
        dots = q @ points.T
        rough = {"l2": lambda: norms - 2 * dots, "dot": lambda: -dots, "cosine": lambda: -dots / np.sqrt(norms)}[metric]()
        some = min(2 * k + 20, len(ids))
        best = np.argpartition(rough, some - 1, axis=1)[:, :some] if some < len(ids) else np.tile(np.arange(some), (len(q), 1))
        for i, rows in enumerate(best):
            p = points[rows].astype(np.float64)
            x = q[i].astype(np.float64)
            d = ((p - x) ** 2).sum(1) if metric == "l2" else -(p @ x)
            if metric == "cosine": d /= np.sqrt((p ** 2).sum(1))
            order = rows[np.argsort(d, kind="stable")][:k]
            out[start + i, :len(order)] = ids[order]
    return out


def save(out, base, query, metric):
    os.makedirs(out, exist_ok=True)
    np.save(os.path.join(out, "base.npy"), base)
    np.save(os.path.join(out, "query.npy"), query)
    np.save(os.path.join(out, "neighbours100.npy"), neighbours(base, query, 100, metric))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    for name, value in (("rows", 200000), ("queries", 1000), ("dims", 128), ("latent", 24), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--of", help="a folder with base*.npy and query*.npy")
    parser.add_argument("--lengths", type=float, default=0.3)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    if args.of:
        base, query = (np.load(sorted(glob.glob(os.path.join(args.of, what + "*.npy")))[0]).astype(np.float32)
                       for what in ("base", "query"))
        base *= np.exp(args.lengths * rng.normal(size=(len(base), 1))).astype(np.float32)
        save(args.out, base, query, "dot")
        return
    centres = rng.normal(size=(1000, args.latent)) * 2
    turn = rng.normal(size=(args.latent, args.dims)) / np.sqrt(args.latent)

    def points(n):
        latent = centres[rng.integers(len(centres), size=n)] + rng.normal(size=(n, args.latent))
        return (latent @ turn + rng.normal(size=(n, args.dims)) * 0.1).astype(np.float32)

    base, query = points(args.rows), points(args.queries)
    save(args.out, base, query, "l2")


if __name__ == "__main__":
    main()
