"""The licences of the packages that the project installs, from their metadata."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements-image.lock"
"""What the image installs, which includes everything that runs need."""
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC"),
    *("MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
}
"""Licences that ask for no more than to be named, by their SPDX identifiers."""
REVIEWED = {
    "certifi": "MPL-2.0",
    "orjson": "MPL-2.0 AND (Apache-2.0 OR MIT)",
    "pathspec": "MPL-2.0",
    "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
}
"""Packages with other licences. They are installed as published, and not changed: the source that
MPL asks for is their own, and text-unidecode is used under the Artistic License."""
STATED = {
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "dataframely": "BSD-3-Clause",
    "greenlet": "MIT AND PSF-2.0",
    "pywin32": "PSF-2.0",
    "skops": "MIT",
    "tzdata": "Apache-2.0",
    "whenever": "MIT",
}
"""Packages whose metadata name no licence, or that are not installed on every system."""
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""The SPDX identifiers of older forms."""


def locked() -> list[str]:
    """The names of the locked packages."""
    return re.findall(r"^([a-z0-9][a-z0-9._-]*)==", LOCK.read_text(encoding="utf-8"), re.MULTILINE)


def licence(package: str) -> str:
    """The licence of a package, as an SPDX expression where its metadata allow.

    Returns:
        `unknown` if there are no metadata of it.
    """
    if known := REVIEWED.get(package) or STATED.get(package):
        return known
    try:
        facts = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        return "unknown"
    if expressions := facts.get_all("License-Expression"):
        return " AND ".join(map(str, expressions))
    stated = [line.rpartition(" :: ")[2] for line in facts.get_all("Classifier") or ()
              if line.startswith("License :: ") and not line.endswith("OSI Approved")]  # fmt: skip
    texts = [text.splitlines()[0] for text in facts.get_all("License") or ["unknown"]]
    return " OR ".join(CLASSIFIERS.get(name, name) for name in stated or texts)


def unclear() -> dict[str, str]:
    """The licences that are neither permissive nor reviewed, by package."""
    found = {package: licence(package) for package in locked() if package not in REVIEWED}
    return {
        package: text
        for package, text in found.items()
        if not set(re.split(r" AND | OR |[() ]+", text)) - {""} <= PERMISSIVE
    }


def page() -> Iterator[str]:
    """Yields the lines of the page."""
    yield "The licences of the packages in `requirements-image.lock`: what runs and the image need."
    yield "They ask to be named, and no more, but for the packages in the second table, which are"
    yield "installed as published and not changed. A test checks that no other licence joins them."
    for title, others in (("Permissive licences", False), ("Other licences", True)):
        yield from ("", f"## {title}", "", "| package | licence |", "|---|---|")
        chosen = [package for package in locked() if (package in REVIEWED) == others]
        yield from (f"| {package} | {licence(package)} |" for package in chosen)
    yield ""
