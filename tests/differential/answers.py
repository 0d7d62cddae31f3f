"""Answers as bags: reading results, comparing up to the names of blank nodes, checking an order."""

import json
from collections import Counter
from decimal import Decimal, InvalidOperation

XSD = "http://www.w3.org/2001/XMLSchema#"
INTEGERS = {XSD + n for n in (
    "integer", "int", "long", "short", "byte", "nonNegativeInteger", "nonPositiveInteger",
    "negativeInteger", "positiveInteger", "unsignedLong", "unsignedInt", "unsignedShort",
    "unsignedByte")}
REALS = {XSD + "double", XSD + "float"}


def literal(value, datatype, lang):
    """A literal; a number by its value, rounded to 12 digits (6 for xsd:float)."""
    if lang:
        return ("literal", value, "@" + lang.lower())
    datatype = datatype or XSD + "string"
    try:
        if datatype in INTEGERS:
            return ("number", datatype, str(int(value)))
        if datatype == XSD + "decimal":
            return ("number", datatype, f"{Decimal(value):.11e}" if Decimal(value) else "0")
        if datatype in REALS:
            digits = ".5e" if datatype.endswith("float") else ".11e"
            return ("number", datatype, format(float(value.replace("INF", "inf")), digits))
    except (ValueError, InvalidOperation):
        pass
    return ("literal", value, datatype)


def term(t):
    """A term of a JSON answer; None is unbound."""
    if t is None:
        return None
    if t["type"] == "uri":
        return ("iri", t["value"])
    if t["type"] == "bnode":
        return ("blank", t["value"])
    return literal(t["value"], t.get("datatype"), t.get("xml:lang"))


class Answer:
    """kind: "rows", "boolean", "graph" or "error"."""

    def __init__(self, kind, names=(), rows=(), text="", body=""):
        self.kind, self.names, self.rows = kind, list(names), list(rows)
        self.text, self.body = text, body  # why there is none; as it came

    @staticmethod
    def read(letter, body):
        if letter == "E":
            return Answer("error", text=body)
        if letter == "G":
            return Answer("graph", "spo", sorted(set(triples(body))), body=body)
        value = json.loads(body)
        if "boolean" in value:
            return Answer("boolean", rows=[(value["boolean"],)], body=body)
        names = value["head"].get("vars", [])
        rows = [tuple(term(b.get(n)) for n in names) for b in value["results"]["bindings"]]
        return Answer("rows", names, rows, body=body)

    def lines(self, names=None):
        """The rows as text, without the names of blank nodes; columns in the order of `names`."""
        at = [self.names.index(n) for n in names if n in self.names] if names else \
            range(len(self.names) or 1)
        short = lambda t: "-" if t is None else str(t) if not isinstance(t, tuple) else \
            "_:" if t[0] == "blank" else " ".join(t[1:]).replace(XSD, "xsd:")
        return Counter(" | ".join(short(row[i]) for i in at) for row in self.rows)

    def show(self, other, limit=15):
        """The rows that `other` lacks."""
        if self.kind == "error":
            return "error: " + self.text
        more = self.lines(other.names) - other.lines()
        return "\n".join([f"{self.kind} {self.names} {len(self.rows)}, other:"] +
                         [f"  {n} x {line}" for line, n in sorted(more.items())[:limit]])


def triples(body):
    import pyoxigraph
    for q in pyoxigraph.parse(body.encode(), format=pyoxigraph.RdfFormat.N_TRIPLES):
        yield tuple(of_oxigraph(t) for t in (q.subject, q.predicate, q.object))


def of_oxigraph(t):
    import pyoxigraph
    if isinstance(t, pyoxigraph.NamedNode):
        return ("iri", t.value)
    if isinstance(t, pyoxigraph.BlankNode):
        return ("blank", t.value)
    return literal(t.value, t.datatype.value, t.language)


# ---- bags up to the names of blank nodes


def refine(rows, colour):
    """Colour blank nodes by the rows that they stand in until nothing more is told apart."""
    for _ in range(8):
        seen = {}
        for row in rows:
            shape = tuple(colour[t[1]] if t and t[0] == "blank" else t for t in row)
            for i, t in enumerate(row):
                if t and t[0] == "blank":
                    seen.setdefault(t[1], []).append((i, shape))
        fresh = {b: hash((colour[b], tuple(sorted(Counter(map(hash, v)).items()))))
                 for b, v in seen.items()}
        if len(set(fresh.values())) == len(set(colour.values())) and _ > 1:
            return fresh
        colour = fresh
    return colour


def coloured(rows, colour):
    return Counter(tuple(("blank", colour[t[1]]) if t and t[0] == "blank" else t for t in row)
                   for row in rows)


def isomorphic(a, b, colour_a=None, colour_b=None):
    blanks = lambda rows: {t[1] for row in rows for t in row if t and t[0] == "blank"}
    if colour_a is None:
        colour_a, colour_b = {x: 0 for x in blanks(a)}, {x: 0 for x in blanks(b)}
        if len(colour_a) != len(colour_b) or len(a) != len(b):
            return False
    colour_a, colour_b = refine(a, colour_a), refine(b, colour_b)
    if coloured(a, colour_a) != coloured(b, colour_b):
        return False
    twins = [c for c, n in Counter(colour_a.values()).items() if n > 1]
    if not twins:
        return True
    x = next(k for k, c in colour_a.items() if c == twins[0])
    for y in [k for k, c in colour_b.items() if c == twins[0]]:
        if isomorphic(a, b, {**colour_a, x: 1}, {**colour_b, y: 1}):
            return True
    return False


def same(a, b):
    if a.kind != b.kind or a.kind == "error":
        return False
    if a.kind == "boolean":
        return a.rows == b.rows
    if sorted(a.names) != sorted(b.names):
        return False
    order = [b.names.index(n) for n in a.names]
    return isomorphic(a.rows, [tuple(r[i] for i in order) for r in b.rows])


# ---- the order of SPARQL 1.1 Query 15.1


def value_class(t):
    """Terms of one class are comparable by their key; (None, None) when the order is not said."""
    if t is None:
        return (0, 0)
    if t[0] == "blank":
        return (1, None)
    if t[0] == "iri":
        return (2, t[1])
    if t[0] == "number":
        return ("number", float(t[2]))
    if t[2] == XSD + "string":
        return ("string", t[1])
    if t[2] == XSD + "boolean" and t[1] in ("true", "false", "1", "0"):
        return ("boolean", t[1] in ("true", "1"))
    return (None, None)


def before(a, b):
    """-1, 0, 1, or None when the specification does not order the two."""
    rank = lambda t: 0 if t is None else {"blank": 1, "iri": 2}.get(t[0], 3)
    if rank(a) != rank(b):
        return -1 if rank(a) < rank(b) else 1
    (x, u), (y, v) = value_class(a), value_class(b)
    if x is None or x != y or u is None or u == v or u != u or v != v:
        return 0 if a == b else None  # equal values that are other terms may stand either way
    return (u > v) - (u < v)


def ordered(answer, keys):
    """Is no row before one that must come before it? keys: (name, descending)."""
    at = [(answer.names.index(n), d) for n, d in keys if n in answer.names]
    for i, row in enumerate(answer.rows):
        for later in answer.rows[i + 1:]:
            for column, descending in at:
                c = before(row[column], later[column])
                c = -c if c is not None and descending else c
                if c == 1:
                    return False
                if c != 0:
                    break
    return True
