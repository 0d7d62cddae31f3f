"""Random datasets and queries from a seed.

A query is valid SPARQL 1.1, and its answer is determined by the specification: LIMIT stands only under an
ORDER BY of all columns over values that the specification orders, and GROUP_CONCAT, SAMPLE and the
like only where the order of the group does not show.
"""

import random

PREFIXES = "PREFIX : <http://x/>\nPREFIX xsd: <http://www.w3.org/2001/XMLSchema#>\n"
NODES = [":a", ":b", ":c", ":d", ":e"]
LINKS = [":p", ":q", ":r"]  # from node to node
GRAPHS = [":g1", ":g2", ":g3"]
BLANKS = ["_:b0", "_:b1"]
NUMBERS = ["0", "1", "2", "3", "-1", "10", "1.5", "2.25", "0.5", "1e0", "2.5e0", "-1.5E0",
           '"1"^^xsd:float', '"INF"^^xsd:double']
NUMBERS_EXACT = ["0", "1", "2", "3", "-1", "10", "7", "42"]
STRINGS = ['"a"', '"b"', '"abc"', '"Abc"', '"10"', '""', '"a b"', '"é"', '"日本"', '"a😀b"']
TAGGED = ['"a"@en', '"b"@en', '"a"@fr', '"abc"@en-gb', '"chat"@fr']
DATES = ['"2020-01-01T00:00:00Z"^^xsd:dateTime', '"2020-01-01T00:00:00.5Z"^^xsd:dateTime',
         '"2019-12-31T19:00:00-05:00"^^xsd:dateTime', '"2021-06-15T12:30:45+02:00"^^xsd:dateTime']
OTHERS = ["true", "false", '"x"^^:type', '"bad"^^xsd:integer', '"2020-01-01"^^xsd:date']
FORMS = ['"01"^^xsd:integer', '"1.0"^^xsd:decimal', '"1.00"^^xsd:decimal', '"1.0e0"^^xsd:double',
         '"+1"^^xsd:integer', '"2"^^xsd:int', "2.0", '"abc"@en-GB', '"1"^^xsd:boolean', '"0"^^xsd:boolean']


class Data:
    """A dataset: TriG text and what a query may say about it."""

    def __init__(self, rng, forms):
        self.forms = forms  # literals that are not in canonical form
        self.blank = rng.random() < 0.6
        self.values = NUMBERS + STRINGS + TAGGED + DATES + OTHERS + (FORMS * 2 if forms else [])
        nodes = NODES + (BLANKS if self.blank else [])
        lines = [PREFIXES.replace("PREFIX", "@prefix").replace(">\n", "> .\n")]
        lines.append("{")
        self.triples(rng, lines, nodes, rng.choice([0, 8, 14, 20]))
        lines.append("}")
        for graph in rng.sample(GRAPHS, rng.choice([0, 2, 3, 3])):
            lines.append(graph + " {")
            self.triples(rng, lines, nodes, rng.choice([2, 6, 10]))
            lines.append("}")
        self.text = "\n".join(lines) + "\n"

    def triples(self, rng, lines, nodes, n):
        for _ in range(n):
            s = rng.choice(nodes)
            kind = rng.random()
            if kind < 0.55:
                o = rng.choice(nodes + ([rng.choice(GRAPHS)] if rng.random() < 0.15 else []))
                lines.append(f"  {s} {rng.choice(LINKS)} {o} .")
            elif kind < 0.75:
                lines.append(f"  {s} :n {rng.choice(NUMBERS_EXACT)} .")
            else:
                lines.append(f"  {s} :v {rng.choice(self.values)} .")


