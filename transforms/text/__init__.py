"""Text: cleaning steps, measures and rules, plain functions of a document that know neither Beam nor where it comes from."""
