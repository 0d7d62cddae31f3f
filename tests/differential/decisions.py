"""Disagreements that decisions.md decides, known by the peer, the query and the two answers.

A rule gets `backed`: the other peer agrees with Quoin, or gives no answer that counts. Most rules ask
for it, so that what is new does not hide behind what is known.
"""

import re

COMPARES = re.compile(r"<=|>=| < | > ")
EQUALS = re.compile(r"!=| = | IN \(")
TEXT = re.compile(
    r"\b(STR|STRLEN|SUBSTR|UCASE|LCASE|CONCAT|REPLACE|MD5|SHA1|SHA256|STRBEFORE|STRAFTER|xsd:string|"
    r"ENCODE_FOR_URI|GROUP_CONCAT|STRDT|STRLANG|CONTAINS|STRSTARTS|STRENDS|REGEX)\(")


def forms(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and (data.forms or TEXT.search(query))


def failure(peer, data, query, theirs, ours, backed):
    return peer == "jena" and theirs.kind == "error" and \
        re.search(r"Node\$|java\.lang\.", theirs.text)


def syntax(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and backed and theirs.kind == "error" and \
        "SELECT contains a variable that is unbound" in theirs.text and " AS ?k)" in query


def path_duplicates(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and backed and "|" in query and ours.kind in ("rows", "graph")


def path_absent_node(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and re.search(r"\)[?*]", query) and \
        (backed or len(theirs.rows) < len(ours.rows))


def ordered_same(peer, data, query, theirs, ours, backed):
    return COMPARES.search(query)


def equality(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and EQUALS.search(query)


def tagged_truth(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and re.search(r"@(en|fr)", data.text) and \
        re.search(r"FILTER\(\(?!?\?|&&|\|\||IF\(\?|!\(", query)


def ill_typed_truth(peer, data, query, theirs, ours, backed):
    return "bad" in data.text + query and re.search(r"FILTER\(\(?!?\?|&&|\|\||IF\(\?|!\(", query)


def empty_concat(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and "GROUP_CONCAT(DISTINCT" in query


def max_error(peer, data, query, theirs, ours, backed):
    return "MAX(" in query and not backed


def concat_terms(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and backed and "GROUP_CONCAT(" in query


def computed_forms(peer, data, query, theirs, ours, backed):
    return TEXT.search(query) and re.search(r"[*+/-] ", query)


def time_arithmetic(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and " - " in query and "dateTime" in data.text


def round_derived(peer, data, query, theirs, ours, backed):
    return peer == "jena" and ("xsd:int" in data.text or "INF" in data.text + query) and \
        re.search(r"ROUND|ABS|CEIL|FLOOR|- ", query)


def substring(peer, data, query, theirs, ours, backed):
    return re.search(r"SUBSTR\(.*, (-1|0|[0-3], 1.5)", query)


def if_error(peer, data, query, theirs, ours, backed):
    return peer == "jena" and "IF(" in query


def exists_path(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and re.search(r"EXISTS \{[^{}]*[*?]\)? ", query)


def tag_case(peer, data, query, theirs, ours, backed):
    return ("@en-GB" in data.text and "@en-gb" in query + data.text) or \
        (peer == "jena" and "LANG(" in query and "@en-gb" in query + data.text)


def extremes(peer, data, query, theirs, ours, backed):
    return "(MIN(?" in query and "(MAX(?" in query and " AS ?low)" in query


def regex_flags(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and "REGEX(" in query


def minus_index(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and "MINUS" in query


def empty_graphs(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and "FROM NAMED" in query and "GRAPH " in query


def inverse_sequence(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and re.search(r"\^\([^ ]*/", query)


def cast_string(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and "xsd:string(" in query


def sequence_absent_node(peer, data, query, theirs, ours, backed):
    return peer == "jena" and backed and re.search(r"\)[*?]", query)


def graph_scope(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and backed and re.search(r"GRAPH \?", query)


def decimal_quotient(peer, data, query, theirs, ours, backed):
    return peer == "oxigraph" and backed and " / " in query


RULES = [failure, extremes, syntax, forms, tag_case, time_arithmetic, round_derived, substring,
         empty_concat, concat_terms, path_duplicates, path_absent_node, exists_path, equality,
         tagged_truth, ill_typed_truth, regex_flags, minus_index, empty_graphs, inverse_sequence,
         cast_string, sequence_absent_node, graph_scope, if_error, max_error, computed_forms, decimal_quotient, ordered_same]


def no_answer(peer, data, query, theirs):
    """Does what this peer says not count?"""
    known = (forms, path_absent_node, path_duplicates)
    return theirs.kind == "error" or any(r(peer, data, query, theirs, theirs, True) for r in known)


def why(peer, data, query, theirs, ours, backed):
    """The name of the decision, or None."""
    for rule in RULES:
        if rule(peer, data, query, theirs, ours, backed):
            return rule.__name__
    return None
