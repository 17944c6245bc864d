"""Walk the built site: every link leads somewhere, and every search in the words people use finds its page.

``python tests/docs/crawl.py FOLDER`` prints what is wrong and exits with 1 if anything is. The search is the site's own
script, run by node, on the site's own index.
"""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SOURCE = "_modules"  # the folder of the pages that show source code
FIRST = 3  # how far down the results people look
# What people type, by the page that answers it.
SEARCHES = {
    "etl": ("ETL", "add columns", "add columns in ETL"),
    "guide-data-engineer": ("nightly", "every night", "gate nightly", "nightly job"),
    "gates": ("gate", "which limit"),
    "threshold": ("threshold", "choose a threshold", "only the sure ones", "sure ones", "min_precision"),
    "own-model": ("my own model", "own model", "LightGBM", "XGBoost", "CatBoost", "TabPFN", "pred_probs"),
    "text": ("text", "texts", "tickets", "sentence embeddings"),
    "images": ("image", "images", "photographs"),
    "gpu": ("GPU", "CUDA"),
    "streaming": ("bigger than memory", "larger than memory", "out of memory", "memory"),
    "fix-labels": ("fix labels", "keep the originals", "fix", "originals", "undo"),
    "noise-rate": ("noise rate", "read the noise rate", "how many labels are wrong"),
    "compare": ("last month", "compare", "compare with last month", "month"),
    "from-cleanlab": ("cleanlab", "from cleanlab", "find_label_issues"),
    "when-not": ("when not to use it", "when not to use", "not to use"),
    "learn": ("train well",),
    "api/audit": ("dqlabels.audit",),
    "api/dqlabels.LabelAuditor": ("LabelAuditor", "dqlabels.LabelAuditor"),
    "api/dqlabels.LabelMonitor": ("LabelMonitor",),
    "api/df.labels": ("df.labels", "df.labels.audit"),
}
SCRIPTS = ("language_data.js", "base-stemmer.js", "english-stemmer.js", "searchtools.js")
# What the scripts expect of a browser.
BROWSER = """
var _ready = () => {}, SPHINX_HIGHLIGHT_ENABLED = false, _ = text => text;
var window = globalThis, document = {getElementById: () => null};
"""
ASK = """
const pages = query => [...new Set(Search._performSearch(...Search._parseQuery(query)).reverse().map(hit => hit[0]))];
console.log(JSON.stringify(%s.map(pages)));
"""


class Page(HTMLParser):
    """The links of one page, and the places in it that a link can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.anchors |= {name for name in (named.get("id"), named.get("name")) if name}
        self.links |= {link for link in (named.get("href"), named.get("src")) if link}


def read_site(site: Path) -> dict[Path, Page]:
    """Every page of a built site, by its file."""
    return {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def broken_links(pages: dict[Path, Page]) -> list[str]:
    """Name the links inside the site that lead to no file, or to no place in it.

    Sphinx writes the pages of source code: their links back know one path of import for each module.
    """
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = "" if SOURCE in path.parts else unquote(parts.fragment)
            if not target.exists() or (anchor and target in pages and anchor not in pages[target].anchors):
                broken.append(f"{path.name}: {link} leads nowhere")
    return broken


def unreachable(pages: dict[Path, Page], start: Path) -> list[str]:
    """Name the pages to which no links lead from the first one."""
    seen, waiting = set(), [start.resolve()]
    while waiting:
        path = waiting.pop()
        if path in pages and path not in seen:
            seen.add(path)
            waiting += [(path.parent / unquote(urlsplit(link).path)).resolve() for link in pages[path].links]
    return [f"{path.name}: no link leads here" for path in pages if path not in seen and SOURCE not in path.parts]


def search(site: Path, queries: list[str]) -> list[list[str]]:
    """The pages that the site's search finds for each query, best first."""
    scripts = [(site / "_static" / name).read_text(encoding="utf-8") for name in SCRIPTS]
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    code = "\n".join([BROWSER, *scripts, index, ASK % json.dumps(queries)])
    done = subprocess.run(["node", "-"], input=code, capture_output=True, text=True, encoding="utf-8", check=True)
    found: list[list[str]] = json.loads(done.stdout)
    return found


def lost_searches(site: Path) -> list[str]:
    """Name the searches that do not find their page among the first results."""
    asked = [(query, page) for page, queries in SEARCHES.items() for query in queries]
    found = search(site, [query for query, _ in asked])
    return [
        f"search {query!r}: {page} is not among {pages[:FIRST]}"
        for (query, page), pages in zip(asked, found, strict=True)
        if page not in pages[:FIRST]
    ]


def main(site: Path) -> int:
    pages = read_site(site)
    wrong = [*broken_links(pages), *unreachable(pages, site / "index.html"), *lost_searches(site)]
    links = sum(len(page.links) for page in pages.values())
    searches = sum(map(len, SEARCHES.values()))
    print("\n".join([*wrong, f"{len(pages)} pages, {links:,} links, {searches} searches: {len(wrong)} wrong"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
