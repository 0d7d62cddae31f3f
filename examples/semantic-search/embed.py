#!/usr/bin/env python3
"""A line of text in, a JSON array out: what `quoin vector embed --embed-command` calls.

    pip install sentence-transformers
    quoin vector embed --store S --on http://example.org/embedding \\
      --predicate http://www.w3.org/2000/01/rdf-schema#comment --embed-command ./embed.py

The model (all-MiniLM-L6-v2, 384 numbers) is fetched on first use; name another one as argument."""
import json
import sys

from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1] if len(sys.argv) > 1 else "all-MiniLM-L6-v2")
for line in sys.stdin:
    vector = model.encode(line.rstrip("\n"), normalize_embeddings=True)
    print(json.dumps([round(float(x), 7) for x in vector]), flush=True)
