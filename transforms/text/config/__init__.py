"""The YAML of a text pipeline: read with the line of each mistake, and what it asks for as steps and rules."""
