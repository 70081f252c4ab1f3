"""From members of the API to rows of the parameter table, by the rule of AWS Tools for PowerShell.

A member keeps its name; its singular, which AWS Tools use, is an alias (`-Layers`, `-Layer`). A structure is taken
whole, as a mapping, and by each of its leaves under the joined names (`-VpcConfig_SubnetIds`); a leaf deeper down goes
by its last two names also (`-OnFailure_Destination`). A zip file can be named by its path (`-ZipFilename`).
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from lmfunction._params import Kind, Parameter
from lmfunction._service import Member
from lmfunction._text import ascii_only, shorten

ZIP_MEMBER: Final = "ZipFile"
ZIP_PARAMETER: Final = "ZipFilename"

_KINDS: Final[Mapping[str, Kind]] = {
    "text": Kind.TEXT,
    "whole": Kind.WHOLE,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "time": Kind.TIME,
    "blob": Kind.BLOB,
    "texts": Kind.LIST,
    "objects": Kind.OBJECTS,
    "map": Kind.MAP,
    "structure": Kind.MAP,
}
# Further names that AWS Tools give to members, by the API's name.
_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "Marker": ("NextToken",),
    "Publish": ("PublishVersion",),
    "S3Bucket": ("S3Bucket", "BucketName"),
    "S3Key": ("S3Key", "Key"),
    "S3ObjectVersion": ("S3ObjectVersion", "VersionId"),
    ZIP_MEMBER: ("ZipContent", "ZipFileContent"),
}
_HELP_LIMIT: Final = 600
_TYPOGRAPHY: Final = str.maketrans(
    {"–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "\xa0": " ", "…": "..."}
)


def rows(members: Iterable[Member]) -> tuple[Parameter, ...]:
    """The parameters for `members`, each structure followed by its leaves. Their `path` says what they fill."""
    found = [row for member in members for row in _rows(member, (member.name,), required=member.required)]
    zips = [row for row in found if row.path[-1] == ZIP_MEMBER]
    found += [_zip_file_row(row) for row in zips]
    found = [_excluding_file(row) if row in zips else row for row in found]
    return _with_distinct_aliases(found)


def plain_text(documentation: str, limit: int = _HELP_LIMIT) -> str:
    """The first paragraphs of the model's HTML as plain text, of about `limit` characters at most."""
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", documentation, flags=re.DOTALL | re.IGNORECASE)
    text = re.sub(r"</?(?:p|ul|ol|dl|note|important|br)\b[^>]*>", "\n", text)
    text = re.sub(r"<(?:li|dt)\b[^>]*>", "\n- ", text)
    text = ascii_only(html.unescape(re.sub(r"<[^>]+>", "", text)).translate(_TYPOGRAPHY), keep="\n")
    paragraphs = [" ".join(line.split()) for line in text.split("\n")]
    kept: list[str] = []
    for paragraph in paragraphs:
        if paragraph in ("", "-"):
            continue
        if kept and sum(map(len, kept)) + len(paragraph) > limit:
            break
        kept.append(paragraph)
    return shorten(" ".join(kept), limit)


def first_sentence(documentation: str) -> str:
    """The first sentence of the model's documentation."""
    text = plain_text(documentation)
    end = re.search(r"(?<!e\.g)(?<!i\.e)\.(?=\s|$)", text)
    return text[: end.end()] if end else text


def singular(name: str) -> str:
    """The name as AWS Tools write it: without the plural of its last word."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    if re.search(r"(?:ss|us|x|ch|sh)es\Z", name):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith(("ss", "us", "is")) else name


def _rows(member: Member, path: tuple[str, ...], *, required: bool) -> Iterator[Parameter]:
    if member.type != "structure" or len(path) == 1:
        yield _row(member, path, required=required and member.type != "structure")
    for leaf in member.members if member.type == "structure" else ():
        # A structure may be given whole, so that none of its leaves is required by itself.
        yield from _rows(leaf, (*path, leaf.name), required=False)


def _row(member: Member, path: tuple[str, ...], *, required: bool) -> Parameter:
    name = "_".join(path)
    text = plain_text(member.documentation)
    names = ", ".join(leaf.name for leaf in member.members)
    if member.type == "structure":
        text = f"{text} A mapping of {names}.".strip()
    elif member.type == "objects" and names:
        text = f"{text} A list of mappings of {names}.".strip()
    choice = member.type == "text" and member.choices
    text = text or f"The member {'.'.join(path)} of the request"
    return Parameter(
        name,
        Kind.CHOICE if choice else _KINDS[member.type],
        text[0].upper() + text[1:] + ("" if text.endswith((".", "…")) else "."),
        aliases=tuple(dict.fromkeys(_aliases(member, path, name))),
        choices=member.choices,
        minimum=member.minimum,
        mandatory=required,
        path=path,
        sensitive=member.sensitive,
        generated=True,
    )


def _aliases(member: Member, path: tuple[str, ...], name: str) -> Iterator[str]:
    last = path[-1] if member.type == "structure" else singular(path[-1])
    short = ("_".join(path[-2:]), "_".join((*path[-2:-1], last))) if len(path) > 2 else ()
    for alias in ("_".join((*path[:-1], last)), *short, *_ALIASES.get(path[-1], ())):
        if alias != name:
            yield alias


def _zip_file_row(row: Parameter) -> Parameter:
    return Parameter(
        ZIP_PARAMETER,
        Kind.FILE,
        "The path of a zip file whose bytes are sent.",
        aliases=("FunctionZip", "Filename"),
        path=row.path,
        excludes=(row.name,),
        generated=True,
    )


def _excluding_file(row: Parameter) -> Parameter:
    return dataclasses.replace(row, excludes=(*row.excludes, ZIP_PARAMETER))


def _with_distinct_aliases(found: list[Parameter]) -> tuple[Parameter, ...]:
    """The rows without those aliases that would stand for two of them."""
    count = Counter(spelling for row in found for spelling in row.spellings)
    names = {row.spellings[0] for row in found}

    def distinct(row: Parameter) -> tuple[str, ...]:
        pairs = zip(row.aliases, row.spellings[1:], strict=True)
        return tuple(alias for alias, spelling in pairs if spelling not in names and count[spelling] == 1)

    return tuple(dataclasses.replace(row, aliases=distinct(row)) for row in found)
