"""Rendering PDF pages: settings, engines, the sandboxed child processes, and the transforms on top."""
