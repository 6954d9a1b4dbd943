"""The reusable PTransforms, in rooms by domain.

Names are resolved on first use: the render child processes import this package too, and must not pay
for Apache Beam (0.7 s and 100 MB each) to render a page.
"""

from importlib import import_module

_HOME = {
    'CleanAndFilter': 'transforms.text_mix.clean_parts',
    'CleanText': 'transforms.text.clean_text',
    'CollectAccounts': 'transforms.accounting.step',
    'CopyImages': 'transforms.llava_cc3m.copy_images',
    'CutChat': 'transforms.llava_cc3m.cut_chat',
    'ForEachPart': 'transforms.accounting.for_each_part',
    'EachRecord': 'transforms.accounting.each_record',
    'FindDuplicates': 'transforms.keys.find_duplicates',
    'HashDedup': 'transforms.keys.hash_dedup',
    'FinishRun': 'transforms.accounting.finish',
    'KthValue': 'transforms.keys.kth_value',
    'ReservoirSample': 'transforms.keys.reservoir_sample',
    'SmallestRanks': 'transforms.keys.smallest_ranks',
    'PdfPages': 'transforms.pdf.list_pages',
    'PageSelection': 'transforms.pdf.list_pages',
    'Run': 'transforms.run.run',
    'PdfPage': 'transforms.pdf.pages',
    'PageImage': 'transforms.pdf.pages',
    'ListPdfPages': 'transforms.pdf.list_pages',
    'ReadArchivePages': 'transforms.olmocr.read_pages',
    'HFRecord': 'transforms.read_hf.read_hf',
    'ReadHF': 'transforms.read_hf.read_hf',
    'ReadHFParts': 'transforms.read_hf.read_parts',
    'PagesToImages': 'transforms.olmocr.pages_to_images',
    'ReadOlmocrLabels': 'transforms.olmocr.read_rows',
    'RenderFiles': 'transforms.pdf.render_files',
    'RenderPDF': 'transforms.pdf.render_pdf',
    'RenderSettings': 'transforms.pdf.settings',
    'ScoreThreshold': 'transforms.keys.score_threshold',
    'ToLlavaConversation': 'transforms.llava.conversation',
    'WriteDocuments': 'transforms.text_mix.write_documents',
    'WriteImages': 'transforms.pdf.write_images',
    'WriteShards': 'transforms.shards.write_shards',
    'WriteLlava': 'transforms.llava.write_llava',
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
