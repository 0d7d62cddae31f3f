#!/usr/bin/env python3
"""Compare Quoin, optimiser off and on, with Apache Jena ARQ and Oxigraph on generated queries."""

import argparse
import os
import re
import sys
from collections import Counter

import decisions
import generate
import peers
from answers import Answer, before, ordered, same


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--quoin", required=True, help="the program test_conformance_differential")
    p.add_argument("--jena", help="folder with lib/ and classes/ of ARQ; without: Oxigraph alone")
    p.add_argument("--seed", default=os.environ.get("QUOIN_SEED", "1"))
    p.add_argument("--queries", type=int, default=2500, help="to generate")
    p.add_argument("--out", help="folder for what disagrees")
    p.add_argument("--kind", help="queries of this kind alone")
    p.add_argument("--corpus", help="folder for a corpus of agreed answers")
    p.add_argument("--corpus-size", type=int, default=300)
    return p.parse_args()


def order_keys(query):
    """(name, descending) of the outermost ORDER BY."""
    tail = query.rsplit("}", 1)[1]
    if "ORDER BY" not in tail:
        return []
    return [(n, d == "DESC(") for d, n in re.findall(r"(DESC\(|ASC\(|)\?(\w+)", tail)]


class Run:
    def __init__(self, args):
        self.args = args
        self.quoin = peers.quoin(args.quoin)
        self.others = [peers.oxigraph()] + ([peers.jena(args.jena)] if args.jena else [])
        self.counts, self.by_kind, self.decided = Counter(), Counter(), Counter()
        self.agreed = []  # (dataset, kind, query, answer)

    def ask(self, peer, query):
        try:
            return [Answer.read(*reply) for reply in peer.ask(query)]
        except peers.Slow:
            return [Answer("error", text="slow")] * peer.replies
        except RuntimeError as why:
            return [Answer("error", text=str(why))] * peer.replies

    def report(self, name, number, data, query, answers):
        if not self.args.out:
            return
        os.makedirs(self.args.out, exist_ok=True)
        with open(os.path.join(self.args.out, f"{name}-{number}.txt"), "w") as out:
            out.write(query + "\n\n")
            for who, answer in answers.items():
                out.write(f"---- {who}\n{answer.show(answers['optimised'])}\n")
            last = list(answers.values())[-1]
            out.write(f"---- optimised, not in the last\n{answers['optimised'].show(last)}\n")
            out.write("---- data\n" + data.text)

    def one(self, number, index, data, kind, query):
        plain, fast = self.ask(self.quoin, query)
        answers = {"plain": plain, "optimised": fast}
        name = f"{number}.{index}"
        if plain.kind == "error" and plain.text.startswith(("-11 ", "-10 ")):
            self.counts["too large"] += 1
            return
        self.counts["compared"] += 1
        self.by_kind[kind] += 1
        if not same(plain, fast):
            self.counts["QUOIN: optimiser on and off differ"] += 1
            self.report("modes", name, data, query, answers)
        keys = order_keys(query)
        if keys and not (ordered(plain, keys) and ordered(fast, keys)):
            self.counts["QUOIN: order"] += 1
            self.report("order", name, data, query, answers)
        if kind == "extremes" and not self.extremes(query, fast):
            self.counts["QUOIN: MIN or MAX"] += 1
            self.report("extremes", name, data, query, answers)
        for peer in self.others:
            answers[peer.name] = self.ask(peer, query)[0]
        agrees = {p.name: same(answers[p.name], fast) for p in self.others}
        all_good = same(plain, fast)
        for peer in self.others:
            all_good = self.judge(peer.name, name, data, kind, query, answers, agrees) and all_good
        if all_good and fast.kind != "error":
            self.agreed.append((number, kind, query, fast))

    def extremes(self, query, answer):
        """Is no value before the least, none behind the greatest, and an error the least of all?"""
        name = re.search(r"MIN\((\?\w+)\)", query).group(1)
        every = self.ask(self.quoin, re.sub(r"SELECT .*?\) \{", f"SELECT {name} {{", query, 1))[0]
        if every.kind == "error":
            return True
        values = [row[0] for row in every.rows]
        low, high = answer.rows[0]
        if not values or None in values:
            return low is None and (high is None) == (set(values) <= {None}) and \
                all(before(high, v) != -1 for v in values)
        return low in values and high in values and \
            all(before(v, low) != -1 and before(high, v) != -1 for v in values)

    def judge(self, peer, name, data, kind, query, answers, agrees):
        """Count what one peer answers; is it the same, or known why not?"""
        theirs, ours = answers[peer], answers["optimised"]
        if theirs.text == "slow":
            self.counts[f"{peer}: no answer in time"] += 1
            return any(agrees.values())
        if agrees[peer]:
            self.counts[f"{peer}: agrees"] += 1
            return True
        backed = any(agrees[p.name] or decisions.no_answer(p.name, data, query, answers[p.name])
                     for p in self.others if p.name != peer)
        why = decisions.why(peer, data, query, theirs, ours, backed)
        if why:
            self.counts[f"{peer}: disagrees, decided"] += 1
            self.decided[f"{why} ({peer})"] += 1
            return True
        self.counts[f"{peer}: DISAGREES"] += 1
        self.report(f"{peer}-{kind}", name, data, query, answers)
        return False

    def all(self):
        everything = {}
        for number, data, queries in generate.datasets(self.args.seed, self.args.queries):
            everything[number] = data
            for peer in [self.quoin] + self.others:
                peer.load(data.text)
            for index, (kind, query) in enumerate(queries):
                if not self.args.kind or kind == self.args.kind:
                    self.one(number, index, data, kind, query)
        for peer in [self.quoin] + self.others:
            peer.stop()
        return everything


def main():
    args = options()
    print(f"seed {args.seed}", flush=True)
    run = Run(args)
    everything = run.all()
    for title, counter in (("", run.counts), ("decided", run.decided), ("kinds", run.by_kind)):
        print(title)
        for key, n in sorted(counter.items()):
            print(f"  {n:6} {key}")
    if args.corpus:
        import corpus
        corpus.write(args, everything, run.agreed)
    bad = sum(n for key, n in run.counts.items() if "DISAGREES" in key or "QUOIN" in key)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
