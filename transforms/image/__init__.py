"""Images as such: whether they can be decoded."""
