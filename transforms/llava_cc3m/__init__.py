"""LLaVA's ready-made pretraining sets: a chat.json beside images, checked record by record and copied."""
