"""The LLaVA conversation format: building, writing and checking it."""
