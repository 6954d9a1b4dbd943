"""Stage 2 of the text mixture with datatrove: HTML to text, ftfy and NFC, white space, length, keywords, exact duplicates, gz JSON lines.

Run in an environment of its own (`pip install 'datatrove[processing,io]' selectolax`), as `benchmarks.text_speed` does:

    python benchmarks/peers/datatrove_text.py INPUT WORK WORKERS
"""

import json
import os
import re
import sys
import unicodedata

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import ExactDedupFilter, ExactDedupSignature, ExactFindDedups
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.filters import LambdaFilter
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.formatters.base import BaseFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig

KEYWORDS = re.compile('|'.join(map(re.escape, json.loads(os.environ.get('KEYWORDS', '["buy now"]')))), re.IGNORECASE)
SPACES, LINES = re.compile(r'[^\S\n]+'), re.compile(r'\n{3,}')


class StripHtml(BaseFormatter):
    """HTML to text by lexbor, as the peers' users write it."""

    name = 'Strip HTML'

    def format(self, text: str) -> str:
        """Text of the document."""
        from selectolax.lexbor import LexborHTMLParser

        return LexborHTMLParser(text).text(separator=' ') if '<' in text else text


class Spaces(BaseFormatter):
    """NFC, one space, two newlines."""

    name = 'Spaces'

    def format(self, text: str) -> str:
        """Squeezed text."""
        return LINES.sub('\n\n', SPACES.sub(' ', unicodedata.normalize('NFC', text))).strip()


def keep(doc) -> bool:
    """By length and keywords."""
    return 100 <= len(doc.text) <= 1_000_000 and len(set(map(str.lower, KEYWORDS.findall(doc.text)))) < 2


def main() -> None:
    """The four steps of datatrove's exact deduplication."""
    source, work, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    tasks = len(os.listdir(source))
    config = ExactDedupConfig(content_getter=lambda doc: doc.text, hash_config=HashConfig(hash_fc='xxhash', precision=64))

    def run(pipeline: list, tasks: int, name: str) -> None:
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=workers, logging_dir=f'{work}/logs/{name}').run()

    run([JsonlReader(source), StripHtml(), FTFYFormatter(), Spaces(), LambdaFilter(keep), JsonlWriter(f'{work}/cleaned'),
         ExactDedupSignature(f'{work}/signatures', config=config, finder_workers=1)], tasks, 'clean')
    run([ExactFindDedups(f'{work}/signatures', f'{work}/duplicates', config=config)], 1, 'find')
    run([JsonlReader(f'{work}/cleaned'), ExactDedupFilter(f'{work}/duplicates', config=config), JsonlWriter(f'{work}/output')], tasks, 'filter')


if __name__ == '__main__':
    main()
