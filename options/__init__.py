"""One PipelineOptions class for each concern; every flag is declared once.

A class also says which of its flags do not decide output bytes (`NOT_BYTES`): a run is the same run when only
those differ.
"""