class Generator:
    """Queries over one dataset."""

    def __init__(self, rng, data):
        self.rng, self.data = rng, data
        self.next_name = 0

    # ---- helpers

    def pick(self, *items):
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    def fresh(self, stem="x"):
        self.next_name += 1
        return f"?{stem}{self.next_name}"

    def node_var(self):
        return self.rng.choice(["?a", "?b", "?c", "?d"])

    def value_var(self):
        return self.rng.choice(["?v", "?w"])

    def value(self):
        return self.rng.choice(self.data.values)

    def node(self, constant=0.2):
        if self.chance(constant):
            return self.rng.choice(NODES)
        return self.node_var()

    # ---- patterns: each returns text and the set of variables in scope

    @staticmethod
    def vars_of(*terms):
        return {t for t in terms if t.startswith("?")}

    def path(self, depth=2):
        r = self.rng.random()
        if depth == 0 or r < 0.2:
            return self.rng.choice(LINKS)
        if r < 0.32:
            return f"({self.path(depth - 1)}/{self.path(depth - 1)})"
        if r < 0.44:
            return f"({self.path(depth - 1)}|{self.path(depth - 1)})"
        if r < 0.54:
            return f"(^{self.path(depth - 1)})"
        if r < 0.66:
            return f"({self.path(depth - 1)})*"
        if r < 0.78:
            return f"({self.path(depth - 1)})+"
        if r < 0.88:
            return f"({self.path(depth - 1)})?"
        return self.rng.choice(["!:p", "!(:p|:q)", "!(:p|^:q)", "!^:r", "!(:n|:v)", "!(^:p|^:q)"])

    def link(self):
        s, o = self.node(), self.node()
        return f"{s} {self.rng.choice(LINKS)} {o} .", self.vars_of(s, o)

    def path_triple(self):
        s, o = self.node(0.3), self.node(0.3)
        return f"{s} {self.path(self.rng.choice([1, 2, 2, 3]))} {o} .", self.vars_of(s, o)

    def valued(self):
        s, o = self.node(0.1), self.value_var()
        return f"{s} {self.pick(':v', ':v', ':n')} {o} .", self.vars_of(s, o)

    def any_triple(self):
        r = self.rng.random()
        if r < 0.35:
            return self.link()
        if r < 0.6:
            return self.valued()
        if r < 0.7:
            return self.path_triple()
        if r < 0.76:
            s, p, o = self.node(), "?y", self.node()
            return f"{s} {p} {o} .", self.vars_of(s, p, o)
        if r < 0.82:
            s = self.node_var()
            return f"{s} :v {self.value()} .", {s}
        if r < 0.9:
            s = self.node_var()
            v = self.value_var()
            return f"{s} {self.rng.choice(LINKS)} [ :v {v} ] .", {s, v}
        s, o, v = self.node_var(), self.node_var(), self.value_var()
        return f"{s} {self.rng.choice(LINKS)} {o} ; :v {v} .", {s, o, v}

    def block(self, n=None):
        text, scope = [], set()
        for _ in range(n or self.pick(1, 1, 2, 2)):
            t, v = self.any_triple()
            text.append(t)
            scope |= v
        return " ".join(text), scope

    def values_block(self, scope_hint=None):
        names = self.rng.sample(["?a", "?b", "?v", "?w"], self.pick(1, 1, 2))
        rows = []
        for _ in range(self.pick(1, 2, 3)):
            cells = []
            for name in names:
                if self.chance(0.15):
                    cells.append("UNDEF")
                else:
                    cells.append(self.value() if name in "?v?w" else self.rng.choice(NODES))
            rows.append("(" + " ".join(cells) + ")")
        return f"VALUES ({' '.join(names)}) {{ {' '.join(rows)} }}", set(names)

    def group(self, depth, first=None):
        """The inside of { }."""
        text, scope = first or self.block()
        parts = [text]
        for _ in range(self.pick(0, 1, 1, 2) if depth else 0):
            t, v = self.element(depth - 1, scope)
            parts.append(t)
            scope = scope | v
        return " ".join(parts), scope

    def element(self, depth, scope):
        r = self.rng.random()
        if r < 0.22:
            t, v = self.group(depth)
            if self.chance(0.3):
                t += f" FILTER({self.condition(v if self.chance(0.7) else v | scope)})"
            return f"OPTIONAL {{ {t} }}", v
        if r < 0.34:
            t, _ = self.group(depth)
            return f"MINUS {{ {t} }}", set()
        if r < 0.5:
            return f"FILTER({self.condition(scope, depth)})", set()
        if r < 0.6:
            a, va = self.group(depth)
            b, vb = self.group(depth)
            return f"{{ {a} }} UNION {{ {b} }}", va | vb
        if r < 0.68:
            name = self.fresh()
            return f"BIND({self.expression(scope)} AS {name})", {name}
        if r < 0.74:
            return self.values_block()
        if r < 0.84:
            return self.graph(depth)
        if r < 0.9:
            return self.subselect(depth)
        if r < 0.95:
            t, v = self.group(depth)
            return f"{{ {t} }}", v
        return self.block(1)

    def graph(self, depth):
        name = self.pick("?g", "?g", ":g1", ":g2", ":none", "?a")
        t, v = self.group(depth, self.path_triple() if self.chance(0.4) else None)
        return f"GRAPH {name} {{ {t} }}", v | self.vars_of(name)

    def subselect(self, depth):
        t, v = self.group(depth)
        names = sorted(v)
        if names and self.chance(0.35):
            key, out = self.rng.choice(names), self.fresh("n")
            call = self.rng.choice([f"COUNT(*)", f"COUNT(DISTINCT {self.rng.choice(names)})"])
            return f"{{ SELECT {key} ({call} AS {out}) {{ {t} }} GROUP BY {key} }}", {key, out}
        if not names:
            return f"{{ SELECT * {{ {t} }} }}", set()
        keep = self.rng.sample(names, self.rng.randint(1, len(names)))
        return f"{{ SELECT {self.pick('', 'DISTINCT ')}{' '.join(keep)} {{ {t} }} }}", set(keep)

    # ---- expressions

    def a_var(self, scope):
        names = sorted(scope)
        if names and self.chance(0.92):
            values = [n for n in names if n in ("?v", "?w") or n.startswith("?x")]
            return self.rng.choice(values if values and self.chance(0.6) else names)
        return self.pick("?v", "?a", "?none")

    def atom(self, scope):
        r = self.rng.random()
        if r < 0.6:
            return self.a_var(scope)
        if r < 0.9:
            return self.value()
        return self.rng.choice(NODES)

    def number(self, scope, depth=2):
        r = self.rng.random()
        if depth == 0 or r < 0.3:
            return self.a_var(scope) if self.chance(0.7) else self.rng.choice(NUMBERS)
        sub = lambda: self.number(scope, depth - 1)
        if r < 0.6:
            return f"({sub()} {self.pick('+', '-', '*', '/')} {sub()})"
        if r < 0.66:
            return f"(- {sub()})"
        if r < 0.82:
            return f"{self.pick('ABS', 'ROUND', 'CEIL', 'FLOOR')}({sub()})"
        if r < 0.92:
            return f"STRLEN({self.string(scope, depth - 1)})"
        return f"xsd:{self.pick('integer', 'decimal', 'double', 'float')}({self.atom(scope)})"

    def string(self, scope, depth=2):
        r = self.rng.random()
        if depth == 0 or r < 0.25:
            return self.a_var(scope) if self.chance(0.6) else self.rng.choice(STRINGS + TAGGED)
        sub = lambda: self.string(scope, depth - 1)
        if r < 0.35:
            return f"STR({self.a_var(scope)})"
        if r < 0.5:
            return f"{self.pick('UCASE', 'LCASE', 'ENCODE_FOR_URI', 'LANG')}({sub()})"
        if r < 0.62:
            more = f", {self.pick('0', '1', '2', '1.5')}" if self.chance(0.6) else ""
            return f"SUBSTR({sub()}, {self.pick('1', '2', '0', '3', '-1')}{more})"
        if r < 0.74:
            return f"{self.pick('STRBEFORE', 'STRAFTER')}({sub()}, {self.rng.choice(STRINGS + TAGGED)})"
        if r < 0.86:
            return f"CONCAT({sub()}, {sub()})"
        if r < 0.94:
            pattern, by = self.pick('"b"', '"[ab]"', '"(a)"'), self.pick('"z"', '"$0-"', '""')
            return f"REPLACE({sub()}, {pattern}, {by})"
        return f"{self.pick('MD5', 'SHA1', 'SHA256')}({sub()})"

    def expression(self, scope, depth=2):
        r = self.rng.random()
        if r < 0.25:
            return self.number(scope, depth)
        if r < 0.5:
            return self.string(scope, depth)
        if r < 0.6:
            return self.condition(scope)
        if r < 0.68:
            return f"IF({self.condition(scope)}, {self.atom(scope)}, {self.atom(scope)})"
        if r < 0.76:
            return f"COALESCE({self.number(scope, 1)}, {self.atom(scope)})"
        if r < 0.82:
            return f"{self.pick('DATATYPE', 'LANG', 'STR')}({self.a_var(scope)})"
        if r < 0.86:
            return f"{self.pick('YEAR', 'MONTH', 'DAY', 'HOURS', 'MINUTES', 'SECONDS', 'TZ', 'TIMEZONE')}({self.a_var(scope)})"
        if r < 0.9:
            text = self.string(scope, 1)
            return self.pick(f'STRLANG({text}, "en")', f"STRDT({text}, xsd:string)",
                             f"STRDT({text}, xsd:integer)")
        if r < 0.95:
            return f"xsd:{self.pick('string', 'boolean', 'integer', 'decimal', 'double', 'dateTime')}({self.atom(scope)})"
        return self.atom(scope)

    def condition(self, scope, depth=0, exists=0.12):
        r = self.rng.random()
        a = lambda: self.atom(scope)
        if r < exists and depth >= 0 and self.exists_ok:
            return self.exists(scope, max(depth, 0))
        if r < 0.42:
            return f"{a()} {self.pick('=', '!=', '<', '>', '<=', '>=')} {a()}"
        if r < 0.5:
            return f"{a()} {self.pick('IN', 'NOT IN')} ({a()}, {a()})"
        if r < 0.58:
            return f"{self.pick('isIRI', 'isBlank', 'isLiteral', 'isNumeric')}({self.a_var(scope)})"
        if r < 0.64:
            return f"BOUND({self.a_var(scope)})"
        if r < 0.7:
            return f"sameTerm({a()}, {a()})"
        if r < 0.77:
            return f"{self.pick('CONTAINS', 'STRSTARTS', 'STRENDS')}({self.string(scope, 1)}, {self.rng.choice(STRINGS + TAGGED)})"
        if r < 0.81:
            pattern, flags = self.pick('"a"', '"^A"', '"b$"', '"a.c"'), self.pick("", ', "i"')
            return f"REGEX({self.string(scope, 1)}, {pattern}{flags})"
        if r < 0.84:
            return f"LANGMATCHES(LANG({self.a_var(scope)}), \"{self.pick('*', 'en')}\")"
        if r < 0.88:
            return f"!({self.condition(scope, -1)})"
        if r < 0.96:
            return f"({self.condition(scope, -1)} {self.pick('&&', '||')} {self.condition(scope, -1)})"
        return self.a_var(scope)

    exists_ok = True

    def exists(self, scope, depth=0):
        """EXISTS over triples, OPTIONAL and FILTER: where substitution is not in dispute."""
        self.exists_ok = False
        t, v = self.block(self.pick(1, 2)) if self.chance(0.7) else self.path_triple()
        if self.chance(0.25):
            t += f" FILTER({self.condition(v | scope)})"
        self.exists_ok = True
        return f"{self.pick('', 'NOT ')}EXISTS {{ {t} }}"

    # ---- whole queries

    def select(self, text, scope):
        names = sorted(scope)
        if not names:
            return f"{PREFIXES}SELECT * {{ {text} }}"
        if self.chance(0.35):
            keep = "*"
        else:
            keep = " ".join(self.rng.sample(names, self.rng.randint(1, len(names))))
        return f"{PREFIXES}SELECT {self.pick('', '', 'DISTINCT ')}{keep} {{ {text} }}"

    def q_paths(self):
        t, v = self.path_triple()
        parts, scope = [t], v
        for _ in range(self.pick(1, 2)):
            r = self.rng.random()
            t, v = self.path_triple()
            if r < 0.4:
                parts.append(t)
            elif r < 0.75:
                extra, ve = self.group(1, (t, v))
                parts.append(f"OPTIONAL {{ {extra} }}")
                v = ve
            else:
                parts.append(f"{{ {t} }} UNION {{ {self.block(1)[0]} }}")
            scope = scope | v
        return self.select(" ".join(parts), scope)

    def q_minus(self):
        t, v = self.group(1)
        if self.chance(0.4):
            inside = f"{self.pick(':a', '?z')} {self.pick(':p', '?zp', ':none')} ?zo"
        else:
            inside = self.group(1)[0]
        if self.chance(0.3):
            inside += f" OPTIONAL {{ {self.block(1)[0]} }}"
        return self.select(f"{t} MINUS {{ {inside} }}", v)

    def q_exists(self):
        t, v = self.group(1)
        if self.chance(0.3):
            v = sorted(v) or ["?a"]
            key = self.rng.choice(v)
            inside = f"{key} {self.rng.choice(LINKS + [':v', ':n'])} ?inner"
            return (f"{PREFIXES}SELECT {key} (COUNT(*) AS ?n) {{ {t} }} GROUP BY {key} "
                    f"HAVING ({self.pick('', 'NOT ')}EXISTS {{ {inside} }})")
        if self.chance(0.25):
            return self.select(f"{t} BIND({self.exists(v)} AS ?there)", v | {"?there"})
        return self.select(f"{t} FILTER({self.pick('', '!')}({self.exists(v)} "
                           f"{self.pick('||', '&&')} {self.condition(v)}))", v)

    def aggregate(self, names):
        x = self.rng.choice(names)
        d = self.pick("", "", "DISTINCT ")
        return self.rng.choice([
            "COUNT(*)", "COUNT(DISTINCT *)", f"COUNT({d}{x})", f"SUM({d}{x})", f"AVG({d}{x})",
            f"SUM({d}STRLEN(STR({x})))", f"MIN(STRLEN(STR({x})))", f"MAX(STR({x}))", f"MIN(STR({x}))",
            f"STRLEN(GROUP_CONCAT({d}STR({x}); SEPARATOR=\"|\"))", f"MAX(IF(isNumeric({x}), {x}, 0))",
            f"MIN(COALESCE(xsd:integer({x}), 5))", f"SUM(IF(isNumeric({x}), {x}, 1))",
            f"STRLEN(GROUP_CONCAT({x}))", f"COUNT({x}) + 1"])

    def q_aggregate(self):
        t, v = self.group(1)
        if self.chance(0.25):
            t += " FILTER(false)" if self.chance(0.5) else " ?a :none ?v ."
            v = v | ({"?a", "?v"} if ":none" in t else set())
        names = sorted(v) or ["?a"]
        outs = " ".join(f"({self.aggregate(names)} AS ?o{i})" for i in range(self.pick(1, 2)))
        r = self.rng.random()
        if r < 0.4:
            key, group = "", ""
        elif r < 0.75:
            key = self.rng.choice(names)
            group = f"GROUP BY {key}"
        else:
            key = "?k"
            group = f"GROUP BY ({self.expression(v, 1)} AS ?k)"
        having = f" HAVING ({self.aggregate(names)} {self.pick('>', '<', '=', '!=')} {self.pick('0', '1', '2')})" \
            if self.chance(0.3) else ""
        return f"{PREFIXES}SELECT {key} {outs} {{ {t} }} {group}{having}"

    def q_extremes(self):
        """MIN and MAX over terms of all kinds; run.py looks at the values themselves."""
        t, _ = self.group(1, self.pick(self.valued(), self.link()))
        x = self.pick("?v", "?w", "?a", "?b")
        return f"{PREFIXES}SELECT (MIN({x}) AS ?low) (MAX({x}) AS ?high) {{ {t} }}"

    def q_compare(self):
        t, v = self.group(0, ("?a :v ?v . ?b :v ?w .", {"?a", "?b", "?v", "?w"}))
        r = self.rng.random()
        if r < 0.5:
            return self.select(f"{t} FILTER({self.condition(v)})", v)
        if r < 0.8:
            op = self.pick("=", "!=", "<", ">", "<=", ">=")
            return f"{PREFIXES}SELECT ?v ?w (?v {op} ?w AS ?x) {{ {t} }}"
        return f"{PREFIXES}SELECT DISTINCT ?v ?w ({self.condition(v)} AS ?x) {{ {t} }}"

    def q_order(self):
        if self.chance(0.5):
            # determined: IRIs and integers only
            names = ["?a", "?b", "?n"]
            t = f"?a {self.path(1)} ?b . OPTIONAL {{ ?b :n ?n }} FILTER(isIRI(?a) && isIRI(?b))"
            self.rng.shuffle(names)
            keys = " ".join(self.pick("{}", "ASC({})", "DESC({})").format(n) for n in names)
            limit = self.pick("", f"LIMIT {self.pick(0, 1, 3, 5)}", f"OFFSET {self.pick(1, 3)}",
                              f"LIMIT {self.pick(2, 4)} OFFSET {self.pick(1, 2, 30)}")
            return f"{PREFIXES}SELECT {self.pick('', 'DISTINCT ')}?a ?b ?n {{ {t} }} ORDER BY {keys} {limit}"
        t, v = self.group(1, self.valued())
        names = self.rng.sample(sorted(v), min(len(v), 2))
        if not names:
            return self.q_order()
        keys = " ".join(self.pick("{}", "ASC({})", "DESC({})").format(n) for n in names)
        return f"{PREFIXES}SELECT {' '.join(names)} {{ {t} }} ORDER BY {keys}"

    def q_subselect(self):
        t, v = self.group(1)
        s, w = self.subselect(1)
        if self.chance(0.3):
            names = ["?a", "?b"]
            s = (f"{{ SELECT ?a ?b {{ ?a {self.rng.choice(LINKS)} ?b FILTER(isIRI(?a) && isIRI(?b)) }} "
                 f"ORDER BY ?a DESC(?b) LIMIT {self.pick(1, 2, 3)} }}")
            w = set(names)
        return self.select(f"{s} {t}" if self.chance(0.5) else f"{t} {s}", v | w)

    def q_scope(self):
        t, v = self.group(1)
        name = self.fresh()
        parts = [f"{t} BIND({self.expression(v)} AS {name})"]
        scope = v | {name}
        r = self.rng.random()
        if r < 0.3:
            b, vb = self.values_block()
            parts.append(b)
            scope |= vb
        elif r < 0.6:
            inner = self.fresh()
            parts.append(f"{{ BIND({self.pick(name, '1', self.a_var(v))} AS {inner}) }}")
            scope |= {inner}
        elif r < 0.8:
            parts.append(f"OPTIONAL {{ {self.block(1)[0]} FILTER({name} {self.pick('=', '!=', '<')} {self.atom(v)}) }}")
        else:
            parts.append(f"FILTER({self.condition(scope)})")
        query = self.select(" ".join(parts), scope)
        if self.chance(0.2):
            query += " " + self.values_block()[0]
        return query

    def q_graph(self):
        t, v = self.graph(1)
        if self.chance(0.5):
            t2, v2 = self.graph(1) if self.chance(0.5) else self.block(1)
            t, v = f"{t} {t2}", v | v2
        return self.select(t, v)

    def q_union(self):
        parts, scope = [], set()
        for _ in range(self.pick(2, 2, 3)):
            t, v = self.group(1)
            parts.append("{ " + t + " }")
            scope |= v
        t = " UNION ".join(parts)
        if self.chance(0.6):
            e, v = self.element(1, scope)
            t, scope = f"{t} {e}", scope | v
        if self.chance(0.4):
            e, v = self.block(1)
            t, scope = f"{e} {t}", scope | v
        return self.select(t, scope)

    def q_from(self):
        t, v = self.group(1)
        if self.chance(0.6):
            g, vg = self.graph(1)
            t, v = f"{t} {g}" if self.chance(0.5) else g, v | vg
            v = {n for n in v if n in t}
        query = self.select(t, v)
        clauses = sorted({f"FROM {self.pick('', 'NAMED ')}{self.rng.choice(GRAPHS + [':none'])}"
                          for _ in range(self.pick(1, 2, 3))})
        head, tail = query.split(" {", 1)
        return f"{head} {' '.join(clauses)} {{{tail}"

    def q_function(self):
        t, v = ("?a :v ?v .", {"?a", "?v"})
        outs = " ".join(f"({self.expression(v, 3)} AS ?x{i})" for i in range(self.pick(1, 2, 3)))
        return f"{PREFIXES}SELECT ?v {outs} {{ {t} }}"

    def q_construct(self):
        t, v = self.group(2)
        names = sorted(v) + [":a"]
        template = []
        for _ in range(self.pick(1, 2, 3)):
            s, o = self.pick(self.rng.choice(names), "_:new", "[]"), self.pick(
                self.rng.choice(names), "_:new", self.value())
            template.append(f"{s} {self.pick(':p', ':q', self.rng.choice(names))} {o}")
        return f"{PREFIXES}CONSTRUCT {{ {' . '.join(template)} }} {{ {t} }}"

    def q_ask(self):
        return f"{PREFIXES}ASK {{ {self.group(2)[0]} }}"

    def q_mixed(self):
        return self.select(*self.group(3))

    KINDS = ["paths", "paths", "minus", "exists", "exists", "aggregate", "aggregate", "extremes",
             "compare", "order", "subselect", "scope", "graph", "union", "from", "function", "function",
             "construct", "ask", "mixed", "mixed"]

    def query(self):
        kind = self.rng.choice(self.KINDS)
        return kind, getattr(self, "q_" + kind)()


def datasets(seed, queries, per_dataset=25):
    """Yield (number, data, [(kind, query)]) of `queries` queries in all."""
    number = 0
    while queries > 0:
        rng = random.Random(f"{seed}/{number}")
        data = Data(rng, forms=number % 5 == 4)
        generator = Generator(rng, data)
        n = min(per_dataset, queries)
        yield number, data, [generator.query() for _ in range(n)]
        queries -= n
        number += 1
