"""Write queries and agreed answers where conformance.differential reads them (differential.c)."""

import json
import os
import random

PER_DATASET = 12
LONGEST = 1500  # bytes of an answer


def escape(text):
    for char, code in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(char, code)
    return text


def term(t):
    if t is None:
        return ""
    if t["type"] == "uri":
        return f"<{t['value']}>"
    if t["type"] == "bnode":
        return f"_:{t['value']}"
    tail = f"@{t['xml:lang']}" if "xml:lang" in t else f"^^<{t['datatype']}>" if "datatype" in t else ""
    return f'"{escape(t["value"])}"{tail}'


def answer_text(answer):
    """The answer as a case holds it."""
    if answer.kind == "graph":
        return "".join(sorted(answer.body.splitlines(True)))
    if answer.kind == "boolean":
        return "true\n" if answer.rows[0][0] else "false\n"
    lines = ["\t".join("?" + n for n in answer.names)]
    for row in json.loads(answer.body)["results"]["bindings"]:
        lines.append("\t".join(term(row.get(n)) for n in answer.names))
    return "\n".join(lines) + "\n"


def write(args, everything, agreed):
    """Up to args.corpus_size cases, of all kinds alike, PER_DATASET of a dataset."""
    rng = random.Random(args.seed)
    rng.shuffle(agreed)
    kinds, chosen = {}, {}
    for number, kind, query, answer in agreed:
        text = answer_text(answer)
        small = len(text) < LONGEST and (answer.kind != "rows" or answer.names)
        few = len(chosen.get(number, [])) < PER_DATASET and (number in chosen or len(chosen) < args.corpus_size // 10)
        full = kinds.get(kind, 0) >= args.corpus_size // 14
        empty = answer.kind == "rows" and not answer.rows and rng.random() < 0.7
        if not small or not few or full or empty or sum(kinds.values()) >= args.corpus_size:
            continue
        kinds[kind] = kinds.get(kind, 0) + 1
        chosen.setdefault(number, []).append((kind, query, text))
    os.makedirs(args.corpus, exist_ok=True)
    for old in os.listdir(args.corpus):
        os.unlink(os.path.join(args.corpus, old))
    for number, cases in chosen.items():
        stem = os.path.join(args.corpus, f"{args.seed}-{number:03}")
        with open(stem + ".trig", "w") as out:
            out.write(everything[number].text)
        with open(stem + ".cases", "w") as out:
            for index, (kind, query, text) in enumerate(cases):
                out.write(f"== {kind} {index}\n{query}\n--\n{text}")
    print(f"corpus: {sum(kinds.values())} cases over {len(chosen)} datasets")
