"""How many tokens a text has: by a tokenizer of the user's, or an estimate."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

# Characters a token: English web text with the vocabularies of 100,000 to 200,000 tokens that are common now. Other languages and code
# have fewer, so their texts have more tokens than is estimated.
CHARACTERS = 4.2


def estimate(text: str) -> int:
    """About how many tokens a text has: its characters / 4.2, at least 1."""
    return max(1, round(len(text) / CHARACTERS))


@cache
def token_counter(tokenizer: str) -> Callable[[str], int]:
    """The function that counts the tokens of a text, special ones not included; at least 1.

    Args:
        tokenizer: path of a tokenizer.json; '' for the estimate.

    Raises:
        ValueError: the package `tokenizers` is missing, or the file is no tokenizer.
    """
    if not tokenizer:
        return estimate
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise ValueError("--tokenizer needs the package tokenizers: pip install 'beam-training-data[tokens]'") from None
    os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')  # workers are processes already
    try:
        loaded = Tokenizer.from_file(tokenizer)
    except Exception as error:  # it raises plain Exceptions
        raise ValueError(f'--tokenizer {tokenizer} is no tokenizer.json: {error}') from None
    loaded.no_truncation()
    loaded.no_padding()
    return lambda text: max(1, len(loaded.encode(text, add_special_tokens=False)))


def tokenizer_file(name: str) -> str:
    """The tokenizer.json of a path, a folder that holds one, or a model of the Hub, which is downloaded.

    Raises:
        ValueError: there is none.
    """
    path = os.path.join(name, 'tokenizer.json') if os.path.isdir(name) else name
    if os.path.isfile(path):
        return os.path.abspath(path)
    if name.startswith(('/', './', '../')) or name.endswith('.json'):
        raise ValueError(f'--tokenizer {name}: no such file')
    from huggingface_hub import hf_hub_download

    from transforms.hub.errors import HubFault
    from transforms.hub.library import translate_hub_errors

    try:
        with translate_hub_errors(f'--tokenizer {name} is gated or private', f'--tokenizer {name} cannot be fetched'):
            return hf_hub_download(name, 'tokenizer.json')
    except (HubFault, OSError, ValueError) as error:
        raise ValueError(f'--tokenizer {name} is neither a file nor a model of the Hub with a tokenizer.json ({error})') from None
