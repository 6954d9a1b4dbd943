"""Side-by-side measurements anyone can run; the figures are in docs/performance.md."""
