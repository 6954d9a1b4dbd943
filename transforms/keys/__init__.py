"""Decisions over a whole dataset on a few numbers of each record: duplicates, the smallest ranks, the k-th value.

What a decision needs of a record travels as a row of a packed array, many of them in one block; the records themselves stay where
they are and are read again by the numbers of those that were chosen.
"""
