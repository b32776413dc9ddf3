"""One page that shows a run: what went in, what came out, and what was learned."""
