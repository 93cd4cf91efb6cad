"""A hook of mkdocs: what pages link to beside `docs/` (ready policies, alerts) is put into the site as it is."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

BESIDE = ("policies", "monitoring", "helm/plain")
PLACE = "repository"
OUT = re.compile(rf"\]\(\.\./(?=(?:{'|'.join(BESIDE)})/)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """With what stands beside the pages."""
    root = Path(config.config_file_path).parent
    for folder in BESIDE:
        for path in sorted((root / folder).glob("*.*")):
            name = f"{PLACE}/{path.relative_to(root)}"
            files.append(File.generated(config, name, abs_src_path=str(path), inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """With links that lead to where these are in the site."""
    if page.file.src_uri.startswith(PLACE):
        return markdown.replace("](../../docs/", f"]({'../' * page.file.src_uri.count('/')}")
    return OUT.sub(f"]({PLACE}/", markdown)
